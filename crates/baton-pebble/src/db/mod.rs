//! The whole directory: which tables and logs count, and what of them is
//! visible. Spec §5.1, §5.4.
//!
//! Nothing but the manifest and the logs is read at open. Tables are opened
//! when a read arrives at them.

mod cache;
mod cover;
mod directory;
mod iter;
mod memory;
mod run;
mod tables;

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Fault, Result};
use crate::key::Kind;
use crate::manifest::live_version;
use crate::source::Source;
use crate::table::{Table, TableIter};
use crate::write;
use cache::Caches;
use directory::Directory;
use memory::{LogState, Memory};
use tables::{RunTable, runs};

pub use directory::{FORMAT_VERSIONS, MAX_MANIFEST_BYTES};
pub use iter::Iter;
pub use memory::{MAX_LOG_BYTES, MAX_LOG_ENTRIES};
pub use tables::{MAX_RUNS, TableInfo};

/// A database, as it was when its directory was written.
///
/// Reading changes nothing, takes no lock, and may be done from several
/// threads.
pub struct Db {
    source: Arc<dyn Source>,
    format_version: u32,
    /// What is only in logs.
    memory: Memory,
    /// Tables in sequences without overlaps: one for each level, and as many
    /// as need be for level 0.
    runs: Vec<Vec<RunTable>>,
    caches: Caches,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("format_version", &self.format_version)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the directory of `source`: markers, manifest, logs.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for format versions and features beyond this
    /// crate, [`Error::Damaged`] for files that are malformed, missing or of
    /// another size than in the manifest, [`Error::Limit`], [`Error::Io`].
    pub fn open(source: Arc<dyn Source>) -> Result<Self> {
        let directory = Directory::of_names(source.names())?;
        let version = match &directory.manifest {
            Some(name) => {
                let manifest = directory::read(source.as_ref(), name, MAX_MANIFEST_BYTES)?;
                live_version(manifest).map_err(|fault| fault.of_file(name))?
            }
            None => crate::manifest::Version::default(),
        };
        let tables = tables::check(&version, source.as_ref())?;
        let manifest = directory.manifest.as_deref().unwrap_or("the directory");
        let runs = runs(tables).map_err(|fault| fault.of_file(manifest))?;
        let mut log = LogState::default();
        let logs = directory.live_logs(source.as_ref(), version.min_log)?;
        for (n, (number, name)) in logs.iter().enumerate() {
            let newest = n + 1 == logs.len();
            log.replay(source.as_ref(), *number, name, newest)?;
        }
        Ok(Self {
            source,
            format_version: directory.format_version,
            memory: log.finish(),
            runs,
            caches: Caches::default(),
        })
    }

    /// The format major version of the directory.
    pub fn format_version(&self) -> u32 {
        self.format_version
    }

    /// The live tables, by level and key; for diagnostics.
    pub fn tables(&self) -> impl Iterator<Item = &TableInfo> {
        self.runs.iter().flatten().map(|table| &table.info)
    }

    /// The value of `key`, if it has one.
    ///
    /// # Errors
    /// Those of reading the tables that may hold the key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let mut found = self.memory.get(key);
        let mut hidden_below = self.memory.covered_below(key);
        for run in &self.runs {
            let n = run.partition_point(|table| table.end <= *key);
            let Some(table) = run.get(n).filter(|table| table.start <= *key) else {
                continue;
            };
            let file = self.table(table)?;
            hidden_below = hidden_below.max(table.covered_below(&file, key));
            let cache = self.caches.of_file(table.info.file_number);
            let mut iter = TableIter::new(file, None)?;
            if !iter.seek(key, Some(&cache))? || iter.key() != key {
                continue;
            }
            let place = (table.sequence(iter.trailer()), u32::MAX - table.rank);
            if found.as_ref().is_some_and(|entry| entry.place > place) {
                continue;
            }
            let value = if shows(iter.trailer()).map_err(iter.table().fault())? {
                iter.fetch_value()?;
                Some(iter.shared_value())
            } else {
                None
            };
            found = Some(Found { place, value });
        }
        Ok(found
            .filter(|entry| entry.place.0 >= hidden_below)
            .and_then(|entry| entry.value))
    }

    /// The visible rows between two keys, in order.
    ///
    /// # Errors
    /// Those of reading the first tables of the range.
    pub fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> Result<Iter<'_>> {
        Iter::new(self, lower, upper)
    }

    /// The open file of a table.
    fn table(&self, table: &RunTable) -> Result<Arc<Table>> {
        let number = table.info.file_number;
        if let Some(open) = self.caches.table(number) {
            return Ok(open);
        }
        let name = write::table_name(number);
        let file = self.source.open(&name).map_err(Error::io(&name))?;
        if Some(file.len()) != self.source.size(&name) {
            return Err(Fault::damaged("its size has changed").of_file(&name));
        }
        let bytes = file.len();
        let open = Arc::new(Table::open(file, &name)?);
        self.caches.keep_table(number, &open, bytes);
        Ok(open)
    }
}

/// The newest entry of a key so far.
struct Found {
    /// Sequence number; then, for hand-made files, the greater wins.
    place: (u64, u32),
    /// `None`: deleted.
    value: Option<Bytes>,
}

/// The key directly behind `key`.
fn successor(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}

/// The greatest sequence number of ordered spans that cover `key`; 0 if none.
fn covering(spans: &[crate::table::Span], key: &[u8]) -> u64 {
    let n = spans.partition_point(|span| span.end <= *key);
    spans
        .get(n)
        .filter(|span| span.start <= *key)
        .map_or(0, |span| span.sequence)
}

/// Whether an entry shows its key, or is a tombstone for it.
fn shows(trailer: u64) -> std::result::Result<bool, Fault> {
    match Kind::in_trailer(trailer)? {
        Kind::Set => Ok(true),
        Kind::Delete => Ok(false),
        Kind::RangeDelete => Err(Fault::damaged("a range tombstone is among the rows")),
    }
}
