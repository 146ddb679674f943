//! The MANIFEST: one edit that names every table (c1z specification §5.11).

use super::log::Records;
use super::{put_bytes, put_varint};

/// The one order of keys that is written and read here: that of their bytes.
pub(super) const COMPARER: &str = "leveldb.BytewiseComparator";

const TAG_COMPARER: u64 = 1;
const TAG_LOG_NUMBER: u64 = 2;
const TAG_NEXT_FILE: u64 = 3;
const TAG_LAST_SEQUENCE: u64 = 4;
const TAG_NEW_TABLE: u64 = 100;
/// All tables are in the bottom level, where none overlaps another.
const BOTTOM_LEVEL: u64 = 6;

/// A table as the MANIFEST names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMeta {
    /// The number in its file name; one that no other file has.
    pub number: u64,
    /// Exact size of the file in bytes.
    pub size: u64,
    /// Its first internal key.
    pub smallest: Vec<u8>,
    /// Its last internal key.
    pub largest: Vec<u8>,
}

/// The content of [`super::MANIFEST_NAME`]: these tables, in ascending order
/// and without overlap, all rows with sequence number 0.
///
/// `log` is the number of the log to replay, if there is one; `next_file` is
/// greater than every number in use; `last_sequence` is that of the log's
/// last row, or 0.
pub fn manifest(
    tables: &[TableMeta],
    log: Option<u64>,
    next_file: u64,
    last_sequence: u64,
) -> Vec<u8> {
    let mut edit = Vec::with_capacity(64 + 128 * tables.len());
    put_varint(&mut edit, TAG_COMPARER);
    put_bytes(&mut edit, COMPARER.as_bytes());
    if let Some(log) = log {
        put_varint(&mut edit, TAG_LOG_NUMBER);
        put_varint(&mut edit, log);
    }
    put_varint(&mut edit, TAG_NEXT_FILE);
    put_varint(&mut edit, next_file);
    put_varint(&mut edit, TAG_LAST_SEQUENCE);
    put_varint(&mut edit, last_sequence);
    for table in tables {
        for number in [TAG_NEW_TABLE, BOTTOM_LEVEL, table.number, table.size] {
            put_varint(&mut edit, number);
        }
        put_bytes(&mut edit, &table.smallest);
        put_bytes(&mut edit, &table.largest);
        // Smallest and largest sequence number: those in the file hold.
        edit.extend_from_slice(&[0, 0]);
    }
    let mut records = Records::default();
    records.push(&edit);
    records.into_bytes()
}
