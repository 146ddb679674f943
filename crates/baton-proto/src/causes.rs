//! An error with its causes as texts, each fact once.

use std::error::Error;

/// The texts of an error and of its causes, outermost first.
///
/// A cause whose text already ends the text before it is left out: wrappers
/// that repeat their cause add nothing.
pub fn texts(error: &(dyn Error + '_)) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.ends_with(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    texts
}

/// An error with its causes in one line: `a: b: c`.
pub fn one_line(error: &(dyn Error + '_)) -> String {
    texts(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    fn link(texts: &[&'static str]) -> Link {
        Link {
            text: texts[0],
            source: (texts.len() > 1).then(|| Box::new(link(&texts[1..]))),
        }
    }

    #[test]
    fn causes_follow_in_order_and_repeated_texts_are_left_out() {
        let error = link(&["cannot list groups", "step: refused", "refused", "", "403"]);
        assert_eq!(
            texts(&error),
            ["cannot list groups", "step: refused", "403"]
        );
        assert_eq!(one_line(&error), "cannot list groups: step: refused: 403");
    }
}
