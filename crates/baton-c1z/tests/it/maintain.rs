//! Copies of one sync, counts stored anew, the bare database.

use std::fs;
use std::path::Path;

use baton_c1z::{
    C1zFile, Dumped, Error, Filter, OwnedRow, RewriteOptions, SyncType, Table, View, clone_sync,
    dump, recalculate_stats,
};
use baton_proto::{Advice, Advise, Code};

use crate::support::{Folder, MULTI, V1, V3, fixture, open};

fn options(folder: &Folder) -> RewriteOptions {
    RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        ..RewriteOptions::default()
    }
}

fn rows(file: &C1zFile, sync_id: &str) -> Vec<(Table, OwnedRow)> {
    let view = file.view(View::Sync(sync_id)).unwrap();
    let mut all = Vec::new();
    for table in Table::ALL {
        view.scan(table, &Filter::default(), &mut |row| {
            all.push((table, row.to_owned()));
            Ok(std::ops::ControlFlow::Continue(()))
        })
        .unwrap();
    }
    all
}

fn names(folder: &Folder) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What `sqlite3` would say, over the bytes of a bare database.
fn ask(database: &Path, sql: &str) -> String {
    let conn = rusqlite::Connection::open(database).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_cannot_be_cloned_leaves_no_file() {
    let folder = Folder::new();
    let target = folder.path().join("copy.c1z");
    let multi = fixture("v1-multi-sync.c1z");
    let unfinished = fixture("baton-cli/v1-unfinished.c1z");
    for (source, id, code) in [
        (&multi, Some("nope"), Code::NotFound),
        (&multi, Some(MULTI[4]), Code::FailedPrecondition),
        (&unfinished, None, Code::NotFound),
        (&folder.path().join("missing.c1z"), None, Code::NotFound),
        (
            &folder.file("text.c1z", b"no sync file"),
            None,
            Code::InvalidArgument,
        ),
    ] {
        let error = clone_sync(source, id, &target, &options(&folder)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!target.exists());
    }
    let taken = folder.file("taken.c1z", b"");
    let error = clone_sync(&multi, None, &taken, &options(&folder)).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(error.advice(), [Advice::RemoveOrRename]);
    assert_eq!(names(&folder), ["taken.c1z", "text.c1z"]);
}

#[test]
fn a_clone_holds_one_sync_with_all_its_rows_and_the_run_verbatim() {
    for name in V1 {
        let source = open(&fixture(name)).unwrap();
        for run in source.sync_runs().to_vec() {
            if !run.is_finished() {
                continue;
            }
            let folder = Folder::new();
            let target = folder.path().join("copy.c1z");
            let cloned =
                clone_sync(&fixture(name), Some(&run.id), &target, &options(&folder)).unwrap();
            assert_eq!(cloned, run);
            let copy = open(&target).unwrap();
            assert_eq!(
                copy.sync_runs().to_vec(),
                std::slice::from_ref(&run),
                "{name}"
            );
            assert_eq!(rows(&copy, &run.id), rows(&source, &run.id), "{name}");
            assert_eq!(names(&folder), ["copy.c1z"]);
        }
    }
}

#[test]
fn a_clone_has_the_whole_schema_and_is_sound() {
    let folder = Folder::new();
    let target = folder.path().join("copy.c1z");
    let source = fixture("v1-multi-sync.c1z");
    let run = clone_sync(&source, None, &target, &options(&folder)).unwrap();
    assert_eq!(run.kind(), Some(SyncType::Full));
    assert_eq!(run.id, MULTI[1]);
    let database = folder.path().join("copy.db");
    assert_eq!(
        dump(&target, &database, &options(&folder)).unwrap(),
        Dumped::Database
    );
    assert_eq!(ask(&database, "pragma integrity_check"), "ok");
    let original = folder.path().join("original.db");
    dump(&source, &original, &options(&folder)).unwrap();
    let entries = "select group_concat(type || ' ' || name || ' on ' || tbl_name, ';') from
        (select * from sqlite_master where sql is not null order by name)";
    assert_eq!(ask(&database, entries), ask(&original, entries));
    let columns = "select group_concat(m.name || '.' || lower(c.name || ' ' || c.type), ';')
        from (select name from sqlite_master where type = 'table' order by name) m,
        pragma_table_info(m.name) c";
    assert_eq!(ask(&database, columns), ask(&original, columns));
}

#[test]
fn counts_are_stored_anew_and_nothing_else_changes() {
    let folder = Folder::new();
    let path = folder.path().join("sync.c1z");
    fs::copy(fixture("v1-multi-sync.c1z"), &path).unwrap();
    let before = open(&path).unwrap();
    let mut told = Vec::new();
    let count = recalculate_stats(&path, None, &options(&folder), &mut |new| {
        told.push((new.run.id.clone(), new.stats.clone()));
    })
    .unwrap();
    assert_eq!(count, 4);
    let ids: Vec<_> = told.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, &MULTI[..4]);
    let after = open(&path).unwrap();
    for run in after.sync_runs().to_vec() {
        assert_eq!(rows(&after, &run.id), rows(&before, &run.id));
        if let Some((_, stats)) = told.iter().find(|(id, _)| *id == run.id) {
            assert_eq!(run.stats.as_ref(), Some(stats));
            let view = before.view(View::Sync(&run.id)).unwrap();
            assert_eq!(view.recount().unwrap(), *stats);
        }
    }
    assert_eq!(names(&folder), ["sync.c1z"]);
}

#[test]
fn wrong_counts_are_put_right() {
    let folder = Folder::new();
    let database = folder.path().join("x.db");
    dump(&fixture("v1-small.c1z"), &database, &options(&folder)).unwrap();
    let conn = rusqlite::Connection::open(&database).unwrap();
    conn.execute(
        "update v1_sync_runs set stats =
         '{\"resource_types\":1,\"grants\":99,\"step_durations_ms\":{\"grants\":7}}'",
        [],
    )
    .unwrap();
    drop(conn);
    let path = folder.file(
        "sync.c1z",
        &[
            b"C1ZF\0".as_slice(),
            &zstd::encode_all(fs::File::open(&database).unwrap(), 1).unwrap(),
        ]
        .concat(),
    );
    let run = |path: &Path| open(path).unwrap().sync_runs().to_vec().remove(0);
    assert_eq!(run(&path).stats.unwrap().grants, 99);
    let id = run(&path).id;
    let count = recalculate_stats(&path, Some(&id), &options(&folder), &mut |_| ()).unwrap();
    assert_eq!(count, 1);
    let stats = run(&path).stats.unwrap();
    assert_eq!((stats.resource_types, stats.grants), (3, 8));
    // How the sync went is not known from its rows, so it is kept.
    assert_eq!(stats.step_durations_ms.get("grants"), Some(&7));
}

#[test]
fn an_unknown_sync_is_not_counted_and_the_file_stays() {
    let folder = Folder::new();
    let path = folder.path().join("sync.c1z");
    fs::copy(fixture("v1-small.c1z"), &path).unwrap();
    let before = fs::read(&path).unwrap();
    let error = recalculate_stats(&path, Some("nope"), &options(&folder), &mut |_| ()).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(fs::read(&path).unwrap(), before);
    let missing = folder.path().join("missing.c1z");
    assert_eq!(
        recalculate_stats(&missing, None, &options(&folder), &mut |_| ()).unwrap(),
        0
    );
    assert!(!missing.exists());
}

#[test]
fn a_dump_is_the_database_in_a_new_file() {
    let folder = Folder::new();
    let out = folder.path().join("out.db");
    let cut = fs::read(fixture("v1-small.c1z")).unwrap();
    let cut = folder.file("cut.c1z", &cut[..cut.len() - 9]);
    let error = dump(&cut, &out, &options(&folder)).unwrap_err();
    assert!(matches!(error, Error::Compressed { .. }), "{error}");
    assert!(!out.exists());
    dump(&fixture("v1-small.c1z"), &out, &options(&folder)).unwrap();
    assert_eq!(ask(&out, "select count(*) || '' from v1_grants"), "8");
    let before = fs::read(&out).unwrap();
    let error = dump(&fixture("v1-small.c1z"), &out, &options(&folder)).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(fs::read(&out).unwrap(), before);
    let error = dump(&folder.path().join("missing"), &out, &options(&folder)).unwrap_err();
    assert!(matches!(error, Error::NoFile { .. }), "{error}");
}

/// Names and contents of the files in a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_dump_of_v3_is_the_folder_whatever_the_payload() {
    let folder = Folder::new();
    let dumped = |name: &str| {
        let out = folder.path().join(name.replace('/', "-"));
        let made = dump(&fixture(name), &out, &options(&folder)).unwrap();
        assert_eq!(made, Dumped::Folder);
        contents(&out)
    };
    for name in V3 {
        let files = dumped(name);
        let markers = files.iter().filter(|(name, _)| name.starts_with("marker."));
        assert!(markers.count() > 0, "{name}");
        let tables = files.iter().filter(|(file, _)| {
            Path::new(file)
                .extension()
                .is_some_and(|e| e == "sst" || e == "log")
        });
        assert!(
            tables.map(|(_, bytes)| bytes.len()).sum::<usize>() > 1000,
            "{name}"
        );
    }
}

#[test]
fn a_folder_with_something_in_it_is_not_dumped_into() {
    let folder = Folder::new();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let source = fixture("v3-small.c1z");
    dump(&source, &out, &options(&folder)).unwrap();
    let before = contents(&out);
    for taken in [&out, &folder.file("file", b"content")] {
        let error = dump(&source, taken, &options(&folder)).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
    }
    assert!(contents(&out) == before);
    // A damaged file leaves no folder behind.
    let mut bytes = fs::read(&source).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = folder.file("damaged.c1z", &bytes);
    assert!(dump(&damaged, &folder.path().join("new"), &options(&folder)).is_err());
    assert_eq!(names(&folder), ["damaged.c1z", "file", "out"]);
}
