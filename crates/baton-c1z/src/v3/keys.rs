//! The keys of format v3: which rows are where (c1z specification §2.3).
//!
//! Every key is `03`, the number of its family, and for most families `00`
//! and a tuple. Prefixes end in a separator, so that one id never finds
//! another that begins with it.

use crate::row::{Row, Table};
use crate::seal::key::table_byte;
use crate::tuple::{self, SEPARATOR, push, push_entitlement};

/// First byte of every key.
pub(super) const ROOT: u8 = 3;
const ASSET: u8 = 5;
const SYNC_RUN: u8 = 6;
const INDEX: u8 = 7;
const COUNTER: u8 = 8;
const SESSION: u8 = 9;
const BY_PARENT: u8 = 1;
const BY_PRINCIPAL: u8 = 4;
const NEEDS_EXPANSION: u8 = 5;

/// The key of the one sync run; nothing follows it.
pub(crate) const RUN: &[u8] = &[ROOT, SYNC_RUN];
/// Key of the layout's number, a big-endian u32 that must be [`LAYOUT`].
pub(crate) const KEYSPACE_VERSION: &[u8] = b"\x03\xffkeyspace_version";
/// Key of the number of the form of entitlement ids in keys of grants, a
/// big-endian u32 that must be [`LAYOUT`].
pub(crate) const ENTITLEMENT_ID_FORMAT: &[u8] = b"\x03\xffgrant_entitlement_id_format";
/// The layout that this module describes.
pub(crate) const LAYOUT: u32 = 2;
/// Key of the stored counts.
pub(crate) const STATS: &[u8] = b"\x03\xffstats\0";
/// Key that is there while the index by principal is not complete.
pub(crate) const INDEXES_PENDING: &[u8] = b"\x03\xffdeferred_grant_idx_pending";
/// What the keys of all stored indexes begin with; the index's number follows.
pub(super) const INDEXES: &[u8] = &[ROOT, INDEX];
/// What the keys of the index of grants by principal begin with.
pub(super) const BY_PRINCIPAL_INDEX: &[u8] = &[ROOT, INDEX, BY_PRINCIPAL];
/// Indexes over entitlements and grants that the earlier layout has: four
/// that are gone since, and those by principal and of what is to be expanded.
pub(super) const EARLIER_INDEXES: [u8; 6] = [2, 3, BY_PRINCIPAL, NEEDS_EXPANSION, 6, 7];
/// The first key that can belong to data, and the first that cannot.
pub(super) const DATA: &[u8] = &[ROOT, 1];
pub(super) const STAMPS: &[u8] = &[ROOT, 0xff];
/// What the keys of digests begin with: content hashes of grants, and the
/// nodes over them.
pub(super) const DIGESTS: [&[u8]; 2] = [&[ROOT, INDEX, 8], &[ROOT, 10]];
/// Key that is there while digests are not complete.
pub(super) const DIGESTS_PENDING: &[u8] = b"\x03\xffgrant_digest_build_pending";
/// What the keys of all assets begin with.
pub(crate) const ASSETS: &[u8] = &[ROOT, ASSET, SEPARATOR];

/// What the keys of everything that connectors stored begin with.
pub(crate) const SESSIONS: &[u8] = &[ROOT, SESSION, SEPARATOR];
/// What the keys of counters and caches begin with, which are of no use in
/// another file.
pub(crate) const COUNTERS: &[u8] = &[ROOT, COUNTER];

/// What the keys of all rows of a table begin with.
pub(crate) fn table(table: Table) -> [u8; 3] {
    [ROOT, table_byte(table), SEPARATOR]
}

/// Replaces `out` by the key of the row whose key while sealing is `sealed`,
/// identified by tuple.
pub(crate) fn of_sealed(sealed: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.push(ROOT);
    out.extend_from_slice(sealed);
}

/// Replaces `out` by the key of the row with this tuple, which begins with a
/// separator.
pub(super) fn of_tuple(of: Table, tuple: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[ROOT, table_byte(of)]);
    out.extend_from_slice(tuple);
}

/// The key, while sealing, of the row with this key.
pub(crate) fn to_sealed(key: &[u8]) -> &[u8] {
    key.get(1..).unwrap_or_default()
}

/// Replaces `out` by the key of a row.
pub(crate) fn row(of: Table, row: &Row<'_>, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[ROOT, table_byte(of)]);
    match of {
        Table::ResourceTypes => push(out, row.id),
        Table::Resources => {
            push(out, row.resource_type_id);
            push(out, row.resource_id);
        }
        Table::Entitlements => {
            push_entitlement(out, (row.resource_type_id, row.resource_id), row.id);
        }
        Table::Grants => {
            let resource = (row.resource_type_id, row.resource_id);
            push_entitlement(out, resource, row.entitlement_id);
            push(out, row.principal_type_id);
            push(out, row.principal_id);
        }
    }
}

/// What the keys of a table's rows begin with whose first parts are these.
/// With all parts of a key given, it is the key and a separator more.
pub(crate) fn table_prefix(of: Table, parts: &[&str]) -> Vec<u8> {
    let mut out = vec![ROOT, table_byte(of)];
    push_all(&mut out, parts);
    out
}

/// The key of a grant, from what the keys of all grants of its entitlement
/// begin with, last separator included.
pub(crate) fn grant(entitlement_prefix: &[u8], principal: (&str, &str)) -> Vec<u8> {
    let mut out = entitlement_prefix.to_vec();
    out.pop();
    push(&mut out, principal.0);
    push(&mut out, principal.1);
    out
}

/// The key of an asset.
pub(crate) fn asset(id: &str) -> Vec<u8> {
    let mut out = vec![ROOT, ASSET];
    push(&mut out, id);
    out
}

/// The key of what a connector stored under `key` for a sync.
pub(crate) fn session(sync_id: &str, key: &str) -> Vec<u8> {
    let mut out = vec![ROOT, SESSION];
    push(&mut out, sync_id);
    push(&mut out, key);
    out
}

/// What the keys of the index of resources by parent begin with.
pub(crate) fn by_parent_prefix(parts: &[&str]) -> Vec<u8> {
    let mut out = vec![ROOT, INDEX, BY_PARENT];
    push_all(&mut out, parts);
    out
}

/// What the keys of the index of grants by principal begin with.
pub(crate) fn by_principal_prefix(parts: &[&str]) -> Vec<u8> {
    let mut out = vec![ROOT, INDEX, BY_PRINCIPAL];
    push_all(&mut out, parts);
    out
}

/// Appends parts and a last separator.
fn push_all(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        push(out, part);
    }
    out.push(SEPARATOR);
}

/// Replaces `out` by the key, in the index of resources by parent, of the
/// resource with the key `resource`.
pub(crate) fn by_parent(parent: (&str, &str), resource: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&by_parent_prefix(&[parent.0, parent.1]));
    out.extend_from_slice(tuple_of(resource));
}

/// Replaces `out` by the key, in the index of grants by principal, of the
/// grant with the key `grant`. `None` if that is no key of a grant.
pub(crate) fn by_principal(grant: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (entitlement, principal) = halves_of_grant(grant)?;
    by_principal_of(entitlement, principal, out);
    Some(())
}

/// The entitlement and the principal in the key of a grant, as tuples. `None`
/// if it is no such key.
pub(crate) fn halves_of_grant(grant: &[u8]) -> Option<(&[u8], &[u8])> {
    tuple::split_behind(tuple_of(grant), ENTITLEMENT_PARTS)
}

/// Replaces `out` by the key, in the index of grants by principal, of the
/// grant with these tuples.
pub(crate) fn by_principal_of(entitlement: &[u8], principal: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[ROOT, INDEX, BY_PRINCIPAL, SEPARATOR]);
    out.extend_from_slice(principal);
    out.push(SEPARATOR);
    out.extend_from_slice(entitlement);
}

/// Replaces `out` by the key, in the index of grants to be expanded, of the
/// grant with the key `grant`.
pub(crate) fn needs_expansion(grant: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[ROOT, INDEX, NEEDS_EXPANSION, SEPARATOR]);
    out.extend_from_slice(tuple_of(grant));
}

/// Replaces `out` by the key of the grant that `key` of the index by
/// principal names. `None` if it is no such key.
pub(crate) fn grant_of_principal(key: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let tuple = key.strip_prefix(&[ROOT, INDEX, BY_PRINCIPAL, SEPARATOR])?;
    let (principal, entitlement) = tuple::split_behind(tuple, PRINCIPAL_PARTS)?;
    out.clear();
    out.extend_from_slice(&table(Table::Grants));
    out.extend_from_slice(entitlement);
    out.push(SEPARATOR);
    out.extend_from_slice(principal);
    Some(())
}

/// Replaces `out` by the key of the resource that `key` of the index by
/// parent names. `None` if it is no such key.
pub(crate) fn resource_of_parent(key: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let tuple = key.strip_prefix(&[ROOT, INDEX, BY_PARENT, SEPARATOR])?;
    let (_, resource) = tuple::split_behind(tuple, PARENT_PARTS)?;
    out.clear();
    out.extend_from_slice(&table(Table::Resources));
    out.extend_from_slice(resource);
    Some(())
}

/// Parts of a tuple that are an entitlement: resource type, resource, flag, tail.
pub(crate) const ENTITLEMENT_PARTS: usize = 4;
const PRINCIPAL_PARTS: usize = 2;
const PARENT_PARTS: usize = 2;

/// The tuple of a table's key.
pub(crate) fn tuple_of(key: &[u8]) -> &[u8] {
    key.get(table(Table::Grants).len()..).unwrap_or_default()
}

/// The first key behind all keys that begin with `prefix`, which ends in a
/// separator.
pub(crate) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last = SEPARATOR + 1;
    }
    end
}

/// A key's parts, for people.
pub(super) fn shown(key: &[u8]) -> String {
    let parts = tuple::parts(tuple_of(key));
    let texts: Vec<_> = parts.map(String::from_utf8_lossy).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::key as sealed_key;

    fn grant() -> Row<'static> {
        Row {
            id: "g",
            resource_type_id: "t",
            resource_id: "\0r",
            entitlement_id: "t:\0r:m",
            principal_type_id: "u",
            principal_id: "1:\x01",
            ..Row::default()
        }
    }

    #[test]
    fn keys_of_other_families_are_none_of_an_index() {
        let mut out = Vec::new();
        for key in [
            &b""[..],
            b"\x03",
            b"\x03\x07\x04\0u\x001",
            b"\x03\x04\0a\0b\x001\0c",
        ] {
            assert_eq!(grant_of_principal(key, &mut out), None);
            assert_eq!(resource_of_parent(key, &mut out), None);
        }
        assert_eq!(by_principal(b"\x03\x04\0t\0r\x001\0m", &mut out), None);
    }

    #[test]
    fn a_key_is_that_of_sealing_behind_one_byte() {
        for table in Table::ALL {
            let (mut ours, mut sealed) = (Vec::new(), Vec::new());
            row(table, &grant(), &mut ours);
            sealed_key::build(sealed_key::Identity::Tuple, table, &grant(), &mut sealed);
            assert_eq!(ours[0], ROOT);
            assert_eq!(ours[1..], sealed);
        }
    }

    #[test]
    fn indexes_name_the_rows_that_they_were_made_of() {
        let (mut key, mut index, mut back) = (Vec::new(), Vec::new(), Vec::new());
        row(Table::Grants, &grant(), &mut key);
        assert_eq!(key, b"\x03\x04\0t\0\x01\x01r\x001\0m\0u\x001:\x01\x02");
        by_principal(&key, &mut index).expect("a grant");
        assert_eq!(
            index,
            b"\x03\x07\x04\0u\x001:\x01\x02\0t\0\x01\x01r\x001\0m"
        );
        grant_of_principal(&index, &mut back).expect("of the index");
        assert_eq!(back, key);
        needs_expansion(&key, &mut index);
        assert_eq!(
            index,
            b"\x03\x07\x05\0t\0\x01\x01r\x001\0m\0u\x001:\x01\x02"
        );

        row(Table::Resources, &grant(), &mut key);
        by_parent(("p", ""), &key, &mut index);
        assert_eq!(index, b"\x03\x07\x01\0p\0\0t\0\x01\x01r");
        resource_of_parent(&index, &mut back).expect("of the index");
        assert_eq!(back, key);
    }

    #[test]
    fn a_prefix_finds_its_own_keys_and_no_longer_ids() {
        let prefix = table_prefix(Table::Resources, &["ab"]);
        let end = behind(&prefix);
        let key = |type_id, id| {
            let mut key = Vec::new();
            let row_of = Row {
                resource_type_id: type_id,
                resource_id: id,
                ..Row::default()
            };
            row(Table::Resources, &row_of, &mut key);
            key
        };
        for id in ["", "\0", "x", "\u{10ffff}"] {
            assert!((&prefix..&end).contains(&&key("ab", id)), "{id:?}");
        }
        for other in ["a", "abc", "ab\0", "ab\x01", ""] {
            assert!(!(&prefix..&end).contains(&&key(other, "x")), "{other:?}");
        }
    }
}
