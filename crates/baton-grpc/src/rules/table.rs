//! The form of the tables that the build script writes from `rules.tsv` and the
//! descriptor set.

/// A message that has rules, itself or below.
#[derive(Debug)]
pub(super) struct Message {
    /// The full name.
    pub name: &'static str,
    /// The name in texts: without the package, nested names joined by `_`.
    pub short: &'static str,
    /// The fields that have rules or lead to some, and the arms beside them, by
    /// number.
    pub fields: &'static [Field],
    /// All oneofs.
    pub oneofs: &'static [Oneof],
}

/// A oneof.
#[derive(Debug)]
pub(super) struct Oneof {
    /// The name in texts.
    pub name: &'static str,
    /// Whether an arm must be set.
    pub required: bool,
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    pub number: u32,
    /// The name in texts.
    pub name: &'static str,
    /// The type; that of the values of a map, whose keys are strings.
    pub kind: Kind,
    pub shape: Shape,
    /// The oneof that the field is an arm of.
    pub oneof: Option<usize>,
    /// Whether a zero value breaks no rule.
    pub ignore_empty: bool,
    /// Rules of the field, in the order in which they are checked.
    pub rules: &'static [Rule],
    /// Rules of each key of a map.
    pub keys: &'static [Rule],
    /// Rules of each item of a list, and of each value of a map.
    pub items: &'static [Rule],
}

/// How often a field can occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    List,
    Map,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Bytes,
    Uint32,
    Int64,
    /// An enum, with its defined numbers in order.
    Enum(&'static [i32]),
    Duration,
    Message(&'static Message),
    /// Anything whose value has no rule.
    Opaque,
}

/// What a length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Runes,
    Items,
    Pairs,
}

/// One rule of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// The message must be there.
    Required,
    Length {
        unit: Unit,
        min: Option<u64>,
        max: Option<u64>,
    },
    Range {
        low: Option<i64>,
        /// Whether the low end itself is out of range.
        above: bool,
        high: Option<i64>,
    },
    /// A duration between two numbers of seconds.
    Seconds {
        low: i64,
        high: i64,
    },
    Prefix(&'static str),
    Pattern(&'static str),
    /// The number must be one that the enum defines.
    Defined,
    Email,
    Uri,
    /// No item may be equal to an earlier one.
    Unique,
}

pub(super) use generated::MESSAGES;

#[allow(clippy::unreadable_literal, reason = "written by the build script")]
mod generated {
    use super::{Field, Kind, Message, Oneof, Rule, Shape, Unit};

    include!(concat!(env!("OUT_DIR"), "/rules.rs"));
}
