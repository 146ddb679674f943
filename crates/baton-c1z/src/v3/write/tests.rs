//! What is written is what the Go tools write, but for when and how it is cut
//! into tables; and what they wrote is read back from our own files.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_pebble::Db;
use baton_proto::wire;

use super::*;
use crate::files::SystemFiles;
use crate::v3::envelope::Envelope;
use crate::{C1zFile, Filter, ReadOptions, View};

type Raw = BTreeMap<Vec<u8>, Vec<u8>>;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Every row of the directory in a file, times of discovery left out.
fn raw(path: &Path) -> Raw {
    let envelope = Envelope::open(path, &ReadOptions::default()).expect("an envelope");
    let db = Db::open(Arc::new(envelope.directory)).expect("a directory");
    let mut rows = db
        .range(Bound::Unbounded, Bound::Unbounded)
        .expect("a range");
    let mut raw = Raw::new();
    while let Some((key, value)) = rows.next().expect("a row") {
        raw.insert(key.to_vec(), timeless(key, value));
    }
    raw
}

fn timeless(key: &[u8], record: &[u8]) -> Vec<u8> {
    let discovered_at = match key.get(1) {
        Some(1) => 6,
        Some(2 | 3) => 8,
        Some(4 | 5) => 5,
        _ => return record.to_vec(),
    };
    wire::without(record, &[discovered_at]).expect("a record")
}

/// Rows and indexes: what both tools must agree on.
fn comparable(raw: &Raw) -> Raw {
    let kept = |key: &[u8]| matches!(key, [3, 1..=4, ..] | [3, 7, 1 | 4 | 5, ..]);
    let rows = raw.iter().filter(|(key, _)| kept(key));
    rows.map(|(k, v)| (k.clone(), v.clone())).collect()
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("folder"),
        }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("out.c1z")
    }

    fn options(&self, encoding: Encoding) -> WriteOptions {
        WriteOptions {
            target: self.target(),
            saver: Saver::shared(),
            place: Place {
                files: Arc::new(SystemFiles),
                dir: self.folder.path().to_owned(),
                name: "",
                budget_bytes: 0,
            },
            encoding,
            compression_level: 1,
            written_at: Timestamp::default(),
        }
    }

    /// Writes the default sync of a file, sorted, into a new one.
    fn rewrite(&self, source: &Path, encoding: Encoding) -> Written {
        let file = C1zFile::open(source, &ReadOptions::default()).expect("a c1z");
        let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(500_000);
        let view = file.view(View::Default { now }).expect("a sync");
        let run = view.sync().expect("one").clone();
        let mut writer = Writer::begin(self.options(encoding), run).expect("begun");
        for table in Table::ALL {
            let mut rows = BTreeMap::new();
            view.scan(table, &Filter::default(), &mut |row| {
                let mut key = Vec::new();
                keys::row(table, row, &mut key);
                rows.insert(key, row.to_owned());
                Ok(ControlFlow::Continue(()))
            })
            .expect("rows");
            for row in rows.values() {
                writer.put(table, &row.as_row()).expect("put");
            }
        }
        writer.finish(&mut |_| ()).expect("finished")
    }
}

const ENCODINGS: [Encoding; 3] = [Encoding::IndexedZstd, Encoding::Tar, Encoding::TarZstd];

#[test]
fn rows_out_of_order_and_rows_without_ids_are_refused_and_leave_no_target() {
    let row = |id| Row {
        id,
        resource_type_id: id,
        ..Row::default()
    };
    let run = || SyncRun {
        id: "3MVxu086Rkx6hm6BDngv7sfZbFs".into(),
        ..SyncRun::default()
    };
    for (first, second) in [("b", "a"), ("a", "a")] {
        let bench = Bench::new();
        let mut writer = Writer::begin(bench.options(Encoding::IndexedZstd), run()).expect("begun");
        writer
            .put(Table::ResourceTypes, &row(first))
            .expect("the first");
        let error = writer.put(Table::ResourceTypes, &row(second));
        assert!(matches!(error, Err(Error::DuplicateId { .. })));
        drop(writer);
        assert!(!bench.target().exists());
    }
    let bench = Bench::new();
    let mut writer = Writer::begin(bench.options(Encoding::IndexedZstd), run()).expect("begun");
    let error = writer.put(Table::ResourceTypes, &row(""));
    assert!(matches!(error, Err(Error::Unstorable { .. })));
    let lacking = [
        ["", "r", "e", "t", "p"],
        ["g", "", "e", "t", "p"],
        ["g", "r", "", "t", "p"],
        ["g", "r", "e", "", "p"],
        ["g", "r", "e", "t", ""],
    ];
    for [type_id, id, entitlement, principal_type, principal] in lacking {
        let grant = Row {
            id: "x",
            resource_type_id: type_id,
            resource_id: id,
            entitlement_id: entitlement,
            principal_type_id: principal_type,
            principal_id: principal,
            ..Row::default()
        };
        let error = writer.put(Table::Grants, &grant);
        assert!(matches!(error, Err(Error::Unstorable { .. })));
    }
    // An entitlement's id may be no more than its resource and a colon.
    let bare = Row {
        id: "g:r:",
        resource_type_id: "g",
        resource_id: "r",
        ..Row::default()
    };
    writer.put(Table::Entitlements, &bare).expect("storable");
}

#[test]
fn records_and_indexes_of_a_v1_file_are_those_that_go_writes() {
    for (v1, v3) in [
        ("v1-small.c1z", "v3-small.c1z"),
        ("atlassian-org/sync.c1z", "atlassian-org/sync-v3.c1z"),
    ] {
        let bench = Bench::new();
        let written = bench.rewrite(&fixture(v1), Encoding::IndexedZstd);
        let mut ours = comparable(&raw(&written.path));
        let mut theirs = comparable(&raw(&fixture(v3)));
        assert_eq!(ours.len(), theirs.len(), "{v1}");
        // Maps inside annotations have no fixed order in the Go tools.
        for raw in [&mut ours, &mut theirs] {
            raw.retain(|key, _| !key.starts_with(&[3, 2]) || !v1.starts_with("v1-small"));
        }
        for ((our_key, ours), (key, theirs)) in ours.iter().zip(&theirs) {
            assert_eq!(our_key, key, "{v1}");
            assert_eq!(ours, theirs, "{v1}: {}", String::from_utf8_lossy(key));
        }
    }
}

#[test]
fn a_v3_file_written_again_has_the_same_rows_in_every_packing() {
    for name in [
        "v3-small.c1z",
        "v3-compacted-fold.c1z",
        "atlassian-org/sync-v3.c1z",
    ] {
        let expected = comparable(&raw(&fixture(name)));
        for encoding in ENCODINGS {
            let bench = Bench::new();
            let written = bench.rewrite(&fixture(name), encoding);
            let raw = raw(&written.path);
            assert!(comparable(&raw) == expected, "{name} {encoding:?}");
            let file = C1zFile::open(&written.path, &ReadOptions::default()).expect("readable");
            let runs = file.sync_runs().to_vec();
            assert_eq!(runs[0].stats.as_ref(), Some(&written.stats), "{name}");
            let old = Old::read(&written.path, &crate::Limits::default()).expect("a manifest");
            assert_eq!((old.encoding, old.sync_ids.len()), (encoding, 1));
        }
    }
}

#[test]
fn the_run_keeps_what_is_known_of_it() {
    let bench = Bench::new();
    let source = fixture("atlassian-org/sync-v3.c1z");
    bench.rewrite(&source, Encoding::IndexedZstd);
    let (ours, theirs) = (raw(&bench.target()), raw(&source));
    assert_eq!(ours.get(keys::RUN), theirs.get(keys::RUN));
}

#[test]
fn equal_rows_give_equal_files() {
    for encoding in ENCODINGS {
        let [a, b] = [Bench::new(), Bench::new()].map(|bench| {
            bench.rewrite(&fixture("v3-small.c1z"), encoding);
            std::fs::read(bench.target()).expect("a file")
        });
        assert!(a == b, "{encoding:?}");
    }
}
