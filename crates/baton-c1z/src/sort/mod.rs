//! An external merge sort over byte strings, in bounded memory.
//!
//! Entries are collected in memory; when the budget is used up they are
//! sorted and written to a run file, data inline, so that everything is read
//! sequentially afterwards. What fits in memory never touches a file. The
//! result can be merged any number of times. Knows nothing of rows.

mod chunk;
mod merge;
mod run;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use merge::Merge;
pub(crate) use run::{RunFile, RunReader, RunWriter};

use crate::error::Result;
use crate::files::Files;
use crate::stop;
use chunk::Chunk;

/// So many runs are merged at once; with more, some are merged to one first.
const MAX_FAN_IN: usize = 64;
/// A budget below this would make more runs than files may be open.
const MIN_BUDGET_BYTES: usize = 64 << 10;
/// Offsets within a chunk are 32 bits.
const MAX_BUDGET_BYTES: usize = 1 << 30;
/// Read buffer per run while merging.
const MERGE_READ_BYTES: usize = 256 << 10;

/// One entry. Entries are ordered by key, then page, then row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry<'a> {
    pub key: &'a [u8],
    /// Offset of the page's record in the log.
    pub page: u64,
    /// Offset of the row from there.
    pub row: u32,
    pub data: &'a [u8],
}

impl<'a> Entry<'a> {
    fn order(&self) -> (&'a [u8], u64, u32) {
        (self.key, self.page, self.row)
    }
}

/// Where a sorter puts its runs, and what it may use.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub files: Arc<dyn Files>,
    pub dir: PathBuf,
    /// Distinguishes the sorters that share a folder.
    pub name: &'static str,
    pub budget_bytes: usize,
}

impl Place {
    fn run_path(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{}.{number}", self.name))
    }
}

/// Takes entries in any order.
#[derive(Debug)]
pub(crate) struct Sorter {
    place: Place,
    chunk: Chunk,
    runs: Vec<RunFile>,
    made: usize,
    count: u64,
}

impl Sorter {
    pub(crate) fn new(mut place: Place) -> Self {
        place.budget_bytes = place.budget_bytes.clamp(MIN_BUDGET_BYTES, MAX_BUDGET_BYTES);
        Self {
            chunk: Chunk::new(place.budget_bytes),
            place,
            runs: Vec::new(),
            made: 0,
            count: 0,
        }
    }

    pub(crate) fn push(&mut self, entry: Entry<'_>) -> Result<()> {
        stop::check()?;
        if !self.chunk.has_room(&entry) {
            self.flush()?;
        }
        self.chunk.push(&entry);
        self.count += 1;
        Ok(())
    }

    /// All entries, sorted.
    pub(crate) fn finish(mut self) -> Result<Sorted> {
        if self.runs.is_empty() {
            self.chunk.sort();
            return Ok(Sorted {
                chunks: vec![self.chunk],
                runs: Vec::new(),
                count: self.count,
            });
        }
        if !self.chunk.is_empty() {
            self.flush()?;
        }
        // The memory is given back before the merge needs its own.
        self.chunk = Chunk::new(0);
        while self.runs.len() > MAX_FAN_IN {
            let rest = self.runs.split_off(MAX_FAN_IN);
            let some = std::mem::replace(&mut self.runs, rest);
            let merged = self.merge_to_one(&some)?;
            for run in some {
                run.remove(self.place.files.as_ref())?;
            }
            self.runs.push(merged);
        }
        Ok(Sorted {
            chunks: Vec::new(),
            runs: self.runs,
            count: self.count,
        })
    }

    fn merge_to_one(&mut self, runs: &[RunFile]) -> Result<RunFile> {
        let mut out = self.next_run()?;
        let mut merge = Merge::new(&[], runs, 0);
        while let Some(entry) = merge.next()? {
            out.push(&entry)?;
        }
        out.finish()
    }

    fn flush(&mut self) -> Result<()> {
        self.chunk.sort();
        // A chunk that continues the run before it is appended to that run:
        // input in order becomes one run, whatever its size.
        let continues = match (self.runs.last(), self.chunk.first()) {
            (Some(run), Some(first)) => run.last() <= first.order(),
            _ => false,
        };
        let mut out = match self.runs.pop() {
            Some(run) if continues => run.reopen(),
            Some(run) => {
                self.runs.push(run);
                self.next_run()?
            }
            None => self.next_run()?,
        };
        self.chunk.drain(&mut |entry| out.push(&entry))?;
        self.runs.push(out.finish()?);
        Ok(())
    }

    fn next_run(&mut self) -> Result<RunWriter> {
        self.made += 1;
        let path = self.place.run_path(self.made);
        RunWriter::create(self.place.files.as_ref(), &path)
    }
}

/// Sorted entries; see [`Sorter`].
#[derive(Debug)]
pub(crate) struct Sorted {
    chunks: Vec<Chunk>,
    runs: Vec<RunFile>,
    count: u64,
}

impl Sorted {
    /// Number of entries.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The entries in order, from the first whose key begins with a byte
    /// that is not smaller than `from`.
    pub(crate) fn merge(&self, from: u8) -> Merge<'_> {
        Merge::new(&self.chunks, &self.runs, from)
    }

    /// These entries and those.
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.chunks.extend(other.chunks);
        self.runs.extend(other.runs);
        self.count += other.count;
        self
    }

    /// Removes the files.
    pub(crate) fn remove(self, files: &dyn Files) -> Result<()> {
        self.runs.into_iter().try_for_each(|run| run.remove(files))
    }
}

/// Creates a run outside any sorter, for entries that come in order.
pub(crate) fn create_run(files: &dyn Files, path: &Path) -> Result<RunWriter> {
    RunWriter::create(files, path)
}
