//! Tables and blocks that were used last, so that gets near each other are
//! cheap. Bounded by bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::Result;
use crate::table::{BlockCache, Handle, Table};

/// Most bytes of open files that are kept, besides the one opened last.
const TABLE_BYTES: u64 = 16 << 20;
/// Most open files that are kept.
const TABLES: usize = 64;
/// Most bytes of decoded blocks that are kept.
const BLOCK_BYTES: usize = 8 << 20;

/// What is kept.
#[derive(Default)]
pub(super) struct Caches {
    tables: Mutex<Vec<OpenTable>>,
    blocks: Mutex<Blocks>,
}

struct OpenTable {
    number: u64,
    table: Arc<Table>,
    bytes: u64,
}

/// Two generations: when the younger is full, it replaces the older.
#[derive(Default)]
struct Blocks {
    young: HashMap<(u64, u64), Bytes>,
    old: HashMap<(u64, u64), Bytes>,
    young_bytes: usize,
}

/// The state is whole after each call, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caches {
    /// The open table in file `number`.
    pub fn table(&self, number: u64) -> Option<Arc<Table>> {
        let mut tables = lock(&self.tables);
        let at = tables.iter().position(|open| open.number == number)?;
        let open = tables.remove(at);
        let table = Arc::clone(&open.table);
        tables.push(open);
        Some(table)
    }

    /// Keeps a table of a file of so many bytes, and lets older ones go.
    pub fn keep_table(&self, number: u64, table: &Arc<Table>, bytes: u64) {
        let mut tables = lock(&self.tables);
        tables.retain(|open| open.number != number);
        tables.push(OpenTable {
            number,
            table: Arc::clone(table),
            bytes,
        });
        let mut sum: u64 = tables.iter().map(|open| open.bytes).sum();
        let mut drop_first = 0;
        for open in tables.iter().take(tables.len() - 1) {
            if sum <= TABLE_BYTES && tables.len() - drop_first <= TABLES {
                break;
            }
            sum = sum.saturating_sub(open.bytes);
            drop_first += 1;
        }
        tables.drain(..drop_first);
    }

    /// Lets a table go that an iteration has passed.
    pub fn forget_table(&self, number: u64) {
        lock(&self.tables).retain(|open| open.number != number);
    }

    /// The blocks of file `number`.
    pub fn of_file(&self, number: u64) -> FileBlocks<'_> {
        FileBlocks {
            blocks: &self.blocks,
            number,
        }
    }
}

/// The kept blocks of one file.
pub(super) struct FileBlocks<'a> {
    blocks: &'a Mutex<Blocks>,
    number: u64,
}

impl BlockCache for FileBlocks<'_> {
    fn block(&self, handle: Handle, load: &dyn Fn() -> Result<Bytes>) -> Result<Bytes> {
        let key = (self.number, handle.offset);
        if let Some(block) = lock(self.blocks).get(key) {
            return Ok(block);
        }
        let block = alone(load()?);
        lock(self.blocks).put(key, &block);
        Ok(block)
    }
}

/// The block in memory of its own: kept as a part of a file's memory it would
/// keep all of that file.
fn alone(block: Bytes) -> Bytes {
    if block.is_unique() {
        return block;
    }
    Bytes::copy_from_slice(&block)
}

impl Blocks {
    fn get(&mut self, key: (u64, u64)) -> Option<Bytes> {
        if let Some(block) = self.young.get(&key) {
            return Some(block.clone());
        }
        let block = self.old.remove(&key)?;
        self.put(key, &block);
        Some(block)
    }

    fn put(&mut self, key: (u64, u64), block: &Bytes) {
        if block.len() > BLOCK_BYTES / 4 {
            return;
        }
        if self.young_bytes + block.len() > BLOCK_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(key, block.clone()).is_none() {
            self.young_bytes += block.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stay_within_their_bytes_and_the_last_used_stay() {
        let mut blocks = Blocks::default();
        let block = Bytes::from(vec![0; 64 << 10]);
        for n in 0..1000 {
            blocks.put((1, n), &block);
            assert!(blocks.get((1, 0)).is_some(), "{n}");
            let kept = blocks.young.len() + blocks.old.len();
            assert!(kept * block.len() <= BLOCK_BYTES);
        }
        assert!(blocks.get((1, 1)).is_none());
        assert!(blocks.get((1, 999)).is_some());
    }

    #[test]
    fn a_kept_block_does_not_keep_its_file() {
        let file = Bytes::from(vec![7; 1 << 20]);
        let caches = Caches::default();
        let handle = Handle { offset: 5, len: 10 };
        let load = || Ok(file.slice(5..15));
        let block = caches.of_file(1).block(handle, &load).expect("loads");
        assert_eq!(&block[..], &[7; 10]);
        assert!(file.is_unique());
    }

    #[test]
    fn a_block_that_would_push_out_most_others_is_not_kept() {
        let mut blocks = Blocks::default();
        blocks.put((1, 0), &Bytes::from(vec![0; BLOCK_BYTES / 2]));
        assert!(blocks.get((1, 0)).is_none());
    }
}
