//! JSON from outside, read without giving up on what only describes.
//!
//! A [`Document`] is checked to be JSON as a whole and is taken apart on
//! demand, so that depth and size of unread values cost nothing. Text that
//! is not valid Unicode (a lone surrogate, bytes that are not UTF-8) is marked
//! in its [`Text`]; of equal keys the last counts, and [`Object::get`]
//! marks it. The reader decides whether that is an error: see [`super::Fields`].

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Stands for a byte that is not UTF-8: an escape that no valid text has, so
/// that it is found again when the text is read.
const BROKEN_BYTE: &str = "\\udc00";

/// A whole JSON document.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
}

impl Document {
    /// Reads bytes as one JSON value with nothing behind it. A byte order mark
    /// of UTF-8 in front is left out.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = valid_text(bytes);
        serde_json::from_str::<&RawValue>(&text)?;
        Ok(Self {
            text: text.into_owned(),
        })
    }

    /// Reads what there is of a document that was cut: what had not come to its
    /// end is closed, or left out where its beginning means nothing. A text that
    /// was cut ends with `…`.
    pub fn parse_beginning(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Self::parse(bytes).or_else(|_| {
            // Where the cut went through a number, the parser does not say so.
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            Self::parse(closed(&valid_text(bytes)).as_bytes())
        })
    }

    /// The document's value.
    pub fn root(&self) -> Json<'_> {
        Json(self.text.trim_matches([' ', '\t', '\n', '\r']))
    }
}

/// The beginning of a JSON text up to its last whole value, or inside of the
/// text that is the last value, with everything closed that is open there.
fn closed(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut open: Vec<u8> = Vec::new();
    // The last place where the text can end, and what is open there.
    let (mut end, mut open_at_end) = (0, 0);
    // A text is a name where an object expects one.
    let mut is_name = false;
    let mut at = 0;
    let mut torn = None;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let Some(len) = string_len(&text[at..]) else {
                    torn = (!is_name).then_some(at);
                    break;
                };
                at += len;
                if !is_name {
                    (end, open_at_end) = (at, open.len());
                }
                continue;
            }
            b'{' | b'[' => {
                open.push(if *byte == b'{' { b'}' } else { b']' });
                (end, open_at_end) = (at + 1, open.len());
                is_name = *byte == b'{';
            }
            b'}' | b']' => {
                open.pop();
                (end, open_at_end) = (at + 1, open.len());
                is_name = false;
            }
            b',' => {
                // A number or a word ends here at the latest.
                (end, open_at_end) = (at, open.len());
                is_name = open.last() == Some(&b'}');
            }
            b':' => is_name = false,
            _ => {}
        }
        at += 1;
    }
    let mut whole = match torn {
        Some(start) => {
            open_at_end = open.len();
            let whole = whole_characters(&text[start..]);
            format!("{}{whole}…\"", &text[..start])
        }
        None => text[..end].to_owned(),
    };
    let closing = open.get(..open_at_end).unwrap_or_default();
    whole.extend(closing.iter().rev().map(|byte| char::from(*byte)));
    whole
}

/// Length of the string that the text begins with; none if it has no end.
fn string_len(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A string without an end, up to the last character that is whole.
fn whole_characters(text: &str) -> &str {
    let mut at = 1;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let len = match rest.as_bytes() {
            [b'\\', b'u', ..] => 6,
            [b'\\', ..] => 2,
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        if len > rest.len() {
            break;
        }
        at += len;
    }
    text.get(..at).unwrap_or(text)
}

/// The bytes as text in which each byte that is not UTF-8 is replaced. In
/// strings that is by [`BROKEN_BYTE`]; anywhere else no JSON has such bytes.
fn valid_text(bytes: &[u8]) -> Cow<'_, str> {
    let mut rest = match std::str::from_utf8(bytes) {
        Ok(text) => return Cow::Borrowed(text),
        Err(_) => bytes,
    };
    let mut text = String::with_capacity(bytes.len() + 64);
    while !rest.is_empty() {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                break;
            }
            Err(error) => {
                let (valid, broken) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                push_broken(&mut text);
                rest = &broken[1..];
            }
        }
    }
    Cow::Owned(text)
}

fn push_broken(text: &mut String) {
    let backslashes = |text: &str| text.bytes().rev().take_while(|b| *b == b'\\').count();
    if backslashes(text) % 2 == 1 {
        // An escape of a broken byte: nothing that JSON knows.
        text.push(char::REPLACEMENT_CHARACTER);
        return;
    }
    // Half a pair in front must not become whole by what is put behind it.
    if let Some(head) = text.len().checked_sub(6)
        && text.is_char_boundary(head)
        && is_high_surrogate(&text[head..])
        && backslashes(&text[..=head]) % 2 == 1
    {
        text.truncate(head);
        text.push_str("\\ufffd");
    }
    text.push_str(BROKEN_BYTE);
}

fn is_high_surrogate(escape: &str) -> bool {
    let digits = escape.strip_prefix("\\u").unwrap_or_default();
    u16::from_str_radix(digits, 16).is_ok_and(|unit| (0xd800..0xdc00).contains(&unit))
}

/// A value of a [`Document`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl<'a> Json<'a> {
    /// What the value is, in words: `an object`, `a list`, `text`, `a number`,
    /// `true`, `false` or `null`.
    pub fn kind(self) -> &'static str {
        match self.0.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "text",
            Some(b't') => "true",
            Some(b'f') => "false",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    /// Whether the value is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// `true` or `false`.
    pub fn flag(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number that is not negative and fits.
    pub fn count(self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// Text.
    pub fn text(self) -> Option<Text> {
        self.0.starts_with('"').then(|| {
            let mut source = serde_json::Deserializer::from_str(self.0);
            // Its grammar was checked with the document's.
            TextSeed.deserialize(&mut source).unwrap_or(Text {
                words: String::new(),
                whole: false,
            })
        })
    }

    /// The values of a list.
    pub fn list(self) -> Option<Vec<Json<'a>>> {
        if !self.0.starts_with('[') {
            return None;
        }
        let items: Vec<&'a RawValue> = serde_json::from_str(self.0).ok()?;
        Some(items.into_iter().map(|raw| Json(raw.get())).collect())
    }

    /// The members of an object.
    pub fn object(self) -> Option<Object<'a>> {
        if !self.0.starts_with('{') {
            return None;
        }
        let mut source = serde_json::Deserializer::from_str(self.0);
        let members = (&mut source).deserialize_map(MembersVisitor).ok()?;
        Some(Object { members })
    }
}

/// Text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text; what is not valid Unicode is U+FFFD.
    pub words: String,
    /// Nothing had to be replaced.
    pub whole: bool,
}

/// The members of an object.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    members: Vec<(String, Json<'a>)>,
}

/// What an object has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The value; of several the last.
    pub value: Json<'a>,
    /// The name comes more than once.
    pub repeated: bool,
}

impl<'a> Object<'a> {
    /// The member of a name.
    pub fn get(&self, name: &str) -> Option<Member<'a>> {
        let mut found = self.members.iter().filter(|(known, _)| known == name);
        let (_, last) = found.next_back()?;
        Some(Member {
            value: *last,
            repeated: found.next_back().is_some(),
        })
    }

    /// Whether the object has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, Json<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(TextSeed)? {
            let raw: &'de RawValue = map.next_value()?;
            members.push((name.words, Json(raw.get())));
        }
        Ok(members)
    }
}

/// Reads a string as bytes, in which lone surrogates are allowed.
struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Text, D::Error> {
        source.deserialize_bytes(self)
    }
}

impl Visitor<'_> for TextSeed {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Text, E> {
        if let Ok(valid) = std::str::from_utf8(bytes) {
            return Ok(Text {
                words: valid.to_owned(),
                whole: true,
            });
        }
        let mut words = String::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    words.push_str(valid);
                    break;
                }
                Err(error) => {
                    let (valid, broken) = rest.split_at(error.valid_up_to());
                    words.push_str(std::str::from_utf8(valid).map_err(E::custom)?);
                    words.push(char::REPLACEMENT_CHARACTER);
                    // A surrogate takes three bytes in this form.
                    rest = broken.get(3..).unwrap_or_default();
                }
            }
        }
        Ok(Text {
            words,
            whole: false,
        })
    }
}

/// What bytes are that were to be JSON, as far as their beginning shows it.
pub(super) fn foreign_form(bytes: &[u8]) -> Option<&'static str> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    Some(match bytes {
        [] => "an empty body",
        [0x1f, 0x8b, ..] => "gzip data that no header announces",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd data that no header announces",
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => "zlib data that no header announces",
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [_, 0, 0, 0, ..] | [0, 0, 0, _, ..] => {
            "UTF-32 text"
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, _, ..] => "UTF-16 text",
        _ if first == Some(&b'<') => "a web page",
        _ if first.is_none() => "an empty body",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[u8]) -> (String, bool) {
        let document = Document::parse(text).unwrap_or_else(|e| panic!("{e}"));
        let text = document.root().text().expect("text");
        (text.words, text.whole)
    }

    #[test]
    fn text_that_is_not_unicode_is_replaced_as_go_replaces_it() {
        let cases: [(&[u8], &str); 12] = [
            (br#""a\ud800""#, "a\u{fffd}"),
            (br#""\udc00z""#, "\u{fffd}z"),
            (br#""\ud800\ud800""#, "\u{fffd}\u{fffd}"),
            (br#""\ud800\n""#, "\u{fffd}\n"),
            (b"\"a\xffb\"", "a\u{fffd}b"),
            (b"\"\xe2\x82\"", "\u{fffd}\u{fffd}"),
            (b"\"\xed\xa0\x80\"", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\"\\ud83d\xff\"", "\u{fffd}\u{fffd}"),
            (b"\"\\\\ud83d\xff\"", "\\ud83d\u{fffd}"),
            (b"\"\xff\\udc00\"", "\u{fffd}\u{fffd}"),
            (b"\"\\\\\xff\"", "\\\u{fffd}"),
            (b"\"\xc3\x28\"", "\u{fffd}("),
        ];
        for (text, expected) in cases {
            assert_eq!(
                words(text),
                (expected.to_owned(), false),
                "{}",
                text.escape_ascii()
            );
        }
        for (text, expected) in [
            (&br#""\ud83d\ude00""#[..], "\u{1f600}"),
            (b"\"\xef\xbf\xbd\"", "\u{fffd}"),
            (br#""\u0000\u001b""#, "\0\u{1b}"),
        ] {
            assert_eq!(words(text), (expected.to_owned(), true));
        }
    }

    #[test]
    fn what_is_not_json_is_refused_wherever_the_fault_is() {
        for text in [
            &b""[..],
            b" ",
            b"{",
            b"[1,]",
            b"{\"a\":1}}",
            b"nul",
            b"{\"a\":[[[}",
            b"\xff",
            b"{\"a\":\xff}",
            b"[1]\xff",
            b"\"\\\xff\"",
            b"\"a\nb\"",
            b"\"\\u12\"",
            b"[01]",
            b"[1] [2]",
        ] {
            assert!(Document::parse(text).is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_document_that_was_cut_anywhere_keeps_what_is_whole() {
        let text =
            r#" {"a":[1,{"b":"x\"\u00e9\\y"},[],true],"code":"E-1","n":-1.5e3,"é":{"é":"é"}} "#;
        for cut in 0..=text.len() {
            let Ok(document) = Document::parse_beginning(&text.as_bytes()[..cut]) else {
                assert!(cut < 2, "{cut}");
                continue;
            };
            let object = document.root().object().expect("an object");
            let code = object.get("code").and_then(|code| code.value.text());
            let code = code.map(|text| text.words);
            let begun = text.find("\"E-1").expect("there") + 1;
            let shown = match cut {
                _ if cut < begun => None,
                _ if cut > begun + 3 => Some("E-1".to_owned()),
                _ => Some(format!("{}…", &text[begun..cut])),
            };
            assert_eq!(code, shown, "{cut}");
        }
        for text in ["", "{]", "nul", "\"a", "[1,2", "{\"a\":1}x", "{\"a\":"] {
            // Never a panic, and never anything but JSON.
            if let Ok(document) = Document::parse_beginning(text.as_bytes()) {
                document.root().kind();
            }
        }
        let deep = "[".repeat(60_000);
        assert!(Document::parse_beginning(deep.as_bytes()).is_ok());
    }

    #[test]
    fn depth_and_size_of_unread_values_cost_nothing() {
        let deep = format!(
            r#"{{"deep":{}{},"big":1e999,"tail":7}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let document = Document::parse(deep.as_bytes()).expect("JSON");
        let object = document.root().object().expect("an object");
        let value = |name| object.get(name).expect("there").value;
        assert_eq!(value("tail").count(), Some(7));
        assert_eq!(value("big").count(), None);
        assert_eq!(value("deep").kind(), "a list");
    }

    #[test]
    fn of_equal_keys_the_last_counts_and_is_marked() {
        let text = br#"{"a":1,"b":2,"a":3,"\u0061":4,"\ud800":5}"#;
        let document = Document::parse(text).expect("JSON");
        let object = document.root().object().expect("an object");
        let a = object.get("a").expect("there");
        assert_eq!((a.value.count(), a.repeated), (Some(4), true));
        let b = object.get("b").expect("there");
        assert_eq!((b.value.count(), b.repeated), (Some(2), false));
        assert_eq!(object.get("c"), None);
    }

    #[test]
    fn a_byte_order_mark_of_utf_8_is_left_out() {
        let document = Document::parse(b"\xef\xbb\xbf [ null ] \n").expect("JSON");
        let list = document.root().list().expect("a list");
        assert_eq!(list.len(), 1);
        assert!(list[0].is_null());
    }

    #[test]
    fn numbers_count_only_where_they_are_whole_and_fit() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("-0", None),
            ("1.0", None),
            ("1e3", None),
            ("\"1\"", None),
            ("null", None),
        ] {
            let document = Document::parse(text.as_bytes()).expect("JSON");
            assert_eq!(document.root().count(), expected, "{text}");
        }
    }

    #[test]
    fn other_forms_are_named() {
        for (bytes, expected) in [
            (
                &b"\x1f\x8b\x08"[..],
                Some("gzip data that no header announces"),
            ),
            (b"\xff\xfe{\0", Some("UTF-16 text")),
            (b"\xfe\xff\0{", Some("UTF-16 text")),
            (b"{\0\"\0", Some("UTF-16 text")),
            (b"\0{\0\"", Some("UTF-16 text")),
            (b"{\0\0\0", Some("UTF-32 text")),
            (b" <html>", Some("a web page")),
            (b"", Some("an empty body")),
            (b"{}", None),
            (b"blocked", None),
        ] {
            assert_eq!(foreign_form(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
