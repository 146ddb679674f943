//! Differences of syncs, against what SQL says of the same tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use baton_c1z::{
    DiffPlan, Error, FileDiffPlan, Fingerprint, PageLog, RewriteOptions, SyncRun, WorkDir,
    diff_files, diff_syncs, recalculate_stats,
};
use baton_proto::{Advice, Advise, Code};
use rusqlite::Connection;

use crate::support::{Folder, MULTI, fixture, open};

const NEW: &str = "3MXvu0000000000000000000000";
const GONE: &str = "3MXvu0000000000000000000001";
const TABLES: [&str; 5] = [
    "v1_resource_types",
    "v1_resources",
    "v1_entitlements",
    "v1_grants",
    "v1_assets",
];

fn options(folder: &Folder) -> RewriteOptions {
    RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000),
        ..RewriteOptions::default()
    }
}

/// A copy of a fixture under its own name, changed by `sql`.
fn changed(folder: &Folder, name: &str, base: &str, sql: &str) -> PathBuf {
    let made = folder.c1z_with(Some(base), |conn| conn.execute_batch(sql).unwrap());
    let path = folder.path().join(name);
    fs::rename(made, &path).unwrap();
    path
}

/// The bare database of a file, open.
fn database(folder: &Folder, path: &Path) -> Connection {
    let bare = folder.path().join("bare.db");
    fs::write(&bare, crate::support::database(path)).unwrap();
    Connection::open(bare).unwrap()
}

fn texts(conn: &Connection, sql: &str) -> BTreeSet<String> {
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn run(path: &Path, id: &str) -> SyncRun {
    let runs = open(path).unwrap().sync_runs().to_vec();
    runs.into_iter().find(|run| run.id == id).unwrap()
}

/// Makes the syncs of a file ones that can be compared with another file's.
const COMPARABLE: &str = "update v1_sync_runs set supports_diff = 1, grants_backfilled = 1;";

/// Columns that the current schema does not have, with names that are no words.
const ODD_COLUMNS: &str = r#"
    alter table v1_grants add column "order" text;
    update v1_grants set "order" = 'kept';
    alter table v1_resources add column "a"", (select 1) --" text;"#;

/// Gives the oldest sync of the fixture fewer rows, and one that only it has,
/// and makes an asset and an expansion of what is new.
const APART: &str = "
    delete from v1_grants where sync_id = '3MVxu8TPzbrXYSgzAZZNFghIhQ9' and id % 2 = 0;
    delete from v1_resources where sync_id = '3MVxu8TPzbrXYSgzAZZNFghIhQ9' and resource_type_id = 'user';
    update v1_grants set expansion = x'0a0161', needs_expansion = 1
        where sync_id = '3MVxu5SqJsghMXPen1aZOWJ9srT';
    update v1_entitlements set data = x'' where sync_id = '3MVxu5SqJsghMXPen1aZOWJ9srT';
    insert into v1_assets (external_id, content_type, data, sync_id, discovered_at)
        values ('logo', 'image/png', x'01', '3MVxu5SqJsghMXPen1aZOWJ9srT', '2026-01-01 00:00:00')";

#[test]
fn a_diff_within_a_file_holds_what_is_new_and_only_that() {
    let folder = Folder::new();
    let path = changed(&folder, "multi.c1z", "v1-multi-sync.c1z", APART);
    let before = open(&path).unwrap().sync_runs().to_vec();
    let plan = DiffPlan {
        path: &path,
        base_sync_id: MULTI[0],
        applied_sync_id: MULTI[1],
        new_sync_id: NEW,
    };
    diff_syncs(&plan, &options(&folder)).unwrap();
    let after = open(&path).unwrap().sync_runs().to_vec();
    assert_eq!(after[..before.len()], before);
    let made = run(&path, NEW);
    assert_eq!(made.sync_type, "partial");
    assert_eq!(made.parent_sync_id, MULTI[0]);
    assert_eq!(made.linked_sync_id, "");
    assert_eq!(made.started_at, made.ended_at);
    assert!(made.is_finished() && !made.supports_diff);
    let conn = database(&folder, &path);
    let mut some = 0;
    for table in TABLES {
        let ids = |sync: &str| {
            let sql = format!("select external_id from {table} where sync_id = '{sync}'");
            texts(&conn, &sql)
        };
        let expected: BTreeSet<_> = ids(MULTI[1]).difference(&ids(MULTI[0])).cloned().collect();
        some += expected.len();
        assert_eq!(ids(NEW), expected, "{table}");
        // As they are, but for what grants expand to.
        let differing = format!(
            "select count(*) from {table} n join {table} a using (external_id)
             where n.sync_id = '{NEW}' and a.sync_id = '{}'
               and (n.data <> a.data or n.discovered_at <> a.discovered_at)",
            MULTI[1]
        );
        let count: i64 = conn.query_row(&differing, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{table}");
    }
    assert!(some > 3, "only {some} rows differ");
    let expanding = format!(
        "select count(*) from v1_grants where sync_id = '{NEW}'
         and (expansion is not null or needs_expansion <> 0)"
    );
    let count: i64 = conn.query_row(&expanding, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
    // The stored counts are those that counting gives.
    let stored: String = conn
        .query_row(
            "select stats from v1_sync_runs where sync_id = ?",
            [NEW],
            |row| row.get(0),
        )
        .unwrap();
    recalculate_stats(&path, Some(NEW), &options(&folder), &mut |new| {
        assert_eq!(new.stats.to_text(), stored);
        assert_eq!(new.stats.assets, 1);
    })
    .unwrap();
    drop(conn);
    fs::remove_file(folder.path().join("bare.db")).unwrap();
    assert_eq!(folder.names(), ["multi.c1z"]);
}

#[test]
fn unfinished_syncs_can_be_compared_within_a_file() {
    let folder = Folder::new();
    let path = changed(&folder, "multi.c1z", "v1-multi-sync.c1z", APART);
    let plan = DiffPlan {
        path: &path,
        base_sync_id: MULTI[0],
        applied_sync_id: MULTI[4],
        new_sync_id: NEW,
    };
    diff_syncs(&plan, &options(&folder)).unwrap();
    assert_eq!(run(&path, NEW).parent_sync_id, MULTI[0]);
}

#[test]
fn what_cannot_be_compared_within_a_file_leaves_it_as_it_was() {
    let folder = Folder::new();
    for (name, base, applied, new, code) in [
        ("v1-multi-sync.c1z", "nope", MULTI[1], NEW, Code::NotFound),
        ("v1-multi-sync.c1z", MULTI[0], "nope", NEW, Code::NotFound),
        (
            "v1-multi-sync.c1z",
            MULTI[0],
            MULTI[1],
            MULTI[2],
            Code::AlreadyExists,
        ),
        ("v3-small.c1z", MULTI[0], MULTI[1], NEW, Code::Unknown),
    ] {
        let before = fs::read(fixture(name)).unwrap();
        let path = folder.file(name, &before);
        let plan = DiffPlan {
            path: &path,
            base_sync_id: base,
            applied_sync_id: applied,
            new_sync_id: new,
        };
        let error = diff_syncs(&plan, &options(&folder)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    assert_eq!(folder.names(), ["v1-multi-sync.c1z", "v3-small.c1z"]);
}

/// Rows of one sync: id, bytes and expansion.
fn rows(conn: &Connection, table: &str, sync: &str) -> BTreeSet<String> {
    let expansion = match table {
        "v1_grants" => "hex(coalesce(expansion, x''))",
        _ => "''",
    };
    let sql = format!(
        "select external_id || ' ' || hex(data) || ' ' || {expansion} || ' ' || discovered_at
         from {table} where sync_id = '{sync}'"
    );
    texts(conn, &sql)
}

/// A row without the time at which it was found, which is two words.
fn without_time(row: &str) -> String {
    row.rsplit_once(' ')
        .unwrap()
        .0
        .rsplit_once(' ')
        .unwrap()
        .0
        .to_owned()
}

#[test]
fn a_diff_between_files_says_what_is_gone_and_what_is_new_or_different() {
    let folder = Folder::new();
    let old = changed(
        &folder,
        "old.c1z",
        "v1-multi-sync.c1z",
        &[COMPARABLE, APART].concat(),
    );
    let new = changed(
        &folder,
        "new.c1z",
        "v1-multi-sync.c1z",
        &[
            COMPARABLE,
            "delete from v1_grants where id % 3 = 1;
             update v1_resources set data = x'' where id % 5 = 0;
             update v1_grants set expansion = x'0a0162' where id % 7 = 0;",
        ]
        .concat(),
    );
    let (old_id, new_id) = (MULTI[0], MULTI[1]);
    let plan = FileDiffPlan {
        old_path: &old,
        old_sync_id: old_id,
        new_path: &new,
        new_sync_id: new_id,
        deletions_sync_id: GONE,
        upserts_sync_id: NEW,
    };
    let old_bytes = fs::read(&old).unwrap();
    diff_files(&plan, &options(&folder)).unwrap();
    assert_eq!(fs::read(&old).unwrap(), old_bytes);

    let runs = open(&new).unwrap().sync_runs().to_vec();
    let [.., gone, upserts] = &runs[..] else {
        panic!("{} runs", runs.len());
    };
    assert_eq!((gone.id.as_str(), upserts.id.as_str()), (GONE, NEW));
    assert_eq!(gone.sync_type, "partial_deletions");
    assert_eq!(upserts.sync_type, "partial_upserts");
    for (run, other) in [(gone, upserts), (upserts, gone)] {
        assert_eq!(run.parent_sync_id, old_id);
        assert_eq!(run.linked_sync_id, other.id);
        assert!(run.supports_diff && run.is_finished());
        assert_eq!(run.sync_token, "");
        assert_eq!(run.started_at, gone.started_at);
        assert_eq!(run.stats, None);
    }

    let olds = database(&folder, &old);
    let before: Vec<_> = TABLES.map(|table| rows(&olds, table, old_id)).to_vec();
    drop(olds);
    let news = database(&folder, &new);
    let (mut deletions, mut changes) = (0, 0);
    for (table, before) in TABLES.iter().zip(before) {
        let after = rows(&news, table, new_id);
        if *table == "v1_assets" {
            assert!(rows(&news, table, NEW).is_empty());
            continue;
        }
        let ids = |rows: &BTreeSet<String>| -> BTreeSet<String> {
            let id = |row: &String| row.split(' ').next().unwrap().to_owned();
            rows.iter().map(id).collect()
        };
        let (old_ids, new_ids) = (ids(&before), ids(&after));
        let contents: BTreeSet<_> = before.iter().map(|row| without_time(row)).collect();
        let gone: BTreeSet<_> = before
            .iter()
            .filter(|row| !new_ids.contains(row.split(' ').next().unwrap()))
            .cloned()
            .collect();
        let different: BTreeSet<_> = after
            .iter()
            .filter(|row| !contents.contains(&without_time(row)))
            .cloned()
            .collect();
        deletions += gone.len();
        changes += different
            .iter()
            .filter(|row| old_ids.contains(row.split(' ').next().unwrap()))
            .count();
        assert_eq!(rows(&news, table, GONE), gone, "{table}");
        assert_eq!(rows(&news, table, NEW), different, "{table}");
    }
    assert!(deletions > 0 && changes > 0, "{deletions} {changes}");
}

#[test]
fn only_marked_syncs_of_v1_files_can_be_compared_between_files() {
    let folder = Folder::new();
    let marked = |backfilled: u8, diff: u8| {
        format!("update v1_sync_runs set supports_diff = {diff}, grants_backfilled = {backfilled}")
    };
    let base = "v1-multi-sync.c1z";
    let good = changed(&folder, "good.c1z", base, &marked(1, 1));
    let plain = changed(&folder, "plain.c1z", base, &marked(1, 0));
    let v3 = folder.file("v3.c1z", &fs::read(fixture("v3-small.c1z")).unwrap());
    for (old, old_id, new, code) in [
        (&plain, MULTI[0], &good, Code::FailedPrecondition),
        (&good, MULTI[0], &plain, Code::FailedPrecondition),
        (&good, "nope", &good, Code::NotFound),
        (&good, MULTI[0], &v3, Code::Unknown),
        (&v3, MULTI[0], &good, Code::Unknown),
    ] {
        let before = fs::read(new).unwrap();
        let plan = FileDiffPlan {
            old_path: old,
            old_sync_id: old_id,
            new_path: new,
            new_sync_id: MULTI[1],
            deletions_sync_id: GONE,
            upserts_sync_id: NEW,
        };
        let error = diff_files(&plan, &options(&folder)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(fs::read(new).unwrap(), before);
    }
    assert_eq!(folder.names(), ["good.c1z", "plain.c1z", "v3.c1z"]);
}

fn between<'a>(old: &'a Path, new: &'a Path) -> FileDiffPlan<'a> {
    FileDiffPlan {
        old_path: old,
        old_sync_id: MULTI[0],
        new_path: new,
        new_sync_id: MULTI[1],
        deletions_sync_id: GONE,
        upserts_sync_id: NEW,
    }
}

fn count(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn columns_of_later_writers_are_copied_whatever_they_are_called() {
    let folder = Folder::new();
    let base = "v1-multi-sync.c1z";
    let path = changed(
        &folder,
        "multi.c1z",
        base,
        &[APART, ";", ODD_COLUMNS].concat(),
    );
    let plan = DiffPlan {
        path: &path,
        base_sync_id: MULTI[0],
        applied_sync_id: MULTI[1],
        new_sync_id: NEW,
    };
    diff_syncs(&plan, &options(&folder)).unwrap();
    let conn = database(&folder, &path);
    let made = format!("select count(*) from v1_grants where sync_id = '{NEW}'");
    assert!(count(&conn, &made) > 0);
    let kept = format!("{made} and \"order\" = 'kept'");
    assert_eq!(count(&conn, &kept), count(&conn, &made));
}

#[test]
fn files_of_which_one_has_a_column_more_can_be_compared() {
    let folder = Folder::new();
    let base = "v1-multi-sync.c1z";
    let more = [COMPARABLE, APART, ";", ODD_COLUMNS].concat();
    for (old, new, kept) in [(COMPARABLE, &more[..], true), (&more, COMPARABLE, false)] {
        let old = changed(&folder, "old.c1z", base, old);
        let new = changed(
            &folder,
            "new.c1z",
            base,
            &[new, "; update v1_grants set expansion = x'0a0162'"].concat(),
        );
        diff_files(&between(&old, &new), &options(&folder)).unwrap();
        let conn = database(&folder, &new);
        let upserts = format!("select count(*) from v1_grants where sync_id = '{NEW}'");
        assert!(count(&conn, &upserts) > 0);
        if kept {
            let kept = format!("{upserts} and \"order\" = 'kept'");
            assert_eq!(count(&conn, &kept), count(&conn, &upserts));
        }
    }
}

#[test]
fn ids_that_are_taken_already_are_refused_before_anything_is_compared() {
    let folder = Folder::new();
    let base = "v1-multi-sync.c1z";
    let old = changed(&folder, "old.c1z", base, COMPARABLE);
    let new = changed(&folder, "new.c1z", base, COMPARABLE);
    let before = fs::read(&new).unwrap();
    for (gone, upserts, taken) in [
        (GONE, GONE, GONE),
        (MULTI[2], NEW, MULTI[2]),
        (GONE, MULTI[1], MULTI[1]),
    ] {
        let plan = FileDiffPlan {
            deletions_sync_id: gone,
            upserts_sync_id: upserts,
            ..between(&old, &new)
        };
        match diff_files(&plan, &options(&folder)) {
            Err(Error::DuplicateSync { path, id }) => {
                assert_eq!((path.as_path(), id.as_str()), (new.as_path(), taken));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read(&new).unwrap(), before);
    }
}

#[test]
fn a_file_that_is_missing_or_empty_is_told_as_such() {
    let folder = Folder::new();
    let good = changed(&folder, "good.c1z", "v1-multi-sync.c1z", COMPARABLE);
    let empty = folder.file("empty.c1z", b"");
    for path in [&folder.path().join("missing.c1z"), &empty] {
        let within = DiffPlan {
            path,
            base_sync_id: MULTI[0],
            applied_sync_id: MULTI[1],
            new_sync_id: NEW,
        };
        for error in [
            diff_syncs(&within, &options(&folder)),
            diff_files(&between(path, &good), &options(&folder)),
            diff_files(&between(&good, path), &options(&folder)),
        ] {
            let error = error.unwrap_err();
            assert_eq!(error.code(), Code::NotFound, "{error}");
            let said = format!("{} does not exist or is empty", path.display());
            assert_eq!(error.to_string(), said);
            assert_eq!(error.advice(), [Advice::CheckPath]);
        }
    }
    assert_eq!(folder.names(), ["empty.c1z", "good.c1z"]);
}

#[test]
fn a_file_that_a_sync_works_on_is_not_changed_in_its_place() {
    let folder = Folder::new();
    let path = changed(&folder, "held.c1z", "v1-multi-sync.c1z", "");
    let before = fs::read(&path).unwrap();
    let options = options(&folder);
    let [older, newer] = newest(&path);
    let plan = DiffPlan {
        path: &path,
        base_sync_id: &older,
        applied_sync_id: &newer,
        new_sync_id: NEW,
    };
    {
        let temp_dir = options.temp_dir.as_deref();
        let _held = WorkDir::locate(&path, temp_dir, options.now).unwrap();
        let busy = [
            diff_syncs(&plan, &options).unwrap_err(),
            recalculate_stats(&path, None, &options, &mut |_| ()).unwrap_err(),
        ];
        for error in busy {
            assert_eq!(error.code(), Code::Aborted, "{error}");
            assert!(matches!(error, Error::Busy { .. }), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    diff_syncs(&plan, &options).unwrap();
    // The lock's folder goes with the lock.
    assert_eq!(folder.names(), ["held.c1z"]);
}

#[test]
fn what_a_stopped_sync_left_stays_beside_a_file_that_is_changed() {
    let folder = Folder::new();
    let path = changed(&folder, "held.c1z", "v1-multi-sync.c1z", "");
    let options = options(&folder);
    let dir = WorkDir::locate(&path, options.temp_dir.as_deref(), options.now).unwrap();
    let (mut log, _) = PageLog::open(&dir, &Fingerprint::default(), options.now, false).unwrap();
    log.mark("any", b"").unwrap();
    let work = dir.path().to_owned();
    drop((log, dir));
    recalculate_stats(&path, None, &options, &mut |_| ()).unwrap();
    assert!(work.join("pages.log").exists());
}

/// The two newest runs of a file.
fn newest(path: &Path) -> [String; 2] {
    let runs = open(path).unwrap().sync_runs().to_vec();
    let ids: Vec<String> = runs.into_iter().rev().take(2).map(|run| run.id).collect();
    [ids[1].clone(), ids[0].clone()]
}
