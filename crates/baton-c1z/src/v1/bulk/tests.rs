//! Pages against SQLite itself, which checks and reads them.

use std::path::PathBuf;

use tempfile::TempDir;

use super::pages::PAGE_BYTES;
use super::*;
use crate::Error;
use crate::v1::layout::{Grants, create};

/// A database with empty tables.
struct Made {
    folder: TempDir,
}

impl Made {
    fn new() -> Self {
        let this = Self {
            folder: tempfile::tempdir().expect("folder"),
        };
        let conn = Connection::open(this.path()).expect("opens");
        create(&conn, Grants::AsPages).expect("tables");
        conn.execute_batch("commit").expect("commits");
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    fn bulk(&self) -> Bulk {
        let conn = Connection::open(self.path()).expect("opens");
        let roots = Roots::find(&conn).expect("roots").expect("fit");
        drop(conn);
        Bulk::begin(&self.path(), &roots, self.folder.path()).expect("begins")
    }

    /// Opens it, when SQLite has found nothing wrong with it.
    fn checked(&self) -> Connection {
        let conn = Connection::open(self.path()).expect("opens");
        let verdict: String = conn
            .query_row("pragma integrity_check", [], |row| row.get(0))
            .expect("checked");
        assert_eq!(verdict, "ok");
        conn
    }
}

/// The parts of a grant.
#[derive(Debug, Clone)]
struct Parts {
    id: String,
    resource: String,
    principal: String,
    data: Vec<u8>,
    expansion: Option<Vec<u8>>,
}

impl Parts {
    fn row(&self) -> Row<'_> {
        Row {
            id: &self.id,
            resource_type_id: "group",
            resource_id: &self.resource,
            entitlement_id: &self.resource,
            principal_type_id: "user",
            principal_id: &self.principal,
            data: &self.data,
            expansion: self.expansion.as_deref(),
            ..Row::default()
        }
    }
}

/// So many grants, whose texts and contents have up to so many bytes.
fn grants(count: usize, id_bytes: usize, data_bytes: usize) -> Vec<Parts> {
    let mut state = 1_usize;
    let mut roll = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below.max(1)
    };
    (0..count)
        .map(|n| Parts {
            id: format!("{:x}{n}{}", roll(1 << 20), "i".repeat(roll(id_bytes))),
            resource: format!("g{}\0{}", roll(7), "r".repeat(roll(id_bytes))),
            principal: format!("u{}{}", roll(50), "p".repeat(roll(id_bytes))),
            data: vec![7; roll(data_bytes)],
            expansion: (n % 5 == 0).then(|| vec![9; roll(50)]),
        })
        .collect()
}

fn fill(made: &Made, grants: &[Parts]) -> Result<()> {
    let mut bulk = made.bulk();
    for grant in grants {
        bulk.put(&grant.row(), "sync", "now")?;
    }
    bulk.finish()
}

/// Every value of every row, in the order of an index, read from it where it
/// has them.
fn rows(conn: &Connection, index: &str) -> Vec<String> {
    let sql = format!(
        "select quote(resource_type_id) || quote(resource_id) || quote(entitlement_id)
            || quote(principal_resource_type_id) || quote(principal_resource_id)
            || quote(external_id) || quote(expansion) || quote(needs_expansion)
            || quote(hex(data)) || quote(sync_id) || quote(discovered_at) || quote(id)
         from v1_grants {index}"
    );
    let mut statement = conn.prepare(&sql).expect("query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("rows")
}

#[test]
fn sqlite_finds_nothing_wrong_and_all_rows_by_all_indexes() {
    // From no row over one page and two levels to three levels, and with
    // contents and ids that overflow their pages.
    for (count, id_bytes, data_bytes) in [
        (0, 10, 10),
        (1, 10, 10),
        (2, 900, 10_000),
        (30, 3_000, 20_000),
        (40, 20, 40),
        (41, 1, 1),
        (300, 200, 4_100),
        (1_000, 950, 10),
        (2_000, 40, 200),
        (25_000, 5, 3),
    ] {
        let made = Made::new();
        let grants = grants(count, id_bytes, data_bytes);
        fill(&made, &grants).expect("written");
        let conn = made.checked();

        let other = Made::new();
        let by_rows = Connection::open(other.path()).expect("opens");
        by_rows.execute_batch("begin").expect("begins");
        let mut insert = by_rows
            .prepare("insert into v1_grants values (null, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .expect("statement");
        for grant in &grants {
            insert
                .execute(rusqlite::params![
                    "group",
                    grant.resource,
                    grant.resource,
                    "user",
                    grant.principal,
                    grant.id,
                    grant.expansion,
                    i64::from(grant.expansion.is_some()),
                    grant.data,
                    "sync",
                    "now",
                ])
                .expect("inserted");
        }
        drop(insert);
        let named = |index: &Index| format!("indexed by {}", index.name);
        let conditions = [
            "",
            "",
            "",
            "",
            "",
            "where expansion is not null",
            "where needs_expansion = 1",
        ];
        assert_eq!(rows(&conn, ""), rows(&by_rows, ""), "{count}");
        for (index, condition) in INDEXES.iter().zip(conditions) {
            let by = format!("{} {condition}", named(index));
            assert_eq!(rows(&conn, &by), rows(&by_rows, &by), "{count} {by}");
        }
    }
}

#[test]
fn a_filled_database_can_be_written_on() {
    let made = Made::new();
    fill(&made, &grants(3_000, 40, 600)).expect("written");
    let conn = made.checked();
    conn.execute_batch(
        "begin;
         insert into v1_grants
            select id + 10000, resource_type_id, resource_id, entitlement_id,
                principal_resource_type_id, principal_resource_id, external_id, expansion,
                needs_expansion, data, 'other', discovered_at
            from v1_grants;
         delete from v1_grants where id % 3 = 0;
         commit",
    )
    .expect("written on");
    drop(conn);
    let left: i64 = made
        .checked()
        .query_row("select count(*) from v1_grants", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(left, 4_000);
}

#[test]
fn two_rows_with_one_id_are_an_error_that_names_it() {
    let mut grants = grants(2_000, 10, 10);
    grants[1_900].id = "twice\0".to_owned();
    grants[7].id = "twice\0".to_owned();
    let error = fill(&Made::new(), &grants).expect_err("refused");
    assert!(matches!(error, Error::DuplicateId { id, .. } if id == "twice\0"));
}

#[test]
fn what_is_not_finished_leaves_no_thread_behind() {
    let made = Made::new();
    let mut bulk = made.bulk();
    for grant in grants(20_000, 100, 10) {
        bulk.put(&grant.row(), "sync", "now").expect("put");
    }
    drop(bulk);
    made.folder.close().expect("removed");
}

#[test]
fn the_page_for_locks_is_left_out() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("db");
    let file = SystemFiles.open(&path, Open::Create).expect("created");
    let lock_page = u32::try_from((1_u64 << 30) / PAGE_BYTES as u64 + 1).expect("small");
    let mut pages = Pages::new(file, path.clone(), lock_page - 3);
    let number = pages.append(&[1; PAGE_BYTES]).expect("appended");
    assert_eq!(number, lock_page - 2);
    assert_eq!(pages.next_number(), lock_page - 1);
    assert_eq!(pages.number_behind_next(), lock_page + 1);
    pages.append(&[2; PAGE_BYTES]).expect("appended");
    assert_eq!(
        pages.append(&[3; PAGE_BYTES]).expect("appended"),
        lock_page + 1
    );
    assert_eq!(pages.finish().expect("written"), lock_page + 1);
    let size = path.metadata().expect("there").len();
    assert_eq!(size, u64::from(lock_page + 1) * PAGE_BYTES as u64);
}

#[test]
fn tables_with_rows_or_other_indexes_are_left_to_statements() {
    let made = Made::new();
    fill(&made, &grants(1, 1, 1)).expect("written");
    let conn = made.checked();
    assert!(Roots::find(&conn).expect("read").is_none());
    for sql in [
        "create index more on v1_grants (data)",
        "drop index idx_grants_principal_id_v1",
    ] {
        let made = Made::new();
        let conn = Connection::open(made.path()).expect("opens");
        conn.execute_batch(sql).expect("changed");
        assert!(Roots::find(&conn).expect("read").is_none(), "{sql}");
    }
}
