//! The entries of the indexes, sorted by a second thread while the first one
//! writes rows.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::StoredGrant;
use super::index::{INDEXES, first_text};
use crate::error::{Error, Result};
use crate::files::{Files, SystemFiles};
use crate::row::Table;
use crate::sort::{Entry, Place, Sorter};
use crate::stop::Stop;

/// Memory of the sorters together.
const BUDGET_BYTES: usize = 48 << 20;
/// Bytes that are handed over at a time, and how many times that waits.
const BATCH_BYTES: usize = 256 << 10;
const BATCHES: usize = 4;
/// Names of the sorters' files.
const NAMES: [&str; INDEXES.len()] = [
    "index-1", "index-2", "index-3", "index-4", "index-5", "index-6", "index-7",
];

/// Byte strings, each with the index that it belongs to and a row's number.
#[derive(Debug, Default)]
pub(super) struct Batch {
    items: Vec<(usize, i64, usize)>,
    bytes: Vec<u8>,
}

impl Batch {
    fn end(&mut self, index: usize, number: i64, start: usize) {
        self.items.push((index, number, self.bytes.len() - start));
    }

    /// Calls `take` with index, number and bytes of each item.
    pub fn each(&self, mut take: impl FnMut(usize, i64, &[u8]) -> Result<()>) -> Result<()> {
        let mut rest = &self.bytes[..];
        for (index, number, len) in &self.items {
            // Lengths were taken from these bytes.
            let (item, behind) = rest.split_at(*len);
            rest = behind;
            take(*index, *number, item)?;
        }
        Ok(())
    }
}

/// The sorting thread.
#[derive(Debug)]
pub(super) struct Sorting {
    batch: Batch,
    keys: Option<SyncSender<Batch>>,
    entries: Option<Receiver<Batch>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Sorting {
    /// Starts the thread, which puts its files into `dir`.
    #[expect(clippy::disallowed_methods, reason = "joined by its handle")]
    pub fn start(dir: &Path) -> Result<Self> {
        let (keys, to_sort) = sync_channel(BATCHES);
        let (sorted, entries) = sync_channel(BATCHES);
        let place = Place {
            files: Arc::new(SystemFiles),
            dir: dir.to_owned(),
            name: NAMES[0],
            budget_bytes: BUDGET_BYTES / INDEXES.len(),
        };
        let stop = Stop::current();
        let thread = std::thread::Builder::new()
            .name("c1z-index".to_owned())
            .spawn(move || stop.scope(|| sort(&place, &to_sort, &sorted)))
            .map_err(|e| Error::io("start a thread to sort", dir, e))?;
        Ok(Self {
            batch: Batch::default(),
            keys: Some(keys),
            entries: Some(entries),
            thread: Some(thread),
        })
    }

    /// Takes the keys of a row.
    pub fn put(&mut self, row: &StoredGrant<'_>) -> Result<()> {
        for (at, index) in INDEXES.iter().enumerate() {
            if index.holds(row) {
                let start = self.batch.bytes.len();
                index.push_key(&mut self.batch.bytes, row);
                self.batch.end(at, row.number, start);
            }
        }
        if self.batch.bytes.len() >= BATCH_BYTES {
            return self.hand_over();
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if self
            .keys
            .as_ref()
            .is_some_and(|keys| keys.send(batch).is_ok())
        {
            return Ok(());
        }
        // The other side ends early only if it failed; its error has the reason.
        self.join()
    }

    /// Gives all entries, index by index, in their order.
    pub fn finish(mut self, take: &mut dyn FnMut(&Batch) -> Result<()>) -> Result<()> {
        self.hand_over()?;
        self.keys = None;
        if let Some(entries) = &self.entries {
            for batch in entries {
                take(&batch)?;
            }
        }
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        self.keys = None;
        self.entries = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(Error::Argument {
                what: "indexes",
                reason: "sorting failed before",
            }),
        }
    }
}

impl Drop for Sorting {
    fn drop(&mut self) {
        self.keys = None;
        self.entries = None;
        if let Some(thread) = self.thread.take() {
            // Its files are closed before their folder is removed.
            let _ = thread.join();
        }
    }
}

fn sort(place: &Place, keys: &Receiver<Batch>, entries: &SyncSender<Batch>) -> Result<()> {
    let mut sorters: Vec<Sorter> = NAMES
        .iter()
        .map(|name| {
            Sorter::new(Place {
                name,
                ..place.clone()
            })
        })
        .collect();
    for batch in keys {
        batch.each(|at, number, key| match sorters.get_mut(at) {
            Some(sorter) => sorter.push(Entry {
                key,
                page: number.unsigned_abs(),
                row: 0,
                data: &[],
            }),
            None => Ok(()),
        })?;
    }
    for (at, sorter) in sorters.into_iter().enumerate() {
        if !give(at, sorter, place.files.as_ref(), entries)? {
            break;
        }
    }
    Ok(())
}

/// Sends the entries of one index. False if the receiver is gone.
fn give(at: usize, sorter: Sorter, files: &dyn Files, out: &SyncSender<Batch>) -> Result<bool> {
    let Some(index) = INDEXES.get(at) else {
        return Ok(true);
    };
    let sorted = sorter.finish()?;
    let mut merge = sorted.merge(0);
    let mut batch = Batch::default();
    let mut last: Option<Vec<u8>> = None;
    while let Some(entry) = merge.next()? {
        if index.is_unique {
            let last = last.get_or_insert_default();
            if last == entry.key {
                return Err(Error::DuplicateId {
                    table: Table::Grants,
                    id: first_text(entry.key),
                });
            }
            entry.key.clone_into(last);
        }
        let number = i64::try_from(entry.page).unwrap_or(i64::MAX);
        let start = batch.bytes.len();
        index.push_entry(&mut batch.bytes, entry.key, number);
        batch.end(at, number, start);
        if batch.bytes.len() >= BATCH_BYTES && out.send(std::mem::take(&mut batch)).is_err() {
            return Ok(false);
        }
    }
    drop(merge);
    sorted.remove(files)?;
    Ok(out.send(batch).is_ok())
}
