//! From text to words, each with the place where it begins.

use super::fault::{Fault, Problem};

/// A word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, also a reserved one.
    Name(String),
    /// A whole number without its sign.
    Int(u64),
    /// A whole number that ends with `u`.
    Uint(u64),
    /// A number with a fraction or an exponent.
    Double(f64),
    /// A text in quotes, decoded.
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    /// Nothing follows.
    End,
}

/// Operators and brackets; of two that begin alike the longer comes first.
const SIGNS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")",
    "[", "]", "{", "}", ",", ".", "=",
];

/// Reads the words of a text.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next word and where it begins.
    pub fn next(&mut self) -> Result<(Token, usize), Fault> {
        self.skip_blanks();
        let begin = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok((Token::End, begin));
        };
        let token = match first {
            '"' | '\'' => self.string(false, begin)?,
            'r' | 'R' if rest[1..].starts_with(['"', '\'']) => {
                self.at += 1;
                self.string(true, begin)?
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                self.at += end;
                Token::Name(rest[..end].to_owned())
            }
            '0'..='9' => self.number(begin)?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(begin)?,
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Token::Sign(sign)
                }
                None => return Err(Fault::new(begin, Problem::Character(first))),
            },
        };
        Ok((token, begin))
    }

    /// Skips blanks, and comments up to the end of their line.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            let rest = &rest[blank..];
            self.at += blank;
            if !rest.starts_with("//") {
                return;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn number(&mut self, begin: usize) -> Result<Token, Fault> {
        let bad = || Fault::new(begin, Problem::Number);
        let rest = self.rest();
        let hex = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"));
        let (digits, radix, end) = match hex {
            Some(hex) => {
                let end = hex.find(|c: char| !c.is_ascii_hexdigit());
                let end = end.unwrap_or(hex.len());
                (&hex[..end], 16, end + 2)
            }
            None => {
                let end = decimal_end(rest);
                (&rest[..end], 10, end)
            }
        };
        self.at += end;
        let token = if radix == 10 && digits.contains(['.', 'e', 'E']) {
            let number: f64 = digits.parse().map_err(|_| bad())?;
            Token::Double(Some(number).filter(|n| n.is_finite()).ok_or_else(bad)?)
        } else {
            let number = u64::from_str_radix(digits, radix).map_err(|_| bad())?;
            if self.rest().starts_with(['u', 'U']) {
                self.at += 1;
                Token::Uint(number)
            } else {
                Token::Int(number)
            }
        };
        if self
            .rest()
            .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        {
            return Err(bad());
        }
        Ok(token)
    }

    fn string(&mut self, is_raw: bool, begin: usize) -> Result<Token, Fault> {
        let rest = self.rest();
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| rest.starts_with(*quote))
            .unwrap_or("\"");
        self.at += quote.len();
        let mut decoded = String::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                return Ok(Token::Text(decoded));
            }
            match rest.chars().next() {
                None => return Err(Fault::new(begin, Problem::OpenText)),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err(Fault::new(begin, Problem::OpenText));
                }
                Some('\\') if !is_raw => self.escape(&mut decoded)?,
                Some(c) => {
                    decoded.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self, decoded: &mut String) -> Result<(), Fault> {
        let begin = self.at;
        let bad = || Fault::new(begin, Problem::Escape);
        let kind = self.rest().chars().nth(1).ok_or_else(bad)?;
        let simple = match kind {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '\\' | '\'' | '"' | '`' | '?' => Some(kind),
            _ => None,
        };
        if let Some(c) = simple {
            decoded.push(c);
            self.at += 2;
            return Ok(());
        }
        let (digits_at, count, radix) = match kind {
            'x' | 'X' => (2, 2, 16),
            'u' => (2, 4, 16),
            'U' => (2, 8, 16),
            '0'..='3' => (1, 3, 8),
            _ => return Err(bad()),
        };
        let digits = self.rest().get(digits_at..digits_at + count);
        let digits = digits.filter(|d| d.chars().all(|c| c.is_digit(radix)));
        let number = u32::from_str_radix(digits.ok_or_else(bad)?, radix).map_err(|_| bad())?;
        decoded.push(char::from_u32(number).ok_or_else(bad)?);
        self.at += digits_at + count;
        Ok(())
    }
}

/// Where a decimal number ends: digits, a fraction, an exponent.
fn decimal_end(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len())
    };
    let has =
        |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|b| wanted.contains(b));
    let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let mut end = digits(0);
    if has(end, b".") && is_digit(end + 1) {
        end = digits(end + 1);
    }
    if has(end, b"eE") {
        let sign = usize::from(has(end + 1, b"+-"));
        if is_digit(end + 1 + sign) {
            end = digits(end + 1 + sign);
        }
    }
    end
}
