//! Every beginning against the whole file: the same rows, whatever is cut off.

use std::fs;
use std::ops::ControlFlow;

use rusqlite::params;
use tempfile::TempDir;

use super::*;
use crate::envelope;
use crate::row::Filter;
use crate::v1::layout::{Grants, create};

const SYNCS: [&str; 2] = ["2zqMwKx4k0Gf5sYQJ7mZ0p1a2b3", "2zqMwKx4k0Gf5sYQJ7mZ0p1a2b4"];
const PAGE_BYTES: u64 = 4096;
/// Rows of a sync in each small table, and grants of both.
const ROWS: usize = 12;
const GRANTS: usize = 60;

struct Made {
    folder: TempDir,
}

impl Made {
    /// A file of two syncs, whose rows have values on one page and on several.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let database = folder.path().join("db");
        let conn = rusqlite::Connection::open(&database).expect("opens");
        for index in create(&conn, Grants::AsRows).expect("tables") {
            conn.execute(&index.sql, []).expect("index");
        }
        for (n, sync) in SYNCS.iter().enumerate() {
            conn.execute(
                "insert into v1_sync_runs (sync_id, started_at, ended_at, sync_token, grants_backfilled)
                 values (?, '2026-01-01 00:00:00', ?, '', 1)",
                params![sync, format!("2026-01-02 00:00:0{n}")],
            )
            .expect("run");
            for row in 0..ROWS {
                let data = [&[0x12, 0x02, b'a', b'b'][..], &unknown_field(row * 1_700)].concat();
                let id = format!("r{row}");
                for sql in [
                    "insert into v1_resource_types (external_id, data, sync_id, discovered_at)
                     values (?1, ?2, ?3, '2026-01-01 00:00:00')",
                    "insert into v1_resources (resource_type_id, external_id, parent_resource_type_id,
                        parent_resource_id, data, sync_id, discovered_at)
                     values ('t', 't:' || ?1, 'p', 'q', ?2, ?3, '2026-01-01 00:00:00')",
                    "insert into v1_entitlements (resource_type_id, resource_id, external_id, data,
                        sync_id, discovered_at)
                     values ('t', 'r', ?1, ?2, ?3, '2026-01-01 00:00:00')",
                    "insert into v1_assets (external_id, content_type, data, sync_id, discovered_at)
                     values (?1, 'x', ?1 || substr(?2, 1, 1), ?3, '2026-01-01 00:00:00')",
                ] {
                    conn.execute(sql, params![id, data, sync]).expect("row");
                }
            }
        }
        let grant = "insert into v1_grants (resource_type_id, resource_id, entitlement_id,
                principal_resource_type_id, principal_resource_id, external_id, data, sync_id,
                discovered_at)
             values ('t', 'r', 'r1', 'u', ?1, ?1, ?2, ?3, '2026-01-01 00:00:00')";
        for row in 0..GRANTS {
            let id = format!("g{row}");
            let data = unknown_field(8_000);
            conn.execute(grant, params![id, data, SYNCS[row % 2]])
                .expect("grant");
        }
        conn.execute_batch("drop table reserve; commit; vacuum")
            .expect("commits");
        conn.close().map_err(|(_, e)| e).expect("closes");
        let this = Self { folder };
        this.pack(&fs::read(&database).expect("read"));
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("sync.c1z")
    }

    fn pack(&self, database: &[u8]) {
        let mut file = Vec::new();
        envelope::encode(&mut &database[..], database.len() as u64, 1, &mut file)
            .expect("in memory");
        fs::write(self.path(), file).expect("written");
    }

    fn pages(&self) -> u64 {
        let path = self.path();
        let file = File::open(&path).expect("opens");
        let content = crate::envelope::Content::of_file(&path, &file, &crate::Limits::default());
        content.expect("content").declared().expect("declared") / PAGE_BYTES
    }

    fn cut_to(&self, pages: u64) -> Lazy {
        let steps = [pages * PAGE_BYTES];
        Lazy::open_in_steps(&self.path(), &ReadOptions::default(), &steps, 0, 1).expect("opens")
    }
}

/// A field that no message has, of so many bytes.
fn unknown_field(len: usize) -> Vec<u8> {
    let mut field = Vec::new();
    baton_proto::wire::put_bytes(&mut field, 1000, &vec![7; len]);
    field
}

/// All answers of a store, as text.
fn answers(store: &dyn Store) -> Vec<String> {
    let mut all = vec![format!("{:?}", store.runs().expect("runs"))];
    let parents = [None, Some(("p", "q"))];
    for sync_id in [None, Some(SYNCS[0]), Some(SYNCS[1]), Some("none")] {
        for table in Table::ALL {
            for parent in parents {
                let filter = Filter {
                    resource_type_id: parent.map(|_| "t"),
                    parent: parent.filter(|_| table == Table::Resources),
                    ..Filter::default()
                };
                let query = Query {
                    sync_id,
                    table,
                    filter: &filter,
                };
                store
                    .scan(&query, &mut |row| {
                        all.push(format!("{table:?} {row:?}"));
                        Ok(ControlFlow::Continue(()))
                    })
                    .expect("rows");
                all.push(format!("{:?}", store.count(&query).expect("a number")));
            }
            for id in ["r0", "t:r11", "r11", "g59", "other"] {
                let row = store.get(sync_id, table, Key::Id(id)).expect("a row");
                all.push(format!("{row:?}"));
            }
        }
        for id in ["r0", "r11", "other"] {
            all.push(format!("{:?}", store.asset(sync_id, id).expect("an asset")));
        }
    }
    all
}

#[test]
fn a_beginning_of_any_length_answers_as_the_whole_does() {
    let made = Made::new();
    let (whole, _) = Reader::open(&made.path(), &ReadOptions::default()).expect("opens");
    let expected = answers(&whole);
    assert!(expected.len() > 500);
    // Coprime to the lengths of chains and rows, so that every kind of page is
    // the first that is missing.
    for pages in (0..=made.pages()).step_by(3) {
        let lazy = made.cut_to(pages);
        assert!(answers(&lazy) == expected, "{pages} pages");
    }
}

#[test]
fn small_tables_are_read_without_what_lies_behind_them() {
    let made = Made::new();
    // Far enough for all but the grants, and no further.
    let pages = made.pages() * 3 / 4;
    let steps = [pages * PAGE_BYTES];
    let whole = fs::read(made.path()).expect("read");
    let lazy = made.cut_to(pages);
    fs::write(made.path(), &whole[..whole.len() - 4]).expect("cut off");
    // The open file is what counts; the name now leads to another content,
    // in the same file.
    let filter = Filter::default();
    let query = |table| Query {
        sync_id: Some(SYNCS[1]),
        table,
        filter: &filter,
    };
    for store in [
        lazy,
        Lazy::open_in_steps(&made.path(), &ReadOptions::default(), &steps, 0, 1).expect("opens"),
    ] {
        for table in [Table::ResourceTypes, Table::Resources, Table::Entitlements] {
            assert_eq!(store.count(&query(table)).expect("counted"), 12);
        }
        let error = store.count(&query(Table::Grants)).expect_err("cut off");
        assert!(matches!(error, Error::Compressed { .. }), "{error}");
    }
}

#[test]
fn a_visitor_sees_each_row_once_and_may_ask_for_others() {
    let made = Made::new();
    let filter = Filter::default();
    let query = Query {
        sync_id: None,
        table: Table::Resources,
        filter: &filter,
    };
    for pages in (0..made.pages()).step_by(11) {
        let lazy = made.cut_to(pages);
        let mut seen = Vec::new();
        lazy.scan(&query, &mut |row| {
            seen.push(row.to_owned());
            let grant = lazy.get(None, Table::Grants, Key::Id("g59"))?;
            assert!(grant.is_some());
            Ok(ControlFlow::Continue(()))
        })
        .expect("rows");
        assert_eq!(seen.len(), 2 * ROWS, "{pages}");

        // Its own failure is no reason to look further.
        let lazy = made.cut_to(pages);
        let mut calls = 0;
        let failed = lazy.scan(&query, &mut |_| {
            calls += 1;
            Err(Error::Database {
                path: "other".into(),
                doing: "test",
                source: "of the visitor".into(),
            })
        });
        assert!(failed.is_err());
        assert_eq!(calls, 1, "{pages}");
    }
}

#[test]
fn a_file_that_was_replaced_is_read_as_it_was() {
    let made = Made::new();
    let (whole, identity) = Reader::open(&made.path(), &ReadOptions::default()).expect("opens");
    let lazy = made.cut_to(made.pages() / 2);
    let other = made.folder.path().join("other");
    fs::write(&other, b"C1ZF\0").expect("written");
    fs::rename(&other, made.path()).expect("replaced");
    assert!(answers(&lazy) == answers(&whole));
    assert_eq!(lazy.identity().expect("whole"), identity);
}

#[test]
fn any_flipped_byte_of_the_compressed_beginning_is_an_error_or_changes_nothing_of_the_whole() {
    let made = Made::new();
    let (whole, _) = Reader::open(&made.path(), &ReadOptions::default()).expect("opens");
    let filter = Filter::default();
    let query = Query {
        sync_id: None,
        table: Table::Grants,
        filter: &filter,
    };
    let expected = whole.count(&query).expect("counted");
    let bytes = fs::read(made.path()).expect("read");
    let steps = [made.pages() / 2 * PAGE_BYTES];
    for at in (5..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(made.path(), damaged).expect("written");
        let options = ReadOptions::default();
        let Ok(lazy) = Lazy::open_in_steps(&made.path(), &options, &steps, 0, 1) else {
            continue;
        };
        // May be wrong, since nothing detects the damage; must not panic.
        let _ = lazy.get(None, Table::Resources, Key::Id("t:r11"));
        if let Ok(count) = lazy.count(&query) {
            assert_eq!(count, expected, "{at}");
        }
    }
}
