//! Texts become values here, with the syntax that Go's flag parser accepts.
//!
//! Whatever a value comes from (command line, environment, file), its text passes through these
//! functions, so that `0x10` or `T` means the same everywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use baton_proto::Secret;
use url::Url;

/// Most items of one list value; a list longer than this is a mistake, not a filter.
pub const MAX_LIST_ITEMS: usize = 100_000;

/// A parsed value of one field.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each variant is a kind of field")]
pub enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
    Secret(Secret),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
    Path(GivenPath),
    Url(Option<Url>),
    Duration(Option<Duration>),
    /// In bytes.
    Size(Option<u64>),
}

/// A path as it was given and as it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenPath {
    /// As the user wrote it.
    pub given: PathBuf,
    /// Relative to the current folder of the run; `None` when nothing was given.
    pub full: Option<PathBuf>,
}

impl GivenPath {
    /// A path that starts at a folder, unless it is absolute.
    pub fn new(given: PathBuf, cwd: &Path) -> Self {
        let full = (!given.as_os_str().is_empty()).then(|| cwd.join(&given));
        Self { given, full }
    }
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
            Self::Map(value) => !value.is_empty(),
            Self::Path(path) => path.full.is_some(),
            Self::Url(url) => url.is_some(),
            Self::Duration(duration) => duration.is_some(),
            Self::Size(bytes) => bytes.is_some(),
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
    /// A quoted list item that does not end, or continues after its closing quote.
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

/// The base URL of a web server, without slashes at its end; `None` for the empty text.
pub fn parse_url(text: &str) -> Result<Option<Url>, Malformed> {
    if text.is_empty() {
        return Ok(None);
    }
    let shape = |expected| Malformed::Shape { expected };
    let mut url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or(shape("an http or https URL with a host"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(shape("a base URL without query and fragment"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(Some(url))
}

/// A length of time as Go writes it, such as `1h30m` or `500ms`; `None` for the empty text.
pub fn parse_duration(text: &str) -> Result<Option<Duration>, Malformed> {
    if text.is_empty() {
        return Ok(None);
    }
    let malformed = Malformed::Shape {
        expected: "a duration such as 90s, 1h30m or 500ms",
    };
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit());
        let (number, tail) = rest.split_at(digits.unwrap_or(rest.len()));
        let unit_end = tail.find(|c: char| c.is_ascii_digit());
        let (unit, tail) = tail.split_at(unit_end.unwrap_or(tail.len()));
        let unit_ms = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return Err(malformed),
        };
        let added = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit_ms))
            .and_then(|ms| total.checked_add(Duration::from_millis(ms)));
        match added {
            Some(sum) => total = sum,
            None => return Err(malformed),
        }
        rest = tail;
    }
    Ok(Some(total))
}

/// A number of bytes with an optional unit, decimal or binary; `None` for the empty text.
pub fn parse_size(text: &str) -> Result<Option<u64>, Malformed> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let factor = match unit.trim_start() {
        "" | "B" => Some(1),
        "kB" | "KB" => Some(1000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    factor
        .zip(number.parse::<u64>().ok())
        .and_then(|(factor, number)| number.checked_mul(factor))
        .map(Some)
        .ok_or(Malformed::Shape {
            expected: "a number of bytes such as 4096, 64KiB or 10MB",
        })
}

/// Comma separated `key=value` pairs with CSV quoting; the last of equal keys counts.
pub fn parse_pairs(text: &str) -> Result<BTreeMap<String, String>, Malformed> {
    let pair = |item: String| match item.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Malformed::Shape {
            expected: "pairs such as key=value,other=value",
        }),
    };
    parse_list(text)?.into_iter().map(pair).collect()
}

/// A JSON object of texts.
pub fn parse_object(text: &str) -> Result<BTreeMap<String, String>, Malformed> {
    let malformed = Malformed::Shape {
        expected: "a JSON object of texts",
    };
    if !text.trim_start().starts_with('{') {
        return Err(malformed);
    }
    serde_saphyr::from_str(text).map_err(|_| malformed)
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

    #[test]
    fn urls_durations_sizes_and_maps_are_read_or_refused() {
        let url = |text| parse_url(text).map(|url| url.map(|url| url.to_string()));
        assert_eq!(url(""), Ok(None));
        let shown = url("https://a.test/admin//").unwrap().unwrap();
        assert_eq!(shown, "https://a.test/admin");
        for bad in [
            "nope",
            "ftp://a",
            "https://",
            "https://a?x=1",
            "https://a#x",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
        for (text, ms) in [("90s", 90_000), ("1h30m", 5_400_000), ("1s500ms", 1500)] {
            let want = Some(Duration::from_millis(ms));
            assert_eq!(parse_duration(text), Ok(want), "{text}");
        }
        for bad in [
            "90",
            "s",
            "1d",
            "-1s",
            "1.5s",
            "99999999999999999999h",
            " 1s",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        for (text, bytes) in [("0", 0), ("64KiB", 65_536), ("10 MB", 10_000_000)] {
            assert_eq!(parse_size(text), Ok(Some(bytes)), "{text}");
        }
        for bad in ["KiB", "1kb", "-1", "99999999999999999999", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let want = map(&[("K", "v=1"), ("l", "a,b")]);
        assert_eq!(parse_pairs("K=v=1,\"l=a,b\""), Ok(want.clone()));
        assert_eq!(parse_object("{\"K\":\"v=1\",\"l\":\"a,b\"}"), Ok(want));
        for bad in ["k", "=v", "a=1,b"] {
            assert!(parse_pairs(bad).is_err(), "{bad}");
        }
        for bad in ["k=v", "k: v", "{", "{\"a\": {\"b\": \"c\"}}", "[]"] {
            assert!(parse_object(bad).is_err(), "{bad}");
        }
    }
}
