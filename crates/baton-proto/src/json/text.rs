//! JSON strings as Go escapes them.

use crate::Result;
use crate::wire;

/// What must be escaped: nothing, by itself or, in HTML form, perhaps.
const fn table(html: bool) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = true;
        at += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    if html {
        table[b'<' as usize] = true;
        table[b'>' as usize] = true;
        table[b'&' as usize] = true;
        // First byte of U+2028 and U+2029, and of others that stay.
        table[0xe2] = true;
    }
    table
}

static PLAIN: [bool; 256] = table(false);
static HTML: [bool; 256] = table(true);

/// Appends a string in quotes. Bytes that are not UTF-8 are an error.
///
/// `html` adds the escapes of Go's `encoding/json`, which `config` prints
/// (connector-cli.md, trap 13); protojson itself has only the others.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8], html: bool) -> Result<()> {
    wire::text(bytes)?;
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    put_escaped(out, bytes, if html { &HTML } else { &PLAIN });
    out.push(b'"');
    Ok(())
}

fn put_escaped(out: &mut Vec<u8>, bytes: &[u8], special: &[bool; 256]) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&b| special[usize::from(b)]) {
        let (clean, tail) = rest.split_at(at);
        out.extend_from_slice(clean);
        let taken = put_escape(out, tail);
        rest = tail.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Escapes the first character of `tail`; gives the bytes it took.
fn put_escape(out: &mut Vec<u8>, tail: &[u8]) -> usize {
    match *tail {
        [b'"', ..] => out.extend_from_slice(b"\\\""),
        [b'\\', ..] => out.extend_from_slice(b"\\\\"),
        [0x08, ..] => out.extend_from_slice(b"\\b"),
        [0x0c, ..] => out.extend_from_slice(b"\\f"),
        [b'\n', ..] => out.extend_from_slice(b"\\n"),
        [b'\r', ..] => out.extend_from_slice(b"\\r"),
        [b'\t', ..] => out.extend_from_slice(b"\\t"),
        [0xe2, 0x80, last @ (0xa8 | 0xa9), ..] => {
            out.extend_from_slice(if last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
            return 3;
        }
        [byte @ (0..0x80), ..] => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
        [byte, ..] => out.push(byte),
        [] => {}
    }
    1
}

#[cfg(test)]
mod tests {
    use super::put;

    fn escaped(text: &str, html: bool) -> String {
        let mut out = Vec::new();
        put(&mut out, text.as_bytes(), html).expect("UTF-8");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert!(put(&mut Vec::new(), b"a\xffb", false).is_err());
    }

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped() {
        assert_eq!(
            escaped("a\"b\\c\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}", false),
            "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}\""
        );
    }

    #[test]
    fn html_characters_are_escaped_only_when_asked() {
        let text = "<a>&\u{2028}\u{2029}\u{2027}\u{20ac}é";
        assert_eq!(escaped(text, false), format!("\"{text}\""));
        assert_eq!(
            escaped(text, true),
            "\"\\u003ca\\u003e\\u0026\\u2028\\u2029\u{2027}\u{20ac}é\""
        );
    }
}
