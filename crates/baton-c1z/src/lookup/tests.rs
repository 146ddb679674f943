//! A look-up over both formats, in memory and with a private file, before and
//! after reading ahead: always the stored object, or the stand-in.

use std::cell::RefCell;
use std::path::PathBuf;

use super::*;
use crate::{C1zFile, ReadOptions, View};

/// Keeps messages; can be made to fail.
#[derive(Default)]
struct Messages {
    /// Ids of resources that cannot be projected.
    unreadable: Vec<String>,
    /// How often an object was projected, by id.
    projected: RefCell<Vec<String>>,
}

impl Projection for &Messages {
    type Value = Option<Vec<u8>>;
    type Error = Error;

    fn found(&self, _: Table, row: &Row<'_>) -> Result<Self::Value, Error> {
        if self.unreadable.contains(&row.id.to_owned()) {
            return Err(Error::Argument {
                what: "object",
                reason: "it cannot be projected",
            });
        }
        self.projected.borrow_mut().push(row.id.to_owned());
        Ok(Some(row.data.to_vec()))
    }

    fn missing(&self, _: Table, _: &str, _: &str) -> Result<Self::Value, Error> {
        Ok(None)
    }

    fn pack(&self, value: &Self::Value, out: &mut Vec<u8>) {
        out.extend_from_slice(value.as_deref().unwrap_or_default());
    }

    fn unpack(&self, bytes: &[u8]) -> Option<Self::Value> {
        Some(Some(bytes.to_vec()))
    }
}

fn open(name: &str, temp_dir: Option<PathBuf>) -> C1zFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let options = ReadOptions {
        temp_dir,
        ..ReadOptions::default()
    };
    C1zFile::open(&path, &options).expect("opens")
}

fn rows(snapshot: &Snapshot<'_>, table: Table) -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    snapshot
        .scan(table, &Filter::default(), &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .expect("read");
    rows
}

fn with<'s, 'm>(
    snapshot: &Snapshot<'s>,
    messages: &'m Messages,
    fetches_before_read_ahead: u64,
    memory_bytes: usize,
) -> Lookup<'s, &'m Messages> {
    let settings = Settings {
        fetches_before_read_ahead,
        memory_bytes,
        temp_dir: snapshot.file().temp_dir(),
    };
    Lookup::with_settings(snapshot.store(), snapshot.sync_id(), messages, settings)
}

const FILES: [&str; 2] = ["atlassian-org/sync.c1z", "atlassian-org/sync-v3.c1z"];

#[test]
fn every_object_is_found_however_it_is_read() {
    let temp = tempfile::tempdir().expect("folder");
    for name in FILES {
        let file = open(name, Some(temp.path().to_owned()));
        let view = file.view(View::AllRows).expect("some rows");
        for (fetches, memory) in [(u64::MAX, 0), (1, usize::MAX), (1, 0), (3, 1000)] {
            let messages = Messages::default();
            let mut lookup = with(&view, &messages, fetches, memory);
            for row in rows(&view, Table::ResourceTypes) {
                let found = lookup.resource_type(&row.id).expect("read");
                assert_eq!(found.as_deref(), Some(&row.data[..]), "{name}");
            }
            for row in rows(&view, Table::Resources) {
                let found = lookup.resource(&row.resource_type_id, &row.resource_id);
                let at = format!("{name} {} after {fetches} in {memory}", row.id);
                assert_eq!(found.expect("read").as_deref(), Some(&row.data[..]), "{at}");
            }
            for row in rows(&view, Table::Entitlements) {
                let found = lookup.entitlement(&row.id).expect("read");
                assert_eq!(found.as_deref(), Some(&row.data[..]), "{name}");
            }
            assert_eq!(lookup.is_complete, fetches < u64::MAX, "{name}");
            assert!(lookup.resource("user", "absent").expect("read").is_none());
            assert!(lookup.resource_type("absent").expect("read").is_none());
            assert!(lookup.entitlement("absent").expect("read").is_none());
        }
    }
}

#[test]
fn an_object_is_projected_once_while_it_is_remembered() {
    for name in FILES {
        let file = open(name, None);
        let view = file.view(View::AllRows).expect("some rows");
        let messages = Messages::default();
        let mut lookup = with(&view, &messages, u64::MAX, 0);
        let types = rows(&view, Table::ResourceTypes);
        for row in types.iter().chain(&types) {
            lookup.resource_type(&row.id).expect("read");
        }
        assert_eq!(messages.projected.borrow().len(), types.len(), "{name}");
    }
}

#[test]
fn an_object_that_cannot_be_projected_fails_only_the_rows_that_refer_to_it() {
    for name in FILES {
        let file = open(name, None);
        let view = file.view(View::AllRows).expect("some rows");
        let resources = rows(&view, Table::Resources);
        let (bad, good) = (&resources[0], &resources[1]);
        let messages = Messages {
            unreadable: vec![bad.id.clone()],
            ..Messages::default()
        };
        for fetches in [1, u64::MAX] {
            let mut lookup = with(&view, &messages, fetches, usize::MAX);
            let found = lookup.resource(&good.resource_type_id, &good.resource_id);
            assert!(found.expect("read").is_some(), "{name}");
            let found = lookup.resource(&bad.resource_type_id, &bad.resource_id);
            assert!(found.is_err(), "{name}");
            assert!(!lookup.is_complete, "{name}");
        }
    }
}

#[test]
fn without_a_private_file_objects_are_fetched_from_the_sync_file() {
    let temp = tempfile::tempdir().expect("folder");
    for name in FILES {
        let gone = temp.path().join("gone");
        std::fs::create_dir(&gone).expect("made");
        let file = open(name, Some(gone.clone()));
        let view = file.view(View::AllRows).expect("some rows");
        let resources = rows(&view, Table::Resources);
        std::fs::remove_dir_all(&gone).expect("removed");
        let messages = Messages::default();
        let mut lookup = with(&view, &messages, 1, 0);
        for row in &resources {
            let found = lookup.resource(&row.resource_type_id, &row.resource_id);
            assert_eq!(found.expect("read").as_deref(), Some(&row.data[..]));
        }
        assert!(!lookup.is_complete, "{name}");
    }
}

#[test]
fn what_is_remembered_stays_within_its_budget() {
    let mut cache = Cache::default();
    let bytes = REMEMBERED_BYTES / 10;
    for n in 0..100 {
        cache.keep("user", &n.to_string(), &Rc::new(n), bytes);
        assert_eq!(cache.get("user", &n.to_string()).map(|v| **v), Some(n));
        assert!(cache.bytes <= REMEMBERED_BYTES);
    }
    assert!(cache.by_type["user"].len() < 10);
}
