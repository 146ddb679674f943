//! One rule and one value: whether it is broken, and the text for it.

use std::collections::HashMap;
use std::str;
use std::sync::LazyLock;

use baton_proto::wire;
use regex::Regex;

use super::fields::Item;
use super::quote::quoted;
use super::table::{Field, Kind, MESSAGES, Rule, Unit};
use super::{email, uri};

/// Why a value is refused.
#[derive(Debug, PartialEq)]
pub(super) struct Reason {
    pub text: String,
    /// The text of the error within.
    pub cause: Option<String>,
}

impl Reason {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, cause: None }
    }

    pub(super) fn caused_by(text: &str, cause: String) -> Self {
        Self {
            text: text.to_owned(),
            cause: Some(cause),
        }
    }
}

/// The expressions of all rules, by their text.
static PATTERNS: LazyLock<HashMap<&str, Regex>> = LazyLock::new(|| {
    let fields = MESSAGES.iter().flat_map(|message| message.fields);
    let rules = fields.flat_map(Field::all_rules);
    let patterns = rules.filter_map(|rule| match rule {
        // A test compiles them all.
        Rule::Pattern(text) => Some((*text, Regex::new(text).ok()?)),
        _ => None,
    });
    patterns.collect()
});

impl Field {
    fn all_rules(&self) -> impl Iterator<Item = &'static Rule> {
        self.rules.iter().chain(self.keys).chain(self.items)
    }
}

/// How many items or pairs a field holds.
pub(super) fn check_count(rule: Rule, count: usize) -> Result<(), Reason> {
    match rule {
        Rule::Length { unit, min, max } => check_length(unit, min, max, count),
        _ => Ok(()),
    }
}

/// A value that is not a message with rules of its own.
pub(super) fn check_value(rule: Rule, kind: Kind, item: &Item<'_>) -> Result<(), Reason> {
    // A decoder has refused strings that are not UTF-8.
    let text = || str::from_utf8(item.bytes()).unwrap_or_default();
    let broken = match rule {
        Rule::Length { unit, min, max } => {
            let length = match unit {
                Unit::Runes => text().chars().count(),
                _ => item.bytes().len(),
            };
            return check_length(unit, min, max, length);
        }
        Rule::Range { low, above, high } => return check_range(low, above, high, item.number()),
        Rule::Seconds { low, high } => return check_seconds(low, high, item.bytes()),
        Rule::Prefix(prefix) => (!text().starts_with(prefix))
            .then(|| format!("value does not have prefix {}", quoted(prefix))),
        Rule::Pattern(pattern) => {
            let matches = PATTERNS.get(pattern).is_some_and(|p| p.is_match(text()));
            (!matches).then(|| format!("value does not match regex pattern {}", quoted(pattern)))
        }
        Rule::Defined => {
            let Kind::Enum(numbers) = kind else {
                return Ok(());
            };
            let number = item.number();
            let defined = numbers.iter().any(|known| i64::from(*known) == number);
            (!defined).then(|| "value must be one of the defined enum values".to_owned())
        }
        Rule::Email => {
            return email::check(text())
                .map_err(|cause| Reason::caused_by("value must be a valid email address", cause));
        }
        Rule::Uri => {
            return uri::check(text()).map_err(|refusal| match refusal {
                uri::Refusal::Invalid(cause) => {
                    Reason::caused_by("value must be a valid URI", cause)
                }
                uri::Refusal::Relative => Reason::new("value must be absolute"),
            });
        }
        // Of the field as a whole.
        Rule::Required | Rule::Unique => None,
    };
    broken.map_or(Ok(()), |text| Err(Reason::new(text)))
}

fn check_length(
    unit: Unit,
    min: Option<u64>,
    max: Option<u64>,
    length: usize,
) -> Result<(), Reason> {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if min.is_none_or(|min| length >= min) && max.is_none_or(|max| length <= max) {
        return Ok(());
    }
    let (value, noun) = match unit {
        Unit::Bytes => ("value length must be", "bytes"),
        Unit::Runes => ("value length must be", "runes"),
        Unit::Items => ("value must contain", "items"),
        Unit::Pairs => ("value must contain", "pairs"),
    };
    let counted = matches!(unit, Unit::Items | Unit::Pairs);
    let single = noun.trim_end_matches('s');
    Err(Reason::new(match (min, max) {
        (Some(min), Some(max)) if min == max => format!("{value} {min} {noun}"),
        (Some(min), Some(max)) => format!("{value} between {min} and {max} {noun}, inclusive"),
        (Some(min), None) if counted => format!("{value} at least {min} {single}(s)"),
        (None, Some(max)) if counted => format!("{value} no more than {max} {single}(s)"),
        (Some(min), None) => format!("{value} at least {min} {noun}"),
        (None, Some(max)) => format!("{value} at most {max} {noun}"),
        (None, None) => return Ok(()),
    }))
}

fn check_range(
    low: Option<i64>,
    above: bool,
    high: Option<i64>,
    number: i64,
) -> Result<(), Reason> {
    let in_low = low.is_none_or(|low| number > low || (number == low && !above));
    if in_low && high.is_none_or(|high| number <= high) {
        return Ok(());
    }
    let open = if above { '(' } else { '[' };
    Err(Reason::new(match (low, high) {
        (Some(low), Some(high)) => format!("value must be inside range {open}{low}, {high}]"),
        (Some(low), None) if above => format!("value must be greater than {low}"),
        (Some(low), None) => format!("value must be greater than or equal to {low}"),
        (None, Some(high)) => format!("value must be less than or equal to {high}"),
        (None, None) => return Ok(()),
    }))
}

/// The field numbers of a duration, and the most seconds that one can have.
const SECONDS: u32 = 1;
const NANOS: u32 = 2;
const MAX_SECONDS: i64 = 315_576_000_000;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "decoders of protobuf cut numbers to the size of their type"
)]
fn check_seconds(low: i64, high: i64, duration: &[u8]) -> Result<(), Reason> {
    let number = |field| wire::last_varint(duration, field).unwrap_or_default();
    let (seconds, nanos) = (number(SECONDS) as i64, number(NANOS) as i32);
    let invalid = if seconds < -MAX_SECONDS {
        Some("exceeds -10000 years")
    } else if seconds > MAX_SECONDS {
        Some("exceeds +10000 years")
    } else if nanos.unsigned_abs() >= 1_000_000_000 {
        Some("has out-of-range nanos")
    } else if (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
        Some("has seconds and nanos with different signs")
    } else {
        None
    };
    if let Some(invalid) = invalid {
        let parts = [("seconds", seconds), ("nanos", i64::from(nanos))];
        let parts = parts.iter().filter(|(_, number)| *number != 0);
        let parts: Vec<String> = parts.map(|(name, n)| format!("{name}:{n}")).collect();
        let cause = format!("proto: duration ({}) {invalid}", parts.join(" "));
        return Err(Reason::caused_by("value is not a valid duration", cause));
    }
    if (low, 0) <= (seconds, nanos) && (seconds, nanos) <= (high, 0) {
        return Ok(());
    }
    let (low, high) = (go_duration(low), go_duration(high));
    Err(Reason::new(format!(
        "value must be inside range [{low}, {high}]"
    )))
}

/// Whole seconds as Go prints durations: `0s`, `1m30s`, `24h0m0s`.
fn go_duration(seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_table_compiles() {
        let fields = MESSAGES.iter().flat_map(|message| message.fields);
        let rules = fields.flat_map(Field::all_rules);
        let mut patterns = 0;
        for rule in rules {
            if let Rule::Pattern(text) = rule {
                patterns += 1;
                assert!(PATTERNS.contains_key(text), "{text}");
            }
        }
        assert!(patterns > 10, "{patterns}");
    }

    #[test]
    fn durations_are_checked_before_their_range() {
        let check = |seconds: i64, nanos: i32| {
            let duration = prost_types::Duration { seconds, nanos };
            let bytes = prost::Message::encode_to_vec(&duration);
            let refused = check_seconds(0, 90, &bytes).err()?;
            Some(refused.cause.unwrap_or(refused.text))
        };
        assert_eq!(check(0, 0), None);
        assert_eq!(check(90, 0), None);
        for (seconds, nanos) in [(90, 1), (0, -1), (-1, 0)] {
            let text = "value must be inside range [0s, 1m30s]";
            assert_eq!(check(seconds, nanos).as_deref(), Some(text));
        }
        for (seconds, nanos, cause) in [
            (
                MAX_SECONDS + 1,
                0,
                "(seconds:315576000001) exceeds +10000 years",
            ),
            (
                -MAX_SECONDS - 1,
                0,
                "(seconds:-315576000001) exceeds -10000 years",
            ),
            (
                0,
                1_000_000_000,
                "(nanos:1000000000) has out-of-range nanos",
            ),
            (
                1,
                -1,
                "(seconds:1 nanos:-1) has seconds and nanos with different signs",
            ),
        ] {
            let cause = format!("proto: duration {cause}");
            assert_eq!(check(seconds, nanos), Some(cause));
        }
    }

    #[test]
    fn durations_print_as_in_go() {
        assert_eq!(go_duration(0), "0s");
        assert_eq!(go_duration(61), "1m1s");
        assert_eq!(go_duration(86_400), "24h0m0s");
    }

    #[test]
    fn one_end_of_a_range_has_its_own_text() {
        let text =
            |low, above, high, number| check_range(low, above, high, number).unwrap_err().text;
        assert_eq!(
            text(Some(0), true, Some(9), 0),
            "value must be inside range (0, 9]"
        );
        assert_eq!(
            text(Some(1), false, None, 0),
            "value must be greater than or equal to 1"
        );
        assert_eq!(text(Some(0), true, None, 0), "value must be greater than 0");
        assert_eq!(check_range(Some(1), false, Some(1), 1), Ok(()));
    }
}
