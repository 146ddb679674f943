//! Tables in the row format, version 1 (c1z specification §5.10).
//!
//! Data blocks of about 32 KiB, then one index, properties, metaindex and
//! footer. The table grows in memory; callers cut their rows into tables of
//! some megabytes, which bounds it.

use super::block::{Handle, RowBlock};
use super::{TRAILER, put_varint};

/// Largest row, key and value together, in bytes: blocks stay below 2 GiB.
pub const MAX_ROW_BYTES: usize = 1 << 30;

/// A data block is cut before a row that would make it larger than this.
const BLOCK_BYTES: usize = 32 << 10;
/// Every so many rows of a data block the key is whole.
const RESTART_INTERVAL: usize = 16;
const FOOTER_BYTES: usize = 53;
const CHECKSUM_CRC32C: u8 = 1;
const VERSION: u32 = 1;
const MAGIC: [u8; 8] = [0xf0, 0x9f, 0xaa, 0xb3, 0xf0, 0x9f, 0xaa, 0xb3];

/// Why a row cannot be added to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// Its key is not greater than the one before.
    #[error("rows do not come in the order of their keys, each key once")]
    Order,
    /// It is larger than [`MAX_ROW_BYTES`].
    #[error("a row is larger than the limit of {MAX_ROW_BYTES} bytes")]
    TooLarge,
}

/// A finished table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// The first internal key: user key and trailer.
    pub smallest: Vec<u8>,
    /// The last internal key.
    pub largest: Vec<u8>,
    /// Number of rows.
    pub rows: u64,
}

/// Builds one table from rows in ascending order of their keys.
#[derive(Debug)]
pub struct TableBuilder {
    bytes: Vec<u8>,
    data: RowBlock,
    index: RowBlock,
    index_bytes: Vec<u8>,
    first_key: Vec<u8>,
    last_key: Vec<u8>,
    rows: u64,
    blocks: u64,
    raw_key_bytes: u64,
    raw_value_bytes: u64,
}

impl Default for TableBuilder {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl TableBuilder {
    /// A table without rows, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            data: RowBlock::begin(&[], RESTART_INTERVAL),
            index: RowBlock::begin(&[], 1),
            index_bytes: Vec::new(),
            first_key: Vec::new(),
            last_key: Vec::new(),
            rows: 0,
            blocks: 0,
            raw_key_bytes: 0,
            raw_value_bytes: 0,
        }
    }

    /// Whether no row was added yet.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes so far: what the file will have, but for index and footer.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a row. Its key must be greater than all before it.
    ///
    /// # Errors
    /// If it is not, or if the row is too large; the table is then as before.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), RowError> {
        if self.rows > 0 && key <= self.last_key.as_slice() {
            return Err(RowError::Order);
        }
        if key.len().saturating_add(value.len()) > MAX_ROW_BYTES {
            return Err(RowError::TooLarge);
        }
        let most = self.data.size(&self.bytes) + RowBlock::most_bytes(key, &TRAILER, value);
        if !self.data.is_empty() && most > BLOCK_BYTES {
            self.cut();
        }
        self.data.push(&mut self.bytes, key, &TRAILER, value);
        if self.rows == 0 {
            self.first_key.extend_from_slice(key);
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.rows += 1;
        self.raw_key_bytes += (key.len() + TRAILER.len()) as u64;
        self.raw_value_bytes += value.len() as u64;
        Ok(())
    }

    /// Completes the table. One without rows is valid, but has no bounds and
    /// cannot stand in a MANIFEST.
    pub fn finish(mut self) -> Table {
        if !self.data.is_empty() {
            self.cut();
        }
        let data_bytes = self.bytes.len() as u64;
        let index = append(&mut self.index, &self.index_bytes, &mut self.bytes);
        let properties = self.properties(data_bytes, index);
        let mut block = RowBlock::begin(&self.bytes, usize::MAX);
        for (name, value) in &properties {
            block.push(&mut self.bytes, name.as_bytes(), &[], value);
        }
        let properties = block.finish(&mut self.bytes);
        let mut block = RowBlock::begin(&self.bytes, 1);
        let mut handle = Vec::new();
        properties.put(&mut handle);
        block.push(&mut self.bytes, b"rocksdb.properties", &[], &handle);
        let metaindex = block.finish(&mut self.bytes);
        put_footer(&mut self.bytes, metaindex, index);
        let internal = |mut key: Vec<u8>| {
            key.extend_from_slice(&TRAILER);
            key
        };
        let bounds = [self.first_key, self.last_key];
        let [smallest, largest] = match self.rows {
            0 => Default::default(),
            _ => bounds.map(internal),
        };
        Table {
            bytes: self.bytes,
            smallest,
            largest,
            rows: self.rows,
        }
    }

    /// Ends the current data block and points to it in the index.
    fn cut(&mut self) {
        let mut key = self.data.last_key().to_vec();
        key.extend_from_slice(&TRAILER);
        let handle = self.data.finish(&mut self.bytes);
        let mut value = Vec::with_capacity(16);
        handle.put(&mut value);
        self.index.push(&mut self.index_bytes, &key, &[], &value);
        self.blocks += 1;
    }

    /// Names and values, by name.
    fn properties(&self, data_bytes: u64, index: Handle) -> [(&'static str, Vec<u8>); 14] {
        let number = |n: u64| {
            let mut value = Vec::with_capacity(10);
            put_varint(&mut value, n);
            value
        };
        let text = |text: &str| text.as_bytes().to_vec();
        [
            (
                "rocksdb.block.based.table.index.type",
                0u32.to_le_bytes().to_vec(),
            ),
            ("rocksdb.comparator", text(super::manifest::COMPARER)),
            ("rocksdb.compression", text("NoCompression")),
            ("rocksdb.data.size", number(data_bytes)),
            ("rocksdb.deleted.keys", number(0)),
            ("rocksdb.filter.size", number(0)),
            (
                "rocksdb.index.size",
                number(index.len + Handle::TRAILER_BYTES),
            ),
            ("rocksdb.merge.operands", number(0)),
            ("rocksdb.merge.operator", text("pebble.concatenate")),
            ("rocksdb.num.data.blocks", number(self.blocks)),
            ("rocksdb.num.entries", number(self.rows)),
            ("rocksdb.num.range-deletions", number(0)),
            ("rocksdb.raw.key.size", number(self.raw_key_bytes)),
            ("rocksdb.raw.value.size", number(self.raw_value_bytes)),
        ]
    }
}

/// Appends the entries of a block that was built apart, and completes it.
fn append(block: &mut RowBlock, entries: &[u8], out: &mut Vec<u8>) -> Handle {
    let start = out.len();
    out.extend_from_slice(entries);
    block.move_to(start);
    block.finish(out)
}

fn put_footer(out: &mut Vec<u8>, metaindex: Handle, index: Handle) {
    let start = out.len();
    out.push(CHECKSUM_CRC32C);
    metaindex.put(out);
    index.put(out);
    // Two handles are at most 40 bytes.
    out.resize(start + FOOTER_BYTES - MAGIC.len() - 4, 0);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&MAGIC);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_greater_is_refused_and_changes_nothing() {
        let mut table = TableBuilder::default();
        table.add(b"b", b"1").expect("first");
        for key in [&b"b"[..], b"a", b""] {
            assert!(matches!(table.add(key, b"2"), Err(RowError::Order)));
        }
        table.add(b"c", b"").expect("greater");
        let mut same = TableBuilder::with_capacity(1 << 10);
        same.add(b"b", b"1").expect("first");
        same.add(b"c", b"").expect("greater");
        assert_eq!(table.finish(), same.finish());
    }

    #[test]
    fn bounds_are_the_first_and_last_internal_keys() {
        let mut table = TableBuilder::default();
        table.add(b"", b"1").expect("the empty key is a key");
        table.add(b"z", b"2").expect("greater");
        let table = table.finish();
        assert_eq!(table.smallest, TRAILER);
        assert_eq!(table.largest, b"z\x01\0\0\0\0\0\0\0");
        assert_eq!(table.rows, 2);
    }

    #[test]
    fn blocks_hold_32_kib_or_one_large_row() {
        let mut table = TableBuilder::default();
        table.add(b"a", &vec![1; 100_000]).expect("large");
        for n in 0..2_000u32 {
            let key = [b"b", n.to_be_bytes().as_slice()].concat();
            table.add(&key, &[7; 30]).expect("greater");
        }
        // The open block is not counted.
        assert_eq!(table.blocks, 3);
        let table = table.finish();
        let footer = table.bytes.len() - FOOTER_BYTES;
        assert_eq!(table.bytes[footer], CHECKSUM_CRC32C);
        assert_eq!(table.bytes[footer + 41..][..4], VERSION.to_le_bytes());
        assert_eq!(table.bytes[footer + 45..], MAGIC);
    }

    #[test]
    fn a_table_without_rows_is_whole_but_has_no_bounds() {
        let table = TableBuilder::default().finish();
        assert!(table.smallest.is_empty() && table.largest.is_empty());
        assert!(table.bytes.ends_with(&MAGIC));
    }
}
