//! What is visible, against a map that applies all writes in their order.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use baton_pebble::write::{
    Batch, FORMAT_MARKER, MANIFEST_MARKER, MANIFEST_NAME, TableBuilder, TableMeta, log_name,
    manifest, table_name, wal,
};
use baton_pebble::{Db, Error, MemorySource, crc};

use crate::fixtures::rows;
use crate::hostile::Numbers;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

const SET: u64 = 1;
/// An exclusive bound: greatest sequence number, kind of a tombstone.
const EXCLUSIVE: u64 = ((1 << 56) - 1) << 8 | 15;

/// One record of a manifest or log, in one chunk.
fn record(payload: &[u8]) -> Vec<u8> {
    let mut covered = vec![1];
    covered.extend(payload);
    let mut chunk = crc::masked(&covered).to_le_bytes().to_vec();
    chunk.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
    chunk.extend(covered);
    chunk
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend(bytes);
}

fn key(n: usize) -> Vec<u8> {
    format!("key-{:03}", n / 2).into_bytes()[..7 - n % 2].to_vec()
}

fn built(rows: &Rows) -> Vec<u8> {
    let mut builder = TableBuilder::default();
    for (key, value) in rows {
        builder.add(key, value).unwrap();
    }
    builder.finish().bytes
}

/// A directory under construction, and what should be visible in it.
#[derive(Default)]
struct Case {
    source: MemorySource,
    edit: Vec<u8>,
    visible: Rows,
}

impl Case {
    /// A table whose entries all have the number `sequence`, of which only a
    /// window is shown, if there is one.
    fn table(
        &mut self,
        level: u64,
        sequence: u64,
        rows: &Rows,
        window: Option<(&[u8], &[u8], u64)>,
    ) {
        let (Some((first, _)), Some((last, _))) = (rows.first_key_value(), rows.last_key_value())
        else {
            return;
        };
        let bytes = built(rows);
        let number = 100 + sequence;
        let (from, to, trailer) = window.unwrap_or((first, last, SET));
        if window.is_some() {
            for field in [105, number + 1000, bytes.len() as u64] {
                put(&mut self.edit, field);
            }
        }
        for field in [103, level, number, bytes.len() as u64] {
            put(&mut self.edit, field);
        }
        for (user, trailer) in [(from, SET), (to, trailer)] {
            put_bytes(&mut self.edit, &[user, &trailer.to_le_bytes()].concat());
        }
        put(&mut self.edit, sequence);
        put(&mut self.edit, sequence);
        let file = if window.is_some() {
            put(&mut self.edit, 66);
            put(&mut self.edit, number + 1000);
            number + 1000
        } else {
            number
        };
        put(&mut self.edit, 1);
        self.source.insert(table_name(file), bytes);
        for (key, value) in rows {
            let inside = from <= &key[..]
                && if trailer == EXCLUSIVE {
                    &key[..] < to
                } else {
                    &key[..] <= to
                };
            if inside {
                self.visible.insert(key.clone(), value.clone());
            }
        }
    }

    fn open(&mut self, log: &[u8]) -> Db {
        let mut edit = Vec::new();
        put(&mut edit, 1);
        put_bytes(&mut edit, b"leveldb.BytewiseComparator");
        edit.extend(&self.edit);
        self.source.insert(MANIFEST_NAME, record(&edit));
        self.source.insert(MANIFEST_MARKER, &b""[..]);
        self.source.insert(FORMAT_MARKER, &b""[..]);
        self.source.insert(log_name(5000), log.to_vec());
        Db::open(Arc::new(self.source.clone())).unwrap()
    }
}

/// A log of random writes, which are applied to `visible`.
fn random_log(numbers: &mut Numbers, visible: &mut Rows) -> Vec<u8> {
    let mut batch = 100_000u64.to_le_bytes().to_vec();
    let count = numbers.below(60);
    batch.extend(u32::try_from(count).unwrap().to_le_bytes());
    for n in 0..count {
        let (a, b) = (key(numbers.below(200)), key(numbers.below(200)));
        match numbers.below(4) {
            0 => {
                batch.push(0);
                put_bytes(&mut batch, &a);
                visible.remove(&a);
            }
            1 => {
                batch.push(15);
                put_bytes(&mut batch, &a);
                put_bytes(&mut batch, &b);
                visible.retain(|key, _| *key < a || *key >= b);
            }
            _ => {
                batch.push(1);
                let value = format!("log {n}").into_bytes();
                put_bytes(&mut batch, &a);
                put_bytes(&mut batch, &value);
                visible.insert(a, value);
            }
        }
    }
    record(&batch)
}

fn random_case(seed: u64) -> (Db, Rows) {
    let mut numbers = Numbers(seed);
    let mut case = Case::default();
    for n in 0..numbers.below(12) {
        let (start, len) = (numbers.below(150), 1 + numbers.below(60));
        let mut rows = Rows::new();
        for at in start..start + len {
            if numbers.below(3) > 0 {
                rows.insert(key(at), format!("table {n}").into_bytes());
            }
        }
        let (from, to) = (key(start + numbers.below(10)), key(start + len / 2 + 5));
        let window = match numbers.below(3) {
            0 if from < to => Some((&from[..], &to[..], SET)),
            1 if from < to => Some((&from[..], &to[..], EXCLUSIVE)),
            _ => None,
        };
        let level = [0, 0, 1, 6][numbers.below(4)];
        case.table(level, 10 + n as u64, &rows, window);
    }
    let mut visible = std::mem::take(&mut case.visible);
    let log = random_log(&mut numbers, &mut visible);
    (case.open(&log), visible)
}

#[test]
fn the_newest_write_of_a_key_wins_wherever_it_is() {
    for seed in 1..120 {
        let (db, visible) = random_case(seed);
        assert_eq!(rows(&db).unwrap(), visible, "seed {seed}");
        for n in 0..220 {
            let key = key(n);
            let expected = visible.get(&key).map(|value| &value[..]);
            assert_eq!(db.get(&key).unwrap().as_deref(), expected, "seed {seed}");
        }
        let mut iter = db
            .range(Bound::Included(b"key-01"), Bound::Unbounded)
            .unwrap();
        for n in [50, 10, 90, 0, 40, 41, 20] {
            let target = key(n).max(b"key-01".to_vec());
            iter.seek(&key(n)).unwrap();
            for (key, value) in visible.range(target..).take(15) {
                let row = iter.next().unwrap();
                assert_eq!(row, Some((&key[..], &value[..])), "seed {seed}");
            }
        }
    }
}

#[test]
fn a_table_with_keys_outside_of_its_bounds_is_damaged() {
    let table: Rows = (0..20).map(|n| (key(n), b"value".to_vec())).collect();
    let bytes = built(&table);
    let mut source = MemorySource::new();
    let bound = |n| [&key(n)[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat();
    let meta = TableMeta {
        number: 4,
        size: bytes.len() as u64,
        smallest: bound(0),
        largest: bound(10),
    };
    source.insert(MANIFEST_NAME, manifest(&[meta], None, 5, 0));
    source.insert(MANIFEST_MARKER, &b""[..]);
    source.insert(FORMAT_MARKER, &b""[..]);
    source.insert(table_name(4), bytes);
    let error = rows(&Db::open(Arc::new(source)).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn what_this_crate_writes_it_reads() {
    let table: Rows = (0..20_000u32)
        .map(|n| (n.to_be_bytes().to_vec(), vec![7; n as usize % 50]))
        .collect();
    let mut source = MemorySource::new();
    let mut metas = Vec::new();
    let all: Vec<_> = table.iter().collect();
    for (number, rows) in (4..).zip(all.chunks(7_000)) {
        let mut builder = TableBuilder::default();
        for (key, value) in rows {
            builder.add(key, value).unwrap();
        }
        let built = builder.finish();
        metas.push(TableMeta {
            number,
            size: built.bytes.len() as u64,
            smallest: built.smallest,
            largest: built.largest,
        });
        source.insert(table_name(number), built.bytes);
    }
    let mut batch = Batch::default();
    batch.set(&7u32.to_be_bytes(), b"new");
    batch.delete(&8u32.to_be_bytes());
    let (log, last) = wal(&[batch]);
    source.insert(MANIFEST_NAME, manifest(&metas, Some(9), 10, last));
    source.insert(MANIFEST_MARKER, &b""[..]);
    source.insert(FORMAT_MARKER, &b""[..]);
    source.insert(log_name(9), log);
    let db = Db::open(Arc::new(source)).unwrap();
    let mut expected = table.clone();
    expected.insert(7u32.to_be_bytes().to_vec(), b"new".to_vec());
    expected.remove(&8u32.to_be_bytes()[..]);
    assert_eq!(rows(&db).unwrap(), expected);
    assert_eq!(db.tables().count(), 3);
}
