//! Which files can be asked, and which sync of them.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use baton_c1z::{Error as FileError, ReadOptions};
use baton_proto::{Advice, Advise, Code};
use baton_query::{Error, SyncFile};

use crate::support::{FORMATS, World, changed, ended_at, fixture, in_both, open};

fn refused(path: &Path) -> Error {
    SyncFile::open(path, &ReadOptions::default()).unwrap_err()
}

#[test]
fn a_missing_and_an_empty_file_are_refused_alike() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.c1z");
    let empty = folder.path().join("empty.c1z");
    fs::write(&empty, b"").unwrap();
    for path in [&missing, &empty] {
        let error = refused(path);
        assert!(matches!(&error, Error::File(FileError::NoFile { path: at }) if at == path));
        assert_eq!(error.code(), Code::NotFound);
        assert_eq!(error.advice(), [Advice::CheckPath]);
    }
    assert!(!missing.exists());
}

#[test]
fn what_is_no_sync_file_is_refused_as_by_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.c1z");
    fs::write(&path, b"no sync file at all").unwrap();
    assert!(matches!(
        refused(&path),
        Error::File(FileError::NotC1z { .. })
    ));
    assert!(matches!(
        refused(folder.path()),
        Error::File(FileError::NotRegular { .. })
    ));
}

#[test]
fn a_file_that_is_cut_off_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.c1z");
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let bytes = fs::read(fixture(name)).unwrap();
        for length in [8, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..length]).unwrap();
            // Damage at the end of a v3 file may show only when it is read.
            let error = match SyncFile::open(&path, &ReadOptions::default()) {
                Err(e) => e,
                Ok(file) => file.entitlement("none such").unwrap_err(),
            };
            assert_eq!(error.code(), Code::DataLoss, "{name}, {length}: {error}");
            assert_eq!(error.advice(), [Advice::CopyAgain], "{name}, {length}");
        }
    }
}

#[test]
fn a_file_without_a_finished_sync_is_refused() {
    let fixture = fixture("baton-cli/v1-unfinished.c1z");
    let error = refused(&fixture);
    assert!(matches!(
        &error,
        Error::File(FileError::NoFinishedSync { path }) if *path == fixture
    ));
    assert_eq!(error.code(), Code::NotFound);
    // There is no finished sync that could be chosen.
    assert_eq!(error.advice(), [Advice::CheckPath]);
}

#[test]
fn the_newest_finished_sync_is_asked_and_not_an_unfinished_one() {
    let base = World::small().file(FORMATS[0]);
    let file = changed(
        &base.path,
        "insert into v1_sync_runs (sync_id, started_at, ended_at, sync_token)
           values ('older', '2025-01-01 00:00:00', '2025-01-01 00:00:01', ''),
                  ('unfinished', '2026-01-02 00:00:00', null, '');
         insert into v1_resources (resource_type_id, external_id, data, sync_id, discovered_at)
           select resource_type_id, 'user:' || sync_id || 'x', data, 'older', discovered_at
           from v1_resources where external_id = 'user:u1'",
    );
    let file = file.open();
    assert_eq!(file.sync().id, "3MVxu1fAkCi8scufhFJpQZ00000");
    assert_eq!(file.ended_at(), ended_at());
    assert_eq!(
        file.principal("user", "Kim Vale").unwrap().display_name,
        "Kim Vale"
    );
}

#[test]
fn the_end_of_the_sync_and_its_connector_are_known() {
    in_both(&World::small(), |file| {
        assert_eq!(file.ended_at(), ended_at());
        assert_eq!(file.connector().unwrap().as_deref(), Some("baton-test"));
    });
    let unnamed = World {
        tool: None,
        ..World::small()
    };
    in_both(&unnamed, |file| assert_eq!(file.connector().unwrap(), None));
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let file = open(&fixture(name));
        assert_eq!(file.connector().unwrap(), None, "{name}");
        assert!(file.ended_at() > SystemTime::UNIX_EPOCH, "{name}");
    }
}
