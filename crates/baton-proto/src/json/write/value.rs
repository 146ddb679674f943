//! What a value on the wire means for a field: its class, its default, map keys.

use crate::Result;
use crate::schema::{Field, Kind, Shape};
use crate::wire::{self, Value};

/// Map keys in Go's order: by number, by bytes, `false` before `true`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Text(&'a [u8]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Varint,
    Fixed64,
    Fixed32,
    Delimited,
}

pub(super) fn wire_class(kind: Kind) -> Class {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Class::Fixed64,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Class::Fixed32,
        Kind::String | Kind::Bytes | Kind::Message(_) => Class::Delimited,
        _ => Class::Varint,
    }
}

/// Whether a value on the wire can be one of this field; lists of numbers come
/// packed or not, whatever the declaration is.
#[inline]
pub(in crate::json) fn fits(field: &Field, value: &Value<'_>) -> bool {
    let class = match value {
        Value::Varint(_) => Class::Varint,
        Value::Fixed64(_) => Class::Fixed64,
        Value::Fixed32(_) => Class::Fixed32,
        Value::Bytes(_) => Class::Delimited,
        Value::Group(_) => return false,
    };
    class == wire_class(field.kind) || (class == Class::Delimited && field.shape == Shape::List)
}

pub(super) fn is_default(kind: Kind, value: &Value<'_>) -> bool {
    match *value {
        Value::Varint(value) => match kind {
            Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Enum(_) => low32(value) == 0,
            _ => value == 0,
        },
        Value::Fixed64(bytes) => bytes == [0; 8],
        Value::Fixed32(bytes) => bytes == [0; 4],
        Value::Bytes(bytes) | Value::Group(bytes) => bytes.is_empty(),
    }
}

pub(super) fn default_value(kind: Kind) -> Value<'static> {
    match wire_class(kind) {
        Class::Varint => Value::Varint(0),
        Class::Fixed64 => Value::Fixed64([0; 8]),
        Class::Fixed32 => Value::Fixed32([0; 4]),
        Class::Delimited => Value::Bytes(&[]),
    }
}

/// The low 32 bits of a varint, which is what counts for 32-bit fields.
pub(in crate::json) fn low32(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

pub(super) fn entry_key<'a>(def: &Field, entry: &'a [u8]) -> Result<Key<'a>> {
    let mut value = default_value(def.kind);
    for field in wire::fields(entry) {
        let field = field?;
        if field.number == 1 && fits(def, &field.value) {
            value = field.value;
        }
    }
    Ok(match (def.kind, value) {
        (Kind::Bool, Value::Varint(value)) => Key::Bool(value != 0),
        (Kind::Int32, Value::Varint(value)) => Key::Signed(i64::from(low32(value))),
        (Kind::Uint32, Value::Varint(value)) => {
            Key::Unsigned(u64::from(low32(value).cast_unsigned()))
        }
        (Kind::Sint32, Value::Varint(value)) => Key::Signed(i64::from(zigzag32(value))),
        (Kind::Sint64, Value::Varint(value)) => Key::Signed(zigzag64(value)),
        (Kind::Uint64, Value::Varint(value)) => Key::Unsigned(value),
        (_, Value::Varint(value)) => Key::Signed(value.cast_signed()),
        (Kind::Sfixed64, Value::Fixed64(bytes)) => Key::Signed(i64::from_le_bytes(bytes)),
        (_, Value::Fixed64(bytes)) => Key::Unsigned(u64::from_le_bytes(bytes)),
        (Kind::Sfixed32, Value::Fixed32(bytes)) => {
            Key::Signed(i64::from(i32::from_le_bytes(bytes)))
        }
        (_, Value::Fixed32(bytes)) => Key::Unsigned(u64::from(u32::from_le_bytes(bytes))),
        (_, Value::Bytes(bytes) | Value::Group(bytes)) => Key::Text(bytes),
    })
}

/// The number of a `sint32`.
pub(super) fn zigzag32(value: u64) -> i32 {
    let raw = low32(value).cast_unsigned();
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

/// The number of a `sint64`.
pub(super) fn zigzag64(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
