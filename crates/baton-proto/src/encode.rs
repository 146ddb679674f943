//! Encodes messages to exactly the bytes of Go's deterministic encoder.
//!
//! The generated encoder differs in one point: it leaves out a default key or
//! value of a map entry, where Go always writes both (`GrantSource{is_direct:
//! false}` is `12 00` behind its key; c1z.md §1.4, wire README trap 12). So a
//! second pass completes the entries of messages that can reach a map.
//! Entries come out sorted because the generated maps are ordered as Go sorts.

use prost::{Message, Name};

use crate::schema::{Field, Kind, Schema, Shape};
use crate::wire::{self, Value};
use crate::{Error, Result};

/// Encodes a message: fields by number, map entries whole and sorted by key.
///
/// Equal messages give equal bytes. Payloads inside `Any` are opaque here; they
/// are in this form when [`crate::any::pack`] made them.
#[must_use]
pub fn to_vec<M: Message + Name>(message: &M) -> Vec<u8> {
    complete(&M::full_name(), message.encode_to_vec())
}

/// As [`to_vec`], for a type that does not know its own name, as
/// `google.protobuf.Struct` and `Value`.
#[must_use]
pub fn to_vec_named<M: Message>(full_name: &str, message: &M) -> Vec<u8> {
    complete(full_name, message.encode_to_vec())
}

fn complete(full_name: &str, encoded: Vec<u8>) -> Vec<u8> {
    let schema = Schema::get();
    let Some(index) = schema.find(full_name) else {
        return encoded;
    };
    if !reaches_map(schema, index) {
        return encoded;
    }
    let mut out = Vec::with_capacity(encoded.len() + encoded.len() / 16);
    match message(schema, index, &encoded, &mut out) {
        Ok(()) => out,
        // The input was written by the encoder an instant ago; it is well-formed.
        Err(_) => encoded,
    }
}

fn reaches_map(schema: &Schema, index: usize) -> bool {
    schema.message(index).is_some_and(|m| m.reaches_map)
}

/// Copies one message, completing map entries at any depth below it.
///
/// Recursion goes as deep as the value that was encoded, no deeper than the
/// generated encoder itself went.
fn message(schema: &Schema, index: usize, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let Some(table) = schema.message(index) else {
        out.extend_from_slice(bytes);
        return Ok(());
    };
    for field in wire::fields(bytes) {
        let field = field?;
        match (table.by_number(field.number), field.value) {
            (Some((_, def)), Value::Bytes(value)) => match (def.shape, def.kind) {
                (Shape::Map, Kind::Message(entry_type)) => {
                    nested(out, field.number, |out| {
                        entry(schema, entry_type, value, out)
                    })?;
                }
                (_, Kind::Message(target)) if reaches_map(schema, target) => {
                    nested(out, field.number, |out| message(schema, target, value, out))?;
                }
                _ => out.extend_from_slice(field.raw),
            },
            _ => out.extend_from_slice(field.raw),
        }
    }
    Ok(())
}

/// Writes a map entry with both of its fields.
fn entry(schema: &Schema, index: usize, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut parts: [&[u8]; 2] = [&[], &[]];
    let mut nested_value = None;
    for field in wire::fields(bytes) {
        let field = field?;
        match field.number {
            1 => parts[0] = field.raw,
            2 => {
                parts[1] = field.raw;
                nested_value = field.value.bytes();
            }
            _ => {}
        }
    }
    let table = schema.message(index);
    let def = |number| {
        table
            .and_then(|t| t.by_number(number))
            .map(|(_, field)| field)
    };
    match def(1) {
        Some(key) if parts[0].is_empty() => put_default(key, out),
        _ => out.extend_from_slice(parts[0]),
    }
    match (def(2), nested_value) {
        (Some(value), _) if parts[1].is_empty() => put_default(value, out),
        (
            Some(Field {
                kind: Kind::Message(target),
                ..
            }),
            Some(content),
        ) if reaches_map(schema, *target) => {
            nested(out, 2, |out| message(schema, *target, content, out))?;
        }
        _ => out.extend_from_slice(parts[1]),
    }
    Ok(())
}

/// Writes the default value of a key or value, which proto3 leaves out elsewhere.
pub(crate) fn put_default(field: &Field, out: &mut Vec<u8>) {
    match field.kind {
        Kind::String | Kind::Bytes | Kind::Message(_) => wire::put_bytes(out, field.number, &[]),
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => {
            wire::put_fixed64(out, field.number, [0; 8]);
        }
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => {
            wire::put_fixed32(out, field.number, [0; 4]);
        }
        _ => wire::put_varint(out, field.number, 0),
    }
}

/// Writes a length-delimited field whose content `write` appends.
///
/// The length is not known before; one byte is kept for it, and the content is
/// moved up when it needs more, which is rare and cheap.
pub(crate) fn nested<E: From<Error>>(
    out: &mut Vec<u8>,
    number: u32,
    write: impl FnOnce(&mut Vec<u8>) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    wire::put_bytes(out, number, &[]);
    let start = out.len();
    write(out)?;
    close(out, start);
    Ok(())
}

/// Sets the length of the content that begins at `start`; the byte before it
/// was kept for that.
fn close(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        if let Some(byte) = out.get_mut(start - 1) {
            *byte = short;
        }
    } else {
        let mut prefix = Vec::with_capacity(wire::MAX_VARINT_BYTES);
        wire::put_raw_varint(&mut prefix, length as u64);
        out.splice(start - 1..start, prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::c1::connector::v2::grant_sources::GrantSource;
    use crate::c1::connector::v2::{Grant, GrantSources, ResourceId};
    use crate::c1::reader::v2::SyncStats;

    #[test]
    fn default_values_and_keys_of_map_entries_are_written() {
        let mut sources = GrantSources::default();
        sources
            .sources
            .insert("b".to_owned(), GrantSource::default());
        sources
            .sources
            .insert(String::new(), GrantSource { is_direct: true });
        let grant = Grant {
            id: "g".to_owned(),
            sources: Some(sources),
            ..Default::default()
        };
        let expected = [
            &[0x1a, 1, b'g', 0x2a, 15][..],
            &[0x0a, 6, 0x0a, 0, 0x12, 2, 0x08, 1],
            &[0x0a, 5, 0x0a, 1, b'b', 0x12, 0],
        ]
        .concat();
        assert_eq!(to_vec(&grant), expected);
    }

    #[test]
    fn numbers_in_maps_are_written_also_when_zero() {
        let mut stats = SyncStats::default();
        stats.resources_by_resource_type.insert("t".to_owned(), 0);
        assert_eq!(to_vec(&stats), [0x2a, 5, 0x0a, 1, b't', 0x10, 0]);
    }

    #[test]
    fn entries_longer_than_one_length_byte_move_up() {
        let mut sources = GrantSources::default();
        for n in 0..40 {
            sources
                .sources
                .insert(format!("entitlement-{n:0200}"), GrantSource::default());
        }
        let grant = Grant {
            sources: Some(sources),
            ..Default::default()
        };
        let bytes = to_vec(&grant);
        assert_eq!(Grant::decode(bytes.as_slice()).expect("valid"), grant);
        assert_eq!(bytes.len(), grant.encoded_len() + 40 * 2);
    }

    #[test]
    fn a_struct_with_empty_values_is_whole_at_every_depth() {
        use prost_types::{Struct, Value as Json, value::Kind};
        let inner = Struct {
            fields: [("k".to_owned(), Json { kind: None })].into(),
        };
        let outer = Struct {
            fields: [(
                "s".to_owned(),
                Json {
                    kind: Some(Kind::StructValue(inner)),
                },
            )]
            .into(),
        };
        let expected = [
            0x0a, 14, 0x0a, 1, b's', 0x12, 9, 0x2a, 7, 0x0a, 5, 0x0a, 1, b'k', 0x12, 0,
        ];
        assert_eq!(to_vec_named("google.protobuf.Struct", &outer), expected);
    }

    #[test]
    fn messages_without_maps_pass_unchanged() {
        let id = ResourceId {
            resource_type: "user".to_owned(),
            resource: "u1".to_owned(),
            ..Default::default()
        };
        assert_eq!(to_vec(&id), id.encode_to_vec());
    }
}
