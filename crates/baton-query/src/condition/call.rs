//! Arithmetic and functions.

use baton_proto::time;
use prost_types::Timestamp;

use super::eval::{Evaluated, Fail, Reason, kinds};
use super::operand::{Operand, SECOND};
use super::parse::compile;
use super::tree::{Function, Operator};

/// Longest duration, as protobuf bounds it.
const MAX_DURATION: i128 = time::MAX_DURATION_SECONDS as i128 * SECOND;

fn range(at: usize) -> Fail {
    Fail::Value(at, Reason::Range)
}

/// A time, if it is one that has a text.
fn checked_time<'v>(at: usize, nanos: i128) -> Evaluated<'v> {
    let seconds = nanos.div_euclid(SECOND);
    let fits = (i128::from(time::MIN_SECONDS)..=i128::from(time::MAX_SECONDS)).contains(&seconds);
    if fits {
        Ok(Operand::Time(nanos))
    } else {
        Err(range(at))
    }
}

fn checked_duration<'v>(at: usize, nanos: i128) -> Evaluated<'v> {
    if nanos.abs() <= MAX_DURATION {
        Ok(Operand::Duration(nanos))
    } else {
        Err(range(at))
    }
}

/// `-a`
pub(super) fn negate<'v>(at: usize, operand: &Operand<'v>) -> Evaluated<'v> {
    match operand {
        Operand::Int(number) => number
            .checked_neg()
            .map(Operand::Int)
            .ok_or_else(|| range(at)),
        Operand::Double(number) => Ok(Operand::Double(-number)),
        Operand::Duration(nanos) => Ok(Operand::Duration(-nanos)),
        other => Err(kinds(at, "-", &[other])),
    }
}

/// `a + b` and the like.
pub(super) fn arithmetic<'v>(
    at: usize,
    operator: Operator,
    a: &Operand<'v>,
    b: &Operand<'v>,
) -> Evaluated<'v> {
    let whole = |number: Option<Operand<'v>>| number.ok_or_else(|| range(at));
    match (a, b) {
        (Operand::Int(a), Operand::Int(b)) => whole(match operator {
            Operator::Add => a.checked_add(*b).map(Operand::Int),
            Operator::Subtract => a.checked_sub(*b).map(Operand::Int),
            Operator::Multiply => a.checked_mul(*b).map(Operand::Int),
            Operator::Divide => a.checked_div(*b).map(Operand::Int),
            _ => a.checked_rem(*b).map(Operand::Int),
        }),
        (Operand::Uint(a), Operand::Uint(b)) => whole(match operator {
            Operator::Add => a.checked_add(*b).map(Operand::Uint),
            Operator::Subtract => a.checked_sub(*b).map(Operand::Uint),
            Operator::Multiply => a.checked_mul(*b).map(Operand::Uint),
            Operator::Divide => a.checked_div(*b).map(Operand::Uint),
            _ => a.checked_rem(*b).map(Operand::Uint),
        }),
        (Operand::Double(x), Operand::Double(y)) => Ok(Operand::Double(match operator {
            Operator::Add => x + y,
            Operator::Subtract => x - y,
            Operator::Multiply => x * y,
            Operator::Divide => x / y,
            _ => return Err(kinds(at, "%", &[a, b])),
        })),
        _ => sum_of_others(at, operator, a, b),
    }
}

/// Sums and differences of what is not a number.
fn sum_of_others<'v>(
    at: usize,
    operator: Operator,
    a: &Operand<'v>,
    b: &Operand<'v>,
) -> Evaluated<'v> {
    match (operator, a, b) {
        (Operator::Add, Operand::Text(a), Operand::Text(b)) => {
            Ok(Operand::Text([a.as_ref(), b.as_ref()].concat().into()))
        }
        (Operator::Add, Operand::List(a), Operand::List(b)) => {
            Ok(Operand::List(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Operator::Add, Operand::Time(at_time), Operand::Duration(nanos))
        | (Operator::Add, Operand::Duration(nanos), Operand::Time(at_time)) => {
            checked_time(at, at_time + nanos)
        }
        (Operator::Subtract, Operand::Time(at_time), Operand::Duration(nanos)) => {
            checked_time(at, at_time - nanos)
        }
        (Operator::Subtract, Operand::Time(a), Operand::Time(b)) => checked_duration(at, a - b),
        (Operator::Add, Operand::Duration(a), Operand::Duration(b)) => checked_duration(at, a + b),
        (Operator::Subtract, Operand::Duration(a), Operand::Duration(b)) => {
            checked_duration(at, a - b)
        }
        _ => Err(kinds(at, operator.sign(), &[a, b])),
    }
}

/// A call; the number of arguments was checked.
pub(super) fn call<'v>(at: usize, function: Function, values: &[Operand<'v>]) -> Evaluated<'v> {
    let wrong = || kinds(at, function.name(), &values.iter().collect::<Vec<_>>());
    match (function, values) {
        (Function::Size, [value]) => size(value).ok_or_else(wrong),
        (Function::Contains, [Operand::Text(text), Operand::Text(part)]) => {
            Ok(Operand::Bool(text.contains(part.as_ref())))
        }
        (Function::StartsWith, [Operand::Text(text), Operand::Text(part)]) => {
            Ok(Operand::Bool(text.starts_with(part.as_ref())))
        }
        (Function::EndsWith, [Operand::Text(text), Operand::Text(part)]) => {
            Ok(Operand::Bool(text.ends_with(part.as_ref())))
        }
        (Function::Matches, [Operand::Text(text), Operand::Text(pattern)]) => {
            let regex = compile(pattern);
            let regex = regex.map_err(|reason| Fail::Value(at, Reason::Regex(reason)))?;
            Ok(Operand::Bool(regex.is_match(text)))
        }
        (Function::LowerAscii, [Operand::Text(text)]) => {
            Ok(Operand::Text(text.to_ascii_lowercase().into()))
        }
        (Function::UpperAscii, [Operand::Text(text)]) => {
            Ok(Operand::Text(text.to_ascii_uppercase().into()))
        }
        (Function::Int, [value]) => to_int(at, value).unwrap_or_else(|| Err(wrong())),
        (Function::Uint, [value]) => to_uint(at, value).unwrap_or_else(|| Err(wrong())),
        (Function::Double, [value]) => to_double(at, value).unwrap_or_else(|| Err(wrong())),
        (Function::Text, [value]) => to_text(value).ok_or_else(wrong),
        (Function::Bool, [Operand::Bool(value)]) => Ok(Operand::Bool(*value)),
        (Function::Bool, [Operand::Text(text)]) => match text.as_ref() {
            "true" => Ok(Operand::Bool(true)),
            "false" => Ok(Operand::Bool(false)),
            _ => Err(Fail::Value(at, Reason::Text("true or false"))),
        },
        (Function::Timestamp, [value @ Operand::Time(_)])
        | (Function::Duration, [value @ Operand::Duration(_)]) => Ok(value.clone()),
        (Function::Timestamp, [Operand::Int(seconds)]) => {
            checked_time(at, i128::from(*seconds) * SECOND)
        }
        (Function::Timestamp, [Operand::Text(text)]) => match time::parse(text) {
            Ok(Timestamp { seconds, nanos }) => {
                checked_time(at, i128::from(seconds) * SECOND + i128::from(nanos))
            }
            Err(_) => Err(Fail::Value(
                at,
                Reason::Text("a time as 2026-01-31T00:00:00Z"),
            )),
        },
        (Function::Duration, [Operand::Text(text)]) => match duration(text) {
            Some(nanos) => checked_duration(at, nanos),
            None => Err(Fail::Value(at, Reason::Text("a duration as 1h30m"))),
        },
        _ => Err(wrong()),
    }
}

fn size<'v>(value: &Operand<'v>) -> Option<Operand<'v>> {
    let size = match value {
        Operand::Text(text) => text.chars().count(),
        Operand::List(items) => items.len(),
        Operand::Map(entries) => entries.len(),
        Operand::Record(map) => map.entries().len(),
        _ => return None,
    };
    i64::try_from(size).ok().map(Operand::Int)
}

/// `None` for a kind that is not converted.
fn to_int<'v>(at: usize, value: &Operand<'v>) -> Option<Evaluated<'v>> {
    let number = match value {
        Operand::Int(number) => Some(*number),
        Operand::Uint(number) => i64::try_from(*number).ok(),
        Operand::Double(number) => whole(*number).and_then(|number| i64::try_from(number).ok()),
        Operand::Time(nanos) => i64::try_from(nanos.div_euclid(SECOND)).ok(),
        Operand::Text(text) => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => return Some(Err(Fail::Value(at, Reason::Text("a whole number")))),
        },
        _ => return None,
    };
    Some(number.map(Operand::Int).ok_or_else(|| range(at)))
}

fn to_uint<'v>(at: usize, value: &Operand<'v>) -> Option<Evaluated<'v>> {
    let number = match value {
        Operand::Int(number) => u64::try_from(*number).ok(),
        Operand::Uint(number) => Some(*number),
        Operand::Double(number) => whole(*number).and_then(|number| u64::try_from(number).ok()),
        Operand::Text(text) => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => return Some(Err(Fail::Value(at, Reason::Text("a whole number")))),
        },
        _ => return None,
    };
    Some(number.map(Operand::Uint).ok_or_else(|| range(at)))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a double holds the nearest number"
)]
fn to_double<'v>(at: usize, value: &Operand<'v>) -> Option<Evaluated<'v>> {
    Some(Ok(Operand::Double(match value {
        Operand::Int(number) => *number as f64,
        Operand::Uint(number) => *number as f64,
        Operand::Double(number) => *number,
        Operand::Text(text) => match text.parse() {
            Ok(number) => number,
            Err(_) => return Some(Err(Fail::Value(at, Reason::Text("a number")))),
        },
        _ => return None,
    })))
}

/// A number without its fraction.
pub(super) fn whole(number: f64) -> Option<i128> {
    /// Beyond all whole numbers of 64 bits.
    const BEYOND: f64 = 1e20;
    #[expect(clippy::cast_possible_truncation, reason = "below 10^20")]
    let whole = (number.abs() < BEYOND).then_some(number.trunc() as i128);
    whole
}

fn to_text<'v>(value: &Operand<'v>) -> Option<Operand<'v>> {
    let text = match value {
        Operand::Text(text) => text.clone(),
        Operand::Bool(value) => value.to_string().into(),
        Operand::Int(number) => number.to_string().into(),
        Operand::Uint(number) => number.to_string().into(),
        Operand::Double(number) => number.to_string().into(),
        Operand::Time(nanos) => {
            let at = Timestamp {
                seconds: i64::try_from(nanos.div_euclid(SECOND)).ok()?,
                nanos: i32::try_from(nanos.rem_euclid(SECOND)).ok()?,
            };
            time::format(&at).ok()?.into()
        }
        Operand::Duration(nanos) => {
            let duration = prost_types::Duration {
                seconds: i64::try_from(nanos / SECOND).ok()?,
                nanos: i32::try_from(nanos % SECOND).ok()?,
            };
            time::format_duration(&duration).ok()?.into()
        }
        _ => return None,
    };
    Some(Operand::Text(text))
}

/// Nanoseconds of a text as `1h30m`, `-1.5s` or `0`.
fn duration(text: &str) -> Option<i128> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", SECOND),
        ("m", 60 * SECOND),
        ("h", 3_600 * SECOND),
    ];
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let unit_end = behind.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, behind) = behind.split_at(unit_end.unwrap_or(behind.len()));
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(scaled(number, *nanos)?)?;
        rest = behind;
    }
    Some(sign * total)
}

/// A decimal number times a unit.
fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse::<i128>().ok()
        }
    };
    let mut nanos = digits(whole)?.checked_mul(unit)?;
    // More digits than nanoseconds have do not count.
    let fraction = fraction.get(..fraction.len().min(15))?;
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    nanos = nanos.checked_add(digits(fraction)?.checked_mul(unit)? / scale)?;
    (nanos <= MAX_DURATION).then_some(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, expected) in [
            ("1h30m", Some(5_400 * SECOND)),
            ("-1.5s", Some(-1_500_000_000)),
            ("2ms3us4ns", Some(2_003_004)),
            ("0", Some(0)),
            ("0s", Some(0)),
            (".5s", Some(500_000_000)),
            ("", None),
            ("-", None),
            ("1", None),
            ("1x", None),
            ("s", None),
            (".s", None),
            ("1..5s", None),
            ("99999999999999999999999999999999999999h", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }
}
