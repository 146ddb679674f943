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
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    if is_clean(bytes, html) {
        out.extend_from_slice(bytes);
    } else {
        wire::text(bytes)?;
        put_escaped(out, bytes, if html { &HTML } else { &PLAIN });
    }
    out.push(b'"');
    Ok(())
}

/// Whether all is ASCII and needs no escape: most strings are so, and eight
/// bytes at a time it is found out much faster than one by one.
fn is_clean(bytes: &[u8], html: bool) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut last = [b'x'; 8];
    for (place, byte) in last.iter_mut().zip(tail) {
        *place = *byte;
    }
    words.iter().all(|word| is_clean_word(*word, html)) && is_clean_word(last, html)
}

#[inline]
fn is_clean_word(word: [u8; 8], html: bool) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let word = u64::from_le_bytes(word);
    // The high bit of some byte of these is set if and only if some byte of the
    // word is below the limit, or the wanted one.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let has = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let mut found = word | below(word, 0x20) | has(b'"') | has(b'\\');
    if html {
        found |= has(b'<') | has(b'>') | has(b'&');
    }
    found & HIGH == 0
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
        for at in 0..20 {
            let mut bytes = [b'a'; 20];
            bytes[at] = 0xff;
            assert!(put(&mut Vec::new(), &bytes, false).is_err());
        }
    }

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped() {
        assert_eq!(
            escaped("a\"b\\c\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}", false),
            "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}\""
        );
    }

    #[test]
    fn every_character_is_escaped_the_same_wherever_it_stands() {
        for c in (0..0x100).filter_map(char::from_u32) {
            let alone = escaped(&c.to_string(), true);
            let alone = &alone[1..alone.len() - 1];
            for at in 0..20 {
                let text = format!("{}{c}{}", "x".repeat(at), "y".repeat(20 - at));
                let expected = format!("\"{}{alone}{}\"", "x".repeat(at), "y".repeat(20 - at));
                assert_eq!(escaped(&text, true), expected);
            }
        }
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
