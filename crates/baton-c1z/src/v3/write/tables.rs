//! Rows in ascending order of their keys become the tables of a directory.

use baton_pebble::write::{
    FORMAT_MARKER, MANIFEST_MARKER, MANIFEST_NAME, RowError, TableBuilder, TableMeta, manifest,
    table_name,
};

use crate::error::{Error, Result};

/// Size at which a table ends: one page of rows costs one table to read.
const TABLE_BYTES: usize = 8 << 20;
/// A family of keys begins a table of its own where the one before has at
/// least this size, so that what is read when a file is opened is small.
const SHARED_TABLE_BYTES: usize = 512 << 10;
const FIRST_TABLE: u64 = 4;

/// Takes the files of a directory, each whole, in the order of their names.
pub(crate) trait TableSink {
    /// What has taken them all.
    type Done;

    /// Adds a file.
    fn put(&mut self, name: String, bytes: Vec<u8>) -> Result<()>;

    /// Completes the directory.
    fn finish(self) -> Result<Self::Done>;
}

/// A directory being written.
pub(crate) struct Tables<S> {
    sink: S,
    table: TableBuilder,
    done: Vec<TableMeta>,
    next_number: u64,
    /// The second and third byte of the last key: its family.
    family: Option<[u8; 2]>,
}

impl<S: TableSink> Tables<S> {
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            table: empty(),
            done: Vec::new(),
            next_number: FIRST_TABLE,
            family: None,
        }
    }

    /// Adds a row. `false` if its key is not greater than all before it.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        let family = key.get(1..3).and_then(|f| f.try_into().ok());
        let full = self.table.size_bytes() >= TABLE_BYTES;
        let apart = family != self.family && self.table.size_bytes() >= SHARED_TABLE_BYTES;
        if full || apart {
            self.cut()?;
        }
        self.family = family;
        match self.table.add(key, value) {
            Ok(()) => Ok(true),
            Err(RowError::Order) => Ok(false),
            Err(_) => Err(Error::Limit {
                what: "row",
                limit: baton_pebble::write::MAX_ROW_BYTES as u64,
            }),
        }
    }

    /// Completes the directory.
    pub fn finish(mut self) -> Result<S::Done> {
        self.cut()?;
        let manifest = manifest(&self.done, None, self.next_number, 0);
        for (name, bytes) in [
            (MANIFEST_NAME, manifest),
            (FORMAT_MARKER, Vec::new()),
            (MANIFEST_MARKER, Vec::new()),
        ] {
            self.sink.put(name.to_owned(), bytes)?;
        }
        self.sink.finish()
    }

    fn cut(&mut self) -> Result<()> {
        if self.table.is_empty() {
            return Ok(());
        }
        let table = std::mem::replace(&mut self.table, empty()).finish();
        let number = self.next_number;
        self.next_number += 1;
        self.done.push(TableMeta {
            number,
            size: table.bytes.len() as u64,
            smallest: table.smallest,
            largest: table.largest,
        });
        self.sink.put(table_name(number), table.bytes)
    }
}

/// A table with room for what it will hold, index included.
fn empty() -> TableBuilder {
    TableBuilder::with_capacity(TABLE_BYTES + TABLE_BYTES / 64)
}
