//! Files that were damaged: an error or the same rows where a checksum covers
//! the damage, and never a panic, a hang, or memory by a size that is only
//! declared.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_pebble::manifest::VersionEdit;
use baton_pebble::table::{
    Footer, Handle, IndexCursor, Layout, PointCursor, PointFormat, Table, column_spans,
    decode_block, pairs, row_spans,
};
use baton_pebble::{Db, Error, FileBytes, MemorySource, Source, batch, log};
use bytes::Bytes;

use crate::fixtures::{ALL, Fixture, rows};

/// A fixed sequence of numbers that look random.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % n
    }
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn read(source: MemorySource) -> Result<Rows, Error> {
    rows(&Db::open(Arc::new(source))?)
}

/// Key, trailer and value.
type Entry = (Vec<u8>, u64, Vec<u8>);

fn entries(content: Bytes) -> Result<Vec<Entry>, Error> {
    let table = Arc::new(Table::open(Arc::new(content), "it")?);
    let mut all = Vec::new();
    table.visit(|key, trailer, value| all.push((key.to_vec(), trailer, value.to_vec())))?;
    Ok(all)
}

fn with(source: &MemorySource, name: &str, content: Vec<u8>) -> MemorySource {
    let mut source = source.clone();
    source.insert(name, content);
    source
}

fn flipped(content: &[u8], bit: usize) -> Vec<u8> {
    let mut content = content.to_vec();
    content[bit / 8] ^= 1 << (bit % 8);
    content
}

fn files(fixture: &Fixture, suffix: &str) -> Vec<(String, Bytes)> {
    let source = fixture.source();
    let names = source.names().into_iter();
    names
        .filter(|name| name.ends_with(suffix))
        .map(|name| {
            let content = source.get(&name).unwrap().clone();
            (name, content)
        })
        .collect()
}

#[test]
fn a_flipped_bit_in_a_table_is_an_error_or_changes_nothing() {
    let mut numbers = Numbers(1);
    for fixture in ALL {
        let source = fixture.source();
        let expected = read(source.clone()).unwrap();
        for (name, content) in files(&fixture, ".sst") {
            let stored = entries(content.clone()).unwrap();
            let mut errors = 0;
            for n in 0..150 {
                // Half of them in the last bytes, where the footer is.
                let from = if n % 2 == 0 { content.len() - 61 } else { 0 };
                let bit = 8 * from + numbers.below(8 * (content.len() - from));
                let damaged = Bytes::from(flipped(&content, bit));
                match entries(damaged.clone()) {
                    Err(_) => errors += 1,
                    Ok(rows) => assert!(rows == stored, "{} {name} bit {bit}", fixture.name),
                }
                if n < 12
                    && let Ok(rows) = read(with(&source, &name, damaged.to_vec()))
                {
                    assert!(rows == expected, "{} {name} bit {bit}", fixture.name);
                }
            }
            assert!(errors > 100);
        }
    }
}

#[test]
fn every_flipped_bit_in_a_manifest_is_an_error() {
    let source = ALL[2].source();
    let name = "MANIFEST-000001";
    let content = source.get(name).unwrap().clone();
    for bit in 0..content.len() * 8 {
        let source = with(&source, name, flipped(&content, bit));
        assert!(Db::open(Arc::new(source)).is_err(), "bit {bit}");
    }
}

#[test]
fn a_manifest_that_is_cut_off_is_an_error_or_an_earlier_state() {
    for fixture in ALL {
        let source = fixture.source();
        let name = "MANIFEST-000001";
        let content = source.get(name).unwrap().clone();
        let mut opened = 0;
        for len in 0..content.len() {
            let source = with(&source, name, content[..len].to_vec());
            if let Ok(db) = Db::open(Arc::new(source)) {
                let _ = rows(&db);
                opened += 1;
            }
        }
        assert!(opened < 10, "only whole records make a state");
    }
}

#[test]
fn a_flipped_bit_in_a_log_is_an_error_or_changes_nothing_before_its_last_record() {
    let mut numbers = Numbers(2);
    for fixture in ALL {
        let source = fixture.source();
        let expected = read(source.clone()).unwrap();
        let name = "000017.log";
        let content = source.get(name).unwrap().clone();
        // The last record of this log starts at 43,899 or 44,131.
        let last = 43_899;
        for _ in 0..120 {
            let bit = numbers.below(8 * content.len());
            let result = read(with(&source, name, flipped(&content, bit)));
            if let (true, Ok(rows)) = (bit / 8 < last, result) {
                assert!(rows == expected, "{} bit {bit}", fixture.name);
            }
        }
    }
}

#[test]
fn a_log_that_is_cut_off_is_an_error_or_an_earlier_state() {
    let mut numbers = Numbers(3);
    for fixture in ALL {
        let source = fixture.source();
        let content = source.get("000017.log").unwrap().clone();
        for _ in 0..20 {
            let len = numbers.below(content.len());
            let source = with(&source, "000017.log", content[..len].to_vec());
            let _ = Db::open(Arc::new(source)).map(|db| rows(&db));
        }
    }
}

#[test]
fn a_log_that_is_not_the_newest_must_end_where_its_writer_closed_it() {
    let source = ALL[2].source();
    // The next log exists, but nothing is in it.
    let next = with(&source, "000019.log", Vec::new());
    let error = Db::open(Arc::new(next)).unwrap_err();
    assert!(
        matches!(&error, Error::Damaged { file, .. } if file == "000017.log"),
        "{error}"
    );
}

#[test]
fn a_table_that_is_cut_off_is_an_error() {
    let mut numbers = Numbers(4);
    for fixture in ALL {
        for (name, content) in files(&fixture, ".sst") {
            for n in 0..80 {
                let len = match n {
                    0..40 => n,
                    40..60 => content.len() - 1 - (n - 40),
                    _ => numbers.below(content.len()),
                };
                assert!(entries(content.slice(..len)).is_err(), "{name} {len}");
            }
        }
    }
}

/// The blocks of a table behind their checksums.
struct Blocks {
    footer: Footer,
    index: Bytes,
    metaindex: Bytes,
    data: Vec<Bytes>,
    spans: Vec<Bytes>,
}

impl Blocks {
    fn of(content: &Bytes) -> Self {
        let tail = content.slice(content.len().saturating_sub(61)..);
        let footer = Footer::parse(&tail, content.len() as u64).unwrap();
        let block = |handle: Handle| {
            let len = usize::try_from(handle.len).unwrap() + 5;
            decode_block(
                &content.read_at(handle.offset, len).unwrap(),
                footer.checksum,
            )
            .unwrap()
        };
        let index = block(footer.index);
        let metaindex = block(footer.metaindex);
        let mut cursor = IndexCursor::new(index.clone(), footer.has_columnar_blocks()).unwrap();
        let mut data = Vec::new();
        while cursor.advance().unwrap() {
            data.push(block(cursor.handle()));
        }
        let layout = if footer.has_columnar_metaindex() {
            Layout::Columns
        } else {
            Layout::Rows
        };
        let mut spans = Vec::new();
        pairs(&metaindex, layout, |name, value| {
            if name == b"rocksdb.range_del2" {
                let number = |at: usize| baton_varint(&value[at..]);
                let (offset, used) = number(0);
                let (len, _) = number(used);
                spans.push(block(Handle { offset, len }));
            }
            Ok(())
        })
        .unwrap();
        Self {
            footer,
            index,
            metaindex,
            data,
            spans,
        }
    }
}

fn baton_varint(bytes: &[u8]) -> (u64, usize) {
    let len = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
    let value = bytes[..len]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    (value, len)
}

/// Reads a block as a table of this version would, whatever it is.
fn decode_all(block: &Bytes, footer: &Footer) {
    let columnar = footer.has_columnar_blocks();
    let most = 200_000;
    if let Ok(mut cursor) = IndexCursor::new(block.clone(), columnar) {
        let mut seen = 0;
        // An index is read by whoever checks that blocks come in order.
        while seen < most && matches!(cursor.advance(), Ok(true)) {
            let _ = cursor.separator();
            seen += 1;
        }
        let _ = cursor.seek(b"k");
    }
    if let Ok(mut cursor) = PointCursor::new(block.clone(), PointFormat::of_version(footer.version))
    {
        let mut seen = 0;
        while let Ok(true) = cursor.advance() {
            let _ = cursor.stored_value();
            seen += 1;
            assert!(seen < most, "a block without end");
        }
        let _ = cursor.seek(b"k");
    }
    if columnar {
        let _ = column_spans(block);
    } else {
        let _ = row_spans(block);
    }
    for layout in [Layout::Rows, Layout::Columns] {
        let _ = pairs(block, layout, |_, _| Ok(()));
    }
}

#[test]
fn flipped_bits_behind_the_checksums_do_not_panic() {
    let mut numbers = Numbers(5);
    for fixture in ALL {
        for (_, content) in files(&fixture, ".sst") {
            let blocks = Blocks::of(&content);
            let others = [blocks.index.clone(), blocks.metaindex.clone()];
            let sample = blocks
                .data
                .iter()
                .step_by(3)
                .chain(&blocks.spans)
                .chain(&others);
            for block in sample {
                for n in 0..30 {
                    // Half of them in the header and the first columns.
                    let within = if n % 2 == 0 {
                        block.len().min(100)
                    } else {
                        block.len()
                    };
                    let mut damaged = flipped(block, numbers.below(8 * within));
                    if n % 5 == 0 {
                        damaged.truncate(numbers.below(block.len()));
                    }
                    decode_all(&damaged.into(), &blocks.footer);
                }
            }
        }
    }
}

#[test]
fn flipped_bits_in_records_behind_the_checksums_do_not_panic() {
    let mut numbers = Numbers(6);
    let source = ALL[2].source();
    let manifest = source.get("MANIFEST-000001").unwrap().clone();
    let mut records = log::Records::of_manifest(manifest);
    while let Some(record) = records.next().unwrap() {
        for bit in 0..8 * record.len() {
            let _ = VersionEdit::parse(&flipped(&record, bit).into());
        }
    }
    let wal = source.get("000017.log").unwrap().clone();
    let mut records = log::Records::of_log(wal, 17);
    while let Some(record) = records.next().unwrap() {
        for _ in 0..100 {
            let record = flipped(&record, numbers.below(8 * record.len()));
            let _ = batch::entries(&record.into(), |_| Ok(()));
        }
    }
}
