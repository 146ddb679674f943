//! Where sorted rows come from: the page log, or other files.
//!
//! Behind this boundary expanding and writing are the same for both.

use prost_types::Timestamp;

use super::collect::Form;
use super::conflict;
use super::key::{self, Identity};
use super::substitute::Gone;
use super::winners::Winners;
use crate::error::{Error, Result};
use crate::log::PageLog;
use crate::row::Table;
use crate::sort::{Entry, Sorted};

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
    /// How rows of this shape are told apart.
    pub(crate) fn identity(self) -> Identity {
        match self {
            Self::Messages | Self::DatedMessages => Identity::ExternalId,
            Self::Records => Identity::Tuple,
        }
    }
}

impl From<&Form> for Shape {
    fn from(form: &Form) -> Self {
        match form {
            Form::Messages => Self::Messages,
            Form::Records { .. } => Self::Records,
        }
    }
}

/// Entries in order, each key once.
pub(crate) trait Entries {
    /// The next entry, or `None` at the end.
    fn next(&mut self) -> Result<Option<Entry<'_>>>;
    /// How many entries were left out so far, since others took their place.
    fn dropped(&self) -> u64;
}

/// Sorted rows.
pub(crate) trait Origin {
    fn shape(&self) -> Shape;
    /// The rows from `table` on.
    fn rows(&self, table: Table) -> Result<Box<dyn Entries + '_>>;
    /// About how many rows there are.
    fn count(&self) -> u64;
    /// The key of the row that an entry of the list of ids is about.
    fn key_of(&self, id: &Entry<'_>) -> Result<Vec<u8>>;
    /// Whether the row whose key has this hash will not be in the file, since
    /// others were put in its place.
    fn is_gone(&self, _key_hash: u64) -> bool {
        false
    }
    /// When derived grants were found, if rows carry times of their own.
    fn derived_at(&self) -> Option<Timestamp>;
    /// That the row of `entry` is no message of its table.
    fn malformed(&self, entry: &Entry<'_>, source: baton_proto::Error) -> Error;
}

/// The rows of a log.
#[derive(Clone, Copy)]
pub(super) struct LogRows<'a> {
    pub log: &'a PageLog,
    pub rows: &'a Sorted,
    pub losers: Option<&'a Sorted>,
    /// There are rows that no list has.
    pub added: bool,
    pub shape: Shape,
    /// Grants that others were put in the place of.
    pub gone: Option<&'a Gone>,
}

impl Origin for LogRows<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn rows(&self, table: Table) -> Result<Box<dyn Entries + '_>> {
        let from = key::table_byte(table);
        Ok(Box::new(Winners::new(
            self.log,
            self.rows,
            self.losers,
            self.added,
            from,
        )?))
    }

    fn count(&self) -> u64 {
        self.rows.count()
    }

    fn key_of(&self, id: &Entry<'_>) -> Result<Vec<u8>> {
        // What is not in the log brings its key along.
        if !id.data.is_empty() {
            return Ok(id.data.to_vec());
        }
        conflict::identify(self.log, (id.page, id.row)).map(|(_, _, key)| key)
    }

    fn is_gone(&self, key_hash: u64) -> bool {
        self.gone.is_some_and(|gone| gone.contains(&key_hash))
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
