//! The boundary between sealing and a format's writer.

use std::path::PathBuf;

use prost_types::Timestamp;

use crate::error::{Error, Result};
use crate::row::{Row, Table};
use crate::run::{NewAsset, Stats};
use crate::v3;

use super::plan::SealEvent;

/// A format's writer of one sync. Dropped before [`Sink::finish`], it leaves
/// the target as it was.
pub(crate) trait Sink {
    /// Takes the next row in canonical order, each identity once.
    fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()>;
    /// As [`Sink::put`], for rows that were sorted as records of format v3:
    /// the key tuple behind the table's number, and the record.
    fn put_record(&mut self, table: Table, _tuple: &[u8], record: &[u8]) -> Result<()> {
        let mut buffers = v3::RecordBuffers::default();
        let row = v3::read_record(table, record, &mut buffers).map_err(Error::Derived)?;
        self.put(table, &row)
    }
    /// Sets when the rows and assets from here on were found.
    fn set_discovered_at(&mut self, at: Timestamp) -> Result<()>;
    /// Takes an asset.
    fn put_asset(&mut self, asset: &NewAsset) -> Result<()>;
    /// Completes the file and puts it in its place.
    fn finish(self: Box<Self>, progress: &mut dyn FnMut(SealEvent)) -> Result<Finished>;
}

/// Begins the file that is to be written.
pub(crate) type OpenSink<'a> = Box<dyn FnOnce() -> Result<Box<dyn Sink + 'a>> + 'a>;

/// Gives a sink the assets of the sync.
pub(crate) type Assets<'a> = dyn FnMut(&mut dyn Sink) -> Result<()> + 'a;

/// A complete file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finished {
    pub path: PathBuf,
    pub stats: Stats,
    /// Ids of earlier syncs that were removed.
    pub removed_syncs: Vec<String>,
}
