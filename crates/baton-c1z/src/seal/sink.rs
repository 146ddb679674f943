//! The boundary between sealing and a format's writer.

use std::path::PathBuf;

use crate::error::Result;
use crate::row::{Row, Table};
use crate::run::{NewAsset, Stats};

use super::plan::SealEvent;

/// A format's writer of one sync. Dropped before [`Sink::finish`], it leaves
/// the target as it was.
pub(crate) trait Sink {
    /// Takes the next row in canonical order, each identity once.
    fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()>;
    /// Takes an asset.
    fn put_asset(&mut self, asset: &NewAsset) -> Result<()>;
    /// Completes the file and puts it in its place.
    fn finish(self: Box<Self>, progress: &mut dyn FnMut(SealEvent)) -> Result<Finished>;
}

/// A complete file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finished {
    pub path: PathBuf,
    pub stats: Stats,
    /// Ids of earlier syncs that were removed.
    pub removed_syncs: Vec<String>,
}
