//! A strict scanner for JSON text: one token at a time, no tree.
//!
//! Knows nothing of protobuf. Every error has its position; nesting is bounded by
//! [`MAX_NESTING`].

use std::borrow::Cow;

use crate::{Error, Result};

/// Deepest nesting of objects and lists. A level of JSON is up to two levels of
/// messages (a `Value` and its `Struct`), so whatever is read here stays within
/// [`crate::wire::MAX_DEPTH`] and can be written again.
pub(super) const MAX_NESTING: usize = 100;

/// The kind of the next value, known by its first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Object,
    List,
    Text,
    Number,
    Bool,
    Null,
}

/// A place in JSON text.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'j> {
    text: &'j str,
    at: usize,
    depth: usize,
}

impl<'j> Scanner<'j> {
    pub fn new(text: &'j str) -> Scanner<'j> {
        Scanner {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// An error at this place.
    pub fn error(&self, what: impl Into<String>) -> Error {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Error::Json {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            what: what.into(),
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Looks at the next value without taking it.
    pub fn peek(&mut self) -> Result<Next> {
        self.skip_space();
        match self.byte() {
            Some(b'{') => Ok(Next::Object),
            Some(b'[') => Ok(Next::List),
            Some(b'"') => Ok(Next::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Next::Number),
            Some(b't' | b'f') => Ok(Next::Bool),
            Some(b'n') => Ok(Next::Null),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("the text ends where a value should be")),
        }
    }

    /// Fails unless only white space is left.
    pub fn end(&mut self) -> Result<()> {
        self.skip_space();
        match self.byte() {
            None => Ok(()),
            Some(_) => Err(self.error("text behind the value")),
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.error(format!("expected `{}`", char::from(byte))))
        }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        self.skip_space();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let behind = rest.as_bytes().get(word.len());
        if rest.starts_with(word) && !behind.is_some_and(u8::is_ascii_alphanumeric) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.error(format!("expected `{word}`")))
        }
    }

    pub fn null(&mut self) -> Result<()> {
        self.word("null")
    }

    pub fn boolean(&mut self) -> Result<bool> {
        self.skip_space();
        if self.byte() == Some(b't') {
            self.word("true").map(|()| true)
        } else {
            self.word("false").map(|()| false)
        }
    }

    /// The text of a number; its grammar is checked by who reads it.
    pub fn number(&mut self) -> Result<&'j str> {
        self.skip_space();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let size = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'))
            .count();
        let number = rest.get(..size).unwrap_or_default();
        if super::number::is_number(number) {
            self.at += size;
            Ok(number)
        } else {
            Err(self.error("malformed number"))
        }
    }

    pub fn string(&mut self) -> Result<Cow<'j, str>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut unescaped: Option<String> = None;
        let mut clean = start;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let tail = self.text.get(clean..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(tail),
                        Some(mut text) => {
                            text.push_str(tail);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(self.text.get(clean..self.at).unwrap_or_default());
                    let escaped = self.escape()?;
                    unescaped.get_or_insert_default().push(escaped);
                    clean = self.at;
                }
                Some(0..0x20) => return Err(self.error("control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("the text ends inside a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        self.at += 1;
        let escaped = match self.byte() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.error("unknown escape in a string")),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Four hex digits behind `\u`; a surrogate needs its pair.
    fn unicode_escape(&mut self) -> Result<char> {
        let first = self.hex4()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        if (0xd800..0xdc00).contains(&first) && rest.starts_with("\\u") {
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                if let Some(c) = char::from_u32(code) {
                    return Ok(c);
                }
            }
        }
        Err(self.error("half of a surrogate pair"))
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        let valid = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(value) if valid => {
                self.at += 4;
                Ok(value)
            }
            _ => Err(self.error("expected four hex digits")),
        }
    }

    /// Reads an object; `member` is called behind each key and its colon, and
    /// takes the value.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'j, str>) -> Result<()>,
    ) -> Result<()> {
        self.expect(b'{')?;
        self.enter()?;
        if !self.take(b'}') {
            loop {
                self.skip_space();
                let key = self.string()?;
                self.expect(b':')?;
                member(self, key)?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b'}')?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a list; `item` takes each value.
    pub fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.expect(b'[')?;
        self.enter()?;
        if !self.take(b']') {
            loop {
                item(self)?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b']')?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(self.error(format!("nested deeper than {MAX_NESTING} levels")));
        }
        Ok(())
    }

    /// Passes over a value of any kind, checking its form.
    pub fn skip(&mut self) -> Result<()> {
        match self.peek()? {
            Next::Object => self.object(|s, _| s.skip()),
            Next::List => self.list(Self::skip),
            Next::Text => self.string().map(drop),
            Next::Number => self.number().map(drop),
            Next::Bool => self.boolean().map(drop),
            Next::Null => self.null(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(text: &str) -> Result<()> {
        let mut scanner = Scanner::new(text);
        scanner.skip()?;
        scanner.end()
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "{]",
            "[}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[1,]",
            "[1 2]",
            "1 2",
            "nul",
            "nulls",
            "True",
            "01",
            "1.",
            "\"a",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\\u+123\"",
            "\"a\nb\"",
            "\"\\u00é\"",
            "'a'",
            "{\"a\":1}}",
            "\u{feff}1",
        ] {
            assert!(skip(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_say_line_and_column() {
        let error = skip("{\n \"é\": x}").expect_err("malformed");
        assert_eq!(error.to_string(), "line 2, column 7: expected a value");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(skip(&deep(MAX_NESTING)).is_ok());
        assert!(skip(&deep(MAX_NESTING + 1)).is_err());
        assert!(skip(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn escapes_are_resolved() {
        let mut scanner = Scanner::new(r#" "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z" "#);
        let text = scanner.string().expect("valid");
        assert_eq!(text, "a\"\\/\u{8}\u{c}\n\r\té😀z");
        scanner.end().expect("nothing left");
    }
}
