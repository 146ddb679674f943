//! The hook between sorting and writing, where grants are expanded.

use std::ops::ControlFlow;

use crate::Format;
use crate::error::Result;
use crate::row::{Row, Table};

use super::substitute::Substitutes;

/// What an expander sees: all rows that will be in the file, in canonical
/// order, each id once. May be scanned as often as needed; every scan reads
/// from disk in bounded memory.
pub trait SortedRows {
    /// Visits a table's rows in canonical order. Grants come grouped by the
    /// entitlement.
    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()>;

    /// Visits the grants of one entitlement in canonical order. Those of
    /// others are not read, if there is any grant with an expansion.
    fn scan_entitlement(
        &self,
        entitlement_id: &str,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()>;

    /// How many grants have an expansion ([`Row::expansion`]). 0 only for an
    /// expander that asks to be called nevertheless.
    fn expandable_count(&self) -> u64;
}

/// One change to the grants. Where it belongs is read from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantChange {
    /// A grant that was not there. If one with the same id but another
    /// entitlement or principal is, that one stays and this is left out.
    Insert {
        /// Bytes of the whole `c1.connector.v2.Grant`.
        data: Vec<u8>,
    },
    /// New bytes for a grant that is there: same id, entitlement and
    /// principal. Its expansion stays what it was.
    Replace {
        /// Bytes of the whole `c1.connector.v2.Grant`.
        data: Vec<u8>,
    },
}

/// Grants that were not there, one after the other in canonical order.
pub trait NewGrants: Send {
    /// Goes to the next grant, at first to the first one; `false` at the end.
    fn advance(&mut self) -> Result<bool>;

    /// Makes the bytes of the grant that this stands on.
    fn make(&mut self) -> Result<()>;

    /// The grant that this stands on. Its columns are known at once. Its data
    /// counts after [`NewGrants::make`]: the bytes of the whole
    /// `c1.connector.v2.Grant`, without `GrantExpandable`. Columns must be
    /// what the bytes say, which are not read again.
    fn row(&self) -> Row<'_>;

    /// Begins anew, with the same grants.
    fn rewind(&mut self);
}

/// What an expander made of the grants.
#[non_exhaustive]
pub struct Expansion {
    /// The changes, best in canonical order (it saves a sort). Consumed
    /// before the file is begun.
    pub changes: Box<dyn Iterator<Item = Result<GrantChange>> + Send>,
    /// Further new grants; as with [`GrantChange::Insert`], one with the id of
    /// another grant is left out. They are made while the file is written,
    /// unless there are inserts among the changes too and the format tells
    /// grants apart by their ids.
    pub inserts: Option<Box<dyn NewGrants>>,
    /// What the user should know, passed on in [`super::Sealed`].
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

/// Derives grants from grants. Called once per seal, between sorting and
/// writing, if there is an expandable grant or the expander wants the rows
/// in any case.
pub trait Expander {
    /// Whether [`Expander::expand`] is to be called also when no grant is
    /// expandable, for example to check the rows as a whole.
    fn needs_rows(&self) -> bool {
        false
    }

    /// What [`Expander::expand`] holds the rows of a merge to, as it is stored
    /// with the sync: generation, coverage and mode. Empty texts: nothing.
    fn ingest_invariant(&self, _format: Format) -> [String; 3] {
        <[String; 3]>::default()
    }

    /// What puts grants in the place of others before [`Expander::expand`]
    /// is called, if anything does.
    fn substitutes(&mut self) -> Option<&mut dyn Substitutes> {
        None
    }

    /// Reads the rows and says what changes. An error ends the seal; wrap
    /// foreign ones with [`crate::Error::caller`]. Of several changes to one
    /// grant the first counts.
    fn expand(&mut self, rows: &dyn SortedRows) -> Result<Expansion>;
}

/// An expander that changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoExpansion;

impl Expander for NoExpansion {
    fn expand(&mut self, _rows: &dyn SortedRows) -> Result<Expansion> {
        Ok(Expansion::new(std::iter::empty()))
    }
}
