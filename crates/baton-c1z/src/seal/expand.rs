//! The step that derives grants from grants.

use crate::error::Result;
use crate::row::Row;

use super::sorted_rows::SortedRows;

/// One change to the grants. Its place is read from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantChange {
    /// A new grant. If another grant with the same id exists, on another
    /// entitlement or to another principal, the new one is left out.
    Insert {
        /// Bytes of the whole `c1.connector.v2.Grant`.
        data: Vec<u8>,
    },
    /// New bytes for an existing grant: same id, entitlement and principal.
    /// Its expansion is kept.
    Replace {
        /// Bytes of the whole `c1.connector.v2.Grant`.
        data: Vec<u8>,
    },
}

/// New grants, one after the other in canonical order.
pub trait NewGrants: Send {
    /// Moves to the next grant, at first to the first one; `false` at the end.
    fn advance(&mut self) -> Result<bool>;

    /// Encodes the current grant.
    fn make(&mut self) -> Result<()>;

    /// The current grant. Its columns are always set. Its data is set by
    /// [`NewGrants::make`]: the bytes of the whole `c1.connector.v2.Grant`,
    /// without `GrantExpandable`. Columns must agree with the bytes, which are
    /// not read again.
    fn row(&self) -> Row<'_>;

    /// Returns to the position before the first grant.
    fn rewind(&mut self);
}

/// The result of an [`Expander`].
#[non_exhaustive]
pub struct Expansion {
    /// The changes, best in canonical order, which saves a sort. They are read
    /// before the file is begun.
    pub changes: Box<dyn Iterator<Item = Result<GrantChange>> + Send>,
    /// Further new grants. As with [`GrantChange::Insert`], one with the id of
    /// another grant is left out. They are encoded while the file is written,
    /// unless the changes have inserts too and the format identifies grants by
    /// their ids.
    pub inserts: Option<Box<dyn NewGrants>>,
    /// Warnings for the user, returned in [`super::Sealed`].
    pub warnings: Vec<String>,
}

impl Expansion {
    /// An expansion that makes these changes.
    pub fn new(changes: impl Iterator<Item = Result<GrantChange>> + Send + 'static) -> Self {
        Self {
            changes: Box::new(changes),
            inserts: None,
            warnings: Vec::new(),
        }
    }

    /// The same with these [`Expansion::inserts`].
    #[must_use]
    pub fn with_inserts(mut self, inserts: impl NewGrants + 'static) -> Self {
        self.inserts = Some(Box::new(inserts));
        self
    }

    /// The same with warnings.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }
}

impl std::fmt::Debug for Expansion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expansion")
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Derives grants from grants, in the step between checking and writing.
/// Called once per seal.
pub trait Expander {
    /// Reads the rows and returns the changes. An error ends the seal; wrap
    /// your own with [`crate::Error::caller`]. If a grant is changed more than
    /// once, the first change counts.
    fn expand(&mut self, rows: &dyn SortedRows) -> Result<Expansion>;
}
