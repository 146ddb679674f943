//! Old grants in pages against old grants by statements, as SQLite sees them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::*;
use crate::envelope;
use crate::row::{Filter, Row, Table};
use crate::run::{NewRun, SyncType};
use crate::save::Saver;
use crate::store::{Key, Query, Store};
use crate::v1::front;
use crate::v1::layout::{Grants, create};
use crate::v1::{Cleanup, Moment, Reader, WriteOptions, Writer, unpack};
use crate::{Limits, ReadOptions};

const OLD: [&str; 2] = ["oldest", "older"];
const NEW: &str = "2zqMwKx4k0Gf5sYQJ7mZ0p1a2b3";

struct Made {
    folder: TempDir,
}

impl Made {
    /// A file of two syncs, of the schema as it is now but for `change`.
    fn new(grants: usize, change: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let database = folder.path().join("db");
        let conn = Connection::open(&database).expect("opens");
        for index in create(&conn, Grants::AsRows).expect("tables") {
            conn.execute(&index.sql, []).expect("index");
        }
        for (n, sync) in OLD.iter().enumerate() {
            conn.execute(
                "insert into v1_sync_runs (sync_id, started_at, ended_at, sync_token, grants_backfilled)
                 values (?1, '2026-01-01 00:00:0' || ?2, '2026-01-02 00:00:0' || ?2, '', 1)",
                (sync, i64::try_from(n).expect("small")),
            )
            .expect("run");
        }
        let mut insert = conn
            .prepare(
                "insert into v1_grants (id, resource_type_id, resource_id, entitlement_id,
                    principal_resource_type_id, principal_resource_id, external_id, expansion,
                    needs_expansion, data, sync_id, discovered_at)
                 values (?1, 'group', 'g' || ?1 % 7, 'e' || ?1 % 7, 'user', 'u' || ?1, 'id' || ?1,
                    ?2, ?3, ?4, ?5, '2026-01-01 00:00:00')",
            )
            .expect("statement");
        for n in 0..grants {
            let expansion = (n % 3 == 0).then(|| vec![1; n % 5]);
            let needs = expansion.is_some() && n % 2 == 0;
            let data = vec![7; n * 97 % 6_000];
            // With gaps, as cleanup leaves them.
            insert
                .execute((
                    i64::try_from(n * 3 + 1).expect("small"),
                    expansion,
                    needs,
                    data,
                    OLD[n % 2],
                ))
                .expect("grant");
        }
        drop(insert);
        conn.execute_batch(&format!("drop table reserve; {change}; commit"))
            .expect(change);
        conn.close().map_err(|(_, e)| e).expect("closes");
        let this = Self { folder };
        let content = fs::read(&database).expect("read");
        let mut file = Vec::new();
        envelope::encode(&mut &content[..], content.len() as u64, 1, &mut file).expect("packed");
        fs::write(this.target(), file).expect("written");
        this
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("sync.c1z")
    }

    fn writer(&self, keep_full: u32) -> Writer {
        let options = WriteOptions {
            target: self.target(),
            saver: Saver::shared(),
            temp_dir: None,
            limits: Limits::default(),
            compression_level: 1,
            discovered_at: UNIX_EPOCH + Duration::new(1_800_000_000, 0),
            cleanup: Some(Cleanup {
                keep_full,
                moment: Moment::Open,
            }),
            replace_same_sync: false,
        };
        let run = NewRun {
            id: NEW.into(),
            sync_type: SyncType::Full,
            started_at: UNIX_EPOCH + Duration::new(1_800_000_000, 0),
            ended_at: UNIX_EPOCH + Duration::new(1_800_000_060, 0),
            parent_sync_id: String::new(),
            token: String::new(),
            supports_diff: true,
            ingest_invariant: crate::IngestInvariant::default(),
        };
        Writer::begin(options, &run).expect("begins")
    }

    /// Adds a sync of so many grants.
    fn add(&self, keep_full: u32, grants: usize) {
        let mut writer = self.writer(keep_full);
        for n in 0..grants {
            let id = format!("id{n}");
            let row = Row {
                id: &id,
                resource_type_id: "group",
                resource_id: "g1",
                entitlement_id: "e1",
                principal_type_id: "user",
                principal_id: &id,
                data: b"new",
                expansion: (n % 2 == 0).then_some(&b"x"[..]),
                is_expanded: n % 4 == 0,
                ..Row::default()
            };
            writer.put(Table::Grants, &row).expect("added");
        }
        writer.finish(&mut |_| ()).expect("finished");
    }

    fn database(&self) -> Connection {
        let (copy, _) = unpack(&self.target(), &Limits::default(), None).expect("unpacks");
        let bytes = fs::read(copy.file_path()).expect("read");
        let path = self.folder.path().join("copy.db");
        fs::write(&path, bytes).expect("written");
        Connection::open(path).expect("opens")
    }
}

/// All grants, their numbers and values as text.
fn rows(conn: &Connection, condition: &str) -> Vec<String> {
    conn.prepare(&format!(
        "select id || quote(resource_type_id) || quote(resource_id) || quote(entitlement_id)
            || quote(principal_resource_type_id) || quote(principal_resource_id)
            || quote(external_id) || quote(expansion) || quote(needs_expansion) || quote(hex(data))
            || quote(sync_id) || quote(discovered_at)
         from v1_grants where {condition} order by id"
    ))
    .expect("query")
    .query_map([], |row| row.get(0))
    .expect("rows")
    .collect::<rusqlite::Result<_>>()
    .expect("texts")
}

/// What makes a table one that is known here, or not, with whether it does.
const CHANGES: [(&str, bool); 10] = [
    ("select 1", true),
    // As an SDK before these columns wrote it, and a later one changed it.
    (
        "alter table v1_grants rename to before;
         drop index idx_grants_sync_expansion_v1; drop index idx_grants_sync_needs_expansion_v1;
         drop index idx_grants_entitlement_sync_grant_v1;
         drop index idx_grants_external_sync_v1;
         drop index idx_grants_principal_id_v1;
         drop index idx_grants_entitlement_id_principal_id_v1;
         drop index idx_grants_resource_type_id_resource_id_v1;
         create table v1_grants (id integer primary key, resource_type_id text not null,
            resource_id text not null, entitlement_id text not null,
            principal_resource_type_id text not null, principal_resource_id text not null,
            external_id text not null, data blob not null, sync_id text not null,
            discovered_at datetime not null);
         insert into v1_grants select id, resource_type_id, resource_id, entitlement_id,
            principal_resource_type_id, principal_resource_id, external_id, data, sync_id,
            discovered_at from before;
         alter table v1_grants add column expansion blob;
         alter table v1_grants add column needs_expansion integer not null default 0;
         update v1_grants set (expansion, needs_expansion) =
            (select expansion, needs_expansion from before where before.id = v1_grants.id)
            where id % 2 = 0;
         drop table before;
         create unique index idx_grants_external_sync_v1 on v1_grants (external_id, sync_id)",
        true,
    ),
    ("drop index idx_grants_principal_id_v1", true),
    ("alter table v1_grants add column later text", false),
    ("create index later on v1_grants (data)", false),
    (
        "drop index idx_grants_principal_id_v1;
         create index idx_grants_principal_id_v1 on v1_grants (principal_resource_id)",
        false,
    ),
    ("update v1_grants set id = -5 where id = 4", false),
    (
        "update v1_grants set needs_expansion = 2 where id = 7",
        true,
    ),
    (
        "update v1_grants set resource_id = x'00ff' where id = 7",
        true,
    ),
    ("update v1_grants set data = 'text' where id = 7", true),
];

#[test]
fn grants_of_syncs_that_stay_keep_numbers_and_values_whatever_their_table_is_like() {
    for (change, known) in CHANGES {
        for (old, new) in [(0, 3), (1, 0), (150, 0), (150, 40)] {
            for keep_full in [2, 5] {
                let made = Made::new(old, change);
                let before = made.database();
                before
                    .execute(
                        "attach ? as old",
                        [made.folder.path().join("copy.db").to_str()],
                    )
                    .expect("attached");
                if old > 10 {
                    assert_eq!(fits(&before).expect("looked at"), known, "{change}");
                }
                let stays = if keep_full == 2 {
                    "sync_id = 'older'"
                } else {
                    "1"
                };
                let expected = rows(&before, stays);
                drop(before);
                made.add(keep_full, new);

                let after = made.database();
                let verdict: String = after
                    .query_row("pragma integrity_check", [], |row| row.get(0))
                    .expect("checked");
                assert_eq!(verdict, "ok", "{change} {old} {new}");
                let kept = rows(&after, &format!("sync_id <> '{NEW}'"));
                assert!(kept == expected, "{change} {old} {new} {keep_full}");
                assert_eq!(rows(&after, &format!("sync_id = '{NEW}'")).len(), new);
                let indexes: i64 = after
                    .query_row(
                        "select count(*) from sqlite_master where type = 'index'
                         and tbl_name = 'v1_grants' and name like 'idx%'",
                        [],
                        |row| row.get(0),
                    )
                    .expect("counted");
                assert_eq!(indexes, 7, "{change}");
                assert!(!made.folder.path().join("sync.c1z.tmp").exists());
            }
        }
    }
}

#[test]
fn whatever_is_no_grant_lies_in_front_of_all_grants() {
    let made = Made::new(2_000, "select 1");
    let mut writer = made.writer(5);
    for n in 0..200 {
        let id = format!("t:r{n}");
        let row = Row {
            id: &id,
            resource_type_id: "t",
            resource_id: &id[2..],
            data: b"new",
            ..Row::default()
        };
        writer.put(Table::Resources, &row).expect("added");
    }
    for n in 0..2_000 {
        let id = format!("{n}");
        let row = Row {
            id: &id,
            data: &[7; 2_000],
            ..Row::default()
        };
        writer.put(Table::Grants, &row).expect("added");
    }
    writer.finish(&mut |_| ()).expect("finished");
    let file = fs::File::open(made.target()).expect("opens");
    let options = ReadOptions::default();
    let copy = front::unpack(&made.target(), &file, 512 << 10, &options).expect("unpacks");
    let reader = Reader::of_front(&made.target(), copy.expect("long enough"))
        .expect("opens")
        .expect("of use");
    let filter = Filter::default();
    let query = |table| Query {
        sync_id: Some(NEW),
        table,
        filter: &filter,
    };
    assert_eq!(reader.runs().expect("runs").len(), 3);
    assert_eq!(
        reader.count(&query(Table::Resources)).expect("counted"),
        200
    );
    let key = Key::Resource("t", "r199");
    assert!(
        reader
            .get(Some(NEW), Table::Resources, key)
            .expect("found")
            .is_some()
    );
    assert!(reader.count(&query(Table::Grants)).is_err());
}
