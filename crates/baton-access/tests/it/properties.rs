//! Random small graphs, with cycles, filters, shallow edges, repeated pairs,
//! foreign sources and missing entitlements, against the naive expansion.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::model::{Entitlement, Expandable, File, Grant, Seen};
use crate::naive;

const GROUPS: usize = 7;

/// Groups with one or two entitlements each; ids in both forms that keys know.
fn entitlements() -> impl Strategy<Value = Vec<Entitlement>> {
    let group = |at: usize| {
        (0..10_u8, 0..10_u8, any::<bool>()).prop_map(move |(stored, owner, odd)| {
            let resource = ("group".to_owned(), format!("g{at}"));
            let id = if odd {
                format!("odd {at}")
            } else {
                format!("group:g{at}:member")
            };
            let mut made = vec![Entitlement {
                id,
                resource: resource.clone(),
                stored: stored > 0,
            }];
            if owner < 4 {
                made.push(Entitlement {
                    id: format!("group:g{at}:owner"),
                    resource,
                    stored: true,
                });
            }
            made
        })
    };
    let groups: Vec<_> = (0..GROUPS).map(group).collect();
    groups.prop_map(|made| made.into_iter().flatten().collect())
}

/// One grant, still in terms of positions.
#[derive(Debug, Clone)]
struct Draft {
    on: usize,
    principal: usize,
    expand: bool,
    shallow: bool,
    filter: Vec<usize>,
    both: bool,
    sources: Vec<(usize, bool)>,
    label: u8,
}

fn draft() -> impl Strategy<Value = Draft> {
    (
        any::<u16>(),
        prop_oneof![0..GROUPS, 0..GROUPS + 5],
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.3),
        prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(0..3_usize, 1..3)],
        any::<bool>(),
        prop_oneof![
            4 => Just(vec![]),
            1 => prop::collection::vec((any::<u16>(), any::<bool>()), 1..3)
        ],
        prop_oneof![5 => Just(0_u8), 1 => 1..3_u8],
    )
        .prop_map(
            |(on, principal, expand, shallow, filter, both, sources, label)| Draft {
                on: on.into(),
                principal,
                expand,
                shallow,
                filter,
                both,
                sources: sources.into_iter().map(|(s, d)| (s.into(), d)).collect(),
                label,
            },
        )
}

fn principal(at: usize) -> (String, String) {
    let (kind, id) = match at {
        at if at < GROUPS => ("group", format!("g{at}")),
        at if at < GROUPS + 3 => ("user", format!("u{at}")),
        at => ("app", format!("a{at}")),
    };
    (kind.to_owned(), id)
}

fn grants(entitlements: &[Entitlement], drafts: &[Draft]) -> Vec<Grant> {
    let mut used = BTreeSet::new();
    let pick = |at: usize| &entitlements[at % entitlements.len()];
    let types = ["user", "app", "group"];
    drafts
        .iter()
        .enumerate()
        .map(|(at, draft)| {
            let entitlement = pick(draft.on).id.clone();
            let principal = principal(draft.principal);
            let joined = format!("{entitlement}:{}:{}", principal.0, principal.1);
            let id = if used.insert(joined.clone()) {
                joined
            } else {
                format!("again {at}")
            };
            let own = entitlements.iter().filter(|e| e.resource == principal);
            let mut entitlement_ids: Vec<String> = own.map(|e| e.id.clone()).collect();
            if !draft.both {
                entitlement_ids.truncate(1);
            }
            let expandable = (draft.expand && !entitlement_ids.is_empty()).then(|| Expandable {
                entitlement_ids,
                shallow: draft.shallow,
                resource_type_ids: draft.filter.iter().map(|&t| types[t].to_owned()).collect(),
            });
            let sources = draft.sources.iter();
            Grant {
                id,
                entitlement,
                principal,
                expandable,
                sources: sources.map(|&(s, d)| (pick(s).id.clone(), d)).collect(),
                immutable: false,
                needs_expansion: true,
                label: format!("label {}", draft.label),
            }
        })
        .collect()
}

/// Makes the graph a small part of the file.
fn unrelated(entitlements: &mut Vec<Entitlement>, grants: &mut Vec<Grant>) {
    let template = Grant {
        id: String::new(),
        entitlement: String::new(),
        principal: principal(GROUPS),
        expandable: None,
        sources: BTreeMap::new(),
        immutable: false,
        needs_expansion: true,
        label: "elsewhere".to_owned(),
    };
    for at in 0..5 * entitlements.len() {
        let id = format!("app:a{at}:access");
        grants.push(Grant {
            id: format!("unrelated {at}"),
            entitlement: id.clone(),
            ..template.clone()
        });
        entitlements.push(Entitlement {
            id,
            resource: ("app".to_owned(), format!("a{at}")),
            stored: true,
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn expansion_equals_the_naive_one_and_is_idempotent(
        entitlements in entitlements(),
        drafts in prop::collection::vec(draft(), 0..24),
        sparse in any::<bool>(),
    ) {
        let mut entitlements = entitlements;
        let mut grants = grants(&entitlements, &drafts);
        if sparse {
            unrelated(&mut entitlements, &mut grants);
        }
        let mut file = File::new(&entitlements, &grants);
        file.expand().expect("an expandable file");
        naive::expand(&entitlements, &mut grants);
        let expected: BTreeMap<String, Seen> =
            grants.iter().map(|g| (g.id.clone(), g.seen())).collect();
        prop_assert_eq!(file.seen(), expected);
        prop_assert_eq!(file.expand().expect("an expanded file"), 0);
    }
}
