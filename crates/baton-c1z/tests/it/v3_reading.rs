//! Reading files of format v3: every fixture, and what its rows are.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use baton_c1z::{
    C1zFile, Cursor, Error, Filter, Format, OwnedRow, ReadOptions, Snapshot, Table, View, peek,
};
use baton_proto::c1::connector::v2;
use prost::Message;

use crate::support::{Folder, V3, fixture, now, open_fixture};

fn view(file: &C1zFile) -> Snapshot<'_> {
    file.view(View::Default { now: now() }).expect("view")
}

fn rows(snapshot: &Snapshot<'_>, table: Table, filter: &Filter<'_>) -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    snapshot
        .scan(table, filter, &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .expect("scan");
    rows
}

fn ids(snapshot: &Snapshot<'_>, table: Table, filter: &Filter<'_>) -> Vec<String> {
    let rows = rows(snapshot, table, filter);
    rows.into_iter().map(|row| row.id).collect()
}

fn counts(snapshot: &Snapshot<'_>) -> [u64; 4] {
    Table::ALL.map(|t| snapshot.count(t, &Filter::default()).expect("count"))
}

/// The counts that the Go tools show.
fn expected(name: &str) -> [u64; 4] {
    match name {
        "v3-compacted-fold.c1z" => [3, 9, 4, 10],
        "atlassian-org/sync-v3.c1z" => [5, 148, 52, 546],
        _ => [3, 9, 4, 8],
    }
}

#[test]
fn a_sync_that_the_file_does_not_hold_is_not_found() {
    let file = open_fixture("v3-small.c1z");
    let error = file.view(View::Sync("2MVxu086Rkx6hm6BDngv7sfZbFs"));
    assert!(matches!(error, Err(Error::NoSuchSync { .. })));
}

#[test]
fn filters_that_a_table_lacks_are_refused() {
    let file = open_fixture("v3-small.c1z");
    let snapshot = view(&file);
    let by_parent = Filter {
        parent: Some(("org", "acme")),
        ..Filter::default()
    };
    let error = snapshot.count(Table::Grants, &by_parent);
    assert!(matches!(error, Err(Error::Filter { .. })));
    let error = snapshot.page(Table::Entitlements, &by_parent, 1, None);
    assert!(matches!(error, Err(Error::Filter { .. })));
}

#[test]
fn every_fixture_holds_one_finished_sync_and_the_rows_that_go_counts() {
    for name in V3 {
        let file = open_fixture(name);
        assert_eq!(file.format(), Format::V3, "{name}");
        let runs = file.sync_runs().to_vec();
        assert_eq!(runs.len(), 1, "{name}");
        assert!(runs[0].is_finished());
        assert_eq!(runs[0].sync_type, "full");
        let snapshot = view(&file);
        assert_eq!(snapshot.sync(), Some(&runs[0]));
        assert_eq!(counts(&snapshot), expected(name), "{name}");
        for table in Table::ALL {
            let n = rows(&snapshot, table, &Filter::default()).len() as u64;
            assert_eq!(n, snapshot.count(table, &Filter::default()).expect("count"));
        }
        let all = file.view(View::AllRows).expect("view");
        assert_eq!(counts(&all), expected(name), "{name}");
    }
}

#[test]
fn stored_counts_are_those_of_the_rows() {
    for name in V3 {
        let file = open_fixture(name);
        let snapshot = view(&file);
        let (stored, counted) = (
            snapshot.stats().expect("stats"),
            snapshot.recount().expect("counted"),
        );
        let mut bare = stored.clone();
        // What only the writer knew.
        bare.step_durations_ms.clear();
        bare.connector_call_stats.clear();
        bare.session_store_stats.clear();
        assert_eq!(bare, counted, "{name}");
        let peeked = peek(&fixture(name), &ReadOptions::default()).expect("peek");
        assert_eq!(peeked.format, Format::V3);
        assert_eq!(peeked.runs, file.sync_runs().to_vec(), "{name}");
    }
}

#[test]
fn unfinished_syncs_are_shown_for_seven_days_and_then_nothing_is() {
    let file = open_fixture("v3-small.c1z");
    // Finished ones are shown for ever.
    let later = now() + Duration::from_hours(10_000);
    let snapshot = file.view(View::Default { now: later }).expect("view");
    assert_eq!(counts(&snapshot), [3, 9, 4, 8]);
}

#[test]
fn rows_hold_ids_and_the_columns_that_their_messages_say() {
    let file = open_fixture("v3-small.c1z");
    let snapshot = view(&file);
    assert_eq!(
        ids(&snapshot, Table::ResourceTypes, &Filter::default()),
        ["group", "org", "user"]
    );
    assert_eq!(
        ids(&snapshot, Table::Resources, &Filter::default()),
        [
            "group:g1", "group:g2", "group:g3", "org:acme", "user:u1", "user:u2", "user:u3",
            "user:u4", "user:u5"
        ]
    );
    let grants = rows(&snapshot, Table::Grants, &Filter::default());
    for row in &grants {
        let grant = v2::Grant::decode(row.data.as_slice()).expect("a grant");
        let entitlement = grant.entitlement.expect("entitlement");
        assert_eq!(grant.id, row.id);
        assert_eq!(entitlement.id, row.entitlement_id);
        assert_eq!(entitlement.display_name, "");
        let principal = grant.principal.expect("principal").id.expect("id");
        assert_eq!(principal.resource, row.principal_id);
        assert!(
            !grant
                .annotations
                .iter()
                .any(baton_proto::any::is::<v2::GrantExpandable>)
        );
    }
    let expandable: Vec<_> = grants.iter().filter(|g| g.expansion.is_some()).collect();
    assert_eq!(expandable.len(), 1);
    let expansion = expandable[0].expansion.as_deref().expect("expansion");
    let expansion = v2::GrantExpandable::decode(expansion).expect("a message");
    assert_eq!(expansion.entitlement_ids, ["group:g1:member"]);
}

/// What `wanted` says of the rows of a table, and the filter that selects them.
fn filtered(snapshot: &Snapshot<'_>, table: Table, filter: &Filter<'_>) -> Vec<String> {
    let found = ids(snapshot, table, filter);
    let n = snapshot.count(table, filter).expect("count");
    assert_eq!(n, found.len() as u64, "{filter:?}");
    for size in [1, 2, 7] {
        assert_eq!(
            paged(snapshot, table, filter, size),
            found,
            "{filter:?} {size}"
        );
    }
    found
}

/// All pages, each asked for by the text of the cursor before it.
fn paged(snapshot: &Snapshot<'_>, table: Table, filter: &Filter<'_>, size: u32) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = snapshot
            .page(table, filter, size, cursor.as_ref())
            .expect("page");
        found.extend(page.rows.into_iter().map(|row| row.id));
        match page.next {
            Some(next) => cursor = Some(next.to_string().parse().expect("a cursor")),
            None => return found,
        }
    }
}

#[test]
fn every_filter_selects_what_it_says_on_every_fixture() {
    for name in V3 {
        let file = open_fixture(name);
        let snapshot = view(&file);
        let resources = rows(&snapshot, Table::Resources, &Filter::default());
        for table in Table::ALL {
            let all = rows(&snapshot, table, &Filter::default());
            let types: BTreeSet<&str> = all.iter().map(|r| r.resource_type_id.as_str()).collect();
            for type_id in types.iter().copied().chain(["none"]) {
                let filter = Filter {
                    resource_type_id: Some(type_id),
                    ..Filter::default()
                };
                let wanted: Vec<_> = all
                    .iter()
                    .filter(|r| r.resource_type_id == type_id)
                    .map(|r| r.id.clone())
                    .collect();
                assert_eq!(filtered(&snapshot, table, &filter), wanted);
            }
            if table == Table::ResourceTypes {
                continue;
            }
            for resource in resources.iter().step_by(7) {
                let filter = Filter {
                    resource: Some((&resource.resource_type_id, &resource.resource_id)),
                    ..Filter::default()
                };
                let wanted: Vec<_> = all
                    .iter()
                    .filter(|r| {
                        (&r.resource_type_id, &r.resource_id)
                            == (&resource.resource_type_id, &resource.resource_id)
                    })
                    .map(|r| r.id.clone())
                    .collect();
                assert_eq!(filtered(&snapshot, table, &filter), wanted);
            }
        }
        let parents: BTreeSet<_> = resources.iter().filter_map(|r| r.parent.clone()).collect();
        for (type_id, id) in &parents {
            for of_type in [None, Some("group"), Some("none")] {
                let filter = Filter {
                    parent: Some((type_id, id)),
                    resource_type_id: of_type,
                    ..Filter::default()
                };
                let wanted: Vec<_> = resources
                    .iter()
                    .filter(|r| r.parent.as_ref() == Some(&(type_id.clone(), id.clone())))
                    .filter(|r| of_type.is_none_or(|t| t == r.resource_type_id))
                    .map(|r| r.id.clone())
                    .collect();
                assert_eq!(filtered(&snapshot, Table::Resources, &filter), wanted);
            }
        }
    }
}

#[test]
fn grants_are_found_by_entitlement_and_principal_on_every_fixture() {
    for name in V3 {
        let file = open_fixture(name);
        let snapshot = view(&file);
        let all = rows(&snapshot, Table::Grants, &Filter::default());
        let check = |filter: &Filter<'_>, wanted: &dyn Fn(&OwnedRow) -> bool| {
            let wanted: Vec<_> = all
                .iter()
                .filter(|r| wanted(r))
                .map(|r| r.id.clone())
                .collect();
            assert_eq!(
                filtered(&snapshot, Table::Grants, filter),
                wanted,
                "{filter:?}"
            );
        };
        for one in all.iter().step_by(5) {
            let entitlement_id = Some(one.entitlement_id.as_str());
            let principal = Some((one.principal_type_id.as_str(), one.principal_id.as_str()));
            let resource = Some((one.resource_type_id.as_str(), one.resource_id.as_str()));
            let by_entitlement = Filter {
                entitlement_id,
                ..Filter::default()
            };
            check(&by_entitlement, &|r| r.entitlement_id == one.entitlement_id);
            let same_principal = |r: &OwnedRow| {
                (&r.principal_type_id, &r.principal_id)
                    == (&one.principal_type_id, &one.principal_id)
            };
            let by_principal = Filter {
                principal,
                ..Filter::default()
            };
            check(&by_principal, &same_principal);
            let by_both = Filter {
                entitlement_id,
                ..by_principal
            };
            check(&by_both, &|r| {
                same_principal(r) && r.entitlement_id == one.entitlement_id
            });
            let on_resource = Filter {
                resource,
                ..by_principal
            };
            check(&on_resource, &|r| {
                same_principal(r) && r.resource_id == one.resource_id
            });
            let elsewhere = Filter {
                resource: Some(("none", "none")),
                ..by_entitlement
            };
            check(&elsewhere, &|_| false);
            for types in [&["user"][..], &["group", "user"], &["none"]] {
                let of_types = Filter {
                    principal_types: types,
                    ..by_entitlement
                };
                check(&of_types, &|r| {
                    r.entitlement_id == one.entitlement_id
                        && types.contains(&r.principal_type_id.as_str())
                });
            }
        }
        let unknown = Filter {
            entitlement_id: Some("no:such:entitlement"),
            ..Filter::default()
        };
        check(&unknown, &|_| false);
    }
}

#[test]
fn every_row_is_found_by_its_id() {
    for name in V3 {
        let file = open_fixture(name);
        let snapshot = view(&file);
        for table in Table::ALL {
            for row in rows(&snapshot, table, &Filter::default()) {
                let found = snapshot.get(table, &row.id).expect("get");
                assert_eq!(found.as_ref(), Some(&row), "{name} {}", row.id);
                if table == Table::Resources {
                    let found = snapshot.get_resource(&row.resource_type_id, &row.resource_id);
                    assert_eq!(found.expect("get"), Some(row));
                }
            }
            for missing in [
                "",
                ":",
                "::",
                "group:g1:none:x",
                "group:g1:member:user:none",
                "x",
            ] {
                assert_eq!(
                    snapshot.get(table, missing).expect("get"),
                    None,
                    "{missing}"
                );
            }
        }
    }
}

#[test]
fn assets_are_found() {
    let file = open_fixture("v3-small.c1z");
    let snapshot = view(&file);
    assert_eq!(snapshot.asset("none").expect("asset"), None);
    let v1 = open_fixture("v1-small.c1z");
    let twin = v1.view(View::AllRows).expect("view");
    let asset = twin.asset("asset-1").expect("asset");
    assert!(asset.is_some());
    assert_eq!(snapshot.asset("asset-1").expect("asset"), asset);
}

#[test]
fn reading_leaves_no_file_behind_and_needs_none() {
    for name in V3 {
        let options = ReadOptions {
            temp_dir: Some("/nonexistent/folder".into()),
            ..ReadOptions::default()
        };
        let file = C1zFile::open(&fixture(name), &options).expect("opens");
        assert_eq!(counts(&view(&file)), expected(name));
    }
}

#[test]
fn content_beyond_the_memory_budget_is_read_from_private_files() {
    for name in V3 {
        let temp = tempfile::tempdir().expect("folder");
        let options = ReadOptions {
            temp_dir: Some(temp.path().to_owned()),
            memory_budget_bytes: 300,
            ..ReadOptions::default()
        };
        let file = C1zFile::open(&fixture(name), &options).expect("opens");
        assert_eq!(counts(&view(&file)), expected(name), "{name}");
        drop(file);
        assert_eq!(std::fs::read_dir(temp.path()).expect("listed").count(), 0);
    }
}

#[test]
fn the_twins_of_one_sync_hold_the_same() {
    let (v1, v3) = (
        open_fixture("atlassian-org/sync.c1z"),
        open_fixture("atlassian-org/sync-v3.c1z"),
    );
    let (v1, v3) = (view(&v1), view(&v3));
    let sorted = |snapshot: &Snapshot<'_>, table| {
        let mut rows = rows(snapshot, table, &Filter::default());
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows
    };
    for table in [Table::ResourceTypes, Table::Resources] {
        assert_eq!(sorted(&v1, table), sorted(&v3, table));
    }
    // Embedded objects are ids only; all else is equal.
    for table in [Table::Entitlements, Table::Grants] {
        let bare = |snapshot| -> Vec<OwnedRow> {
            let bare = |row| OwnedRow {
                data: Vec::new(),
                ..row
            };
            sorted(snapshot, table).into_iter().map(bare).collect()
        };
        assert_eq!(bare(&v1), bare(&v3));
    }
    let (a, b) = (
        v1.recount().expect("counted"),
        v3.recount().expect("counted"),
    );
    assert_eq!(a, b);
}

/// A compressed archive announces its content by its entries.
#[test]
fn an_archive_that_goes_on_behind_its_end_is_refused_before_it_is_unpacked() {
    let folder = Folder::new();
    let bytes = std::fs::read(fixture("v3-small-tarzstd.c1z")).expect("fixture");
    let manifest: [u8; 4] = bytes[5..9].try_into().expect("four bytes");
    let start = 9 + usize::try_from(u32::from_be_bytes(manifest)).expect("fits");
    let archive = zstd::decode_all(&bytes[start..]).expect("decodes");
    let zeros = vec![0; 64 << 20];
    let behind = [&archive[..], &zeros].concat();
    for (content, is_good) in [(&archive, true), (&behind, false), (&zeros, false)] {
        let mut made = bytes[..start].to_vec();
        zstd::stream::copy_encode(&content[..], &mut made, 1).expect("in memory");
        let path = folder.file("archive.c1z", &made);
        let opened = C1zFile::open(&path, &ReadOptions::default()).map(drop);
        match opened {
            Ok(()) => assert!(is_good),
            Err(error) => {
                assert!(
                    !is_good && matches!(error, Error::Envelope { .. }),
                    "{error}"
                );
            }
        }
    }
}
