//! Grants of one principal and one entitlement, of which format v3 holds one.
//!
//! Several are merged into one that unites their content (c1z specification §2.8).

use std::collections::BTreeSet;

use baton_proto::c1::connector::v2::{Grant, GrantExpandable, GrantSources};
use baton_proto::encode;
use prost::{DecodeError, Message};
use prost_types::{Any, Timestamp};

type Result<T> = std::result::Result<T, DecodeError>;

/// A grant on its way from one format into another.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct DatedGrant {
    /// External id.
    pub id: String,
    /// Message bytes without `GrantExpandable`.
    pub data: Vec<u8>,
    /// Bytes of `GrantExpandable`.
    pub expansion: Option<Vec<u8>>,
    /// When the row was written.
    pub at: Option<Timestamp>,
}

/// One grant for two: the older one with what the newer one adds. The order
/// of the two does not count.
pub(super) fn merge(a: DatedGrant, b: DatedGrant) -> Result<DatedGrant> {
    let (older, newer) = if key(&a) <= key(&b) { (a, b) } else { (b, a) };
    let mut grant = Grant::decode(older.data.as_slice())?;
    let other = Grant::decode(newer.data.as_slice())?;
    grant.annotations = annotations(grant.annotations, other.annotations);
    grant.sources = sources(grant.sources, other.sources);
    Ok(DatedGrant {
        data: encode::to_vec(&grant),
        expansion: expansion(older.expansion, newer.expansion)?,
        id: older.id,
        at: older.at,
    })
}

fn key(grant: &DatedGrant) -> (i64, i32, &str) {
    let (seconds, nanos) = grant
        .at
        .as_ref()
        .map_or((i64::MIN, 0), |at| (at.seconds, at.nanos));
    (seconds, nanos, &grant.id)
}

fn annotations(mut a: Vec<Any>, b: Vec<Any>) -> Vec<Any> {
    if a.is_empty() || b.is_empty() {
        a.extend(b);
        return a;
    }
    a.extend(b);
    a.sort_by(|a, b| (&a.type_url, &a.value).cmp(&(&b.type_url, &b.value)));
    a.dedup();
    a
}

fn sources(a: Option<GrantSources>, b: Option<GrantSources>) -> Option<GrantSources> {
    let (Some(mut all), Some(more)) = (a.clone(), b.clone()) else {
        return a.or(b);
    };
    for (id, source) in more.sources {
        let is_direct = source.is_direct;
        all.sources.entry(id).or_insert(source).is_direct |= is_direct;
    }
    Some(all)
}

fn expansion(a: Option<Vec<u8>>, b: Option<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    let (Some(first), Some(second)) = (&a, &b) else {
        return Ok(a.or(b));
    };
    let first = GrantExpandable::decode(first.as_slice())?;
    let second = GrantExpandable::decode(second.as_slice())?;
    Ok(Some(encode::to_vec(&GrantExpandable {
        entitlement_ids: union(first.entitlement_ids, second.entitlement_ids),
        shallow: first.shallow && second.shallow,
        resource_type_ids: union(first.resource_type_ids, second.resource_type_ids),
    })))
}

fn union(mut a: Vec<String>, b: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    a.extend(b);
    a.retain(|id| seen.insert(id.clone()));
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_proto::c1::connector::v2::grant_sources::GrantSource;

    fn grant(id: &str, at: i64, annotations: &[&str], sources: &[(&str, bool)]) -> DatedGrant {
        let message = Grant {
            id: id.into(),
            annotations: annotations
                .iter()
                .map(|url| Any {
                    type_url: (*url).into(),
                    value: Vec::new(),
                })
                .collect(),
            sources: (!sources.is_empty()).then(|| GrantSources {
                sources: sources
                    .iter()
                    .map(|(id, is_direct)| {
                        let source = GrantSource {
                            is_direct: *is_direct,
                        };
                        ((*id).to_owned(), source)
                    })
                    .collect(),
            }),
            ..Grant::default()
        };
        DatedGrant {
            id: id.into(),
            data: encode::to_vec(&message),
            expansion: None,
            at: Some(Timestamp {
                seconds: at,
                nanos: 0,
            }),
        }
    }

    fn expandable(ids: &[&str], types: &[&str], shallow: bool) -> Vec<u8> {
        let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect();
        encode::to_vec(&GrantExpandable {
            entitlement_ids: texts(ids),
            shallow,
            resource_type_ids: texts(types),
        })
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        let whole = grant("a", 1, &[], &[]);
        let mut damaged = whole.clone();
        damaged.data = vec![0x0a, 0x7f];
        assert!(merge(whole.clone(), damaged.clone()).is_err());
        assert!(merge(damaged, whole).is_err());
    }

    #[test]
    fn the_older_one_gives_its_id_and_time_and_the_smaller_id_decides_ties() {
        for (a, b, id) in [
            (("x", 2), ("y", 1), "y"),
            (("x", 1), ("y", 2), "x"),
            (("y", 1), ("x", 1), "x"),
        ] {
            let make = |(id, at): (&str, i64)| grant(id, at, &[], &[]);
            let merged = merge(make(a), make(b)).expect("sound");
            assert_eq!(merged, merge(make(b), make(a)).expect("sound"));
            assert_eq!(merged.id, id);
            let message = Grant::decode(merged.data.as_slice()).expect("sound");
            assert_eq!(message.id, id);
        }
    }

    #[test]
    fn annotations_are_united_and_sorted_where_both_have_some() {
        let urls = |merged: DatedGrant| -> Vec<String> {
            Grant::decode(merged.data.as_slice())
                .expect("sound")
                .annotations
                .into_iter()
                .map(|any| any.type_url)
                .collect()
        };
        let merged = merge(
            grant("a", 1, &["z", "b"], &[]),
            grant("b", 2, &["b", "a"], &[]),
        );
        assert_eq!(urls(merged.expect("sound")), ["a", "b", "z"]);
        let merged = merge(grant("a", 1, &[], &[]), grant("b", 2, &["z", "b"], &[]));
        assert_eq!(urls(merged.expect("sound")), ["z", "b"]);
    }

    #[test]
    fn sources_are_united_and_direct_wins() {
        let merged = merge(
            grant("a", 1, &[], &[("e1", false), ("e2", true)]),
            grant("b", 2, &[], &[("e1", true), ("e3", false)]),
        )
        .expect("sound");
        let message = Grant::decode(merged.data.as_slice()).expect("sound");
        let sources: Vec<_> = message
            .sources
            .expect("some")
            .sources
            .into_iter()
            .map(|(id, source)| (id, source.is_direct))
            .collect();
        assert_eq!(
            sources,
            [
                ("e1".to_owned(), true),
                ("e2".to_owned(), true),
                ("e3".to_owned(), false)
            ]
        );
    }

    #[test]
    fn expansions_are_united_and_shallow_only_together() {
        let with = |expansion| DatedGrant {
            expansion,
            ..grant("a", 1, &[], &[])
        };
        let merged = merge(
            with(Some(expandable(&["e1"], &[], true))),
            with(Some(expandable(&["e1", "e2"], &["user"], false))),
        );
        assert_eq!(
            merged.expect("sound").expansion,
            Some(expandable(&["e1", "e2"], &["user"], false))
        );
        let merged = merge(with(None), with(Some(expandable(&["e"], &[], true))));
        assert_eq!(
            merged.expect("sound").expansion,
            Some(expandable(&["e"], &[], true))
        );
    }
}
