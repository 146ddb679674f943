//! From one format into the other and back.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use baton_c1z::{
    C1zFile, Error, Filter, Format, OwnedRow, RewriteOptions, SyncRun, Table, View, clone_sync,
    dump, recalculate_stats, to_v1, to_v3,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use prost::Message;

use crate::support::{Folder, MULTI, V1, V3, fixture, open};

fn options(folder: &Folder) -> RewriteOptions {
    RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        ..RewriteOptions::default()
    }
}

fn rows(file: &C1zFile, sync_id: &str, table: Table) -> Vec<OwnedRow> {
    let view = file.view(View::Sync(sync_id)).unwrap();
    let mut all = Vec::new();
    view.scan(table, &Filter::default(), &mut |row| {
        all.push(row.to_owned());
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

fn ids(file: &C1zFile, sync_id: &str, table: Table) -> Vec<String> {
    let rows = rows(file, sync_id, table);
    rows.into_iter().map(|row| row.id).collect()
}

fn only_run(path: &Path) -> SyncRun {
    let runs = open(path).unwrap().sync_runs().to_vec();
    let [run] = runs.as_slice() else {
        panic!("{} runs", runs.len());
    };
    run.clone()
}

/// A v1 file with a database changed by `sql`.
fn changed(folder: &Folder, name: &str, sql: &str) -> PathBuf {
    let database = folder.path().join("changed.db");
    dump(&fixture(name), &database, &options(folder)).unwrap();
    let conn = rusqlite::Connection::open(&database).unwrap();
    conn.execute_batch(sql).unwrap();
    drop(conn);
    let content = zstd::encode_all(fs::File::open(&database).unwrap(), 1).unwrap();
    fs::remove_file(&database).unwrap();
    folder.file("changed.c1z", &[b"C1ZF\0".as_slice(), &content].concat())
}

#[test]
fn what_cannot_be_converted_leaves_no_file() {
    let folder = Folder::new();
    let target = folder.path().join("out.c1z");
    let v1 = fixture("v1-small.c1z");
    let v3 = fixture("v3-small.c1z");
    let missing = folder.path().join("missing.c1z");
    for (outcome, code) in [
        (
            to_v3(&v3, None, &target, &options(&folder)),
            Code::InvalidArgument,
        ),
        (
            to_v1(&v1, &target, &options(&folder)),
            Code::InvalidArgument,
        ),
        (
            to_v3(&v1, Some("x"), &target, &options(&folder)),
            Code::NotFound,
        ),
        (
            to_v3(&v1, None, &v3, &options(&folder)),
            Code::AlreadyExists,
        ),
        (to_v1(&v3, &v1, &options(&folder)), Code::AlreadyExists),
        (to_v1(&missing, &target, &options(&folder)), Code::NotFound),
        (
            to_v3(
                &fixture("baton-cli/v1-unfinished.c1z"),
                None,
                &target,
                &options(&folder),
            ),
            Code::NotFound,
        ),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    // A sync whose id is no KSUID has no place in format v3.
    let odd = changed(
        &folder,
        "v1-small.c1z",
        "update v1_sync_runs set sync_id = 'odd'; update v1_grants set sync_id = 'odd'",
    );
    let error = to_v3(&odd, None, &target, &options(&folder)).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }), "{error}");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn there_and_back_again_loses_nothing_that_v3_can_hold() {
    for name in V1 {
        let source = open(&fixture(name)).unwrap();
        for run in source.sync_runs().to_vec() {
            let folder = Folder::new();
            let v3 = folder.path().join("v3.c1z");
            let done = to_v3(&fixture(name), Some(&run.id), &v3, &options(&folder)).unwrap();
            assert_eq!(done.merged_grants + done.dropped_rows, 0, "{name}");
            let kept = only_run(&v3);
            assert_eq!((&kept.id, &kept.sync_type), (&run.id, &run.sync_type));
            assert_eq!(
                (kept.started_at, kept.ended_at, &kept.parent_sync_id),
                (run.started_at, run.ended_at, &run.parent_sync_id)
            );
            assert_eq!(
                kept.sync_token.is_empty(),
                run.is_finished() || run.sync_token.is_empty()
            );
            let v1 = folder.path().join("v1.c1z");
            let back = to_v1(&v3, &v1, &options(&folder)).unwrap();
            assert_eq!(
                back.tables.map(|t| t.rows),
                done.tables.map(|t| t.rows),
                "{name}"
            );
            assert_eq!(back.asset_bytes, done.asset_bytes);
            let again = open(&v1).unwrap();
            assert_eq!(again.format(), Format::V1);
            for table in Table::ALL {
                let tally = |file: &C1zFile| ids(file, &run.id, table);
                assert_eq!(tally(&again), tally(&source), "{name} {table:?}");
            }
            for table in [Table::ResourceTypes, Table::Resources] {
                assert!(
                    rows(&again, &run.id, table) == rows(&source, &run.id, table),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn embedded_objects_are_whole_again() {
    let folder = Folder::new();
    let v3 = folder.path().join("v3.c1z");
    let source = fixture("atlassian-org/sync.c1z");
    to_v3(&source, None, &v3, &options(&folder)).unwrap();
    let v1 = folder.path().join("v1.c1z");
    to_v1(&v3, &v1, &options(&folder)).unwrap();
    let run = only_run(&v1);
    let file = open(&v1).unwrap();
    let view = file.view(View::Sync(&run.id)).unwrap();
    let mut grants = 0;
    for row in rows(&file, &run.id, Table::Grants) {
        let grant = v2::Grant::decode(row.data.as_slice()).unwrap();
        let principal = grant.principal.unwrap();
        let stored = view
            .get_resource(&row.principal_type_id, &row.principal_id)
            .unwrap()
            .unwrap();
        assert_eq!(
            principal,
            v2::Resource::decode(stored.data.as_slice()).unwrap()
        );
        // Some grants are of roles that the connector lists no entitlement for.
        let Some(stored) = view.get(Table::Entitlements, &row.entitlement_id).unwrap() else {
            continue;
        };
        let entitlement = v2::Entitlement::decode(stored.data.as_slice()).unwrap();
        assert!(
            !entitlement
                .resource
                .as_ref()
                .unwrap()
                .display_name
                .is_empty()
        );
        assert_eq!(grant.entitlement.unwrap(), entitlement);
        grants += 1;
    }
    assert!(grants > 100);
    // Grants expand as they did.
    let expansions = |path: &Path| -> Vec<_> {
        let rows = rows(&open(path).unwrap(), &run.id, Table::Grants);
        rows.into_iter()
            .map(|row| (row.id, row.expansion))
            .collect()
    };
    assert!(expansions(&v1) == expansions(&source));
}

#[test]
fn the_go_tools_sync_of_the_same_organization_has_the_same_rows() {
    let folder = Folder::new();
    let ours = folder.path().join("v3.c1z");
    to_v3(
        &fixture("atlassian-org/sync.c1z"),
        None,
        &ours,
        &options(&folder),
    )
    .unwrap();
    let theirs = fixture("atlassian-org/sync-v3.c1z");
    let (our_run, their_run) = (only_run(&ours), only_run(&theirs));
    let (ours, theirs) = (open(&ours).unwrap(), open(&theirs).unwrap());
    for table in Table::ALL {
        assert!(
            rows(&ours, &our_run.id, table) == rows(&theirs, &their_run.id, table),
            "{table:?}"
        );
    }
}

#[test]
fn grants_of_one_pair_become_one_and_rows_without_ids_are_counted() {
    let folder = Folder::new();
    let source = changed(
        &folder,
        "v1-small.c1z",
        "insert into v1_grants (resource_type_id, resource_id, entitlement_id,
            principal_resource_type_id, principal_resource_id, external_id, expansion,
            needs_expansion, data, sync_id, discovered_at)
         select resource_type_id, resource_id, entitlement_id, principal_resource_type_id,
            principal_resource_id, 'a second id', expansion, needs_expansion, data, sync_id,
            '2020-01-01 00:00:00'
         from v1_grants order by id limit 1;
         insert into v1_resources (resource_type_id, external_id, data, sync_id, discovered_at)
         select '', ':', x'', sync_id, discovered_at from v1_resources limit 1",
    );
    let target = folder.path().join("v3.c1z");
    let done = to_v3(&source, None, &target, &options(&folder)).unwrap();
    assert_eq!((done.merged_grants, done.dropped_rows), (1, 1));
    assert_eq!(done.tables.map(|t| t.rows), [3, 10, 4, 9]);
    let run = only_run(&target);
    assert_eq!(
        run.stats.as_ref().map(|s| (s.resources, s.grants)),
        Some((9, 8))
    );
    let grants = rows(&open(&target).unwrap(), &run.id, Table::Grants);
    assert_eq!(grants.len(), 8);
}

#[test]
fn slim_grants_survive() {
    let folder = Folder::new();
    let convert = |name: &str| {
        let target = folder.path().join(format!("v3-{name}"));
        to_v3(&fixture(name), None, &target, &options(&folder)).unwrap();
        let run = only_run(&target);
        ids(&open(&target).unwrap(), &run.id, Table::Grants)
    };
    let slim = convert("v1-small-slim-grants.c1z");
    assert_eq!(slim.len(), 8);
    assert_eq!(slim, convert("v1-small.c1z"));
}

#[test]
fn what_connectors_stored_stays_while_a_sync_is_unfinished() {
    let folder = Folder::new();
    let id = MULTI[4];
    let other = MULTI[1];
    let source = changed(
        &folder,
        "v1-multi-sync.c1z",
        &format!(
            "insert into v1_connector_sessions (sync_id, key, value)
             values ('{id}', 'cursor', x'0102'), ('{other}', 'cursor', x'03')"
        ),
    );
    for (sync_id, stored) in [(id, 1), (other, 0)] {
        let v3 = folder.path().join("v3.c1z");
        to_v3(&source, Some(sync_id), &v3, &options(&folder)).unwrap();
        let v1 = folder.path().join("v1.c1z");
        to_v1(&v3, &v1, &options(&folder)).unwrap();
        let database = folder.path().join("v1.db");
        dump(&v1, &database, &options(&folder)).unwrap();
        let conn = rusqlite::Connection::open(&database).unwrap();
        let found: i64 = conn
            .query_row(
                "select count(*) from v1_connector_sessions where key = 'cursor'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(found, stored);
        let sound: String = conn
            .query_row("pragma integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
        for path in [&v3, &v1, &database] {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_file_without_syncs_becomes_another_one() {
    let folder = Folder::new();
    let v3 = folder.path().join("v3.c1z");
    let done = to_v3(&folder.path().join("missing"), None, &v3, &options(&folder)).unwrap();
    assert_eq!(done.run, None);
    assert_eq!(open(&v3).unwrap().format(), Format::V3);
    assert!(open(&v3).unwrap().sync_runs().to_vec().is_empty());
    let v1 = folder.path().join("v1.c1z");
    assert_eq!(to_v1(&v3, &v1, &options(&folder)).unwrap().run, None);
    assert_eq!(open(&v1).unwrap().format(), Format::V1);
    assert!(open(&v1).unwrap().sync_runs().to_vec().is_empty());
}

#[test]
fn a_clone_of_v3_has_the_same_rows_and_payload() {
    for name in V3 {
        let folder = Folder::new();
        let target = folder.path().join("copy.c1z");
        let source = fixture(name);
        let run = clone_sync(&source, None, &target, &options(&folder)).unwrap();
        assert_eq!(only_run(&target), run, "{name}");
        let (copy, original) = (open(&target).unwrap(), open(&source).unwrap());
        for table in Table::ALL {
            let all = |file: &C1zFile| rows(file, &run.id, table);
            assert!(all(&copy) == all(&original), "{name} {table:?}");
        }
        // The manifest's first fields are engine, version and encoding.
        let head = |path: &Path| fs::read(path).unwrap()[..4].to_vec();
        assert_eq!(head(&target), head(&source));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // Once more gives the same bytes.
        let second = folder.path().join("second.c1z");
        clone_sync(&target, None, &second, &options(&folder)).unwrap();
        assert!(
            fs::read(&second).unwrap() == fs::read(&target).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn counts_of_v3_are_stored_anew() {
    for name in V3 {
        let folder = Folder::new();
        let path = folder.path().join("sync.c1z");
        fs::copy(fixture(name), &path).unwrap();
        let before = only_run(&path);
        let mut told = None;
        let count = recalculate_stats(&path, None, &options(&folder), &mut |new| {
            told = Some(new.stats.clone());
        })
        .unwrap();
        assert_eq!(count, 1);
        let after = only_run(&path);
        assert_eq!(after.stats, told);
        let mut same = after.clone();
        same.stats.clone_from(&before.stats);
        assert_eq!(same, before);
        let (copy, original) = (open(&path).unwrap(), open(&fixture(name)).unwrap());
        for table in Table::ALL {
            let all = |file: &C1zFile| rows(file, &after.id, table);
            assert!(all(&copy) == all(&original), "{name} {table:?}");
        }
        let unknown = recalculate_stats(&path, Some("x"), &options(&folder), &mut |_| ());
        assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    }
}
