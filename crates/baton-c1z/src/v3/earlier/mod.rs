//! Directories that an earlier SDK left in another layout of keys (additions
//! on earlier engines, §3 to §7): their rows become those of a private
//! directory in the current layout, and the file keeps its bytes.
//!
//! Entitlements and grants are keyed by the content of their records, never by
//! their old keys; the indexes over them are rebuilt. All else is copied.
//! Memory is bounded by the reader's budget, the private copy by the limit on
//! what the file may decompress to; one row that cannot be understood fails
//! the whole.

mod identity;
mod pairs;
mod private;

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use baton_pebble::Db;
use baton_proto::c1::storage::v3 as storage;
use baton_proto::encode;
use prost::{DecodeError, Message};

use super::fault::damaged;
use super::fault::tables_error;
use super::keys::{self, shown};
use super::layout::Layout;
use super::runs;
use super::write::{Spools, Tables, stats_record};
use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::files::SystemFiles;
use crate::room;
use crate::row::Table;
use crate::run::Stats;
use crate::scratch::Scratch;
use crate::sort::{Entry, Place, Sorter};
use crate::{Limits, ReadOptions, stop, tuple};
use identity::Fault;
use pairs::Merged;
use private::Private;

/// What became of the rows of a file in an earlier layout of format v3 when
/// they were brought into the current one to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// Entitlements left out because they lack their resource.
    pub entitlements_left_out: u64,
    /// Grants left out because they lack a part of their entitlement or
    /// principal.
    pub grants_left_out: u64,
    /// Grants that were made of several of one entitlement and principal.
    pub grants_merged: u64,
    /// How many grants these were made of.
    pub merged_from: u64,
}

impl Migration {
    /// What is worth a warning, in words: rows that are not shown as they are
    /// in the file.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (n, what) in [
            (
                self.entitlements_left_out,
                "entitlements lack their resource",
            ),
            (
                self.grants_left_out,
                "grants lack a part of their entitlement or principal",
            ),
        ] {
            if n > 0 {
                warnings.push(format!("{n} {what} and are left out"));
            }
        }
        if self.grants_merged > 0 {
            warnings.push(format!(
                "{} grants share entitlement and principal with others and are read as {}",
                self.merged_from, self.grants_merged
            ));
        }
        warnings
    }
}

/// A directory in the current layout.
pub(super) struct Migrated {
    pub db: Db,
    /// The counts of its rows; `None` if there is no sync, or if something
    /// cannot be counted.
    pub stats: Option<Stats>,
    pub migration: Migration,
}

/// Brings all rows of `db`, whose files have `bytes` bytes, into the current
/// layout.
///
/// # Errors
/// [`Error::Row`] and [`Error::Envelope`] for rows that have no place in it,
/// [`Error::TooLarge`], those of reading tables and of writing private files.
pub(super) fn migrate(
    path: &Path,
    db: &Db,
    layout: Layout,
    limits: &Limits,
    options: &ReadOptions,
    bytes: u64,
) -> Result<Migrated> {
    let failed = |e| tables_error(path, e);
    let needed = room::rewritten(bytes, true);
    // What fits in memory needs no room.
    let spilled = needed.saturating_sub(options.memory_budget_bytes);
    let temp_dir = options.temp_dir.as_deref();
    let scratch = Scratch::with_room(temp_dir, spilled, room::Work::BringUpToDate)?;
    let mut work = Work::new(path, layout, limits, options, needed, &scratch);
    let mut rows = db
        .range(Bound::Unbounded, Bound::Unbounded)
        .map_err(failed)?;
    while let Some((key, value)) = rows.next().map_err(failed)? {
        work.row(key, value)?;
    }
    drop(rows);
    work.finish()
}

/// What is written, in the order of its keys, when the old rows arrive at its
/// place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Entitlements,
    Grants,
    Indexes,
    FormatStamp,
    Stats,
}

impl Step {
    const ALL: [Self; 5] = [
        Self::Entitlements,
        Self::Grants,
        Self::Indexes,
        Self::FormatStamp,
        Self::Stats,
    ];

    /// Nothing that comes before has a key from here on.
    fn place(self) -> Vec<u8> {
        match self {
            Self::Entitlements => keys::behind(&keys::table(Table::Entitlements)),
            Self::Grants => keys::behind(&keys::table(Table::Grants)),
            Self::Indexes => keys::BY_PRINCIPAL_INDEX.to_vec(),
            Self::FormatStamp => keys::ENTITLEMENT_ID_FORMAT.to_vec(),
            Self::Stats => keys::STATS.to_vec(),
        }
    }
}

/// A migration on its way.
struct Work<'a> {
    path: &'a Path,
    layout: Layout,
    limits: &'a Limits,
    tables: Tables<Private<'a>>,
    steps: std::iter::Peekable<std::vec::IntoIter<(Vec<u8>, Step)>>,
    place: Place,
    entitlements: Sorter,
    grants: Sorter,
    spools: Spools,
    /// `None` as soon as something cannot be counted.
    counts: Option<Counts>,
    run: Option<storage::SyncRunRecord>,
    stats: Option<Stats>,
    migration: Migration,
    /// Bytes and number of the rows so far.
    bytes: u64,
    rows: u64,
    /// A key as it is made.
    key: Vec<u8>,
}

/// Shares of the memory budget for sorting, in eighths.
const ENTITLEMENTS_SHARE: usize = 1;
const GRANTS_SHARE: usize = 3;
const SPOOLS_SHARE: usize = 4;

impl<'a> Work<'a> {
    fn new(
        path: &'a Path,
        layout: Layout,
        limits: &'a Limits,
        options: &'a ReadOptions,
        needed: u64,
        scratch: &Scratch,
    ) -> Self {
        let budget = usize::try_from(options.memory_budget_bytes).unwrap_or(usize::MAX);
        let place = |name, eighths| Place {
            files: Arc::new(SystemFiles),
            dir: scratch.folder_path().to_owned(),
            name,
            budget_bytes: budget / 8 * eighths,
        };
        let steps: Vec<_> = Step::ALL.map(|step| (step.place(), step)).into();
        Self {
            path,
            layout,
            limits,
            tables: Tables::new(Private::new(path, needed, limits, options)),
            steps: steps.into_iter().peekable(),
            entitlements: Sorter::new(place("entitlements", ENTITLEMENTS_SHARE)),
            grants: Sorter::new(place("grants", GRANTS_SHARE)),
            spools: Spools::new(place("", SPOOLS_SHARE)),
            place: place("", 0),
            counts: Some(Counts::default()),
            run: None,
            stats: None,
            migration: Migration::default(),
            bytes: 0,
            rows: 0,
            key: Vec::new(),
        }
    }

    /// Takes the next row of the old directory.
    fn row(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        stop::check()?;
        self.bytes += (key.len() + value.len()) as u64;
        self.rows += 1;
        if self.bytes > self.limits.max_decoded_bytes {
            return Err(Error::TooLarge {
                path: self.path.to_owned(),
                limit: self.limits.max_decoded_bytes,
            });
        }
        while let Some((_, step)) = self.steps.next_if(|(place, _)| place.as_slice() <= key) {
            self.step(step)?;
        }
        if self.is_replaced(key) {
            return Ok(());
        }
        if self.layout == Layout::ByExternalId {
            for table in [Table::Entitlements, Table::Grants] {
                if key.starts_with(&keys::table(table)) {
                    return self.rekey(table, key, value);
                }
            }
        }
        self.note(key, value)?;
        self.put(key, value)
    }

    /// Whether a row is rebuilt or no longer used.
    fn is_replaced(&self, key: &[u8]) -> bool {
        let index = key.strip_prefix(keys::INDEXES).and_then(|key| key.first());
        match self.layout {
            Layout::ByExternalId => {
                index.is_some_and(|index| keys::EARLIER_INDEXES.contains(index))
                    || key == keys::ENTITLEMENT_ID_FORMAT
                    || key == keys::INDEXES_PENDING
                    || (key == keys::STATS && self.stats.is_some())
            }
            _ => key.starts_with(keys::BY_PRINCIPAL_INDEX) || key == keys::INDEXES_PENDING,
        }
    }

    /// Looks at a row that is copied as it is.
    fn note(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if key == keys::RUN {
            let run = storage::SyncRunRecord::decode(value)
                .map_err(|_| damaged(self.path, "its sync run is malformed"))?;
            self.run = Some(run).filter(|run| !run.sync_id.is_empty());
        } else if key.starts_with(keys::ASSETS) {
            if let Some(counts) = &mut self.counts {
                counts.add_assets(1);
            }
        } else if let Some(table) = Table::ALL
            .into_iter()
            .find(|table| key.starts_with(&keys::table(*table)))
        {
            self.count(table, key);
            if table == Table::Grants {
                self.spools.grant(key, false)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, table: Table, key: &[u8]) {
        let first = tuple::parts(keys::tuple_of(key)).next();
        match (first.and_then(tuple::unescape), &mut self.counts) {
            (Some(type_id), Some(counts)) => counts.add(table, &type_id),
            (_, counts) => *counts = None,
        }
    }

    /// Keeps an entitlement or a grant until all of them are there.
    fn rekey(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
        let (found, sorter, left_out) = match table {
            Table::Entitlements => (
                identity::entitlement(value, &mut self.key),
                &mut self.entitlements,
                &mut self.migration.entitlements_left_out,
            ),
            _ => (
                identity::grant(value, &mut self.key),
                &mut self.grants,
                &mut self.migration.grants_left_out,
            ),
        };
        match found {
            Ok(true) => sorter.push(Entry {
                key: &self.key,
                page: self.rows,
                row: 0,
                data: value,
            }),
            Ok(false) => {
                *left_out += 1;
                Ok(())
            }
            Err(fault) => Err(self.bad_row(table, key, fault.reason())),
        }
    }

    fn bad_row(&self, table: Table, key: &[u8], reason: &'static str) -> Error {
        Error::Row {
            path: self.path.to_owned(),
            table,
            id: shown(key),
            reason,
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.tables.add(key, value)? {
            return Ok(());
        }
        Err(damaged(self.path, "two rows in it have the same key"))
    }

    fn step(&mut self, step: Step) -> Result<()> {
        if self.layout != Layout::ByExternalId && step != Step::Indexes {
            return Ok(());
        }
        match step {
            Step::Entitlements => self.put_entitlements(),
            Step::Grants => self.put_grants(),
            Step::Indexes => {
                let spools = std::mem::replace(&mut self.spools, Spools::new(self.place.clone()));
                spools.into_indexes().put(&mut self.tables)
            }
            Step::FormatStamp => self.put(keys::ENTITLEMENT_ID_FORMAT, &keys::LAYOUT.to_be_bytes()),
            Step::Stats => self.put_stats(),
        }
    }

    fn put_entitlements(&mut self) -> Result<()> {
        let sorter = std::mem::replace(&mut self.entitlements, Sorter::new(self.place.clone()));
        let sorted = sorter.finish()?;
        let mut merge = sorted.merge(0);
        let mut key = Vec::new();
        while let Some(entry) = merge.next()? {
            keys::of_tuple(Table::Entitlements, entry.key, &mut key);
            self.count(Table::Entitlements, &key);
            if !self.tables.add(&key, entry.data)? {
                let reason = "another one of the same resource has the same id";
                return Err(self.bad_row(Table::Entitlements, &key, reason));
            }
        }
        drop(merge);
        sorted.remove(self.place.files.as_ref())
    }

    fn put_grants(&mut self) -> Result<()> {
        let sorter = std::mem::replace(&mut self.grants, Sorter::new(self.place.clone()));
        let sorted = sorter.finish()?;
        let mut merge = sorted.merge(0);
        let mut grant = Grant::default();
        while let Some(entry) = merge.next()? {
            if grant.rows > 0 && grant.tuple == entry.key {
                grant.add(entry.data).map_err(|_| {
                    let reason = "it cannot be read, to be made one with another of the same \
                                  entitlement and principal";
                    keys::of_tuple(Table::Grants, entry.key, &mut self.key);
                    Error::Row {
                        path: self.path.to_owned(),
                        table: Table::Grants,
                        id: shown(&self.key),
                        reason,
                    }
                })?;
            } else {
                self.put_grant(&mut grant)?;
                grant.begin(entry.key, entry.data);
            }
        }
        self.put_grant(&mut grant)?;
        drop(merge);
        sorted.remove(self.place.files.as_ref())
    }

    fn put_grant(&mut self, grant: &mut Grant) -> Result<()> {
        if grant.rows == 0 {
            return Ok(());
        }
        if let Some(merged) = grant.merged.take() {
            self.migration.grants_merged += 1;
            self.migration.merged_from += grant.rows;
            grant.record = merged.finish();
        }
        let mut key = std::mem::take(&mut self.key);
        keys::of_tuple(Table::Grants, &grant.tuple, &mut key);
        self.count(Table::Grants, &key);
        let needs_expansion = super::needs_expansion(&grant.record)
            .map_err(|_| self.bad_row(Table::Grants, &key, Fault::Malformed.reason()))?;
        self.put(&key, &grant.record)?;
        self.spools.grant(&key, needs_expansion)?;
        self.key = key;
        Ok(())
    }

    fn put_stats(&mut self) -> Result<()> {
        let (Some(run), Some(counts)) = (&self.run, self.counts.take()) else {
            return Ok(());
        };
        let mut stats = counts.into_stats();
        runs::add_timings(&mut stats, &run.sync_token);
        let record = stats_record(&run.sync_id, &stats, None);
        self.put(keys::STATS, &encode::to_vec(&record))?;
        self.stats = Some(stats);
        Ok(())
    }

    fn finish(mut self) -> Result<Migrated> {
        while let Some((_, step)) = self.steps.next() {
            self.step(step)?;
        }
        let directory = self.tables.finish()?;
        let db = Db::open(Arc::new(directory)).map_err(|e| tables_error(self.path, e))?;
        Ok(Migrated {
            db,
            stats: self.stats,
            migration: self.migration,
        })
    }
}

/// The grant of one identity, of one record or of several.
#[derive(Default)]
struct Grant {
    tuple: Vec<u8>,
    /// The first record.
    record: Vec<u8>,
    /// All records, as soon as there are two.
    merged: Option<Merged>,
    rows: u64,
}

impl Grant {
    fn begin(&mut self, tuple: &[u8], record: &[u8]) {
        self.tuple.clear();
        self.tuple.extend_from_slice(tuple);
        self.record.clear();
        self.record.extend_from_slice(record);
        self.merged = None;
        self.rows = 1;
    }

    fn add(&mut self, record: &[u8]) -> std::result::Result<(), DecodeError> {
        self.rows += 1;
        let merged = match &mut self.merged {
            Some(merged) => merged,
            slot => slot.insert(Merged::first(&self.record)?),
        };
        merged.add(record)
    }
}

#[cfg(test)]
mod tests;
