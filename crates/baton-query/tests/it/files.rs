//! Which files can be asked, and which sync of them.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use baton_c1z::{Error as FileError, Fingerprint, PageLog, ReadOptions, WorkDir};
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
fn a_v3_file_without_a_sync_is_refused() {
    let archive = fs::read(fixture("pebble2/handmade.tar.zst")).unwrap();
    let archive = zstd::decode_all(archive.as_slice()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(archive.as_slice())
        .unpack(folder.path())
        .unwrap();
    let error = refused(&folder.path().join("damage-no-sync-run.c1z"));
    assert!(matches!(
        error,
        Error::File(FileError::NoFinishedSync { .. })
    ));
}

#[test]
fn a_file_whose_next_sync_runs_is_asked_as_it_is() {
    for format in FORMATS {
        let sealed = World::small().file(format);
        let dir = WorkDir::locate(&sealed.path, None, ended_at()).unwrap();
        let (log, _) = PageLog::open(&dir, &Fingerprint::default(), ended_at(), true).unwrap();
        sealed.open().entitlement("group:g1:member").unwrap();
        drop(log);
    }
}

#[test]
fn a_malformed_row_is_an_error_where_it_is_needed() {
    let base = World::small().file(FORMATS[0]);
    let file = changed(
        &base.path,
        "update v1_resources set data = x'1aff' where external_id = 'user:u1';
         update v1_entitlements set data = x'1aff' where external_id = 'group:g2:member'",
    );
    let file = file.open();
    file.entitlement("group:g1:member").unwrap();
    file.principal("user", "u2").unwrap();
    for error in [
        file.principal("user", "u1").unwrap_err(),
        file.principal("user", "Ada Ash").unwrap_err(),
        file.entitlement("group:g2:member").unwrap_err(),
        file.entitlement("jira-users:member").unwrap_err(),
        file.grant("group:g1:member:user:u1").unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::File(FileError::Row { .. })),
            "{error}"
        );
        assert_eq!(error.code(), Code::DataLoss);
    }
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
