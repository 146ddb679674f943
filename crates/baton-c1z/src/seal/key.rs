//! Canonical keys: bytes whose order is the order of rows in a file.
//!
//! A key is the table's number and the parts of the v3 key tuple (c1z
//! specification §2.3), and for a grant its external id if that
//! identifies grants. Every table has a fixed number of parts, so comparing bytes
//! compares tuples.

use crate::row::{Row, Table};
use crate::tuple::{self, push, push_entitlement};

/// The first byte of the keys of a table: its place in a file.
pub(crate) fn table_byte(table: Table) -> u8 {
    match table {
        Table::ResourceTypes => 1,
        Table::Resources => 2,
        Table::Entitlements => 3,
        Table::Grants => 4,
    }
}

/// The table of a key.
pub(crate) fn table_of(key: &[u8]) -> Option<Table> {
    let first = key.first()?;
    Table::ALL.into_iter().find(|t| table_byte(*t) == *first)
}

/// What makes two rows the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The external id, within its table: format v1.
    ExternalId,
    /// The key tuple: format v3, where an entitlement and a principal have
    /// one grant.
    Tuple,
}

/// Replaces `out` by the key of a row.
pub(crate) fn build(identity: Identity, table: Table, row: &Row<'_>, out: &mut Vec<u8>) {
    out.clear();
    out.push(table_byte(table));
    let resource = (row.resource_type_id, row.resource_id);
    match table {
        Table::ResourceTypes => push(out, row.id),
        Table::Resources => {
            push(out, row.resource_type_id);
            push(out, row.resource_id);
        }
        Table::Entitlements => push_entitlement(out, resource, row.id),
        Table::Grants => {
            push_entitlement(out, resource, row.entitlement_id);
            push(out, row.principal_type_id);
            push(out, row.principal_id);
            if identity == Identity::ExternalId {
                push(out, row.id);
            }
        }
    }
}

/// The id that the row of a key has, or would have if it is a grant that
/// is identified by the key tuple. Empty for an empty key.
pub(crate) fn id(key: &[u8]) -> String {
    let parts: Vec<&[u8]> = tuple::parts(key).skip(1).collect();
    let text = |part: &[u8]| tuple::unescape(part).unwrap_or_default().into_owned();
    match parts[..] {
        [type_id, id] => [text(type_id), text(id)].join(":"),
        [a, b, flag, tail] => tuple::entitlement_id([a, b, flag, tail]).unwrap_or_default(),
        [a, b, flag, tail, type_id, id] => {
            let entitlement = tuple::entitlement_id([a, b, flag, tail]).unwrap_or_default();
            [entitlement, text(type_id), text(id)].join(":")
        }
        [.., id] => text(id),
        [] => String::new(),
    }
}

/// The part of a grant's key that all grants of its entitlement share.
pub(crate) fn entitlement_of(identity: Identity, grant_key: &[u8]) -> &[u8] {
    // Behind it are principal type and principal id, and the external id.
    let parts = match identity {
        Identity::ExternalId => 3,
        Identity::Tuple => 2,
    };
    without_parts(grant_key, parts)
}

/// The part of a grant's key, with its external id, that grants of the same
/// entitlement to the same principal share.
pub(crate) fn pair_of(grant_key: &[u8]) -> &[u8] {
    without_parts(grant_key, 1)
}

fn without_parts(key: &[u8], parts: usize) -> &[u8] {
    let mut key = key;
    for _ in 0..parts {
        let end = key.iter().rposition(|b| *b == 0).unwrap_or(0);
        key = key.get(..end).unwrap_or_default();
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant<'a>(
        resource: (&'a str, &'a str),
        entitlement: &'a str,
        principal: (&'a str, &'a str),
        id: &'a str,
    ) -> Vec<u8> {
        let mut key = Vec::new();
        let row = Row {
            id,
            resource_type_id: resource.0,
            resource_id: resource.1,
            entitlement_id: entitlement,
            principal_type_id: principal.0,
            principal_id: principal.1,
            ..Row::default()
        };
        build(Identity::ExternalId, Table::Grants, &row, &mut key);
        key
    }

    #[test]
    fn a_key_tells_the_id_of_its_row() {
        let row = Row {
            id: "t:r\0:m",
            resource_type_id: "t",
            resource_id: "r\0",
            entitlement_id: "t:r\0:m",
            principal_type_id: "u",
            principal_id: "\x01",
            ..Row::default()
        };
        for (table, identity, expected) in [
            (Table::ResourceTypes, Identity::Tuple, "t:r\0:m"),
            (Table::Resources, Identity::Tuple, "t:r\0"),
            (Table::Entitlements, Identity::Tuple, "t:r\0:m"),
            (Table::Grants, Identity::Tuple, "t:r\0:m:u:\x01"),
            (Table::Grants, Identity::ExternalId, "t:r\0:m"),
        ] {
            let mut key = Vec::new();
            build(identity, table, &row, &mut key);
            assert_eq!(id(&key), expected, "{table:?}");
        }
        assert_eq!(id(&[]), "");
    }

    #[test]
    fn an_id_that_does_not_begin_with_its_resource_is_kept_whole() {
        let key = grant(("t", "r"), "t:rx:member", ("u", "1"), "g");
        assert_eq!(key, b"\x04\0t\0r\x000\0t:rx:member\0u\x001\0g");
    }

    #[test]
    fn bytes_that_mean_something_in_keys_are_escaped() {
        let key = grant(("t", "\0\x01\x02"), "t:\0\x01\x02:m", ("u", ""), "g");
        assert_eq!(key, b"\x04\0t\0\x01\x01\x01\x02\x02\x001\0m\0u\0\0g");
    }

    #[test]
    fn the_order_of_keys_is_the_order_of_tuples() {
        let tuples = [
            (("a", ""), "x", ("", ""), ""),
            (("a", "\0"), "x", ("", ""), ""),
            (("a", "\0a"), "x", ("", ""), ""),
            (("a", "\x01"), "x", ("", ""), ""),
            (("a", "b"), "x", ("", ""), ""),
            (("a", "b"), "x\0", ("", ""), ""),
            (("a", "b"), "a:b:", ("u", ""), ""),
            (("a", "b"), "a:b:", ("u", ""), "1"),
            (("a", "b"), "a:b:", ("u", "\0"), ""),
            (("a\0", ""), "", ("", ""), ""),
            (("aa", ""), "", ("", ""), ""),
        ];
        let keys: Vec<_> = tuples
            .iter()
            .map(|(resource, entitlement, principal, id)| {
                grant(*resource, entitlement, *principal, id)
            })
            .collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
    }

    #[test]
    fn a_grants_key_begins_with_that_of_its_entitlement() {
        let key = grant(("t", "r"), "t:r:m", ("u", "1"), "g");
        let entitlement = b"\x04\0t\0r\x001\0m";
        assert_eq!(entitlement_of(Identity::ExternalId, &key), entitlement);
        let tuple = key.strip_suffix(b"\0g").expect("the id is last");
        assert_eq!(entitlement_of(Identity::Tuple, tuple), entitlement);
    }
}
