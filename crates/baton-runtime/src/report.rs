//! How an error looks on the terminal: what failed, why, and what to do.
//!
//! One `error:` line, a `caused by:` line per cause, then the hints, each once. Nothing else in the
//! program prints errors, so none is printed twice.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt::Write as _;

/// Renders an error with its causes and hints, without a line break at the end.
pub(crate) fn render(error: &dyn StdError, hints: &[String], coloured: bool) -> String {
    let paint = |code: &str, word: &str| {
        if coloured {
            format!("\x1b[{code}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    };
    let mut shown = error.to_string();
    let mut text = format!("{} {shown}", paint("1;31", "error:"));
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Wrappers that pass their cause's text on say nothing new.
        if !shown.ends_with(&message) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{} {message}", paint("1", "caused by:"));
            shown = message;
        }
        cause = error.source();
    }
    let mut seen = BTreeSet::new();
    for hint in hints.iter().filter(|hint| seen.insert(hint.as_str())) {
        let _ = write!(text, "\n{} {hint}", paint("1;36", "hint:"));
    }
    text
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

    fn chain(texts: &[&'static str]) -> Link {
        let (first, rest) = texts.split_first().unwrap();
        let source = (!rest.is_empty()).then(|| Box::new(chain(rest)));
        Link {
            text: first,
            source,
        }
    }

    #[test]
    fn causes_follow_the_error_and_hints_come_last_once() {
        let error = chain(&[
            "cannot list groups",
            "cannot list groups",
            "GET /x answered 403",
        ]);
        let hints = ["use another key".to_owned(), "use another key".to_owned()];
        assert_eq!(
            render(&error, &hints, false),
            "error: cannot list groups\ncaused by: GET /x answered 403\nhint: use another key"
        );
    }

    #[test]
    fn colours_are_only_around_the_words() {
        assert_eq!(
            render(&chain(&["no"]), &[], true),
            "\x1b[1;31merror:\x1b[0m no"
        );
    }
}
