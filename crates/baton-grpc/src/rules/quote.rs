//! Quoted text as the Go language writes it (`%q`).

use std::fmt::Write as _;

/// `text` in quotes, with the escapes of a Go string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            ' '..='~' => out.push(letter),
            _ => push_wide(&mut out, letter),
        }
    }
    out.push('"');
    out
}

/// Letters as they are, the rest by number. The standard library knows which
/// are printable.
fn push_wide(out: &mut String, letter: char) {
    let number = u32::from(letter);
    // Writing to a string cannot fail.
    let _ = match number {
        0..=0x7f => write!(out, "\\x{number:02x}"),
        _ if letter.escape_debug().len() == 1 => write!(out, "{letter}"),
        0x80..=0xffff => write!(out, "\\u{number:04x}"),
        _ => write!(out, "\\U{number:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(quoted("^[a-z]{2}|$"), r#""^[a-z]{2}|$""#);
        assert_eq!(quoted("a\"\\\n\u{1}\u{7f}"), r#""a\"\\\n\x01\x7f""#);
        assert_eq!(quoted("ü\u{200b}\u{10ffff}"), r#""ü\u200b\U0010ffff""#);
    }
}
