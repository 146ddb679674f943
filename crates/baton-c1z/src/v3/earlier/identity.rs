//! What identifies an entitlement or a grant, from the bytes of its record.
//!
//! Only the fields that make up the identity are looked into; all others are
//! passed over unread, so that what a record holds besides does not matter. Ids
//! are bytes here: they need not be text (additions on earlier engines, §6).

use baton_proto::field::c1::storage::v3::{entitlement_record, grant_record};
use baton_proto::wire::{self, Value};

use crate::tuple;

/// Why a record has no identity to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no protobuf message.
    Malformed,
    /// A field that the identity is read from is of another type.
    FieldType,
}

impl Fault {
    /// In words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "its content is not a protobuf message",
            Self::FieldType => "a field of its identity has the wrong type",
        }
    }
}

/// A reference's parts by field number, 1 to 3.
type Parts<'a> = [&'a [u8]; 3];

/// Replaces `out` by the tuple of an entitlement, behind a separator. `false`
/// if the record lacks its resource, or a part of it.
pub(super) fn entitlement(record: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault> {
    let mut id: &[u8] = &[];
    let mut resource: &[u8] = &[];
    for value in wire::values(record) {
        match value.map_err(malformed)? {
            (entitlement_record::EXTERNAL_ID, value) => id = bytes(value)?,
            (entitlement_record::RESOURCE, value) => resource = bytes(value)?,
            _ => {}
        }
    }
    let [type_id, resource_id, _] = parts(resource)?;
    if type_id.is_empty() || resource_id.is_empty() {
        return Ok(false);
    }
    out.clear();
    tuple::push_entitlement(out, (type_id, resource_id), id);
    Ok(true)
}

/// Replaces `out` by the tuple of a grant, behind a separator. `false` if the
/// record lacks a part of its entitlement or principal.
pub(super) fn grant(record: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault> {
    let mut entitlement: &[u8] = &[];
    let mut principal: &[u8] = &[];
    for value in wire::values(record) {
        match value.map_err(malformed)? {
            (grant_record::EXTERNAL_ID, value) => {
                bytes(value)?;
            }
            (grant_record::ENTITLEMENT, value) => entitlement = bytes(value)?,
            (grant_record::PRINCIPAL, value) => principal = bytes(value)?,
            (grant_record::NEEDS_EXPANSION, Value::Varint(_)) => {}
            (grant_record::NEEDS_EXPANSION, _) => return Err(Fault::FieldType),
            _ => {}
        }
    }
    let [type_id, resource_id, entitlement_id] = parts(entitlement)?;
    let [principal_type, principal_id, _] = parts(principal)?;
    let all = [
        type_id,
        resource_id,
        entitlement_id,
        principal_type,
        principal_id,
    ];
    if all.iter().any(|part| part.is_empty()) {
        return Ok(false);
    }
    out.clear();
    tuple::push_entitlement(out, (type_id, resource_id), entitlement_id);
    tuple::push(out, principal_type);
    tuple::push(out, principal_id);
    Ok(true)
}

/// The first fields of a reference. Those of another type do not count.
fn parts(reference: &[u8]) -> Result<Parts<'_>, Fault> {
    let mut parts: Parts<'_> = Default::default();
    for value in wire::values(reference) {
        let (number, value) = value.map_err(malformed)?;
        let slot = (number as usize).checked_sub(1);
        if let (Some(slot), Value::Bytes(value)) = (slot.and_then(|n| parts.get_mut(n)), value) {
            *slot = value;
        }
    }
    Ok(parts)
}

fn bytes(value: Value<'_>) -> Result<&[u8], Fault> {
    value.bytes().ok_or(Fault::FieldType)
}

// The signature is that of `map_err`.
#[allow(clippy::needless_pass_by_value)]
fn malformed(_: baton_proto::Error) -> Fault {
    Fault::Malformed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(parts: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, part) in (1..).zip(parts) {
            wire::put_str(&mut out, number, part);
        }
        out
    }

    fn grant_record(entitlement: &[&str], principal: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        wire::put_str(&mut out, 2, "id");
        wire::put_bytes(&mut out, 3, &reference(entitlement));
        wire::put_bytes(&mut out, 4, &reference(principal));
        out
    }

    #[test]
    fn a_record_that_lacks_a_part_has_no_identity() {
        let mut key = Vec::new();
        let whole = [&["group", "g1", "group:g1:member"][..], &["user", "u1"]];
        assert_eq!(grant(&grant_record(whole[0], whole[1]), &mut key), Ok(true));
        assert_eq!(key, b"\0group\0g1\x001\0member\0user\0u1");
        for missing in 0..5 {
            let mut parts: Vec<Vec<&str>> = whole.iter().map(|part| part.to_vec()).collect();
            match missing {
                0..=2 => parts[0][missing] = "",
                other => parts[1][other - 3] = "",
            }
            let record = grant_record(&parts[0], &parts[1]);
            assert_eq!(grant(&record, &mut key), Ok(false), "{missing}");
        }
        assert_eq!(grant(&[], &mut key), Ok(false));
        assert_eq!(entitlement(&[], &mut key), Ok(false));
    }

    #[test]
    fn of_a_repeated_reference_the_last_counts_as_a_whole() {
        let mut key = Vec::new();
        let mut record = grant_record(&["group", "g1", "e"], &["user", "u1"]);
        wire::put_bytes(&mut record, 3, &reference(&["", "g2", "e"]));
        assert_eq!(grant(&record, &mut key), Ok(false));
        wire::put_bytes(&mut record, 3, &reference(&["group", "g2", "e"]));
        assert_eq!(grant(&record, &mut key), Ok(true));
        assert_eq!(key, b"\0group\0g2\x000\0e\0user\0u1");
    }

    #[test]
    fn every_cut_and_every_other_field_type_is_told_apart_from_a_missing_part() {
        let mut key = Vec::new();
        let record = grant_record(&["group", "g1", "e"], &["user", "u1"]);
        for len in 1..record.len() {
            // A cut between two fields leaves a message that lacks a part.
            let cut = grant(&record[..len], &mut key);
            assert!(matches!(cut, Ok(false) | Err(Fault::Malformed)), "{len}");
        }
        for number in [2, 3, 4] {
            let mut other = record.clone();
            wire::put_varint(&mut other, number, 1);
            assert_eq!(grant(&other, &mut key), Err(Fault::FieldType), "{number}");
        }
        let mut other = record.clone();
        wire::put_str(&mut other, 7, "x");
        assert_eq!(grant(&other, &mut key), Err(Fault::FieldType));
        let mut other = record;
        wire::put_bytes(&mut other, 3, &[0x0a, 0x7f]);
        assert_eq!(grant(&other, &mut key), Err(Fault::Malformed));
    }

    #[test]
    fn ids_need_not_be_text() {
        let mut key = Vec::new();
        let mut record = Vec::new();
        wire::put_bytes(&mut record, 2, b"t:r:\xff\0");
        wire::put_bytes(&mut record, 3, &reference(&["t", "r"]));
        assert_eq!(entitlement(&record, &mut key), Ok(true));
        assert_eq!(key, b"\0t\0r\x001\0\xff\x01\x01");
    }
}
