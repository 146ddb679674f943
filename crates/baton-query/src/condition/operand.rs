//! The values that expressions compute with.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use prost_types::Timestamp;

use crate::value::{MapValue, Value};

/// Nanoseconds of a second.
pub(super) const SECOND: i128 = 1_000_000_000;

/// A value in the course of an evaluation.
#[derive(Debug, Clone)]
pub(super) enum Operand<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Cow<'v, str>),
    /// Nanoseconds since 1970.
    Time(i128),
    /// Nanoseconds.
    Duration(i128),
    List(Rc<[Operand<'v>]>),
    /// Of the expression.
    Map(Rc<[(Operand<'v>, Operand<'v>)]>),
    /// Of the record.
    Record(MapValue<'v>),
}

impl<'v> From<Value<'v>> for Operand<'v> {
    fn from(value: Value<'v>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Double(number),
            Value::Text(text) => Self::Text(text),
            Value::Time(Timestamp { seconds, nanos }) => {
                Self::Time(i128::from(seconds) * SECOND + i128::from(nanos))
            }
            Value::List(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Map(map) => Self::Record(map),
        }
    }
}

/// A number of any kind.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i128),
    Double(f64),
}

impl Operand<'_> {
    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "text",
            Self::Time(_) => "time",
            Self::Duration(_) => "duration",
            Self::List(_) => "list",
            Self::Map(_) | Self::Record(_) => "map",
        }
    }

    /// Whether a map can have it as a key.
    pub fn is_key(&self) -> bool {
        matches!(
            self,
            Self::Bool(_) | Self::Int(_) | Self::Uint(_) | Self::Text(_)
        )
    }

    fn number(&self) -> Option<Number> {
        match *self {
            Self::Int(number) => Some(Number::Whole(number.into())),
            Self::Uint(number) => Some(Number::Whole(number.into())),
            Self::Double(number) => Some(Number::Double(number)),
            _ => None,
        }
    }

    /// Takes what comparing or copying it costs from the steps that are left;
    /// false if there are too few. Items that are shared count each time.
    pub fn pay(&self, left: &mut usize) -> bool {
        let mut take = |steps: usize| match left.checked_sub(steps) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        };
        match self {
            Self::Text(text) => take(text.len() / super::BYTES_PER_STEP),
            Self::List(items) => take(items.len()) && items.iter().all(|item| item.pay(left)),
            Self::Map(entries) => {
                take(entries.len()) && entries.iter().all(|(k, v)| k.pay(left) && v.pay(left))
            }
            Self::Record(map) => take(map.size() / super::BYTES_PER_STEP),
            _ => true,
        }
    }

    /// What it costs to find something in it, in steps.
    pub fn steps_to_find(&self) -> usize {
        match self {
            Self::Map(entries) => entries.len(),
            Self::Record(map) => map.size() / super::BYTES_PER_STEP,
            _ => 0,
        }
    }

    /// Whether both are the same; values of different kinds are not, numbers
    /// of any kind are if they have the same value.
    pub fn equals(&self, other: &Operand<'_>) -> bool {
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return compare_numbers(a, b) == Some(Ordering::Equal);
        }
        match (self, other) {
            (Self::Null, Operand::Null) => true,
            (Self::Bool(a), Operand::Bool(b)) => a == b,
            (Self::Text(a), Operand::Text(b)) => a == b,
            (Self::Time(a), Operand::Time(b)) | (Self::Duration(a), Operand::Duration(b)) => a == b,
            (Self::List(a), Operand::List(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b))
            }
            (Self::Map(_) | Self::Record(_), Operand::Map(_) | Operand::Record(_)) => {
                self.map_equals(other)
            }
            _ => false,
        }
    }

    fn map_equals(&self, other: &Operand<'_>) -> bool {
        let entries = self.entries();
        entries.len() == other.entries().len()
            && entries
                .iter()
                .all(|(key, value)| other.get(key).is_some_and(|other| value.equals(&other)))
    }

    /// Entries of a map.
    fn entries(&self) -> Vec<(Operand<'_>, Operand<'_>)> {
        match self {
            Self::Map(entries) => entries.to_vec(),
            Self::Record(map) => {
                let entries = map.entries().into_iter();
                entries
                    .map(|(key, value)| (Operand::Text(key.into()), value.into()))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The order of two values; `None` if they have none.
    pub fn compare(&self, other: &Operand<'_>) -> Option<Ordering> {
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return compare_numbers(a, b);
        }
        match (self, other) {
            (Self::Bool(a), Operand::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Operand::Text(b)) => Some(a.cmp(b)),
            (Self::Time(a), Operand::Time(b)) | (Self::Duration(a), Operand::Duration(b)) => {
                Some(a.cmp(b))
            }
            _ => None,
        }
    }
}

impl<'v> Operand<'v> {
    /// The value of a key of a map.
    pub fn get(&self, key: &Operand<'_>) -> Option<Operand<'v>> {
        match (self, key) {
            (Self::Map(entries), key) => {
                let found = entries.iter().find(|(known, _)| known.equals(key));
                found.map(|(_, value)| value.clone())
            }
            (Self::Record(map), Operand::Text(key)) => map.get(key).map(Into::into),
            _ => None,
        }
    }

    /// What a macro walks over: items of a list, keys of a map by name.
    pub fn items(&self) -> Option<Rc<[Operand<'v>]>> {
        match self {
            Self::List(items) => Some(Rc::clone(items)),
            Self::Map(entries) => Some(entries.iter().map(|(key, _)| key.clone()).collect()),
            Self::Record(map) => {
                let keys = map.entries().into_keys();
                Some(keys.map(|key| Operand::Text(key.into())).collect())
            }
            _ => None,
        }
    }
}

/// NaN has no order, and equals nothing.
fn compare_numbers(a: Number, b: Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(&b)),
        (Number::Double(a), Number::Double(b)) => a.partial_cmp(&b),
        (Number::Whole(a), Number::Double(b)) => compare_with_double(a, b),
        (Number::Double(a), Number::Whole(b)) => compare_with_double(b, a).map(Ordering::reverse),
    }
}

/// Without rounding: a whole number may have more digits than a double.
fn compare_with_double(whole: i128, double: f64) -> Option<Ordering> {
    /// Beyond all whole numbers of 64 bits.
    const BEYOND: f64 = 1e20;
    if double.is_nan() {
        return None;
    }
    if double.abs() >= BEYOND {
        let order = if double > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
        return Some(order);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "below 10^20, and without fraction"
    )]
    let trunc = double.trunc() as i128;
    let order = whole.cmp(&trunc);
    // With the same whole part, the fraction decides.
    let fraction = 0.0_f64.partial_cmp(&double.fract());
    Some(order.then(fraction.unwrap_or(Ordering::Equal)))
}
