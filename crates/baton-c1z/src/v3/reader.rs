//! Reads rows, indexes and the run of an open v3 file.
//!
//! Nothing of the tables is read before it is asked for: opening decodes the
//! list of tables and the few bytes of the run. Rows come in key order; the
//! position of a page is the key of its last row.

use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_pebble::{Db, Source as _};
use baton_proto::c1::storage::v3 as storage;
use bytes::Bytes;
use prost::Message;

use super::earlier::{Migration, migrate};
use super::envelope::Envelope;
use super::fault::{damaged, tables_error};
use super::find::{Finder, Learnt};
use super::keys::{self, shown};
use super::layout::{self, Layout};
use super::plan::{Access, Plan};
use super::records::{self, Buffers};
use super::runs;
use super::written_at::discovered_at;
use crate::counts::Counts;
use crate::envelope::Identity;
use crate::error::{Error, Result};
use crate::row::{Filter, OwnedRow, Row, Table};
use crate::run::{Stats, SyncRun};
use crate::stop;
use crate::store::{
    Asset, Key, Query, Store, StorePage, Visit, VisitAsset, VisitDated, VisitSession,
};
use crate::way::Way;
use crate::{Capabilities, Format, ReadOptions, tuple};

/// An open v3 file.
pub(crate) struct Reader {
    path: PathBuf,
    db: Db,
    run: Option<SyncRun>,
    learnt: Learnt,
    /// How the rows were brought into the current layout, if they were not.
    migration: Option<Migration>,
    /// The digests in the file are not complete.
    digests_pending: bool,
}

impl Reader {
    /// Opens the v3 file `path`.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<(Self, Identity)> {
        let envelope = Envelope::open(path, options)?;
        let identity = envelope.identity;
        let names = envelope.directory.names();
        let bytes = names
            .iter()
            .filter_map(|name| envelope.directory.size(name))
            .sum();
        let db = Db::open(Arc::new(envelope.directory)).map_err(|e| tables_error(path, e))?;
        let layout = layout::of(path, &db)?;
        let mut this = Self {
            path: path.to_owned(),
            db,
            run: None,
            learnt: Learnt::default(),
            migration: None,
            digests_pending: false,
        };
        let mut counted = None;
        if layout != Layout::Current {
            let migrated = migrate(path, &this.db, layout, &envelope.limits, options, bytes)?;
            this.db = migrated.db;
            counted = migrated.stats;
            this.migration = Some(migrated.migration);
        }
        this.digests_pending = this.value(keys::DIGESTS_PENDING)?.is_some();
        this.run = this.read_run()?;
        if let Some(run) = &mut this.run {
            // The manifest has the counts without a look at the tables, but
            // only a checksum proves that they are the writer's.
            run.stats = match counted {
                None if envelope.is_manifest_checked && layout == Layout::Current => {
                    runs::stats_of_summary(envelope.runs, &run.id)
                }
                counted => counted,
            };
            if run.stats.is_none() && layout != Layout::ByExternalId {
                let id = run.id.clone();
                let stats = this.read_stats(&id)?;
                if let Some(run) = &mut this.run {
                    run.stats = stats;
                }
            }
        }
        Ok((this, identity))
    }

    /// The run with its counts, if these were made when the file was opened.
    pub(super) fn new_stats(&self) -> Option<(&SyncRun, &Stats)> {
        self.migration?;
        let run = self.run.as_ref()?;
        Some((run, run.stats.as_ref()?))
    }

    fn read_run(&self) -> Result<Option<SyncRun>> {
        let Some(value) = self.value(keys::RUN)? else {
            return Ok(None);
        };
        let record = storage::SyncRunRecord::decode(value)
            .map_err(|_| damaged(&self.path, "its sync run is malformed"))?;
        // Without an id nothing can be of that sync.
        Ok(Some(runs::run(record)).filter(|run| !run.id.is_empty()))
    }

    fn read_stats(&self, id: &str) -> Result<Option<Stats>> {
        // A cache: what cannot be read is counted.
        Ok(self.value(keys::STATS)?.and_then(|value| {
            let record = storage::SyncStatsRecord::decode(value).ok()?;
            runs::stored_stats(record, id)
        }))
    }

    fn value(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.db.get(key).map_err(|e| tables_error(&self.path, e))
    }

    /// Whether rows of the sync `id` are those of this file; all are if no
    /// sync is named.
    pub(super) fn holds(&self, id: Option<&str>) -> bool {
        id.is_none_or(|id| self.is_run(id))
    }

    /// Visits all keys that there are, with their values; without digests that
    /// are not complete.
    pub fn visit_all(&self, visit: &mut VisitRaw<'_>) -> Result<()> {
        let mut rows = self
            .db
            .range(Bound::Unbounded, Bound::Unbounded)
            .map_err(|e| tables_error(&self.path, e))?;
        while let Some((key, value)) = rows.next().map_err(|e| tables_error(&self.path, e))? {
            let is_digest = |prefix: &&[u8]| key.starts_with(prefix);
            if self.digests_pending
                && (key == keys::DIGESTS_PENDING || keys::DIGESTS.iter().any(is_digest))
            {
                continue;
            }
            visit(key, value)?;
        }
        Ok(())
    }

    pub(super) fn finder(&self) -> Finder<'_> {
        Finder {
            path: &self.path,
            db: &self.db,
            learnt: &self.learnt,
        }
    }

    fn plan<'q>(&self, query: &Query<'q>) -> Result<Plan<'q>> {
        Plan::new(query, &self.finder())
    }

    /// Visits the keys of a plan's rows in order; with their values, unless
    /// these lie elsewhere.
    fn walk(&self, plan: &Plan<'_>, visit: &mut Walk<'_>) -> Result<()> {
        let mut row_key = Vec::new();
        for range in &plan.ranges {
            let (lower, upper) = range.bounds();
            let mut keys = self
                .db
                .range(lower, upper)
                .map_err(|e| tables_error(&self.path, e))?;
            while let Some((key, value)) = keys.next().map_err(|e| tables_error(&self.path, e))? {
                stop::check()?;
                let (key, value) = match plan.access {
                    Access::Rows => (key, Some(value)),
                    Access::ByParent(_) => {
                        keys::resource_of_parent(key, &mut row_key)
                            .ok_or_else(|| self.malformed_key())?;
                        (row_key.as_slice(), None)
                    }
                    Access::ByPrincipal => {
                        keys::grant_of_principal(key, &mut row_key)
                            .ok_or_else(|| self.malformed_key())?;
                        (row_key.as_slice(), None)
                    }
                };
                if plan.wants(key) && visit(key, value)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// Whether the file's own sync is `id`.
    pub(super) fn is_run(&self, id: &str) -> bool {
        self.run.as_ref().is_some_and(|run| run.id == id)
    }

    /// Visits the rows of a plan with their keys and records.
    pub(super) fn visit_records(&self, plan: &Plan<'_>, visit: &mut VisitRecord<'_>) -> Result<()> {
        let mut buffers = Buffers::default();
        self.walk(plan, &mut |key, value| {
            let fetched;
            let value = match value {
                Some(value) => value,
                None => {
                    fetched = self
                        .value(key)?
                        .ok_or_else(|| damaged(&self.path, "an index refers to a missing row"))?;
                    &fetched
                }
            };
            let row = self.row(plan.table, key, value, &mut buffers)?;
            visit(key, value, &row)
        })
    }

    fn row<'r>(
        &self,
        table: Table,
        key: &[u8],
        value: &'r [u8],
        buffers: &'r mut Buffers,
    ) -> Result<Row<'r>> {
        records::read(table, value, buffers).map_err(|_| Error::Row {
            path: self.path.clone(),
            table,
            id: shown(key),
            reason: "its content is not a protobuf message",
        })
    }

    fn malformed_key(&self) -> Error {
        damaged(&self.path, "a key in its tables is malformed")
    }

    /// Visits the first parts of the keys of a table's rows.
    fn count_into(&self, counts: &mut Counts, table: Table) -> Result<()> {
        let prefix = keys::table(table);
        let end = keys::behind(&prefix);
        let mut rows = self
            .db
            .range(Bound::Included(&prefix), Bound::Excluded(&end))
            .map_err(|e| tables_error(&self.path, e))?;
        while let Some((key, _)) = rows.next().map_err(|e| tables_error(&self.path, e))? {
            let first = tuple::parts(keys::tuple_of(key)).next().unwrap_or_default();
            let type_id = tuple::unescape(first).ok_or_else(|| self.malformed_key())?;
            counts.add(table, &type_id);
        }
        Ok(())
    }

    fn count_assets(&self) -> Result<i64> {
        let end = keys::behind(keys::ASSETS);
        let mut rows = self
            .db
            .range(Bound::Included(keys::ASSETS), Bound::Excluded(&end))
            .map_err(|e| tables_error(&self.path, e))?;
        let mut n = 0;
        while rows
            .next()
            .map_err(|e| tables_error(&self.path, e))?
            .is_some()
        {
            n += 1;
        }
        Ok(n)
    }
}

/// Called with a key, its record, and the row that it stands for.
type VisitRecord<'v> = dyn FnMut(&[u8], &[u8], &Row<'_>) -> Result<ControlFlow<()>> + 'v;

/// Called with a key and its value.
type VisitRaw<'v> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'v;

/// Called with the key of a row and, if it is at hand, its value.
type Walk<'v> = dyn FnMut(&[u8], Option<&[u8]>) -> Result<ControlFlow<()>> + 'v;

/// Whether a filter leaves out no row.
fn selects_all(filter: &Filter<'_>) -> bool {
    let unfiltered = Filter {
        dates: filter.dates,
        ..Filter::default()
    };
    *filter == unfiltered
}

impl Store for Reader {
    fn format(&self) -> Format {
        Format::V3
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            many_syncs: false,
            embedded_objects: false,
            duplicate_pairs: false,
            lookup_by_bare_id: false,
        }
    }

    fn migration(&self) -> Option<Migration> {
        self.migration
    }

    fn runs(&self) -> Result<Vec<SyncRun>> {
        Ok(self.run.iter().cloned().collect())
    }

    fn scan(&self, query: &Query<'_>, visit: &mut Visit<'_>) -> Result<()> {
        let plan = self.plan(query)?;
        if !self.holds(query.sync_id) {
            return Ok(());
        }
        if query.filter.dates {
            return self.visit_records(&plan, &mut |_, record, row| {
                visit(&Row {
                    discovered_at: discovered_at(query.table, record),
                    ..*row
                })
            });
        }
        self.visit_records(&plan, &mut |_, _, row| visit(row))
    }

    fn way(&self, query: &Query<'_>) -> Result<Way> {
        let plan = self.plan(query)?;
        if plan.ranges.is_empty() || !self.holds(query.sync_id) {
            return Ok(Way::Nothing);
        }
        Ok(match plan.access {
            Access::ByParent(_) => Way::Index("by_parent".to_owned()),
            Access::ByPrincipal => Way::Index("by_principal".to_owned()),
            Access::Rows if selects_all(query.filter) => Way::AllRows,
            Access::Rows => Way::KeyRange,
        })
    }

    /// Rows come in the order of their keys, which are the canonical ones.
    fn is_sorted(&self, _: &Query<'_>) -> Result<bool> {
        Ok(true)
    }

    fn scan_dated(
        &self,
        sync_id: Option<&str>,
        table: Table,
        visit: &mut VisitDated<'_>,
    ) -> Result<()> {
        self.scan_dated(sync_id, table, visit)
    }

    fn page(&self, query: &Query<'_>, size: u32, after: Option<&[u8]>) -> Result<StorePage> {
        let mut plan = self.plan(query)?;
        let mut page = StorePage::default();
        if let Some(after) = after {
            plan = plan.behind(after)?;
        }
        if !self.holds(query.sync_id) {
            return Ok(page);
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut last = Vec::new();
        self.visit_records(&plan, &mut |key, _, row| {
            if page.rows.len() == size {
                page.next_after = Some(std::mem::take(&mut last));
                return Ok(ControlFlow::Break(()));
            }
            last.clear();
            last.extend_from_slice(key);
            page.rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(page)
    }

    fn get(&self, sync_id: Option<&str>, table: Table, key: Key<'_>) -> Result<Option<OwnedRow>> {
        if !self.holds(sync_id) {
            return Ok(None);
        }
        let exactly = |parts: &[&str]| {
            let mut key = keys::table_prefix(table, parts);
            key.pop();
            Some(key)
        };
        let found = match (table, key) {
            (Table::ResourceTypes, Key::Id(id)) => exactly(&[id]),
            (Table::Resources, Key::Id(id)) => self.finder().resource(id)?,
            (Table::Entitlements, Key::Id(id)) => self.finder().entitlement(id)?,
            (Table::Grants, Key::Id(id)) => self.finder().grant(id)?,
            (_, Key::Resource(type_id, id)) => exactly(&[type_id, id]),
        };
        let Some(key) = found else {
            return Ok(None);
        };
        let Some(value) = self.value(&key)? else {
            return Ok(None);
        };
        let mut buffers = Buffers::default();
        Ok(Some(
            self.row(table, &key, &value, &mut buffers)?.to_owned(),
        ))
    }

    fn count(&self, query: &Query<'_>) -> Result<u64> {
        let plan = self.plan(query)?;
        let mut n = 0;
        if self.holds(query.sync_id) {
            self.walk(&plan, &mut |_, _| {
                n += 1;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(n)
    }

    fn compute_stats(&self, sync_id: Option<&str>) -> Result<Stats> {
        let mut counts = Counts::default();
        if self.holds(sync_id) {
            for table in Table::ALL {
                self.count_into(&mut counts, table)?;
            }
            counts.add_assets(self.count_assets()?);
        }
        Ok(counts.into_stats())
    }

    fn asset(&self, sync_id: Option<&str>, id: &str) -> Result<Option<Asset>> {
        if !self.holds(sync_id) {
            return Ok(None);
        }
        let Some(value) = self.value(&keys::asset(id))? else {
            return Ok(None);
        };
        let record = storage::AssetRecord::decode(value)
            .map_err(|_| damaged(&self.path, format!("its asset `{id}` is malformed")))?;
        Ok(Some(Asset {
            content_type: record.content_type,
            data: record.data,
        }))
    }

    fn assets(&self, sync_id: Option<&str>, visit: &mut VisitAsset<'_>) -> Result<()> {
        self.assets(sync_id, visit)
    }

    fn sessions(&self, sync_id: Option<&str>, visit: &mut VisitSession<'_>) -> Result<()> {
        self.sessions(sync_id, visit)
    }
}
