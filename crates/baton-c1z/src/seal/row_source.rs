//! Where sorted rows come from: the page log, or other files.
//!
//! The steps of a seal see this boundary only, so they are the same for both.

use prost_types::Timestamp;

use super::key::Identity;
use crate::error::{Error, Result};
use crate::row::Table;
use crate::sort::Entry;

/// What the data of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A message as it came, `GrantExpandable` included.
    Messages,
    /// A message and what is stored beside it, see [`super::dated`].
    DatedMessages,
    /// A record of format v3.
    Records,
}

impl Shape {
    /// What identifies rows of this shape.
    pub(crate) fn identity(self) -> Identity {
        match self {
            Self::Messages | Self::DatedMessages => Identity::ExternalId,
            Self::Records => Identity::Tuple,
        }
    }
}

/// Entries in order, each key once.
pub(crate) trait RowStream {
    /// The next entry, or `None` at the end.
    fn next(&mut self) -> Result<Option<Entry<'_>>>;
    /// How many duplicates were left out so far.
    fn duplicates(&self) -> u64;
}

/// Sorted rows.
pub(crate) trait RowSource {
    fn shape(&self) -> Shape;
    /// The rows from `table` on.
    fn rows(&self, table: Table) -> Result<Box<dyn RowStream + '_>>;
    /// About how many rows there are.
    fn count(&self) -> u64;
    /// The key of the row that an entry of the list of ids is about.
    fn key_of(&self, id: &Entry<'_>) -> Result<Vec<u8>>;
    /// Whether the row whose key has this hash was replaced by others, and is
    /// not in the file.
    fn is_replaced(&self, _key_hash: u64) -> bool {
        false
    }
    /// When derived grants were found, if rows carry times of their own.
    fn derived_at(&self) -> Option<Timestamp>;
    /// The error of a row that does not decode as its table's message.
    fn malformed(&self, entry: &Entry<'_>, source: baton_proto::Error) -> Error;
}
