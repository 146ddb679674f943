//! Files of older writers: what is missing is added to the private copy.

use baton_c1z::{C1zFile, Filter, OwnedRow, ReadOptions, Table, View, peek};
use baton_proto::c1::connector::v2;
use baton_proto::{any, encode};
use prost::Message;
use rusqlite::{Connection, params};
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::support::{Folder, open};

/// The first schema: no expansion, no sync types, no links, no counts.
const FIRST_SCHEMA: &str = "
    create table v1_resource_types (id integer primary key, external_id text not null,
        data blob not null, sync_id text not null, discovered_at datetime not null);
    create table v1_grants (id integer primary key, resource_type_id text not null,
        resource_id text not null, entitlement_id text not null,
        principal_resource_type_id text not null, principal_resource_id text not null,
        external_id text not null, data blob not null, sync_id text not null,
        discovered_at datetime not null);
    create table v1_sync_runs (id integer primary key, sync_id text not null,
        started_at datetime not null, ended_at datetime, sync_token text not null);
    insert into v1_resource_types values (1, 'group', x'0a0567726f7570', 's1', '2024-01-01 00:00:00');
    insert into v1_sync_runs values (1, 's1', '2024-01-01 00:00:00', '2024-01-01 00:01:00', '{}');";

fn grant(id: &str, expandable: Option<&[&str]>) -> v2::Grant {
    let annotations = expandable.map(|ids| {
        any::pack(&v2::GrantExpandable {
            entitlement_ids: ids.iter().map(ToString::to_string).collect(),
            ..Default::default()
        })
    });
    v2::Grant {
        id: id.into(),
        entitlement: Some(v2::Entitlement {
            id: "e".into(),
            ..Default::default()
        }),
        principal: Some(v2::Resource::default()),
        annotations: annotations.into_iter().collect(),
        ..Default::default()
    }
}

fn insert(conn: &Connection, grant: &v2::Grant) {
    conn.execute(
        "insert into v1_grants (resource_type_id, resource_id, entitlement_id,
            principal_resource_type_id, principal_resource_id, external_id, data, sync_id, discovered_at)
         values ('group', 'g', 'e', 'user', 'u', ?1, ?2, 's1', '2024-01-01 00:00:00')",
        params![grant.id, encode::to_vec(grant)],
    )
    .expect("inserted");
}

fn old_file(folder: &Folder) -> PathBuf {
    folder.c1z_with(None, |conn| {
        conn.execute_batch(FIRST_SCHEMA).expect("created");
        conn.execute_batch("begin").expect("begun");
        insert(conn, &grant("plain", None));
        insert(conn, &grant("blank", Some(&[" "])));
        insert(conn, &grant("nested", Some(&["e2"])));
        for i in 0..2500 {
            insert(conn, &grant(&format!("g{i}"), None));
        }
        insert(conn, &grant("last", Some(&["e3"])));
        conn.execute_batch("commit").expect("committed");
    })
}

fn grants(file: &C1zFile) -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    file.view(View::Sync("s1"))
        .expect("view")
        .scan(Table::Grants, &Filter::default(), &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .expect("scan");
    rows
}

#[test]
fn the_first_schema_is_read_and_expansion_is_split_off() {
    let folder = Folder::new();
    let path = old_file(&folder);
    let before = std::fs::read(&path).expect("read");
    let file = open(&path).expect("opens");
    let runs = file.sync_runs().to_vec();
    assert_eq!(
        (&*runs[0].id, &*runs[0].sync_type, runs[0].supports_diff),
        ("s1", "full", false)
    );
    let rows = grants(&file);
    assert_eq!(rows.len(), 2504);
    for row in &rows {
        let message = v2::Grant::decode(&*row.data).expect("decodes");
        assert_eq!(message, grant(&row.id, None));
    }
    let expansions: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            Some((
                &*row.id,
                v2::GrantExpandable::decode(&**row.expansion.as_ref()?).ok()?,
            ))
        })
        .map(|(id, e)| (id, e.entitlement_ids))
        .collect();
    assert_eq!(
        expansions,
        [
            ("nested", vec!["e2".to_owned()]),
            ("last", vec!["e3".to_owned()])
        ]
    );
    assert_eq!(
        file.view(View::AllRows)
            .expect("view")
            .stats()
            .expect("stats")
            .grants,
        2504
    );
    assert_eq!(
        std::fs::read(&path).expect("read"),
        before,
        "only the copy is migrated"
    );
}

#[test]
fn peeking_at_an_older_file_opens_all_of_it() {
    let folder = Folder::new();
    let peeked = peek(&old_file(&folder), &ReadOptions::default()).expect("peek");
    assert_eq!(peeked.runs.len(), 1);
    assert_eq!(peeked.runs[0].stats, None);
}

#[test]
fn runs_that_are_backfilled_are_left_as_they_are() {
    let folder = Folder::new();
    let path = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        conn.execute_batch("update v1_sync_runs set sync_id = 's1'")
            .expect("renamed");
        insert(conn, &grant("odd", Some(&["e2"])));
    });
    let file = open(&path).expect("opens");
    let odd = grants(&file).pop();
    let odd = odd.expect("there");
    assert_eq!(odd.expansion, None);
    assert_eq!(
        v2::Grant::decode(&*odd.data)
            .expect("decodes")
            .annotations
            .len(),
        1
    );
}

#[test]
fn a_database_without_tables_is_an_empty_store() {
    let folder = Folder::new();
    let path = folder.c1z_with(None, |conn| {
        conn.execute_batch("create table other (a); insert into other values (1)")
            .expect("created");
    });
    let file = open(&path).expect("opens");
    assert!(file.sync_runs().to_vec().is_empty());
    let path = folder.c1z("none.c1z", b"");
    assert!(open(&path).expect("opens").sync_runs().to_vec().is_empty());
}

#[test]
fn a_database_left_in_write_ahead_mode_is_read() {
    let folder = Folder::new();
    let path = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        let mode: String = conn
            .query_row("pragma journal_mode = wal", [], |row| row.get(0))
            .expect("pragma");
        assert_eq!(mode, "wal");
    });
    assert_eq!(crate::support::database(&path)[18..20], [2, 2]);
    assert_eq!(open(&path).expect("opens").sync_runs().to_vec().len(), 1);
    assert_eq!(
        peek(&path, &ReadOptions::default())
            .expect("peek")
            .runs
            .len(),
        1
    );
}
