//! Scans in canonical order: the same rows in the same order, whatever the
//! format, and in whatever order the file has them.

use std::ops::ControlFlow;

use baton_c1z::{C1zFile, Error, Filter, OwnedRow, Snapshot, Table, View};

use crate::conformance::{ids, on_every_file, scan};
use crate::conformance_sync::WORLD;
use crate::seal_v1::ID;
use crate::support::{Folder, database, fixture, open, open_fixture};

fn scan_sorted(snapshot: &Snapshot<'_>, table: Table, filter: &Filter<'_>) -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    snapshot
        .scan_sorted(table, filter, &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    rows
}

fn ids_of(rows: &[OwnedRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

/// The generated sync in a v1 file that holds all rows backwards.
fn backwards(folder: &Folder) -> C1zFile {
    let sample = WORLD.files.iter().find(|file| file.name == "v1").unwrap();
    let path = folder.file("made.db", &database(&sample.path));
    let conn = rusqlite::Connection::open(&path).unwrap();
    for table in ["resource_types", "resources", "entitlements", "grants"] {
        conn.execute(&format!("update v1_{table} set id = -id"), ())
            .unwrap();
    }
    conn.close().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    open(&folder.c1z("backwards.c1z", &bytes)).unwrap()
}

#[test]
fn a_sorted_scan_of_any_file_is_in_canonical_order() {
    on_every_file(|name, snapshot| {
        for table in Table::ALL {
            let rows = scan_sorted(&snapshot, table, &Filter::default());
            let same = ids_of(&rows) == ids(WORLD.model.rows(table));
            assert!(same, "{name} {table:?}");
        }
    });
}

#[test]
fn rows_that_are_stored_backwards_come_in_canonical_order() {
    let folder = Folder::new();
    let file = backwards(&folder);
    let snapshot = file.view(View::Sync(ID)).unwrap();
    let some = &WORLD.model.rows(Table::Grants)[0].row;
    for table in Table::ALL {
        let stored = scan(&snapshot, table, &Filter::default());
        let expected = ids(WORLD.model.rows(table));
        let is_backwards = ids_of(&stored).iter().rev().eq(&expected);
        assert!(is_backwards, "{table:?}");
        for filter in [
            Filter::default(),
            Filter {
                resource_type_id: Some(&some.resource_type_id),
                ..Filter::default()
            },
        ] {
            let rows = scan_sorted(&snapshot, table, &filter);
            let expected = ids(WORLD.model.select(table, &filter));
            assert!(ids_of(&rows) == expected, "{table:?} {filter:?}");
            let mut stored = scan(&snapshot, table, &filter);
            stored.reverse();
            assert!(rows == stored, "{table:?} {filter:?}");
        }
    }
}

#[test]
fn a_file_of_the_go_tools_gives_the_rows_in_the_same_order_in_both_formats() {
    for (v1, v3) in [
        ("v1-small.c1z", "v3-small.c1z"),
        ("atlassian-org/sync.c1z", "atlassian-org/sync-v3.c1z"),
    ] {
        let (v1, v3) = (open_fixture(v1), open_fixture(v3));
        let view = |file: &C1zFile| -> String { file.latest_finished(None).cloned().unwrap().id };
        let (in_v1, in_v3) = (view(&v1), view(&v3));
        let in_v1 = v1.view(View::Sync(&in_v1)).unwrap();
        let in_v3 = v3.view(View::Sync(&in_v3)).unwrap();
        let mut is_reordered = false;
        for table in Table::ALL {
            let stored = scan(&in_v1, table, &Filter::default());
            let sorted = scan_sorted(&in_v1, table, &Filter::default());
            is_reordered |= stored != sorted;
            let expected = scan(&in_v3, table, &Filter::default());
            assert_eq!(ids_of(&sorted), ids_of(&expected), "{table:?}");
        }
        assert!(is_reordered);
    }
}

#[test]
fn a_filter_that_a_table_lacks_is_refused_by_a_sorted_scan() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let file = open(&fixture(name)).unwrap();
        let snapshot = file.view(View::AllRows).unwrap();
        let filter = Filter {
            principal: Some(("user", "u1")),
            ..Filter::default()
        };
        let done = snapshot.scan_sorted(Table::Resources, &filter, &mut |_| {
            Ok(ControlFlow::Continue(()))
        });
        assert!(matches!(done, Err(Error::Filter { .. })), "{name}");
    }
}

#[test]
fn rows_that_are_asked_for_come_as_in_a_sorted_scan() {
    let folder = Folder::new();
    let backwards = backwards(&folder);
    let check = |name: &str, snapshot: Snapshot<'_>| {
        for table in Table::ALL {
            let (mut rows, mut last) = (Vec::new(), Vec::new());
            snapshot
                .read_ordered(table, &mut |ordered| {
                    while let Some(next) = ordered.advance()? {
                        assert!(last.as_slice() < next.key, "{name} {table:?}");
                        assert!(next.key.starts_with(next.pair_key()));
                        last = next.key.to_vec();
                        rows.push(next.row.to_owned());
                    }
                    Ok(())
                })
                .unwrap();
            let expected = scan_sorted(&snapshot, table, &Filter::default());
            assert!(rows == expected, "{name} {table:?}");
        }
    };
    on_every_file(check);
    check("backwards", backwards.view(View::Sync(ID)).unwrap());
}
