//! Rows of every family in, rows of every family out, compared byte for byte.

use std::collections::BTreeMap;
use std::path::PathBuf;

use baton_pebble::write::{Batch, FORMAT_MARKER, log_name, wal};
use baton_proto::wire;

use super::*;
use crate::store::Store as _;
use crate::v3::reader::Reader;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

const RUN: &str = "3Ft7w0w9IXoHtkQxjiIL28vgRwC";

struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("folder"),
        }
    }

    /// A file whose rows are all in a log.
    fn file(&self, rows: &Rows) -> PathBuf {
        let mut batch = Batch::default();
        for (key, value) in rows {
            batch.set(key, value);
        }
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in [
            (log_name(2), wal(&[batch]).0),
            (FORMAT_MARKER.to_owned(), Vec::new()),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes.as_slice())
                .expect("in memory");
        }
        let mut manifest = Vec::new();
        wire::put_str(&mut manifest, 1, "pebble2");
        wire::put_varint(&mut manifest, 4, 2);
        let mut file = b"C1Z3\0".to_vec();
        let len = u32::try_from(manifest.len()).expect("small");
        file.extend_from_slice(&len.to_be_bytes());
        file.extend_from_slice(&manifest);
        file.extend_from_slice(&tar.into_inner().expect("in memory"));
        let path = self.folder.path().join("sync.c1z");
        std::fs::write(&path, file).expect("written");
        path
    }

    fn open(&self, rows: &Rows, memory_budget_bytes: u64) -> Result<Reader> {
        let options = ReadOptions {
            memory_budget_bytes,
            ..ReadOptions::default()
        };
        Reader::open(&self.file(rows), &options).map(|(reader, _)| reader)
    }

    /// All rows as a reader sees them.
    fn read(&self, rows: &Rows) -> Rows {
        all(&self.open(rows, 0).expect("readable"))
    }
}

fn all(reader: &Reader) -> Rows {
    let mut all = Rows::new();
    reader
        .visit_all(&mut |key, value| {
            all.insert(key.to_vec(), value.to_vec());
            Ok(())
        })
        .expect("rows");
    all
}

fn rows(rows: &[(&[u8], &[u8])]) -> Rows {
    rows.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
}

fn stamps(format: Option<u32>) -> Rows {
    let mut stamps = rows(&[(keys::KEYSPACE_VERSION, &[0, 0, 0, 2])]);
    if let Some(format) = format {
        let format = format.to_be_bytes().to_vec();
        stamps.insert(keys::ENTITLEMENT_ID_FORMAT.to_vec(), format);
    }
    stamps
}

fn run(token: &str) -> Rows {
    let record = storage::SyncRunRecord {
        sync_id: RUN.into(),
        sync_token: token.into(),
        ..Default::default()
    };
    [(keys::RUN.to_vec(), encode::to_vec(&record))].into()
}

fn entitlement(type_id: &str, resource: &str, id: &str) -> Vec<u8> {
    let mut reference = Vec::new();
    wire::put_str(&mut reference, 1, type_id);
    wire::put_str(&mut reference, 2, resource);
    let mut record = Vec::new();
    wire::put_str(&mut record, 2, id);
    wire::put_bytes(&mut record, 3, &reference);
    record
}

fn grant(id: &str, entitlement: &str, principal: &str, expand: bool) -> Vec<u8> {
    let mut of = Vec::new();
    for (number, part) in [(1, "group"), (2, "g1"), (3, entitlement)] {
        wire::put_str(&mut of, number, part);
    }
    let mut to = Vec::new();
    wire::put_str(&mut to, 1, "user");
    wire::put_str(&mut to, 2, principal);
    let mut record = Vec::new();
    wire::put_str(&mut record, 2, id);
    wire::put_bytes(&mut record, 3, &of);
    wire::put_bytes(&mut record, 4, &to);
    wire::put_varint(&mut record, 7, expand.into());
    record
}

#[test]
fn a_file_without_a_stamp_is_new_or_refused() {
    let made = Made::new();
    let foreign = rows(&[(b"\x02x", b"1"), (b"\x04x", b"1")]);
    assert_eq!(made.read(&foreign), foreign);
    for key in [&b"\x03"[..], b"\x03\x01\0a", b"\x03\xffother"] {
        let error = made.open(&rows(&[(key, b"1")]), 0).err().expect("refused");
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
}

#[test]
fn only_data_makes_a_missing_second_stamp_an_earlier_layout() {
    let made = Made::new();
    for format in [None, Some(0)] {
        let mut empty = stamps(format);
        empty.extend(rows(&[(b"\x03\0x", b"1"), (b"\x03\xffidx\0x", b"1")]));
        let reader = made.open(&empty, 0).expect("readable");
        assert_eq!(reader.migration(), None);
        assert_eq!(all(&reader), empty);
        let mut with_run = stamps(format);
        with_run.extend(run(""));
        let reader = made.open(&with_run, 0).expect("readable");
        assert_eq!(reader.migration(), Some(Migration::default()));
    }
}

#[test]
fn what_is_no_entitlement_and_no_grant_is_kept_and_indexes_are_made_anew() {
    let kept = rows(&[
        (b"\x02other", b"0"),
        (b"\x03\x01\0group", b"\x12\x05group"),
        (b"\x03\x02\0group\0g1", b"\x12\x05group"),
        (b"\x03\x05\0asset", b"5"),
        (b"\x03\x07\x01\0org\0o\0group\0g1", b""),
        (b"\x03\x07\x08\0x", b"8"),
        (b"\x03\x07\x0b\0x", b"9"),
        (b"\x03\x08\0x", b"10"),
        (b"\x03\x09\0x", b"11"),
        (b"\x03\x0a\x08\0x", b"12"),
        (b"\x03\x0b\0x", b"13"),
        (b"\x03\xffidx\0name", b"14"),
        (b"\x03\xffzzz", b"15"),
        (b"\x04other", b"16"),
    ]);
    let (e1, e2) = (
        entitlement("group", "g1", "x"),
        entitlement("a", "b", "a:b:y"),
    );
    let g1 = grant("1", "group:g1:member", "u2", false);
    let g2 = grant("2", "group:g1:member", "u1", true);
    let mut old = stamps(None);
    old.extend(kept.clone());
    old.extend(run(
        r#"{"step_durations_ms":{"grants":7},"connector_call_stats":7}"#,
    ));
    old.extend(rows(&[
        (b"\x03\x03\0a:b:y", &e2),
        (b"\x03\x03\0x", &e1),
        (b"\x03\x04\x001", &g1),
        (b"\x03\x04\x002", &g2),
        (b"\x03\xffstats\0", b"old"),
    ]));
    // Rows of indexes that lead nowhere.
    for index in [2, 3, 4, 5, 6, 7] {
        old.insert(vec![3, 7, index, 0, b'x'], Vec::new());
        old.insert(vec![3, 7, index], Vec::new());
    }

    let made = Made::new();
    let mut new = made.read(&old);
    let stats = new.remove(keys::STATS).expect("counts");
    let stats = storage::SyncStatsRecord::decode(stats.as_slice()).expect("a record");
    assert_eq!(
        (stats.resource_types, stats.resources, stats.assets),
        (1, 1, 1)
    );
    assert_eq!((stats.entitlements, stats.grants), (2, 2));
    assert_eq!(stats.sync_id, RUN);
    let mut expected = stamps(Some(2));
    expected.extend(kept);
    expected.insert(keys::RUN.to_vec(), old[keys::RUN].clone());
    expected.extend(rows(&[
        (b"\x03\x03\0a\0b\x001\0y", &e2),
        (b"\x03\x03\0group\0g1\x000\0x", &e1),
        (b"\x03\x04\0group\0g1\x001\0member\0user\0u1", &g2),
        (b"\x03\x04\0group\0g1\x001\0member\0user\0u2", &g1),
        (b"\x03\x07\x04\0user\0u1\0group\0g1\x001\0member", b""),
        (b"\x03\x07\x04\0user\0u2\0group\0g1\x001\0member", b""),
        (b"\x03\x07\x05\0group\0g1\x001\0member\0user\0u1", b""),
    ]));
    assert_eq!(new, expected);
}

#[test]
fn without_a_run_the_old_counts_stay() {
    let mut old = stamps(None);
    old.extend(rows(&[
        (b"\x03\x01\0group", b"\x12\x05group"),
        (keys::STATS, b"old"),
    ]));
    assert_eq!(Made::new().read(&old)[keys::STATS], b"old");
}

#[test]
fn timings_of_the_state_are_among_the_new_counts() {
    let mut stats = Stats::default();
    runs::add_timings(
        &mut stats,
        r#"{"step_durations_ms":{"grants":7},"connector_call_stats":{"a":{"count":2}},"x":1}"#,
    );
    assert_eq!(stats.step_durations_ms["grants"], 7);
    assert_eq!(stats.connector_call_stats["a"].count, 2);
    for odd in ["", "[]", r#"{"step_durations_ms":7}"#] {
        runs::add_timings(&mut stats, odd);
        assert_eq!(stats, Stats::default(), "{odd}");
    }
}

#[test]
fn memory_decides_nothing() {
    let mut old = stamps(None);
    old.extend(run(""));
    for n in 0..3_000 {
        let id = format!("{}", n * 7_919 % 3_000);
        let entitlement_id = format!("group:g1:{}", n % 50);
        // Every third has a twin.
        let principal = format!("u{}", n / 3 * 2);
        let record = grant(&id, &entitlement_id, &principal, n % 2 == 0);
        old.insert([b"\x03\x04\0", id.as_bytes()].concat(), record);
        let key = [b"\x03\x03\0", id.as_bytes()].concat();
        old.insert(key, entitlement("group", &format!("r{n}"), &id));
    }
    let made = Made::new();
    let little = made.open(&old, 1 << 10).expect("readable");
    let much = made.open(&old, 64 << 20).expect("readable");
    assert_eq!(little.migration(), much.migration());
    assert_eq!(all(&little), all(&much));
}

#[test]
fn of_the_current_layout_an_incomplete_index_is_completed() {
    let one = grant("1", "group:g1:member", "u1", true);
    let mut file = stamps(Some(2));
    file.extend(run(""));
    file.extend(rows(&[
        (b"\x03\x04\0group\0g1\x001\0member\0user\0u1", &one),
        (b"\x03\x07\x04\0gone\0x\0group\0g1\x001\0member", b""),
        (b"\x03\x07\x05\0group\0g1\x001\0member\0user\0u1", b""),
        (keys::STATS, b"as it is"),
    ]));
    let made = Made::new();
    assert_eq!(made.read(&file), file);
    let mut pending = file.clone();
    pending.insert(keys::INDEXES_PENDING.to_vec(), Vec::new());
    let mut expected = file;
    expected.remove(&b"\x03\x07\x04\0gone\0x\0group\0g1\x001\0member"[..]);
    expected.insert(
        b"\x03\x07\x04\0user\0u1\0group\0g1\x001\0member".to_vec(),
        Vec::new(),
    );
    assert_eq!(made.read(&pending), expected);
}

#[test]
fn digests_that_are_not_complete_are_left_out() {
    let mut file = stamps(Some(2));
    let digests = rows(&[(b"\x03\x07\x08\0x", b"8"), (b"\x03\x0a\x08\0x", b"12")]);
    file.extend(digests.clone());
    let made = Made::new();
    assert_eq!(made.read(&file), file);
    file.insert(keys::DIGESTS_PENDING.to_vec(), Vec::new());
    assert_eq!(made.read(&file), stamps(Some(2)));
}
