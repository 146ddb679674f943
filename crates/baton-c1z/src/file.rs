//! Reading a file: which sync, which rows.
//!
//! The rules about default syncs are here, once for all formats. A file is
//! never changed by reading, whatever its state.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cursor::{Binding, Cursor};
use crate::envelope::{Detected, Identity, detect};
use crate::error::{Error, Result};
use crate::ordered::{self, OrderedRows};
use crate::row::{Filter, OwnedRow, Row, Table};
use crate::run::{Stats, SyncRun, SyncType, latest_finished, order};
use crate::store::{Asset, Key, Query, Store};
use crate::way::Way;
use crate::{Capabilities, Format, Migration, ReadOptions, sorted_scan, v1, v3};

/// Unfinished syncs older than this are not shown by default.
const MAX_UNFINISHED_AGE: Duration = Duration::from_hours(7 * 24);
/// Rows of a page when the caller leaves it open, and at most.
const MAX_PAGE_ROWS: u32 = 10_000;

/// A c1z file, open for reading.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use std::time::SystemTime;
/// use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
///
/// let file = C1zFile::open("sync.c1z".as_ref(), &ReadOptions::default())?;
/// let view = file.view(View::Default { now: SystemTime::now() })?;
/// view.scan(Table::Grants, &Filter::default(), &mut |grant| {
///     println!("{}", grant.id);
///     Ok(ControlFlow::Continue(()))
/// })?;
/// # Ok::<(), baton_c1z::Error>(())
/// ```
pub struct C1zFile {
    path: PathBuf,
    /// `None`: asked of the store when it is needed.
    identity: Option<Identity>,
    store: Box<dyn Store>,
    runs: Vec<SyncRun>,
    /// Folder for private files; `None`: the system's.
    temp_dir: Option<PathBuf>,
}

impl std::fmt::Debug for C1zFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("C1zFile")
            .field("path", &self.path)
            .field("format", &self.format())
            .finish_non_exhaustive()
    }
}

/// Which rows of a file are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View<'a> {
    /// Those of this sync.
    Sync(&'a str),
    /// Those of the newest finished sync of any type; if there is none, of
    /// the newest unfinished one that began at most 7 days before `now`; if
    /// there is none either, those of all syncs in format v1, and an error in
    /// format v3 (c1z specification §4, trap 32).
    Default {
        /// The present time.
        now: SystemTime,
    },
    /// Those of all syncs, mixed.
    AllRows,
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The rows in storage order.
    pub rows: Vec<OwnedRow>,
    /// Where the next page begins; `None` after the last row.
    pub next: Option<Cursor>,
}

impl C1zFile {
    /// Opens `path` for reading. A missing or empty file is an empty store;
    /// [`detect`] distinguishes them.
    ///
    /// # Errors
    /// By the file's content [`Error::NotC1z`], [`Error::Compressed`],
    /// [`Error::TooLarge`] and [`Error::WindowTooLarge`]; of format v1
    /// [`Error::Database`], of format v3 [`Error::Envelope`],
    /// [`Error::Unsupported`] and [`Error::Tables`]. [`Error::Io`] by the system.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let (store, identity): (Box<dyn Store>, _) = match detect(path)? {
            Detected::Missing | Detected::Empty => {
                let empty = v1::Reader::empty(path)?;
                (Box::new(empty), Some(Identity::default()))
            }
            Detected::V1 => (Box::new(v1::Lazy::open(path, options)?), None),
            Detected::V3 => {
                let (reader, identity) = v3::Reader::open(path, options)?;
                (Box::new(reader), Some(identity))
            }
        };
        Ok(Self {
            path: path.to_owned(),
            identity,
            runs: store.runs()?,
            store,
            temp_dir: options.temp_dir.clone(),
        })
    }

    pub(crate) fn temp_dir(&self) -> Option<&Path> {
        self.temp_dir.as_deref()
    }

    /// The file's path, as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's format. An empty store counts as v1.
    pub fn format(&self) -> Format {
        self.store.format()
    }

    /// What this file's format can hold.
    pub fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    /// What became of rows that the file has in an earlier layout of its
    /// format; `None` if it has not. The file itself is not changed.
    pub fn migration(&self) -> Option<Migration> {
        self.store.migration()
    }

    /// All syncs, finished or not, in storage order.
    pub fn sync_runs(&self) -> &[SyncRun] {
        &self.runs
    }

    /// The finished sync with the latest end, of one of these types or of
    /// any type; of two that ended together, the one with the larger id.
    pub fn latest_finished(&self, kinds: Option<&[SyncType]>) -> Option<&SyncRun> {
        latest_finished(&self.runs, kinds)
    }

    /// The rows that `view` selects.
    ///
    /// # Errors
    /// [`Error::NoSuchSync`] if the file lacks the sync asked for,
    /// [`Error::NoCurrentSync`] if it has none to be shown by default.
    pub fn view(&self, view: View<'_>) -> Result<Snapshot<'_>> {
        let rows = match view {
            View::AllRows => Rows::All,
            View::Sync(id) => match self.runs.iter().find(|run| run.id == id) {
                None => {
                    return Err(Error::NoSuchSync {
                        path: self.path.clone(),
                        id: id.to_owned(),
                    });
                }
                Some(run) => Rows::Of(run),
            },
            View::Default { now } => {
                let run = latest_finished(&self.runs, None)
                    .or_else(|| latest_unfinished(&self.runs, now));
                match run {
                    Some(run) => Rows::Of(run),
                    None if self.capabilities().many_syncs => Rows::All,
                    None => {
                        return Err(Error::NoCurrentSync {
                            path: self.path.clone(),
                        });
                    }
                }
            }
        };
        Ok(Snapshot { file: self, rows })
    }
}

/// The unfinished run that began last, unless that is too long ago.
fn latest_unfinished(runs: &[SyncRun], now: SystemTime) -> Option<&SyncRun> {
    let horizon = now.checked_sub(MAX_UNFINISHED_AGE)?;
    let horizon = prost_types::Timestamp::from(horizon);
    runs.iter()
        .filter(|run| !run.is_finished())
        .filter(|run| order(run.started_at.as_ref()) >= order(Some(&horizon)))
        .max_by_key(|run| (order(run.started_at.as_ref()), run.id.as_str()))
}

/// The rows of one sync, or of all of them.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    file: &'a C1zFile,
    rows: Rows<'a>,
}

/// What a snapshot shows.
#[derive(Debug, Clone, Copy)]
enum Rows<'a> {
    Of(&'a SyncRun),
    All,
}

impl<'a> Snapshot<'a> {
    /// The sync; `None` if rows of all syncs are shown.
    pub fn sync(&self) -> Option<&'a SyncRun> {
        match self.rows {
            Rows::Of(run) => Some(run),
            Rows::All => None,
        }
    }

    /// The file that the rows are in.
    pub fn file(&self) -> &'a C1zFile {
        self.file
    }

    /// Visits rows in storage order, borrowed, in constant memory, until
    /// there are no more or `visit` breaks or fails.
    pub fn scan(
        &self,
        table: Table,
        filter: &Filter<'_>,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.file.store.scan(&self.query(table, filter), visit)
    }

    /// As [`Snapshot::scan`], in canonical order: by resource type, resource,
    /// entitlement, principal and id, the same for both formats. Files of
    /// other writers hold rows in the order in which a connector listed them;
    /// such rows are sorted first, in bounded memory and with a private file.
    /// Rows that are stored in this order are not copied.
    pub fn scan_sorted(
        &self,
        table: Table,
        filter: &Filter<'_>,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let query = self.query(table, filter);
        sorted_scan::scan(self.store(), &query, self.file.temp_dir(), visit)
    }

    /// Gives the rows to `uses` in canonical order, one at a time as it asks
    /// for them: two files are merged by reading both within each other. Files
    /// of other writers are sorted first, as for [`Snapshot::scan_sorted`].
    pub fn read_ordered(
        &self,
        table: Table,
        uses: &mut dyn FnMut(&mut OrderedRows<'_>) -> Result<()>,
    ) -> Result<()> {
        let filter = Filter::default();
        let query = self.query(table, &filter);
        ordered::read(self.store(), query, self.file.temp_dir(), uses)
    }

    /// One page of rows in storage order. A `size` of 0 or more than 10,000
    /// means 10,000. `cursor` must come from the same file, sync, table and
    /// filter; sizes may change between pages.
    pub fn page(
        &self,
        table: Table,
        filter: &Filter<'_>,
        size: u32,
        cursor: Option<&Cursor>,
    ) -> Result<Page> {
        let query = self.query(table, filter);
        let identity = match self.file.identity {
            Some(identity) => identity,
            None => self.file.store.identity()?,
        };
        let binding = Binding::new(identity, &query);
        let after = cursor.map(|c| c.position(binding)).transpose()?;
        let size = match size {
            0 => MAX_PAGE_ROWS,
            size => size.min(MAX_PAGE_ROWS),
        };
        let page = self.file.store.page(&query, size, after)?;
        Ok(Page {
            rows: page.rows,
            next: page
                .next_after
                .map(|position| Cursor::new(binding, position)),
        })
    }

    /// The row with this external id.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] in format v3, where ids are no keys, if several
    /// rows turn out to have it.
    pub fn get(&self, table: Table, external_id: &str) -> Result<Option<OwnedRow>> {
        self.get_by(table, Key::Id(external_id))
    }

    /// The resource with this type and id.
    pub fn get_resource(&self, type_id: &str, id: &str) -> Result<Option<OwnedRow>> {
        self.get_by(Table::Resources, Key::Resource(type_id, id))
    }

    /// The one row with this external id.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if several rows have it, whatever the format.
    /// In format v3, where ids are no keys, they may go unnoticed.
    pub fn get_only(&self, table: Table, external_id: &str) -> Result<Option<OwnedRow>> {
        let store = &self.file.store;
        store.get_only(self.sync_id(), table, Key::Id(external_id))
    }

    /// The one resource with this type and id.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if there are several.
    pub fn get_only_resource(&self, type_id: &str, id: &str) -> Result<Option<OwnedRow>> {
        let (store, key) = (&self.file.store, Key::Resource(type_id, id));
        store.get_only(self.sync_id(), Table::Resources, key)
    }

    fn get_by(&self, table: Table, key: Key<'_>) -> Result<Option<OwnedRow>> {
        self.file.store.get(self.sync_id(), table, key)
    }

    /// How [`Snapshot::scan`] finds its rows.
    pub fn way(&self, table: Table, filter: &Filter<'_>) -> Result<Way> {
        self.file.store.way(&self.query(table, filter))
    }

    /// How many rows [`Snapshot::scan`] would visit.
    pub fn count(&self, table: Table, filter: &Filter<'_>) -> Result<u64> {
        self.file.store.count(&self.query(table, filter))
    }

    /// The counts stored with the sync; without usable ones, the rows are
    /// counted.
    pub fn stats(&self) -> Result<Stats> {
        match self.sync().and_then(|run| run.stats.as_ref()) {
            Some(stats) => Ok(stats.clone()),
            None => self.recount(),
        }
    }

    /// The counts of the rows as they are, whatever is stored.
    pub fn recount(&self) -> Result<Stats> {
        self.file.store.compute_stats(self.sync_id())
    }

    /// The asset with this id.
    pub fn asset(&self, id: &str) -> Result<Option<Asset>> {
        self.file.store.asset(self.sync_id(), id)
    }

    pub(crate) fn store(&self) -> &'a dyn Store {
        self.file.store.as_ref()
    }

    pub(crate) fn sync_id(&self) -> Option<&'a str> {
        match self.rows {
            Rows::Of(run) => Some(run.id.as_str()),
            Rows::All => None,
        }
    }

    fn query<'q>(&self, table: Table, filter: &'q Filter<'q>) -> Query<'q>
    where
        'a: 'q,
    {
        Query {
            sync_id: self.sync_id(),
            table,
            filter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::Timestamp;
    use std::time::UNIX_EPOCH;

    fn run(id: &str, kind: SyncType, start: i64, end: Option<i64>) -> SyncRun {
        let at = |seconds| Timestamp { seconds, nanos: 0 };
        SyncRun {
            id: id.into(),
            sync_type: kind.as_str().into(),
            started_at: Some(at(start)),
            ended_at: end.map(at),
            ..SyncRun::default()
        }
    }

    #[test]
    fn of_runs_that_ended_together_the_larger_id_is_the_latest() {
        let runs = [
            run("b", SyncType::Full, 0, Some(5)),
            run("c", SyncType::Partial, 0, Some(5)),
            run("z", SyncType::Full, 0, Some(4)),
        ];
        assert_eq!(latest_finished(&runs, None).map(|r| &*r.id), Some("c"));
        let full = Some(&[SyncType::Full][..]);
        assert_eq!(latest_finished(&runs, full).map(|r| &*r.id), Some("b"));
        assert_eq!(latest_finished(&runs, Some(&[])), None);
    }

    #[test]
    fn an_unfinished_run_counts_for_seven_days() {
        let runs = [
            run("a", SyncType::Full, 1000, None),
            run("b", SyncType::Full, 900, None),
        ];
        let week = Duration::from_hours(7 * 24);
        let at = |s| UNIX_EPOCH + Duration::new(s, 0) + week;
        assert_eq!(
            latest_unfinished(&runs, at(1000)).map(|r| &*r.id),
            Some("a")
        );
        assert_eq!(latest_unfinished(&runs, at(1001)), None);
    }
}
