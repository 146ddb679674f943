//! The writer against plain SQLite: whatever it leaves behind is read back
//! here without any of this crate's readers.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::time::{Duration, UNIX_EPOCH};

use baton_proto::{Advice, Advise};
use tempfile::TempDir;

use super::*;
use crate::row::{Filter, OwnedRow};
use crate::run::SyncType;
use crate::store::{Query, Store};
use crate::v1::Moment;
use crate::v1::{Reader, unpack};
use crate::{ReadOptions, columns};

/// A folder with a target, and the decompressed copies made from it.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("folder"),
        }
    }

    fn with_fixture(name: &str) -> Self {
        let this = Self::new();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        fs::copy(fixture, this.target()).expect("fixture");
        this
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("sync.c1z")
    }

    fn options(&self, cleanup: Option<Cleanup>) -> WriteOptions {
        WriteOptions {
            target: self.target(),
            saver: Saver::shared(),
            temp_dir: Some(self.folder.path().to_owned()),
            limits: Limits::default(),
            compression_level: 1,
            discovered_at: UNIX_EPOCH + Duration::new(1_800_000_000, 250_000_000),
            cleanup,
            replace_same_sync: false,
        }
    }

    fn writer(&self, id: &str, cleanup: Option<Cleanup>) -> Result<Writer> {
        Writer::begin(self.options(cleanup), &new_run(id))
    }

    fn database(&self) -> Connection {
        let (copy, _) = unpack(&self.target(), &Limits::default(), None).expect("unpacks");
        let bytes = fs::read(copy.file_path()).expect("read");
        let path = self.folder.path().join("copy.db");
        fs::write(&path, bytes).expect("write");
        Connection::open(path).expect("opens")
    }

    fn names(&self) -> Vec<String> {
        fs::read_dir(self.folder.path())
            .expect("folder")
            .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
            .collect()
    }
}

fn new_run(id: &str) -> NewRun {
    NewRun {
        id: id.into(),
        sync_type: SyncType::Full,
        started_at: UNIX_EPOCH + Duration::new(1_800_000_000, 0),
        ended_at: UNIX_EPOCH + Duration::new(1_800_000_060, 0),
        parent_sync_id: String::new(),
        token: r#"{"version":1}"#.into(),
        supports_diff: true,
        ingest_invariant: crate::IngestInvariant::default(),
    }
}

fn grant<'a>(id: &'a str, expansion: Option<&'a [u8]>) -> Row<'a> {
    Row {
        id,
        resource_type_id: "group",
        resource_id: "g1",
        entitlement_id: "group:g1:member",
        principal_type_id: "user",
        principal_id: "u1",
        data: b"\x1a\x01x",
        expansion,
        ..Row::default()
    }
}

fn text(conn: &Connection, sql: &str) -> String {
    conn.query_row(sql, [], |row| row.get(0)).expect(sql)
}

fn ids(conn: &Connection) -> Vec<String> {
    conn.prepare("select sync_id from v1_sync_runs order by id")
        .expect("table")
        .query_map([], |row| row.get(0))
        .expect("query")
        .collect::<rusqlite::Result<_>>()
        .expect("rows")
}

#[test]
fn two_rows_with_one_id_are_refused_and_the_old_file_stays() {
    let bench = Bench::with_fixture("v1-small.c1z");
    let before = fs::read(bench.target()).expect("read");
    // Beside each other, in one batch, and batches apart.
    for others in [0, 5, 100] {
        let mut writer = bench.writer("s", None).expect("begins");
        let between = (0..others).map(|n| format!("other {n}"));
        let ids = ["same".to_owned()].into_iter().chain(between);
        let outcome = ids
            .chain(["same".to_owned()])
            .try_for_each(|id| writer.put(Table::Grants, &grant(&id, None)))
            .and_then(|()| writer.finish(&mut |_| ()));
        match outcome {
            Err(Error::DuplicateId { table, id }) => {
                assert_eq!((table, &*id), (Table::Grants, "same"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read(bench.target()).expect("read"), before);
        assert_eq!(bench.names(), ["sync.c1z"]);
    }
}

#[test]
fn a_sync_id_that_the_target_has_is_refused() {
    let bench = Bench::with_fixture("v1-small.c1z");
    let taken = bench.writer("3MVxu1fAkCi8scufhFJpQZ20696", None);
    assert!(matches!(taken, Err(Error::DuplicateSync { .. })));
    assert!(matches!(
        bench.writer("", None),
        Err(Error::Argument { .. })
    ));
}

#[test]
fn a_v3_target_is_refused_before_anything_is_written() {
    let bench = Bench::with_fixture("v3-small.c1z");
    let refused = bench.writer("s", None).map(|_| ()).expect_err("v3");
    assert!(matches!(refused, Error::FormatChanged { .. }));
    assert_eq!(refused.advice(), [Advice::RunAgain]);
    assert_eq!(bench.names(), ["sync.c1z"]);
}

#[test]
fn a_target_with_a_damaged_database_is_an_error_and_stays() {
    let bench = Bench::with_fixture("v1-small.c1z");
    let root: usize = bench
        .database()
        .query_row(
            "select rootpage from sqlite_master where name = 'v1_grants'",
            [],
            |row| row.get::<_, u32>(0),
        )
        .expect("root") as usize;
    let database = bench.folder.path().join("copy.db");
    let mut bytes = fs::read(&database).expect("read");
    bytes[(root - 1) * 4096..root * 4096].fill(0xff);
    fs::write(&database, bytes).expect("write");
    save_database(&database, &bench.target(), &Saver::shared(), 1, &mut |_| {}).expect("saved");
    fs::remove_file(&database).expect("removed");
    let before = fs::read(bench.target()).expect("read");

    let error = bench.writer("s", None).map(|_| ()).expect_err("damaged");
    assert!(matches!(error, Error::Database { .. }), "{error:?}");
    assert_eq!(fs::read(bench.target()).expect("read"), before);
    assert_eq!(bench.names(), ["sync.c1z"]);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let bench = Bench::new();
    let mut writer = bench.writer("s", None).expect("begins");
    writer.put(Table::Grants, &grant("g", None)).expect("fits");
    drop(writer);
    assert!(bench.names().is_empty());
}

#[test]
fn rows_and_run_are_stored_as_specified() {
    let bench = Bench::new();
    let mut writer = bench.writer("sync-1", None).expect("begins");
    let user = Row {
        id: "user",
        resource_type_id: "user",
        data: b"T",
        ..Row::default()
    };
    let org = Row {
        id: "org",
        resource_type_id: "org",
        data: b"O",
        ..Row::default()
    };
    writer.put(Table::ResourceTypes, &org).expect("fits");
    writer.put(Table::ResourceTypes, &user).expect("fits");
    let resource = Row {
        resource_type_id: "user",
        resource_id: "a:b",
        parent: Some(("org", "")),
        data: b"R",
        ..Row::default()
    };
    writer.put(Table::Resources, &resource).expect("fits");
    writer.put(Table::Grants, &grant("g1", None)).expect("fits");
    writer
        .put(Table::Grants, &grant("g2", Some(b"\n\x01e")))
        .expect("fits");
    for (id, data) in [("a1", &b"png"[..]), ("a2", b"")] {
        let asset = NewAsset {
            id: id.into(),
            content_type: String::new(),
            data: data.into(),
        };
        writer.put_asset(&asset).expect("fits");
    }
    let mut phases = Vec::new();
    let written = writer.finish(&mut |p| phases.push(p)).expect("written");
    assert!(
        matches!(
            phases[..],
            [Phase::Indexing, Phase::Saving { done_bytes: 0, .. }]
        ),
        "{phases:?}"
    );

    let conn = bench.database();
    assert_eq!(text(&conn, "pragma integrity_check"), "ok");
    assert_eq!(
        text(
            &conn,
            "select group_concat(external_id || ',' || parent_resource_type_id || ',' || parent_resource_id) from v1_resources"
        ),
        "user:a:b,org,"
    );
    assert_eq!(
        text(
            &conn,
            "select group_concat(external_id || hex(ifnull(expansion, '-')) || needs_expansion || discovered_at, ' ') from v1_grants"
        ),
        "g12D02027-01-15 08:00:00.25 g20A016512027-01-15 08:00:00.25"
    );
    assert_eq!(
        text(
            &conn,
            "select group_concat(external_id || content_type) from v1_assets"
        ),
        "a1unknown"
    );
    assert_eq!(
        text(
            &conn,
            "select started_at || '|' || ended_at || '|' || sync_type || sync_token || supports_diff || grants_backfilled from v1_sync_runs"
        ),
        r#"2027-01-15 08:00:00|2027-01-15 08:01:00|full{"version":1}11"#
    );
    assert_eq!(
        text(&conn, "select stats from v1_sync_runs"),
        r#"{"resource_types":2,"resources":1,"grants":2,"resources_by_resource_type":{"org":0,"user":1},"grants_by_resource_type":{"group":2},"assets":1}"#
    );
    assert_eq!(
        written.stats.to_text(),
        text(&conn, "select stats from v1_sync_runs")
    );
}

#[test]
fn earlier_syncs_stay_byte_by_byte_and_old_ones_go() {
    let bench = Bench::with_fixture("v1-multi-sync.c1z");
    let all = ids(&bench.database());
    let dump =
        "select group_concat(id || external_id || hex(data) || sync_id || discovered_at) from
        (select * from v1_grants where sync_id = '3MVxu5SqJsghMXPen1aZOWJ9srT' order by id)";
    let before = text(&bench.database(), dump);
    let mut writer = bench
        .writer(
            "zz-new",
            Some(Cleanup {
                keep_full: 2,
                moment: Moment::Open,
            }),
        )
        .expect("begins");
    // The old database goes as soon as its grants were taken over.
    assert_eq!(
        bench.names().len(),
        4,
        "the target, `copy.db`, the old and the new database"
    );
    writer.put(Table::Grants, &grant("g", None)).expect("fits");
    assert_eq!(bench.names().len(), 3);
    let written = writer.finish(&mut |_| ()).expect("written");

    assert_eq!(written.removed_syncs, [all[0].as_str()]);
    let conn = bench.database();
    assert_eq!(text(&conn, "pragma integrity_check"), "ok");
    let mut expected = all[1..].to_vec();
    expected.push("zz-new".into());
    assert_eq!(ids(&conn), expected);
    assert_eq!(text(&conn, dump), before);
    let gone = format!(
        "select count(*) || '' from v1_grants where sync_id = '{}'",
        all[0]
    );
    assert_eq!(text(&conn, &gone), "0");
    let open = "select group_concat(sync_id || sync_token || ifnull(ended_at, '-')) from v1_sync_runs where ended_at is null";
    assert_eq!(text(&conn, open), format!(r#"{}{{"actions":[]}}-"#, all[4]));
}

#[test]
fn columns_and_tables_of_later_writers_survive() {
    let bench = Bench::with_fixture("v1-small.c1z");
    let conn = bench.database();
    conn.execute_batch(
        "alter table v1_grants add column later text default 'x';
         update v1_grants set later = 'y' where id = 1;
         create table v1_later (a);
         insert into v1_later values (7);
         create view v as select 1;",
    )
    .expect("altered");
    drop(conn);
    let database = bench.folder.path().join("copy.db");
    let path = bench.target();
    let mut options = bench.options(None);
    options.target = path;
    save_database(
        &database,
        &options.target,
        &Saver::shared(),
        options.compression_level,
        &mut |_| {},
    )
    .expect("saved");

    let writer = bench.writer("s", None).expect("begins");
    writer.finish(&mut |_| ()).expect("written");
    let conn = bench.database();
    assert_eq!(
        text(&conn, "select group_concat(later, '') from v1_grants"),
        "yxxxxxxx"
    );
    assert_eq!(text(&conn, "select a || '' from v1_later"), "7");
    assert_eq!(
        text(
            &conn,
            "select count(*) || '' from sqlite_master where type = 'view'"
        ),
        "0"
    );
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let write = || {
        let bench = Bench::new();
        let mut writer = bench.writer("s", None).expect("begins");
        for i in 0..500 {
            writer
                .put(Table::Grants, &grant(&format!("g{i:04}"), None))
                .expect("fits");
        }
        writer.finish(&mut |_| ()).expect("written");
        fs::read(bench.target()).expect("read")
    };
    assert_eq!(write(), write());
}

#[test]
fn schema_and_runs_lie_in_the_first_pages() {
    let bench = Bench::new();
    let mut writer = bench.writer("s", None).expect("begins");
    let data = vec![b'x'; 600];
    for i in 0..20_000 {
        let id = format!("g{i:06}");
        let row = Row {
            data: &data,
            ..grant(&id, None)
        };
        writer.put(Table::Grants, &row).expect("fits");
    }
    writer.finish(&mut |_| ()).expect("written");
    let conn = bench.database();
    let furthest: i64 = conn
        .query_row(
            "select max(pageno) from dbstat where name in ('sqlite_schema', 'v1_sync_runs')",
            [],
            |row| row.get(0),
        )
        .expect("dbstat");
    assert!(furthest < 200, "page {furthest}");
    let free: i64 = conn
        .query_row("pragma freelist_count", [], |row| row.get(0))
        .expect("pragma");
    // What is set aside for tables that stayed empty here.
    assert!(free < 24, "{free} free pages");
}

/// Names and statements of all tables and indexes, without comments and
/// with white space reduced to what separates words.
fn schema(conn: &Connection) -> BTreeMap<String, String> {
    let words = |sql: String| {
        let lines = sql
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default());
        let spaced = lines
            .collect::<Vec<_>>()
            .join(" ")
            .replace('(', " ( ")
            .replace(')', " ) ");
        spaced.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    conn.prepare("select name, sql from sqlite_master")
        .expect("schema")
        .query_map([], |row| Ok((row.get(0)?, words(row.get(1)?))))
        .expect("schema")
        .collect::<rusqlite::Result<_>>()
        .expect("schema")
}

#[test]
fn the_stored_schema_and_settings_equal_gos() {
    let ours = Bench::new();
    ours.writer("s", None)
        .expect("begins")
        .finish(&mut |_| ())
        .expect("written");
    for name in [
        "v1-small.c1z",
        "v1-multi-sync.c1z",
        "atlassian-org/sync.c1z",
    ] {
        let go = Bench::with_fixture(name);
        let (ours, go) = (ours.database(), go.database());
        assert_eq!(schema(&ours), schema(&go), "{name}");
        for pragma in [
            "page_size",
            "encoding",
            "auto_vacuum",
            "user_version",
            "application_id",
            "journal_mode",
        ] {
            let setting = |conn: &Connection| -> rusqlite::types::Value {
                conn.query_row(&format!("pragma {pragma}"), [], |row| row.get(0))
                    .expect(pragma)
            };
            assert_eq!(setting(&ours), setting(&go), "{pragma}");
        }
    }
    // The schema stays the same when a file is added to.
    let again = Bench::with_fixture("v1-small.c1z");
    let before = schema(&again.database());
    again
        .writer("s", None)
        .expect("begins")
        .finish(&mut |_| ())
        .expect("written");
    assert_eq!(schema(&again.database()), before);
}

/// All rows of a sync, table by table.
fn rows_of(path: &Path, sync_id: &str) -> Vec<(Table, OwnedRow)> {
    let (reader, _) = Reader::open(path, &ReadOptions::default()).expect("opens");
    let mut rows = Vec::new();
    for table in Table::ALL {
        let query = Query {
            sync_id: Some(sync_id),
            table,
            filter: &Filter::default(),
        };
        let mut visit = |row: &Row<'_>| {
            rows.push((table, row.to_owned()));
            Ok(ControlFlow::Continue(()))
        };
        reader.scan(&query, &mut visit).expect("scan");
    }
    rows
}

#[test]
fn rows_of_every_fixture_are_written_back_byte_by_byte() {
    for name in [
        "v1-small.c1z",
        "v1-multi-sync.c1z",
        "atlassian-org/sync.c1z",
        "baton-cli/v1-missing-type.c1z",
        "baton-cli/v1-rollback.c1z",
    ] {
        let source = Bench::with_fixture(name);
        for sync_id in ids(&source.database()) {
            let rows = rows_of(&source.target(), &sync_id);
            let copy = Bench::new();
            let mut writer = copy.writer("new", None).expect("begins");
            for (table, row) in &rows {
                writer.put(*table, &row.as_row()).expect("fits");
            }
            let written = writer.finish(&mut |_| ()).expect("written");
            assert_eq!(rows_of(&copy.target(), "new"), rows, "{name} {sync_id}");
            assert_eq!(text(&copy.database(), "pragma integrity_check"), "ok");
            let (reader, _) =
                Reader::open(&source.target(), &ReadOptions::default()).expect("opens");
            let mut counted = reader.compute_stats(Some(&sync_id)).expect("counted");
            counted.assets = 0;
            assert_eq!(written.stats, counted, "{name} {sync_id}");
        }
    }
}

#[test]
fn columns_read_from_messages_are_those_that_go_stored() {
    for name in ["v1-small.c1z", "atlassian-org/sync.c1z"] {
        let source = Bench::with_fixture(name);
        for sync_id in ids(&source.database()) {
            for (table, row) in rows_of(&source.target(), &sync_id) {
                let mut read = columns::read(table, &row.data).expect("reads").to_owned();
                if table == Table::Resources {
                    read.id.clone_from(&row.id);
                }
                read.expansion.clone_from(&row.expansion);
                assert_eq!(read, row);
            }
        }
    }
}
