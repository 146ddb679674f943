//! The values of fields: how they look in a table and in JSON, and their order.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use baton_proto::time;
use baton_proto::wire::{self, Value as Wire};
use prost_types::Timestamp;

/// Numbers of the fields of `google.protobuf.Struct` and its parts.
mod field {
    pub const FIELDS: u32 = 1;
    pub const KEY: u32 = 1;
    pub const VALUE: u32 = 2;
    pub const NULL_VALUE: u32 = 1;
    pub const NUMBER_VALUE: u32 = 2;
    pub const STRING_VALUE: u32 = 3;
    pub const BOOL_VALUE: u32 = 4;
    pub const STRUCT_VALUE: u32 = 5;
    pub const LIST_VALUE: u32 = 6;
    pub const VALUES: u32 = 1;
}

/// Deepest nesting of maps and lists within a map.
const MAX_DEPTH: usize = 64;

/// The value of a field.
///
/// Values have a total order: null, booleans, numbers, texts by their bytes,
/// times, lists, maps.
#[derive(Debug, Clone)]
pub enum Value<'v> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as profiles hold them.
    Number(f64),
    /// A text.
    Text(Cow<'v, str>),
    /// A point in time, between the years 1 and 9999.
    Time(Timestamp),
    /// A list.
    List(Vec<Value<'v>>),
    /// Names with values.
    Map(MapValue<'v>),
}

impl<'v> Value<'v> {
    /// A borrowed text.
    pub(crate) fn text(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(_) | Self::Number(_) | Self::Time(_) => false,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.entries().is_empty(),
        }
    }

    /// Appends the value as JSON.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Number(number) => out.extend_from_slice(json_number(*number).as_bytes()),
            Self::Text(text) => write_text(out, text),
            Self::Time(_) => write_text(out, &self.to_string()),
            Self::List(items) => {
                out.push(b'[');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                out.push(b']');
            }
            Self::Map(map) => {
                out.push(b'{');
                for (number, (key, value)) in map.entries().iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    write_text(out, key);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
        }
    }

    /// Appends bytes whose order is the order of values, also where the bytes
    /// of further values follow.
    pub fn push_key(&self, out: &mut Vec<u8>) {
        out.push(self.rank());
        match self {
            Self::Null => {}
            Self::Bool(value) => out.push(u8::from(*value)),
            Self::Number(number) => out.extend_from_slice(&ordered_bits(*number).to_be_bytes()),
            Self::Text(text) => push_text(out, text),
            Self::Time(at) => {
                // The sign bit turned over makes the order that of unsigned numbers.
                let seconds = at.seconds.cast_unsigned() ^ (1 << 63);
                out.extend_from_slice(&seconds.to_be_bytes());
                out.extend_from_slice(&at.nanos.cast_unsigned().to_be_bytes());
            }
            Self::List(items) => {
                for item in items {
                    out.push(1);
                    item.push_key(out);
                }
                out.push(0);
            }
            Self::Map(map) => {
                for (key, value) in map.entries() {
                    out.push(1);
                    push_text(out, key);
                    value.push_key(out);
                }
                out.push(0);
            }
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
            Self::Time(_) => 4,
            Self::List(_) => 5,
            Self::Map(_) => 6,
        }
    }
}

impl Ord for Value<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => ordered_bits(*a).cmp(&ordered_bits(*b)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => (a.seconds, a.nanos).cmp(&(b.seconds, b.nanos)),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Map(a), Self::Map(b)) => a.entries().cmp(&b.entries()),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value<'_> {}

/// As a cell of a table: nothing for null, lists joined by commas, maps as JSON.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(value) => value.fmt(f),
            Self::Number(number) => f.write_str(&json_number(*number)),
            Self::Text(text) => f.write_str(text),
            // Times are checked when they are read.
            Self::Time(at) => f.write_str(&time::format(at).unwrap_or_default()),
            Self::List(items) => {
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                Ok(())
            }
            Self::Map(_) => {
                let mut json = Vec::new();
                self.write_json(&mut json);
                f.write_str(&String::from_utf8_lossy(&json))
            }
        }
    }
}

/// A `google.protobuf.Struct`, checked as a whole and decoded as needed.
#[derive(Debug, Clone, Copy)]
pub struct MapValue<'v> {
    bytes: &'v [u8],
}

impl<'v> MapValue<'v> {
    /// A map of encoded bytes.
    ///
    /// # Errors
    /// For bytes that are not a `Struct`, or are nested too deep.
    pub(crate) fn read(bytes: &'v [u8]) -> baton_proto::Result<Self> {
        check_struct(bytes, 0)?;
        Ok(Self { bytes })
    }

    /// Bytes of its encoded form.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Value<'v>> {
        let mut last = None;
        for (found, value) in self.pairs() {
            if found == key {
                last = Some(value);
            }
        }
        last.map(value_of)
    }

    /// Keys and values by key; of a key that comes twice the last value.
    pub fn entries(&self) -> BTreeMap<&'v str, Value<'v>> {
        self.pairs()
            .map(|(key, value)| (key, value_of(value)))
            .collect()
    }

    /// Keys and encoded values as they come. The bytes were checked.
    fn pairs(&self) -> impl Iterator<Item = (&'v str, &'v [u8])> {
        wire::values(self.bytes).filter_map(|part| match part {
            Ok((field::FIELDS, Wire::Bytes(entry))) => pair(entry).ok(),
            _ => None,
        })
    }
}

/// Key and encoded value of an entry.
fn pair(entry: &[u8]) -> baton_proto::Result<(&str, &[u8])> {
    let key = wire::last_str(entry, field::KEY)?;
    let value = wire::last_bytes(entry, field::VALUE)?;
    Ok((key, value.unwrap_or_default()))
}

fn too_deep() -> baton_proto::Error {
    baton_proto::Error::TooDeep { limit: MAX_DEPTH }
}

fn check_struct(bytes: &[u8], depth: usize) -> baton_proto::Result<()> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    for part in wire::values(bytes) {
        if let (field::FIELDS, Wire::Bytes(entry)) = part? {
            let (_, value) = pair(entry)?;
            check_value(value, depth + 1)?;
        }
    }
    Ok(())
}

fn check_value(bytes: &[u8], depth: usize) -> baton_proto::Result<()> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    for part in wire::values(bytes) {
        match part? {
            (field::STRING_VALUE, Wire::Bytes(text)) => {
                wire::text(text)?;
            }
            (field::STRUCT_VALUE, Wire::Bytes(map)) => check_struct(map, depth + 1)?,
            (field::LIST_VALUE, Wire::Bytes(list)) => {
                for item in wire::values(list) {
                    if let (field::VALUES, Wire::Bytes(item)) = item? {
                        check_value(item, depth + 1)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The value of checked bytes; the last of its fields counts.
fn value_of(bytes: &[u8]) -> Value<'_> {
    let mut last = Value::Null;
    for part in wire::values(bytes) {
        last = match part {
            Ok((field::NUMBER_VALUE, Wire::Fixed64(bits))) => {
                Value::Number(f64::from_le_bytes(bits))
            }
            Ok((field::STRING_VALUE, Wire::Bytes(text))) => {
                Value::text(wire::text(text).unwrap_or_default())
            }
            Ok((field::BOOL_VALUE, Wire::Varint(value))) => Value::Bool(value != 0),
            Ok((field::STRUCT_VALUE, Wire::Bytes(bytes))) => Value::Map(MapValue { bytes }),
            Ok((field::LIST_VALUE, Wire::Bytes(list))) => {
                let items = wire::values(list).filter_map(|item| match item {
                    Ok((field::VALUES, Wire::Bytes(item))) => Some(value_of(item)),
                    _ => None,
                });
                Value::List(items.collect())
            }
            Ok((field::NULL_VALUE, _)) => Value::Null,
            _ => last,
        };
    }
    last
}

/// Bits whose order is the total order of numbers.
fn ordered_bits(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | (1 << 63)
    }
}

/// A text, ended so that a text comes before its continuations.
fn push_text(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(u8::MAX);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// As protobuf JSON shows a number; whole numbers without a fraction.
fn json_number(number: f64) -> String {
    if number.is_finite() {
        // A number without text does not exist.
        return match serde_json::to_string(&number) {
            Ok(text) => text.strip_suffix(".0").map_or(text.clone(), str::to_owned),
            Err(_) => String::new(),
        };
    }
    let text = match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    format!("\"{text}\"")
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing to memory does not fail, and every text has a JSON form.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message;
    use prost_types::{ListValue, Struct, Value as Proto, value::Kind};

    fn proto() -> impl Strategy<Value = Proto> {
        let leaf = prop_oneof![
            Just(Kind::NullValue(0)),
            any::<bool>().prop_map(Kind::BoolValue),
            any::<f64>().prop_map(Kind::NumberValue),
            "[ab\0\u{ff}]{0,3}".prop_map(Kind::StringValue),
        ];
        let of = |kind| Proto { kind: Some(kind) };
        leaf.prop_map(of).prop_recursive(3, 12, 3, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3)
                    .prop_map(move |values| of(Kind::ListValue(ListValue { values }))),
                prop::collection::btree_map("[ab]{0,2}", inner, 0..3)
                    .prop_map(move |fields| of(Kind::StructValue(Struct { fields }))),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_bytes_of_keys_have_the_order_of_values(a in proto(), b in proto()) {
            let (a, b) = (a.encode_to_vec(), b.encode_to_vec());
            let (a, b) = (value_of(&a), value_of(&b));
            let key = |value: &Value<'_>| {
                let mut key = Vec::new();
                value.push_key(&mut key);
                key
            };
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }

        #[test]
        fn json_is_what_serde_reads_back(a in proto()) {
            let bytes = a.encode_to_vec();
            check_value(&bytes, 0).expect("valid");
            let mut json = Vec::new();
            value_of(&bytes).write_json(&mut json);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
        }
    }

    #[test]
    fn odd_bytes_are_errors() {
        assert!(MapValue::read(&[0x0a, 0xff]).is_err());
        let mut deep = Proto { kind: None };
        for _ in 0..MAX_DEPTH {
            deep = Proto {
                kind: Some(Kind::ListValue(ListValue { values: vec![deep] })),
            };
        }
        let fields = [("a".to_owned(), deep)].into();
        assert!(MapValue::read(&Struct { fields }.encode_to_vec()).is_err());
    }

    #[test]
    fn cells_are_plain_texts() {
        for (value, expected) in [
            (Value::Null, ""),
            (Value::Bool(true), "true"),
            (Value::Number(3.0), "3"),
            (Value::Number(0.5), "0.5"),
            (
                Value::List(vec![Value::text("a"), Value::text("b")]),
                "a, b",
            ),
            (
                Value::Time(Timestamp {
                    seconds: 1,
                    nanos: 0,
                }),
                "1970-01-01T00:00:01Z",
            ),
        ] {
            assert_eq!(value.to_string(), expected);
        }
    }
}
