//! Files whose database is built again.

use std::fmt::Write as _;
use std::fs;

use baton_c1z::{Error, Filter, Format, Optimized, RewriteOptions, Table, View, optimize};
use std::ops::ControlFlow;

use crate::support::{Folder, V1, V3, fixture, open};

fn options(folder: &Folder) -> RewriteOptions {
    RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        ..RewriteOptions::default()
    }
}

/// All rows of all syncs, and all runs.
fn content(path: &std::path::Path) -> String {
    let file = open(path).unwrap();
    let mut text = format!("{:?}\n", file.sync_runs());
    for run in file.sync_runs() {
        let view = file.view(View::Sync(&run.id)).unwrap();
        for table in Table::ALL {
            view.scan(table, &Filter::default(), &mut |row| {
                writeln!(text, "{row:?}").unwrap();
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        }
    }
    text
}

/// A v1 file whose database holds much that was removed.
fn with_free_pages(folder: &Folder) -> std::path::PathBuf {
    let database = folder.path().join("made.db");
    let content = fs::read(fixture("v1-multi-sync.c1z")).unwrap();
    fs::write(&database, zstd::decode_all(&content[5..]).unwrap()).unwrap();
    let conn = rusqlite::Connection::open(&database).unwrap();
    conn.execute_batch(
        "insert into v1_assets (external_id, content_type, data, sync_id, discovered_at)
         select 'large', 'x', randomblob(1 << 20), sync_id, '' from v1_sync_runs;
         delete from v1_assets where external_id = 'large';",
    )
    .unwrap();
    conn.close().map_err(|(_, e)| e).unwrap();
    let content = zstd::encode_all(&fs::read(&database).unwrap()[..], 1).unwrap();
    fs::remove_file(&database).unwrap();
    folder.file("sync.c1z", &[b"C1ZF\0", &content[..]].concat())
}

#[test]
fn removed_rows_take_no_space_afterwards_and_all_others_stay() {
    let folder = Folder::new();
    let path = with_free_pages(&folder);
    let (before, rows) = (fs::metadata(&path).unwrap().len(), content(&path));
    assert_eq!(
        optimize(&path, &options(&folder)).unwrap(),
        Optimized::Rewritten
    );
    let after = fs::metadata(&path).unwrap().len();
    assert!(after * 20 < before, "{before} bytes became {after}");
    assert_eq!(content(&path), rows);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn every_v1_file_keeps_its_rows_and_is_sound() {
    for name in V1 {
        let folder = Folder::new();
        let path = folder.file("sync.c1z", &fs::read(fixture(name)).unwrap());
        let rows = content(&path);
        for _ in 0..2 {
            optimize(&path, &options(&folder)).unwrap();
            assert_eq!(content(&path), rows, "{name}");
        }
        let database = folder.path().join("bare.db");
        baton_c1z::dump(&path, &database, &options(&folder)).unwrap();
        let conn = rusqlite::Connection::open(&database).unwrap();
        let sound: String = conn
            .query_row("pragma integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok", "{name}");
    }
}

#[test]
fn files_without_a_database_stay_and_missing_ones_are_not_made() {
    let folder = Folder::new();
    for name in V3 {
        let bytes = fs::read(fixture(name)).unwrap();
        let path = folder.file("sync.c1z", &bytes);
        assert_eq!(open(&path).unwrap().format(), Format::V3);
        let done = optimize(&path, &options(&folder)).unwrap();
        assert_eq!(done, Optimized::NotApplicable);
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
    }
    let missing = folder.path().join("missing.c1z");
    let done = optimize(&missing, &options(&folder)).unwrap();
    assert_eq!(done, Optimized::NotApplicable);
    assert!(!missing.exists());
}

#[test]
fn a_damaged_file_stays_as_it_is() {
    let whole = fs::read(fixture("v1-small.c1z")).unwrap();
    let folder = Folder::new();
    for bytes in [&b"this is no sync file"[..], &whole[..whole.len() / 2]] {
        let path = folder.file("sync.c1z", bytes);
        let error = optimize(&path, &options(&folder)).unwrap_err();
        assert!(!matches!(error, Error::Busy { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{error}");
    }
}
