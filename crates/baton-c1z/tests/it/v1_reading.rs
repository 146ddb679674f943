//! Which rows a v1 file shows: syncs, filters, pages, slim grants, assets.

use std::ops::ControlFlow;
use std::time::Duration;

use baton_c1z::{
    C1zFile, Cursor, Error, Filter, Format, OwnedRow, Peek, ReadOptions, Snapshot, SyncType, Table,
    View, peek,
};
use baton_proto::c1::connector::v2;
use prost::Message;

use crate::support::{Folder, MULTI, V1, fixture, now, open, open_fixture};

fn view<'a>(file: &'a C1zFile, view: View<'_>) -> Snapshot<'a> {
    file.view(view).expect("view")
}

fn default(file: &C1zFile) -> Snapshot<'_> {
    view(file, View::Default { now: now() })
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
    rows(snapshot, table, filter)
        .into_iter()
        .map(|r| r.id)
        .collect()
}

fn counts(snapshot: &Snapshot<'_>) -> [u64; 4] {
    Table::ALL.map(|t| snapshot.count(t, &Filter::default()).expect("count"))
}

#[test]
fn missing_and_empty_files_are_empty_stores() {
    let folder = Folder::new();
    for path in [
        folder.path().join("none.c1z"),
        folder.file("empty.c1z", b""),
    ] {
        let file = open(&path).expect("empty store");
        assert!(file.sync_runs().to_vec().is_empty());
        let all = default(&file);
        assert_eq!(all.sync(), None);
        assert_eq!(counts(&all), [0; 4]);
        assert!(
            all.page(Table::Grants, &Filter::default(), 0, None)
                .expect("page")
                .rows
                .is_empty()
        );
        assert_eq!(all.get(Table::Grants, "x").expect("get"), None);
        assert_eq!(all.asset("x").expect("asset"), None);
        let Peek { runs, format, .. } = peek(&path, &ReadOptions::default()).expect("peek");
        assert_eq!((runs.len(), format), (0, Format::V1));
    }
}

#[test]
fn every_fixture_has_the_documented_rows() {
    let small = [3, 9, 4, 8];
    for (name, expected) in [
        ("v1-small.c1z", small),
        ("v1-small-slim-grants.c1z", small),
        ("v1-multi-sync.c1z", [1, 1, 0, 0]),
        ("atlassian-org/sync.c1z", [5, 148, 52, 546]),
        ("baton-cli/v1-unfinished.c1z", small),
        ("baton-cli/v1-missing-entitlement.c1z", [3, 9, 3, 8]),
        ("baton-cli/v1-missing-type.c1z", [2, 9, 4, 8]),
        ("baton-cli/v1-no-users.c1z", [3, 4, 4, 8]),
        ("baton-cli/v1-rollback.c1z", small),
    ] {
        let file = open_fixture(name);
        assert_eq!(counts(&default(&file)), expected, "{name}");
        assert!(default(&file).sync().is_some(), "{name}");
    }
    let multi = open_fixture("v1-multi-sync.c1z");
    let expected = [
        [3, 7, 4, 6],
        [3, 9, 4, 8],
        [2, 8, 3, 7],
        [1, 1, 0, 0],
        [1, 0, 0, 0],
    ];
    for (id, expected) in MULTI.iter().zip(expected) {
        assert_eq!(counts(&view(&multi, View::Sync(id))), expected, "{id}");
    }
    assert_eq!(counts(&view(&multi, View::AllRows)), [10, 25, 11, 21]);
}

#[test]
fn the_columns_of_every_row_agree_with_its_message() {
    for name in V1.iter().filter(|n| !n.contains("slim")) {
        let file = open_fixture(name);
        let all = view(&file, View::AllRows);
        for row in rows(&all, Table::Resources, &Filter::default()) {
            let message = v2::Resource::decode(&*row.data).expect("decodes");
            let id = message.id.expect("id");
            assert_eq!(
                (&row.resource_type_id, &row.resource_id),
                (&id.resource_type, &id.resource)
            );
            let parent = message
                .parent_resource_id
                .map(|p| (p.resource_type, p.resource));
            assert_eq!(row.parent, parent);
        }
        for row in rows(&all, Table::Grants, &Filter::default()) {
            let message = v2::Grant::decode(&*row.data).expect("decodes");
            assert_eq!(row.id, message.id);
            assert_eq!(
                row.entitlement_id,
                message.entitlement.expect("entitlement").id
            );
            let principal = message.principal.and_then(|p| p.id).expect("principal");
            assert_eq!(
                (row.principal_type_id, row.principal_id),
                (principal.resource_type, principal.resource)
            );
        }
    }
}

#[test]
fn a_sync_that_is_not_there_is_named() {
    let file = open_fixture("v1-small.c1z");
    let error = file.view(View::Sync("nope")).expect_err("unknown");
    assert!(error.to_string().contains("`nope`"));
    assert_eq!(error.code(), baton_proto::Code::NotFound);
}

#[test]
fn the_default_is_the_newest_finished_sync_of_any_type() {
    let file = open_fixture("v1-multi-sync.c1z");
    let runs = file.sync_runs().to_vec();
    assert_eq!(runs.iter().map(|r| &*r.id).collect::<Vec<_>>(), MULTI);
    assert_eq!(default(&file).sync().map(|r| &*r.id), Some(MULTI[3]));
    let latest = |kinds| file.latest_finished(kinds).cloned().map(|r| r.id);
    assert_eq!(latest(None).as_deref(), Some(MULTI[3]));
    assert_eq!(
        latest(Some(&[SyncType::Full][..])).as_deref(),
        Some(MULTI[1])
    );
    assert_eq!(latest(Some(&[SyncType::PartialUpserts][..])), None);
}

#[test]
fn an_unfinished_sync_is_the_default_for_seven_days_then_all_rows_are() {
    let file = open_fixture("baton-cli/v1-unfinished.c1z");
    let at = |days: u64| View::Default {
        now: now() + Duration::from_hours(24 * days),
    };
    assert!(view(&file, at(6)).sync().is_some());
    assert_eq!(view(&file, at(8)).sync(), None);
    assert_eq!(counts(&view(&file, at(8))), [3, 9, 4, 8]);
}

#[test]
fn filters_select_what_their_columns_say() {
    let file = open_fixture("v1-small.c1z");
    let all = default(&file);
    let none = Filter::default();
    let grants = |filter: &Filter<'_>| ids(&all, Table::Grants, filter);
    for (filter, expected) in [
        (
            Filter {
                entitlement_id: Some("custom-ent-1"),
                ..none
            },
            &["grant-custom-1"][..],
        ),
        (
            Filter {
                entitlement_id: Some("nope"),
                ..none
            },
            &[],
        ),
        (
            Filter {
                resource: Some(("org", "acme")),
                ..none
            },
            &["grant-custom-1"],
        ),
        (
            Filter {
                resource: Some(("group", "acme")),
                ..none
            },
            &[],
        ),
        (
            Filter {
                principal: Some(("user", "u1")),
                ..none
            },
            &[
                "group:g1:member:user:u1",
                "grant-custom-1",
                "group:g3:member:user:u1",
            ],
        ),
        (
            Filter {
                principal: Some(("user", "u1")),
                entitlement_id: Some("group:g3:member"),
                ..none
            },
            &["group:g3:member:user:u1"],
        ),
        (
            Filter {
                principal_types: &["group", "org"],
                ..none
            },
            &["group:g3:member:group:g1"],
        ),
        (
            Filter {
                resource: Some(("group", "g3")),
                principal: Some(("group", "g1")),
                ..none
            },
            &["group:g3:member:group:g1"],
        ),
        (
            Filter {
                resource_type_id: Some("org"),
                ..none
            },
            &["grant-custom-1"],
        ),
    ] {
        assert_eq!(grants(&filter), expected, "{filter:?}");
        assert_eq!(
            all.count(Table::Grants, &filter).expect("count"),
            expected.len() as u64
        );
    }
    assert_eq!(
        grants(&Filter {
            resource: Some(("group", "")),
            ..none
        })
        .len(),
        8
    );

    let resources = |filter: &Filter<'_>| ids(&all, Table::Resources, filter);
    let parent = Filter {
        parent: Some(("org", "acme")),
        ..none
    };
    assert_eq!(resources(&parent), ["group:g1", "group:g2", "group:g3"]);
    assert_eq!(
        resources(&Filter {
            resource_type_id: Some("org"),
            ..none
        }),
        ["org:acme"]
    );
    let one = Filter {
        resource: Some(("group", "g2")),
        ..parent
    };
    assert_eq!(resources(&one), ["group:g2"]);
    assert_eq!(
        ids(
            &all,
            Table::Entitlements,
            &Filter {
                resource: Some(("group", "g2")),
                ..none
            }
        ),
        ["group:g2:member"]
    );
    assert_eq!(
        ids(
            &all,
            Table::ResourceTypes,
            &Filter {
                resource_type_id: Some("group"),
                ..none
            }
        ),
        ["group"]
    );
}

#[test]
fn a_filter_that_a_table_cannot_have_is_refused() {
    let file = open_fixture("v1-small.c1z");
    let all = default(&file);
    let none = Filter::default();
    for (table, filter) in [
        (
            Table::ResourceTypes,
            Filter {
                resource: Some(("a", "b")),
                ..none
            },
        ),
        (
            Table::Entitlements,
            Filter {
                parent: Some(("a", "b")),
                ..none
            },
        ),
        (
            Table::Resources,
            Filter {
                entitlement_id: Some("a"),
                ..none
            },
        ),
        (
            Table::Entitlements,
            Filter {
                principal: Some(("a", "b")),
                ..none
            },
        ),
        (
            Table::Resources,
            Filter {
                principal_types: &["a"],
                ..none
            },
        ),
    ] {
        let refused = all.count(table, &filter).expect_err("refused");
        assert!(matches!(refused, Error::Filter { .. }), "{refused}");
    }
    let many = vec!["a"; 1001];
    let refused = all.count(
        Table::Grants,
        &Filter {
            principal_types: &many,
            ..none
        },
    );
    assert!(matches!(refused, Err(Error::Argument { .. })));
}

#[test]
fn a_visitor_ends_the_scan_by_break_or_error() {
    let file = open_fixture("v1-small.c1z");
    let all = default(&file);
    let mut seen = 0;
    all.scan(Table::Grants, &Filter::default(), &mut |_| {
        seen += 1;
        Ok(if seen == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })
    .expect("scan");
    assert_eq!(seen, 3);
    let error = all
        .scan(Table::Grants, &Filter::default(), &mut |_| {
            Err(Error::caller(baton_proto::Code::Aborted, "stop here"))
        })
        .expect_err("passed on");
    assert_eq!(
        (error.to_string().as_str(), error.code()),
        ("stop here", baton_proto::Code::Aborted)
    );
}

#[test]
fn scans_may_be_nested() {
    let file = open_fixture("v1-small.c1z");
    let all = default(&file);
    let mut pairs = 0;
    all.scan(Table::Grants, &Filter::default(), &mut |_| {
        all.scan(Table::Grants, &Filter::default(), &mut |_| {
            pairs += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(ControlFlow::Continue(()))
    })
    .expect("scan");
    assert_eq!(pairs, 64);
}

#[test]
fn pages_of_every_size_give_the_rows_of_a_scan() {
    let file = open_fixture("atlassian-org/sync.c1z");
    let all = default(&file);
    let group = Filter {
        resource_type_id: Some("group"),
        ..Filter::default()
    };
    for filter in [Filter::default(), group] {
        let expected = rows(&all, Table::Grants, &filter);
        let len = u32::try_from(expected.len()).expect("small");
        for size in [
            0,
            1,
            2,
            7,
            len - 1,
            len,
            len + 1,
            9_999,
            10_000,
            10_001,
            u32::MAX,
        ] {
            let mut found = Vec::new();
            let mut cursor: Option<Cursor> = None;
            let mut pages = 0;
            loop {
                let page = all
                    .page(Table::Grants, &filter, size, cursor.as_ref())
                    .expect("page");
                found.extend(page.rows);
                pages += 1;
                // Through its text, as a caller would keep it.
                cursor = page.next.map(|c| c.to_string().parse().expect("cursor"));
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "size {size}");
            let full = if size == 0 { 10_000 } else { size.min(10_000) };
            assert_eq!(pages, len.div_ceil(full), "size {size}");
        }
    }
}

#[test]
fn ten_thousand_rows_are_the_largest_page() {
    let folder = Folder::new();
    let path = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        conn.execute_batch(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10001)
             insert into v1_resource_types (external_id, data, sync_id, discovered_at)
             select 't' || i, x'', 'other', '2026-01-01 00:00:00' from n;
             insert into v1_sync_runs (sync_id, started_at, ended_at, sync_token, grants_backfilled)
             values ('other', '2027-01-01 00:00:00', '2027-01-01 00:00:00', '', 1);",
        )
        .expect("inserted");
    });
    let file = open(&path).expect("opens");
    let all = default(&file);
    for size in [0, 10_000, 10_001] {
        let page = all
            .page(Table::ResourceTypes, &Filter::default(), size, None)
            .expect("page");
        assert_eq!(page.rows.len(), 10_000, "size {size}");
        let next = all
            .page(
                Table::ResourceTypes,
                &Filter::default(),
                size,
                page.next.as_ref(),
            )
            .expect("page");
        assert_eq!((next.rows.len(), next.next), (1, None), "size {size}");
    }
}

#[test]
fn a_cursor_of_another_file_sync_or_query_is_refused() {
    let small = open_fixture("v1-small.c1z");
    let slim = open_fixture("v1-small-slim-grants.c1z");
    let multi = open_fixture("v1-multi-sync.c1z");
    let none = Filter::default();
    let page = default(&small)
        .page(Table::Grants, &none, 1, None)
        .expect("page");
    let cursor = page.next.expect("more");
    let group = Filter {
        resource_type_id: Some("group"),
        ..none
    };
    for (snapshot, table, filter) in [
        (default(&slim), Table::Grants, &none),
        (view(&small, View::AllRows), Table::Grants, &none),
        (default(&small), Table::Resources, &none),
        (default(&small), Table::Grants, &group),
        (view(&multi, View::Sync(MULTI[1])), Table::Grants, &none),
    ] {
        let refused = snapshot.page(table, filter, 1, Some(&cursor));
        assert!(matches!(refused, Err(Error::Cursor { .. })));
    }
    let copy = Folder::new();
    let path = copy.path().join("copy.c1z");
    std::fs::copy(fixture("v1-small.c1z"), &path).expect("copied");
    let again = open(&path).expect("opens");
    assert!(
        default(&again)
            .page(Table::Grants, &none, 1, Some(&cursor))
            .is_ok()
    );
}

#[test]
fn single_rows_are_found_by_their_ids() {
    let file = open_fixture("v1-multi-sync.c1z");
    let second = view(&file, View::Sync(MULTI[1]));
    let grant = second
        .get(Table::Grants, "grant-custom-1")
        .expect("get")
        .expect("there");
    assert_eq!(grant.entitlement_id, "custom-ent-1");
    assert_eq!(second.get(Table::Grants, "nope").expect("get"), None);
    let by_parts = second
        .get_resource("group", "g1")
        .expect("get")
        .expect("there");
    assert_eq!(
        second.get(Table::Resources, "group:g1").expect("get"),
        Some(by_parts)
    );
    assert_eq!(second.get_resource("group:g1", "").expect("get"), None);
    let fourth = view(&file, View::Sync(MULTI[3]));
    assert_eq!(
        fourth.get(Table::Grants, "grant-custom-1").expect("get"),
        None
    );
    assert!(
        view(&file, View::AllRows)
            .get(Table::Grants, "grant-custom-1")
            .expect("get")
            .is_some()
    );
}

#[test]
fn resources_with_colons_are_told_apart_by_their_type() {
    let folder = Folder::new();
    let path = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        conn.execute(
            "insert into v1_resources (resource_type_id, external_id, data, sync_id, discovered_at)
             select 'a:b', 'a:b:c', x'', sync_id, started_at from v1_sync_runs",
            [],
        )
        .expect("inserted");
    });
    let file = open(&path).expect("opens");
    let all = default(&file);
    let row = all.get_resource("a:b", "c").expect("get").expect("there");
    assert_eq!((&*row.resource_type_id, &*row.resource_id), ("a:b", "c"));
    assert_eq!(all.get_resource("a", "b:c").expect("get"), None);
    let filter = |resource| Filter {
        resource: Some(resource),
        ..Filter::default()
    };
    assert_eq!(
        ids(&all, Table::Resources, &filter(("a:b", "c"))),
        ["a:b:c"]
    );
    assert!(ids(&all, Table::Resources, &filter(("a", "b:c"))).is_empty());
}

#[test]
fn slim_grants_come_with_stubs_of_entitlement_and_principal() {
    let slim = open_fixture("v1-small-slim-grants.c1z");
    let full = open_fixture("v1-small.c1z");
    let filter = Filter::default();
    let pairs = rows(&default(&slim), Table::Grants, &filter)
        .into_iter()
        .zip(rows(&default(&full), Table::Grants, &filter));
    let stub = |r: Option<v2::Resource>| {
        r.map(|r| v2::Resource {
            id: r.id,
            ..Default::default()
        })
    };
    for (slim, full) in pairs {
        let mut expected = v2::Grant::decode(&*full.data).expect("decodes");
        expected.principal = stub(expected.principal);
        expected.entitlement = expected.entitlement.map(|e| v2::Entitlement {
            resource: stub(e.resource),
            id: e.id,
            ..Default::default()
        });
        assert_eq!(v2::Grant::decode(&*slim.data).expect("decodes"), expected);
        assert_eq!(slim.expansion, full.expansion);
    }
}

#[test]
fn expansion_is_a_column_and_not_an_annotation() {
    let file = open_fixture("v1-small.c1z");
    let all = default(&file);
    let expandable: Vec<_> = rows(&all, Table::Grants, &Filter::default())
        .into_iter()
        .filter_map(|row| Some((row.id, row.expansion?)))
        .collect();
    assert_eq!(expandable.len(), 1);
    let (id, bytes) = &expandable[0];
    assert_eq!(id, "group:g3:member:group:g1");
    let message = v2::GrantExpandable::decode(&**bytes).expect("decodes");
    assert_eq!(message.entitlement_ids, ["group:g1:member"]);
}

#[test]
fn assets_are_those_of_the_sync_at_hand() {
    let file = open_fixture("v1-multi-sync.c1z");
    let asset = |v| view(&file, v).asset("asset-1").expect("asset");
    let found = asset(View::Sync(MULTI[0])).expect("there");
    assert_eq!(
        (&*found.content_type, &*found.data),
        ("image/png", &b"not really a png"[..])
    );
    assert_eq!(asset(View::Sync(MULTI[3])), None);
    assert!(asset(View::AllRows).is_some());
}

#[test]
fn counted_stats_equal_those_that_go_stored() {
    for name in [
        "v1-small.c1z",
        "v1-multi-sync.c1z",
        "atlassian-org/sync.c1z",
    ] {
        let file = open_fixture(name);
        for run in file.sync_runs().to_vec() {
            let snapshot = view(&file, View::Sync(&run.id));
            let recount = snapshot.recount().expect("counted");
            assert_eq!(
                snapshot.stats().expect("stats"),
                run.stats.clone().unwrap_or(recount.clone())
            );
            if let Some(stored) = run.stats {
                assert_eq!(recount, stored, "{name} {}", run.id);
                assert_eq!(recount.to_text(), stored.to_text());
            }
        }
    }
}

#[test]
fn peeking_gives_the_same_runs_as_opening() {
    for name in V1 {
        let runs = open_fixture(name).sync_runs().to_vec();
        let peeked = peek(&fixture(name), &ReadOptions::default()).expect("peek");
        assert_eq!(peeked.runs, runs, "{name}");
        assert_eq!(peeked.format, Format::V1);
    }
}

#[test]
fn reading_changes_neither_file_nor_folder() {
    let folder = Folder::new();
    let temp = Folder::new();
    let path = folder.path().join("a.c1z");
    std::fs::copy(fixture("v1-small.c1z"), &path).expect("copied");
    let before = std::fs::read(&path).expect("read");
    let options = ReadOptions {
        temp_dir: Some(temp.path().to_owned()),
        ..ReadOptions::default()
    };
    let file = C1zFile::open(&path, &options).expect("opens");
    if cfg!(unix) {
        assert!(temp.names().is_empty(), "an open copy has no name");
    }
    drop(file);
    peek(&path, &options).expect("peek");
    assert!(temp.names().is_empty());
    assert_eq!(folder.names(), ["a.c1z"]);
    assert_eq!(std::fs::read(&path).expect("read"), before);
}

#[test]
fn rows_that_share_an_id_are_refused_where_only_one_is_wanted() {
    let folder = Folder::new();
    let path = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        for (table, index) in [
            ("v1_grants", "idx_grants_external_sync_v1"),
            ("v1_entitlements", "idx_entitlements_external_sync_v1"),
            ("v1_resources", "idx_resources_parent_resource_id_v1"),
        ] {
            conn.execute_batch(&format!(
                "drop index {index};
                 create temp table copy as select * from {table};
                 update copy set id = id + 1000;
                 insert into {table} select * from copy;
                 drop table copy"
            ))
            .expect("changed");
        }
    });
    let file = open(&path).expect("opens");
    let snapshot = default(&file);
    for (table, id) in [
        (Table::Grants, "group:g1:member:user:u1"),
        (Table::Entitlements, "group:g1:member"),
        (Table::Resources, "user:u1"),
    ] {
        assert!(snapshot.get(table, id).expect("reads").is_some());
        let error = snapshot.get_only(table, id).expect_err("two rows");
        assert!(matches!(error, Error::DuplicateId { table: of, .. } if of == table));
        assert_eq!(snapshot.get_only(table, "absent").expect("reads"), None);
    }
    let error = snapshot.get_only_resource("user", "u1").expect_err("two");
    assert!(matches!(error, Error::DuplicateId { .. }), "{error}");
}
