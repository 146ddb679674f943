//! What an expander sees, and what becomes of its changes.

use std::ops::ControlFlow;

use super::*;
use crate::seal::{Expander, Expansion, GrantChange, SealSteps, SortedRows};

/// An expander made of a function.
struct By<F>(F);

impl<F: FnMut(&dyn SortedRows) -> Result<Expansion>> Expander for By<F> {
    fn expand(&mut self, rows: &dyn SortedRows) -> Result<Expansion> {
        (self.0)(rows)
    }
}

fn ids(rows: &[(Table, OwnedRow)]) -> Vec<&str> {
    rows.iter().map(|(_, row)| row.id.as_str()).collect()
}

/// Users 1 to 3 in group 1, and group 1 expandable into role 9.
fn expandable_log() -> Bench {
    let mut bench = bench();
    let members: Vec<_> = ["3", "1", "2"]
        .iter()
        .map(|user| {
            let id = format!("group:1:member:user:{user}");
            grant(("group", "1"), "group:1:member", ("user", user), &id, "")
        })
        .collect();
    bench.page(&ListId::grants("group", "1"), 0, 0, &members);
    let role = grant_message(("role", "9"), "role:9:has", ("group", "1"), "via", "");
    let role = expandable(role, &["group:1:member"]);
    bench.page(&ListId::grants("role", "9"), 0, 0, &[role]);
    bench
}

#[test]
fn an_annotation_without_sources_is_no_expansion() {
    let mut bench = bench();
    let blank = expandable(
        grant_message(("g", "1"), "g:1:m", ("u", "1"), "id", ""),
        &[" "],
    );
    bench.page(&ListId::grants("g", "1"), 0, 0, &[blank]);
    let (sealed, rows) = bench
        .seal(Identity::ExternalId, SealSteps::default(), 0)
        .expect("sealed");
    assert_eq!(sealed.expandable, 0);
    assert_eq!(rows[0].1.expansion, None);
    let grant: v2::Grant = prost::Message::decode(rows[0].1.data.as_slice()).expect("a grant");
    assert_eq!(grant.annotations, []);
}

#[test]
fn an_expander_may_add_grants_where_no_grant_has_an_expansion() {
    let mut bench = bench();
    bench.page(
        &ListId::grants("g", "1"),
        0,
        0,
        &[grant(("g", "1"), "g:1:m", ("u", "1"), "id", "")],
    );
    let mut seen = Vec::new();
    let mut expander = By(|rows: &dyn SortedRows| {
        rows.scan_entitlement("g:1:m", &mut |row| {
            seen.push(row.id.to_owned());
            Ok(ControlFlow::Continue(()))
        })?;
        let added = grant(("g", "0"), "g:0:m", ("u", "1"), "added", "").1;
        Ok(Expansion::new(
            [Ok(GrantChange::Insert { data: added })].into_iter(),
        ))
    });
    let (_, rows) = bench
        .seal(Identity::ExternalId, SealSteps::expand(&mut expander), 0)
        .expect("sealed");
    assert_eq!(ids(&rows), ["added", "id"]);
    assert_eq!(seen, ["id"]);
}

#[test]
fn the_expander_sees_rows_in_order_and_the_grants_of_one_entitlement() {
    let bench = expandable_log();
    let mut all = Vec::new();
    let mut members = Vec::new();
    let mut first = Vec::new();
    let mut expander = By(|rows: &dyn SortedRows| {
        assert_eq!(rows.expandable_count(), 1);
        rows.scan(Table::Grants, &mut |row| {
            all.push((row.id.to_owned(), row.expansion.is_some()));
            Ok(ControlFlow::Continue(()))
        })?;
        rows.scan_entitlement("group:1:member", &mut |row| {
            members.push(row.principal_id.to_owned());
            Ok(ControlFlow::Continue(()))
        })?;
        rows.scan_entitlement("role:9:has", &mut |row| {
            first.push(row.id.to_owned());
            Ok(ControlFlow::Break(()))
        })?;
        rows.scan_entitlement("other", &mut |_| unreachable!("no such grants"))?;
        Ok(Expansion::new(std::iter::empty()).with_warnings(vec!["careful".into()]))
    });
    let (sealed, rows) = bench
        .seal(Identity::ExternalId, SealSteps::expand(&mut expander), 0)
        .expect("sealed");
    assert_eq!(members, ["1", "2", "3"]);
    assert_eq!(first, ["via"]);
    let expandable: Vec<_> = rows
        .iter()
        .map(|(_, row)| (row.id.clone(), row.expansion.is_some()))
        .collect();
    assert_eq!(all, expandable);
    assert_eq!(sealed.warnings, ["careful"]);
    assert_eq!(sealed.expandable, 1);
}

#[test]
fn changes_in_any_order_end_up_in_canonical_order() {
    let bench = expandable_log();
    let derived = |user: &str| {
        let id = format!("role:9:has:user:{user}");
        grant(("role", "9"), "role:9:has", ("user", user), &id, "derived").1
    };
    let changed = grant(
        ("role", "9"),
        "role:9:has",
        ("group", "1"),
        "via",
        "changed",
    )
    .1;
    let mut expander = By(|_: &dyn SortedRows| {
        let changes = [
            GrantChange::Insert { data: derived("2") },
            GrantChange::Insert { data: derived("1") },
            GrantChange::Replace {
                data: changed.clone(),
            },
            // A second change to one grant does not count.
            GrantChange::Insert {
                data: grant(
                    ("role", "9"),
                    "role:9:has",
                    ("user", "1"),
                    "role:9:has:user:1",
                    "no",
                )
                .1,
            },
        ];
        Ok(Expansion::new(changes.into_iter().map(Ok)))
    });
    let (sealed, rows) = bench
        .seal(Identity::ExternalId, SealSteps::expand(&mut expander), 0)
        .expect("sealed");
    assert_eq!(
        ids(&rows),
        [
            "group:1:member:user:1",
            "group:1:member:user:2",
            "group:1:member:user:3",
            "via",
            "role:9:has:user:1",
            "role:9:has:user:2",
        ]
    );
    assert_eq!((sealed.inserted, sealed.replaced), (2, 1));
    assert_eq!(rows[3].1.data, changed);
    assert!(rows[3].1.expansion.is_some(), "a replaced grant keeps it");
    assert_eq!(rows[4].1.data, derived("1"));
}

#[test]
fn a_derived_grant_gives_way_to_another_with_its_id() {
    let bench = expandable_log();
    let insert = |resource: (&str, &str), entitlement: &str, id: &str| GrantChange::Insert {
        data: grant(resource, entitlement, ("user", "7"), id, "derived").1,
    };
    let mut expander = By(|_: &dyn SortedRows| {
        let changes = [
            // The id of a grant of another user.
            insert(("role", "9"), "role:9:has", "group:1:member:user:1"),
            // Two with one id: the first in canonical order stays.
            insert(("role", "9"), "role:9:has", "twice"),
            insert(("role", "8"), "role:8:has", "twice"),
        ];
        Ok(Expansion::new(changes.into_iter().map(Ok)))
    });
    let (sealed, rows) = bench
        .seal(Identity::ExternalId, SealSteps::expand(&mut expander), 0)
        .expect("sealed");
    assert_eq!(
        ids(&rows),
        [
            "group:1:member:user:1",
            "group:1:member:user:2",
            "group:1:member:user:3",
            "twice",
            "via",
        ]
    );
    assert_eq!(rows[3].1.resource_id, "8");
    assert_eq!(sealed.inserted, 1);
}

#[test]
fn replacing_a_grant_that_is_not_there_is_an_error() {
    let bench = expandable_log();
    let mut expander = By(|_: &dyn SortedRows| {
        let data = grant(("role", "9"), "role:9:has", ("user", "1"), "new", "").1;
        let change = GrantChange::Replace { data };
        Ok(Expansion::new([Ok(change)].into_iter()))
    });
    assert!(
        bench
            .seal(Identity::ExternalId, SealSteps::expand(&mut expander), 0)
            .is_err()
    );
}

#[test]
fn an_error_of_the_expander_ends_the_seal() {
    let bench = expandable_log();
    let failure = || crate::Error::caller(baton_proto::Code::FailedPrecondition, "no");
    let mut at_once = By(|_: &dyn SortedRows| Err(failure()));
    let error = bench
        .seal(Identity::ExternalId, SealSteps::expand(&mut at_once), 0)
        .expect_err("failed");
    assert_eq!(error.code(), baton_proto::Code::FailedPrecondition);
    let mut later = By(|_: &dyn SortedRows| Ok(Expansion::new([Err(failure())].into_iter())));
    assert!(
        bench
            .seal(Identity::ExternalId, SealSteps::expand(&mut later), 0)
            .is_err()
    );
    assert_eq!(bench.rows().len(), 4, "the log is as it was");
}
