//! The message of a panic, for the error that reports it.
//!
//! Every crate that runs foreign code, or code in a task of its own, turns a panic
//! into an error that names the step. The text of the panic goes into that error,
//! on one line.

use std::any::Any;

/// Characters of a panic's message that are kept.
const MAX_CHARS: usize = 1_000;

/// The message of a panic on one line; what `catch_unwind` and `join` give.
pub fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(MAX_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_one_line_whatever_the_panic_carries() {
        for (payload, text) in [
            (Box::new("a\n  b") as Box<dyn Any + Send>, "a b"),
            (Box::new("left: 1\nright: 2".to_owned()), "left: 1 right: 2"),
            (Box::new(7), "a panic without a message"),
        ] {
            assert_eq!(panic_text(&*payload), text);
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let text = panic_text(&"é".repeat(MAX_CHARS + 1));
        assert_eq!(text.chars().count(), MAX_CHARS + 1);
        assert!(text.ends_with('…'));
    }
}
