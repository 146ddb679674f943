//! The `sources` of a grant, on the wire.
//!
//! A stored grant is never decoded and encoded again: its `sources` are read
//! and put back in place, every other byte stays. Written as the Go tools
//! write it: entries sorted by key, key and value always present, `is_direct`
//! only when true. c1z specification, §1.4; sync-runtime specification, §4.4.

use std::collections::BTreeMap;

use baton_proto::wire::{self, Value};

type WireResult<T> = std::result::Result<T, baton_proto::Error>;

/// Field numbers of `c1.connector.v2.Grant`.
pub(crate) const GRANT_ENTITLEMENT: u32 = 1;
pub(crate) const GRANT_PRINCIPAL: u32 = 2;
pub(crate) const GRANT_ID: u32 = 3;
pub(crate) const GRANT_ANNOTATIONS: u32 = 4;
pub(crate) const GRANT_SOURCES: u32 = 5;
/// `GrantSources.sources`, and the two fields of every map entry.
const SOURCES_ENTRY: u32 = 1;
const ENTRY_KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;
/// `GrantSources.GrantSource.is_direct`.
const IS_DIRECT: u32 = 1;

/// What expansion asks of a grant's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GrantFacts<'a> {
    /// The embedded principal, if there is one.
    pub(crate) principal: Option<&'a [u8]>,
    /// The sources are empty or name the grant's own entitlement.
    pub(crate) direct: bool,
}

/// Reads the facts of a grant on entitlement `own`.
pub(crate) fn grant_facts<'a>(grant: &'a [u8], own: &str) -> WireResult<GrantFacts<'a>> {
    let mut principal = None;
    let mut empty = true;
    let mut names_own = false;
    for field in wire::fields(grant) {
        let field = field?;
        match (field.number, field.value) {
            (GRANT_PRINCIPAL, Value::Bytes(bytes)) => principal = Some(bytes),
            (GRANT_SOURCES, Value::Bytes(bytes)) => {
                for entry in entries(bytes) {
                    empty = false;
                    names_own |= wire::last_str(entry?, ENTRY_KEY)? == own;
                }
            }
            _ => {}
        }
    }
    Ok(GrantFacts {
        principal,
        direct: empty || names_own,
    })
}

fn entries(sources: &[u8]) -> impl Iterator<Item = WireResult<&[u8]>> {
    wire::fields(sources).filter_map(|field| match field {
        Ok(field) => match (field.number, field.value) {
            (SOURCES_ENTRY, Value::Bytes(entry)) => Some(Ok(entry)),
            _ => None,
        },
        Err(error) => Some(Err(error)),
    })
}

/// The value of one entry: the flag, and fields that this version does not know.
#[derive(Debug, Default, PartialEq, Eq)]
struct SourceValue {
    direct: bool,
    unknown: Vec<u8>,
}

impl SourceValue {
    fn read(value: &[u8]) -> WireResult<Self> {
        Ok(Self {
            direct: wire::last_varint(value, IS_DIRECT)? != 0,
            unknown: wire::without(value, &[IS_DIRECT])?,
        })
    }
}

/// Gives a stored grant on entitlement `own` the sources `added`, or `None` if
/// it has them all: what is missing is added, `is_direct` is raised and never
/// lowered, and where nothing was before, `own` joins as direct.
pub(crate) fn add_sources<'a>(
    grant: &[u8],
    own: &str,
    added: impl IntoIterator<Item = (&'a str, bool)>,
) -> WireResult<Option<Vec<u8>>> {
    let mut map: BTreeMap<String, SourceValue> = BTreeMap::new();
    let mut unknown = Vec::new();
    for field in wire::fields(grant) {
        let field = field?;
        if let (GRANT_SOURCES, Value::Bytes(sources)) = (field.number, field.value) {
            unknown.extend(wire::without(sources, &[SOURCES_ENTRY])?);
            for entry in entries(sources) {
                let entry = entry?;
                let value = wire::last_bytes(entry, ENTRY_VALUE)?.unwrap_or_default();
                let key = wire::last_str(entry, ENTRY_KEY)?.to_owned();
                map.insert(key, SourceValue::read(value)?);
            }
        }
    }
    let was_empty = map.is_empty();
    let mut changed = false;
    for (source, direct) in added {
        match map.get_mut(source) {
            Some(known) if known.direct || !direct => {}
            Some(known) => {
                known.direct = true;
                changed = true;
            }
            None => {
                let value = SourceValue {
                    direct,
                    unknown: Vec::new(),
                };
                map.insert(source.to_owned(), value);
                changed = true;
            }
        }
    }
    if !changed {
        return Ok(None);
    }
    if was_empty {
        map.entry(own.to_owned()).or_default().direct = true;
    }
    let mut sources = Vec::new();
    for (key, value) in &map {
        put_entry(&mut sources, key, value.direct, &value.unknown);
    }
    sources.extend(unknown);
    let rest = wire::without(grant, &[GRANT_SOURCES])?;
    wire::insert_bytes(&rest, GRANT_SOURCES, &sources).map(Some)
}

/// Encodes a `GrantSources` from entries sorted by key.
pub(crate) fn encode_sources<'a>(sorted: impl IntoIterator<Item = (&'a str, bool)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, direct) in sorted {
        put_entry(&mut out, key, direct, &[]);
    }
    out
}

fn put_entry(out: &mut Vec<u8>, key: &str, direct: bool, unknown: &[u8]) {
    let mut value = Vec::with_capacity(2 + unknown.len());
    if direct {
        wire::put_varint(&mut value, IS_DIRECT, 1);
    }
    value.extend_from_slice(unknown);
    let mut entry = Vec::with_capacity(key.len() + value.len() + 8);
    wire::put_bytes(&mut entry, ENTRY_KEY, key.as_bytes());
    wire::put_bytes(&mut entry, ENTRY_VALUE, &value);
    wire::put_bytes(out, SOURCES_ENTRY, &entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(sources: &[(&str, bool)]) -> Vec<u8> {
        let mut out = Vec::new();
        wire::put_bytes(&mut out, GRANT_PRINCIPAL, b"\x0a\x00");
        wire::put_bytes(&mut out, GRANT_ID, b"id");
        if !sources.is_empty() {
            let encoded = encode_sources(sources.iter().copied());
            wire::put_bytes(&mut out, GRANT_SOURCES, &encoded);
        }
        out
    }

    fn add(grant: &[u8], added: &[(&str, bool)]) -> Option<Vec<u8>> {
        add_sources(grant, "own", added.iter().copied()).expect("valid grant")
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        assert!(add_sources(&[0x2a, 0x7f], "own", [("a", true)]).is_err());
        assert!(grant_facts(&[0x2a, 0x02, 0x0a, 0x7f], "own").is_err());
    }

    #[test]
    fn nothing_missing_is_no_change() {
        let held = grant(&[("a", true), ("b", false)]);
        assert_eq!(add(&held, &[("a", false), ("b", false)]), None);
        assert_eq!(add(&held, &[]), None);
    }

    #[test]
    fn the_own_entitlement_joins_only_where_nothing_was() {
        let changed = add(&grant(&[]), &[("z", false)]);
        assert_eq!(changed, Some(grant(&[("own", true), ("z", false)])));
        let changed = add(&grant(&[("a", false)]), &[("b", false)]);
        assert_eq!(changed, Some(grant(&[("a", false), ("b", false)])));
    }

    #[test]
    fn is_direct_is_raised_and_never_lowered() {
        let changed = add(
            &grant(&[("a", false), ("b", true)]),
            &[("a", true), ("b", false)],
        );
        assert_eq!(changed, Some(grant(&[("a", true), ("b", true)])));
    }

    #[test]
    fn false_entries_are_written_with_an_empty_value() {
        assert_eq!(encode_sources([("k", false)]), b"\x0a\x05\x0a\x01k\x12\x00");
        assert_eq!(
            encode_sources([("k", true)]),
            b"\x0a\x07\x0a\x01k\x12\x02\x08\x01"
        );
    }

    #[test]
    fn unknown_fields_survive_at_every_level() {
        let mut value = Vec::new();
        wire::put_varint(&mut value, IS_DIRECT, 0);
        wire::put_varint(&mut value, 9, 7);
        let mut entry = Vec::new();
        wire::put_bytes(&mut entry, ENTRY_KEY, b"a");
        wire::put_bytes(&mut entry, ENTRY_VALUE, &value);
        let mut sources = Vec::new();
        wire::put_bytes(&mut sources, SOURCES_ENTRY, &entry);
        wire::put_varint(&mut sources, 8, 6);
        let mut held = grant(&[]);
        wire::put_bytes(&mut held, GRANT_SOURCES, &sources);
        wire::put_bytes(&mut held, 7, b"later");

        let changed = add(&held, &[("a", true)]).expect("raised");
        let expected_tail =
            b"\x2a\x0d\x0a\x09\x0a\x01a\x12\x04\x08\x01\x48\x07\x40\x06\x3a\x05later";
        assert!(changed.ends_with(expected_tail), "{changed:?}");
        assert!(changed.starts_with(&grant(&[])));
    }

    #[test]
    fn sources_are_direct_when_empty_or_naming_the_own_entitlement() {
        let direct = |sources: &[(&str, bool)]| {
            let grant = grant(sources);
            grant_facts(&grant, "own").expect("valid grant").direct
        };
        assert!(direct(&[]));
        assert!(direct(&[("own", false), ("x", true)]));
        assert!(!direct(&[("x", true)]));
    }
}
