//! Several grants of one principal and one entitlement are merged into one that
//! unites their content (additions on earlier engines, §7).
//!
//! The same rule as in `convert::pairs`, over records instead of messages:
//! what a record has besides comes from the first.

use std::collections::BTreeSet;

use baton_proto::c1::storage::v3::{GrantExpandableRecord, GrantRecord, GrantSourceRecord};
use baton_proto::{encode, wire};
use prost::{DecodeError, Message};
use prost_types::{Any, Timestamp};

/// Field numbers that [`GrantRecord`] knows.
const KNOWN_FIELDS: std::ops::RangeInclusive<u32> = 2..=10;

/// One grant on its way to be made of several.
#[derive(Debug)]
pub(super) struct Merged {
    record: GrantRecord,
    /// Fields of the first record that are not known here, as they are.
    unknown: Vec<u8>,
}

impl Merged {
    /// Begins with the record whose key came first.
    pub fn first(record: &[u8]) -> Result<Self, DecodeError> {
        let message = GrantRecord::decode(record)?;
        let mut unknown = Vec::new();
        // Sound, since it was just decoded.
        for field in wire::fields(record).flatten() {
            if !KNOWN_FIELDS.contains(&field.number) {
                unknown.extend_from_slice(field.raw);
            }
        }
        Ok(Self {
            record: message,
            unknown,
        })
    }

    /// Adds the next record.
    pub fn add(&mut self, record: &[u8]) -> Result<(), DecodeError> {
        let next = GrantRecord::decode(record)?;
        let all = &mut self.record;
        if age(&next) < age(all) {
            all.external_id = next.external_id;
            all.discovered_at = next.discovered_at;
        }
        all.needs_expansion |= next.needs_expansion;
        add_annotations(&mut all.annotations, next.annotations);
        for (id, source) in next.sources {
            match all.sources.entry(id) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(source);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    add_source(entry.get_mut(), source);
                }
            }
        }
        all.expansion = match (all.expansion.take(), next.expansion) {
            (Some(a), Some(b)) => Some(both(a, b)),
            (a, b) => a.or(b),
        };
        Ok(())
    }

    /// The record of the one grant.
    pub fn finish(self) -> Vec<u8> {
        let mut record = encode::to_vec(&self.record);
        record.extend_from_slice(&self.unknown);
        record
    }
}

/// What the oldest grant is the smallest by; one without a time is younger
/// than any that has one.
fn age(grant: &GrantRecord) -> (bool, Option<(i64, i32)>, &[u8]) {
    let at = grant.discovered_at.as_ref();
    let at = at.map(|at: &Timestamp| (at.seconds, at.nanos));
    (at.is_none(), at, grant.external_id.as_bytes())
}

fn add_annotations(all: &mut Vec<Any>, more: Vec<Any>) {
    if more.is_empty() {
        return;
    }
    if all.is_empty() {
        *all = more;
        return;
    }
    all.extend(more);
    all.sort_by(|a, b| (&a.type_url, &a.value).cmp(&(&b.type_url, &b.value)));
    all.dedup();
}

fn add_source(source: &mut GrantSourceRecord, other: GrantSourceRecord) {
    source.is_direct |= other.is_direct;
    for (part, other) in [
        (&mut source.resource_type_id, other.resource_type_id),
        (&mut source.resource_id, other.resource_id),
        (&mut source.entitlement_id, other.entitlement_id),
    ] {
        if part.is_empty() || (!other.is_empty() && other < *part) {
            *part = other;
        }
    }
}

fn both(a: GrantExpandableRecord, b: GrantExpandableRecord) -> GrantExpandableRecord {
    GrantExpandableRecord {
        entitlement_ids: union(a.entitlement_ids, b.entitlement_ids),
        shallow: a.shallow && b.shallow,
        resource_type_ids: union(a.resource_type_ids, b.resource_type_ids),
    }
}

fn union(a: Vec<String>, b: Vec<String>) -> Vec<String> {
    let all: BTreeSet<String> = a.into_iter().chain(b).filter(|id| !id.is_empty()).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, at: Option<i64>) -> GrantRecord {
        GrantRecord {
            external_id: id.into(),
            discovered_at: at.map(|seconds| Timestamp { seconds, nanos: 0 }),
            ..GrantRecord::default()
        }
    }

    fn merged(records: &[GrantRecord]) -> GrantRecord {
        let bytes: Vec<_> = records.iter().map(encode::to_vec).collect();
        let mut all = Merged::first(&bytes[0]).expect("sound");
        for next in &bytes[1..] {
            all.add(next).expect("sound");
        }
        GrantRecord::decode(all.finish().as_slice()).expect("sound")
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error_wherever_it_stands() {
        let sound = encode::to_vec(&record("a", None));
        for damaged in [&b"\x12\x01\xff"[..], b"\x42\x02\x0a\x7f", b"\x12"] {
            assert!(Merged::first(damaged).is_err());
            let mut all = Merged::first(&sound).expect("sound");
            assert!(all.add(damaged).is_err());
        }
    }

    #[test]
    fn the_oldest_gives_id_and_time_together_and_no_time_is_the_youngest() {
        for (a, b, expected) in [
            (("b", Some(1)), ("a", Some(2)), ("b", Some(1))),
            (("b", Some(2)), ("a", Some(1)), ("a", Some(1))),
            (("b", Some(1)), ("a", Some(1)), ("a", Some(1))),
            (("b", None), ("a", None), ("a", None)),
            (("b", Some(9)), ("a", None), ("b", Some(9))),
            (("b", Some(1)), ("", Some(1)), ("", Some(1))),
        ] {
            let found = merged(&[record(a.0, a.1), record(b.0, b.1)]);
            assert_eq!(found, record(expected.0, expected.1));
        }
    }

    #[test]
    fn unknown_fields_and_the_scope_come_from_the_first() {
        let mut first = record("b", Some(2));
        first.source_scope_key = "first".into();
        let mut bytes = encode::to_vec(&first);
        wire::put_str(&mut bytes, 99, "kept");
        let mut second = record("a", Some(1));
        second.source_scope_key = "second".into();
        let mut other = encode::to_vec(&second);
        wire::put_str(&mut other, 98, "lost");
        let mut all = Merged::first(&bytes).expect("sound");
        all.add(&other).expect("sound");
        let mut expected = encode::to_vec(&GrantRecord {
            source_scope_key: "first".into(),
            ..record("a", Some(1))
        });
        wire::put_str(&mut expected, 99, "kept");
        assert_eq!(all.finish(), expected);
    }

    #[test]
    fn parts_of_a_shared_source_are_the_smallest_that_are_not_empty() {
        let source = |type_id: &str, id: &str, is_direct| GrantSourceRecord {
            resource_type_id: type_id.into(),
            resource_id: id.into(),
            is_direct,
            ..GrantSourceRecord::default()
        };
        let with = |source| GrantRecord {
            sources: [("e".to_owned(), source)].into(),
            ..record("a", None)
        };
        let found = merged(&[with(source("", "b", false)), with(source("t", "a", true))]);
        assert_eq!(found, with(source("t", "a", true)));
        let found = merged(&[with(source("t", "", true)), with(source("", "", false))]);
        assert_eq!(found, with(source("t", "", true)));
    }

    #[test]
    fn expansions_are_united_without_empty_texts() {
        let expansion = |ids: &[&str], types: &[&str], shallow| GrantRecord {
            expansion: Some(GrantExpandableRecord {
                entitlement_ids: ids.iter().map(|t| (*t).to_owned()).collect(),
                resource_type_ids: types.iter().map(|t| (*t).to_owned()).collect(),
                shallow,
            }),
            ..record("a", None)
        };
        let found = merged(&[
            expansion(&["b", "", "a"], &[], true),
            expansion(&["b"], &["user"], true),
        ]);
        assert_eq!(found, expansion(&["a", "b"], &["user"], true));
        let alone = expansion(&["b", "", "b"], &[], false);
        assert_eq!(merged(&[record("a", None), alone.clone()]), alone);
    }
}
