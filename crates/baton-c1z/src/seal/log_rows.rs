//! The rows of a page log, sorted and without duplicates.

use prost_types::Timestamp;

use super::dedup::Dedup;
use super::duplicate_ids;
use super::key;
use super::replaced::Replaced;
use super::row_source::{RowSource, RowStream, Shape};
use crate::error::{Error, Result};
use crate::log::PageLog;
use crate::row::Table;
use crate::sort::{Entry, Sorted};

/// The rows of a log.
#[derive(Clone, Copy)]
pub(super) struct LogRows<'a> {
    pub log: &'a PageLog,
    pub rows: &'a Sorted,
    /// Keys whose id belongs to a later row under another key.
    pub superseded: Option<&'a Sorted>,
    /// There are rows that no list has.
    pub added: bool,
    pub shape: Shape,
    /// Grants that were replaced by others.
    pub replaced: Option<&'a Replaced>,
}

impl RowSource for LogRows<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn rows(&self, table: Table) -> Result<Box<dyn RowStream + '_>> {
        let from = key::table_byte(table);
        Ok(Box::new(Dedup::new(
            self.log,
            self.rows,
            self.superseded,
            self.added,
            from,
        )?))
    }

    fn count(&self) -> u64 {
        self.rows.count()
    }

    fn key_of(&self, id: &Entry<'_>) -> Result<Vec<u8>> {
        // Only rows that are not in the log come with their key.
        if !id.data.is_empty() {
            return Ok(id.data.to_vec());
        }
        duplicate_ids::identify(self.log, (id.page, id.row)).map(|(_, _, key)| key)
    }

    fn is_replaced(&self, key_hash: u64) -> bool {
        let replaced = self.replaced;
        replaced.is_some_and(|replaced| replaced.contains(key_hash))
    }

    fn derived_at(&self) -> Option<Timestamp> {
        None
    }

    fn malformed(&self, entry: &Entry<'_>, source: baton_proto::Error) -> Error {
        Error::PageRow {
            path: self.log.path().to_owned(),
            table: key::table_of(entry.key).unwrap_or(Table::Grants),
            offset: entry.page + u64::from(entry.row),
            source,
        }
    }
}
