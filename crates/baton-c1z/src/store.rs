//! What a storage format must be able to do so that a file can be read.
//!
//! The one place where the formats meet: everything above it (views, default
//! syncs, cursors) is the same for all of them, everything below knows only
//! its own bytes.

use std::ops::ControlFlow;

use prost_types::Timestamp;

use crate::envelope::Identity;
use crate::error::{Error, Result};
use crate::row::{Filter, OwnedRow, Row, Table};
use crate::run::{Stats, SyncRun};
use crate::way::Way;
use crate::{Capabilities, Format, Migration};

/// Types of principals that one filter may list.
const MAX_PRINCIPAL_TYPES: usize = 1000;

/// Called with each row of a scan; returns whether to continue.
pub(crate) type Visit<'v> = dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>> + 'v;

/// Called with each row of a dated scan, and when it was written.
pub(crate) type VisitDated<'v> = dyn FnMut(&Row<'_>, Option<Timestamp>) -> Result<()> + 'v;

/// Which rows: those of one sync, or of all syncs mixed. A file has no rows of
/// a sync that it does not hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a> {
    pub sync_id: Option<&'a str>,
    pub table: Table,
    pub filter: &'a Filter<'a>,
}

impl Query<'_> {
    /// Refuses what the table cannot be filtered by.
    pub fn check_filter(&self) -> Result<()> {
        let (table, filter) = (self.table, self.filter);
        let grants = table == Table::Grants;
        for (set, known, field) in [
            (
                filter.resource.is_some(),
                table != Table::ResourceTypes,
                "resource",
            ),
            (filter.parent.is_some(), table == Table::Resources, "parent"),
            (filter.entitlement_id.is_some(), grants, "entitlement"),
            (filter.principal.is_some(), grants, "principal"),
            (!filter.principal_types.is_empty(), grants, "principal type"),
        ] {
            if set && !known {
                return Err(Error::Filter { table, field });
            }
        }
        if filter.principal_types.len() > MAX_PRINCIPAL_TYPES {
            return Err(Error::Argument {
                what: "list of principal types",
                reason: "it has more than 1000 entries",
            });
        }
        Ok(())
    }
}

/// How a single row is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    /// By external id.
    Id(&'a str),
    /// A resource by type and id.
    Resource(&'a str, &'a str),
}

/// Rows of one page, and behind which position the next one begins. The
/// position is the format's own.
#[derive(Debug, Default)]
pub(crate) struct StorePage {
    pub rows: Vec<OwnedRow>,
    pub next_after: Option<Vec<u8>>,
}

/// The asset in which a sync records which program wrote it, as JSON.
pub const PROVENANCE_ASSET: &str = "baton.provenance.v1";

/// A file's content, attached to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Media type, `unknown` if its writer gave none.
    pub content_type: String,
    /// Content.
    pub data: Vec<u8>,
}

/// Called with each asset's id, the asset, and when it was written.
pub(crate) type VisitAsset<'v> = dyn FnMut(&str, Asset, Option<Timestamp>) -> Result<()> + 'v;
/// Called with each key and its value.
pub(crate) type VisitSession<'v> = dyn FnMut(&str, &[u8]) -> Result<()> + 'v;

/// An open file of some format.
pub(crate) trait Store: Send {
    fn format(&self) -> Format;
    fn capabilities(&self) -> Capabilities;
    /// How rows were brought into the current layout of the format when the
    /// file was opened; `None` if they were in it.
    fn migration(&self) -> Option<Migration> {
        None
    }
    /// What distinguishes the file from others, if that was not known when it
    /// was opened.
    fn identity(&self) -> Result<Identity> {
        Ok(Identity::default())
    }
    /// All runs in storage order.
    fn runs(&self) -> Result<Vec<SyncRun>>;
    /// Visits rows in storage order, in constant memory.
    fn scan(&self, query: &Query<'_>, visit: &mut Visit<'_>) -> Result<()>;
    /// How a scan finds its rows.
    fn way(&self, query: &Query<'_>) -> Result<Way>;
    /// Whether a scan visits rows in the order of their canonical keys.
    fn is_sorted(&self, query: &Query<'_>) -> Result<bool>;
    /// As [`Store::scan`] of a whole table, with the time at which each row
    /// was written, if that is known.
    fn scan_dated(
        &self,
        sync_id: Option<&str>,
        table: Table,
        visit: &mut VisitDated<'_>,
    ) -> Result<()>;
    /// At most `size` rows behind the position `after`.
    fn page(&self, query: &Query<'_>, size: u32, after: Option<&[u8]>) -> Result<StorePage>;
    fn get(&self, sync_id: Option<&str>, table: Table, key: Key<'_>) -> Result<Option<OwnedRow>>;
    /// As [`Store::get`], but several rows of one key are
    /// [`Error::DuplicateId`] in every format.
    fn get_only(
        &self,
        sync_id: Option<&str>,
        table: Table,
        key: Key<'_>,
    ) -> Result<Option<OwnedRow>> {
        self.get(sync_id, table, key)
    }
    fn count(&self, query: &Query<'_>) -> Result<u64>;
    /// Counts rows, whatever counts are stored.
    fn compute_stats(&self, sync_id: Option<&str>) -> Result<Stats>;
    fn asset(&self, sync_id: Option<&str>, id: &str) -> Result<Option<Asset>>;
    /// Visits all assets, by id or in storage order, with the time at which
    /// each was written.
    fn assets(&self, sync_id: Option<&str>, visit: &mut VisitAsset<'_>) -> Result<()>;
    /// Visits what connectors stored for the sync: keys and values.
    fn sessions(&self, sync_id: Option<&str>, visit: &mut VisitSession<'_>) -> Result<()>;
}
