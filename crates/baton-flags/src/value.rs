//! Texts become values here, with the syntax that Go's flag parser accepts.
//!
//! Whatever a value comes from (command line, environment, file), its text passes through these
//! functions, so that `0x10` or `T` means the same everywhere.

use baton_proto::Secret;

/// Most items of one list value; a list longer than this is a mistake, not a filter.
pub const MAX_LIST_ITEMS: usize = 100_000;

/// A parsed value of one field.
#[derive(Debug, Clone)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
    Secret(Secret),
    List(Vec<String>),
}

impl Value {
    /// Whether the value counts as present in value checks: not the zero value of its type.
    pub fn is_present(&self) -> bool {
        match self {
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Text(value) => !value.is_empty(),
            Self::Secret(value) => !value.expose().is_empty(),
            Self::List(value) => !value.is_empty(),
        }
    }
}

/// Why a text is not a value. The texts are those of Go's `strconv` and CSV reader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Not a boolean.
    #[error("strconv.ParseBool: parsing {text:?}: invalid syntax")]
    Bool {
        /// What was given.
        text: String,
    },
    /// Not an integer.
    #[error("strconv.ParseInt: parsing {text:?}: invalid syntax")]
    Int {
        /// What was given.
        text: String,
    },
    /// An integer beyond 64 bits.
    #[error("strconv.ParseInt: parsing {text:?}: value out of range")]
    IntRange {
        /// What was given.
        text: String,
    },
    /// A quote inside an unquoted list item.
    #[error("parse error on line 1, column {column}: bare \" in non-quoted field")]
    BareQuote {
        /// One-based byte position.
        column: usize,
    },
    /// A quoted list item that does not end, or goes on after its closing quote.
    #[error("parse error on line 1, column {column}: extraneous or missing \" in quoted-field")]
    UnbalancedQuote {
        /// One-based byte position.
        column: usize,
    },
    /// A line break between list items.
    #[error("parse error on line 1, column {column}: line break outside quotes")]
    LineBreak {
        /// One-based byte position.
        column: usize,
    },
    /// More list items than accepted.
    #[error("more than {MAX_LIST_ITEMS} items")]
    TooManyItems,
    /// A value of another shape, such as a mapping where a text belongs.
    #[error("expected {expected}")]
    Shape {
        /// What would have been right.
        expected: &'static str,
    },
}

/// Go's boolean words.
pub fn parse_bool(text: &str) -> Result<bool, Malformed> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Malformed::Bool {
            text: text.to_owned(),
        }),
    }
}

/// Go's integers of base 0: sign, base prefix (`0x`, `0o`, `0b`, leading `0`), underscores
/// between digits.
pub fn parse_int(text: &str) -> Result<i64, Malformed> {
    let syntax = || Malformed::Int {
        text: text.to_owned(),
    };
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let lower = unsigned.to_ascii_lowercase();
    let (radix, digits, prefixed) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest, true)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..).unwrap_or_default(), true)
    } else {
        (10, lower.as_str(), false)
    };
    // An underscore may follow the base prefix or a digit, and a digit must follow it.
    let mut magnitude: i128 = 0;
    let mut after_digit = prefixed;
    let mut digit_seen = false;
    for c in digits.chars() {
        if c == '_' {
            if !after_digit {
                return Err(syntax());
            }
            after_digit = false;
            continue;
        }
        let digit = c.to_digit(radix).ok_or_else(syntax)?;
        magnitude = magnitude
            .saturating_mul(i128::from(radix))
            .saturating_add(i128::from(digit));
        after_digit = true;
        digit_seen = true;
    }
    if !digit_seen || !after_digit {
        return Err(syntax());
    }
    let signed = if negative { -magnitude } else { magnitude };
    i64::try_from(signed).map_err(|_| Malformed::IntRange {
        text: text.to_owned(),
    })
}

/// One line of comma separated items with CSV quoting. The empty text is the empty list.
pub fn parse_list(text: &str) -> Result<Vec<String>, Malformed> {
    let mut items = Vec::new();
    if text.is_empty() {
        return Ok(items);
    }
    let mut rest = text.strip_suffix('\n').unwrap_or(text);
    let column = |rest: &str| text.len() - rest.len() + 1;
    loop {
        if items.len() == MAX_LIST_ITEMS {
            return Err(Malformed::TooManyItems);
        }
        let (item, tail) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_item(quoted, column)?
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (item, tail) = rest.split_at(end);
            if let Some(at) = item.find('"') {
                return Err(Malformed::BareQuote {
                    column: column(rest) + at,
                });
            }
            if let Some(at) = item.find('\n') {
                return Err(Malformed::LineBreak {
                    column: column(rest) + at,
                });
            }
            (item.to_owned(), tail)
        };
        items.push(item);
        match tail.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(items),
        }
    }
}

/// The item behind an opening quote, and what follows its closing quote (a comma or nothing).
fn quoted_item(
    mut rest: &str,
    column: impl Fn(&str) -> usize,
) -> Result<(String, &str), Malformed> {
    let mut item = String::new();
    loop {
        let Some((inside, tail)) = rest.split_once('"') else {
            return Err(Malformed::UnbalancedQuote { column: column("") });
        };
        item.push_str(inside);
        if let Some(more) = tail.strip_prefix('"') {
            item.push('"');
            rest = more;
        } else if tail.is_empty() || tail.starts_with(',') {
            return Ok((item, tail));
        } else {
            return Err(Malformed::UnbalancedQuote {
                column: column(tail),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_follow_go() {
        for bad in [
            "", "abc", "-", "1.5", "0x", "08", "1__0", "_1", "1_", "1 ", "0b2", "--1",
        ] {
            assert!(
                matches!(parse_int(bad), Err(Malformed::Int { .. })),
                "{bad:?}"
            );
        }
        for (text, want) in [
            ("0", 0),
            ("7", 7),
            ("-1", -1),
            ("+5", 5),
            ("0x7", 7),
            ("0X1F", 31),
            ("010", 8),
            ("0o17", 15),
            ("0b101", 5),
            ("1_000", 1000),
            ("0x_f", 15),
            ("0_7", 7),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(parse_int(text), Ok(want), "{text:?}");
        }
        let error = parse_int("9223372036854775808").unwrap_err();
        assert_eq!(
            error.to_string(),
            "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        );
        assert!(matches!(
            parse_int(&"9".repeat(200)),
            Err(Malformed::IntRange { .. })
        ));
    }

    #[test]
    fn booleans_follow_go() {
        for bad in ["", "yes", "on", "tRUE", " true"] {
            assert!(parse_bool(bad).is_err(), "{bad:?}");
        }
        for word in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(parse_bool(word), Ok(true));
        }
        for word in ["0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(parse_bool(word), Ok(false));
        }
        assert_eq!(
            parse_bool("abc").unwrap_err().to_string(),
            "strconv.ParseBool: parsing \"abc\": invalid syntax"
        );
    }

    #[test]
    fn lists_follow_csv_quoting() {
        let list = |text: &str| parse_list(text).unwrap();
        assert_eq!(parse_list("a\"b"), Err(Malformed::BareQuote { column: 2 }));
        assert_eq!(
            parse_list("x,\"ab"),
            Err(Malformed::UnbalancedQuote { column: 6 })
        );
        assert_eq!(
            parse_list("\"a\"b"),
            Err(Malformed::UnbalancedQuote { column: 4 })
        );
        assert_eq!(parse_list("a\nb"), Err(Malformed::LineBreak { column: 2 }));
        assert_eq!(list(""), Vec::<String>::new());
        assert_eq!(list("a"), ["a"]);
        assert_eq!(list("a,\"b,c\""), ["a", "b,c"]);
        assert_eq!(list("\"say \"\"hi\"\"\",x"), ["say \"hi\"", "x"]);
        assert_eq!(list("a,,b,"), ["a", "", "b", ""]);
        assert_eq!(list("a,b\n"), ["a", "b"]);
    }
}
