//! Goes through the entries of one table: index, blocks, values.
//!
//! One data block is decoded at a time. Blocks must come in the order of the
//! file, as every writer puts them: that bounds the work by the file's size.

use std::sync::Arc;

use bytes::Bytes;

use super::block::Handle;
use super::index::IndexCursor;
use super::open::Table;
use super::points::PointCursor;
use crate::error::{Fault, Result};

/// Decoded blocks by their place in the table.
pub(crate) trait BlockCache {
    /// The block at `handle` of the table, which `load` decodes.
    fn block(&self, handle: Handle, load: &dyn Fn() -> Result<Bytes>) -> Result<Bytes>;
}

/// A position among the entries of a table.
pub(crate) struct TableIter {
    table: Arc<Table>,
    /// Entries from this user key on are not shown.
    end: Option<Bytes>,
    /// Upper level of an index of two.
    top: Option<IndexCursor>,
    /// The index whose entries are data blocks; `None` before the first.
    index: Option<IndexCursor>,
    points: Option<PointCursor>,
    /// Whether the current block may reach `end`.
    near_end: bool,
    /// Whether the current entry is of the same user key as the one before.
    repeats: bool,
    /// The last key of the block before.
    last_key: Vec<u8>,
    /// Blocks that were passed end here.
    passed: u64,
    passed_index: u64,
    value_block: Option<(u64, Bytes)>,
    /// A value that is not in the current block.
    external: Option<Bytes>,
}

impl TableIter {
    /// Before the first entry; entries from `end` on are not shown.
    pub fn new(table: Arc<Table>, end: Option<Bytes>) -> Result<Self> {
        let (top, index) = if table.has_two_levels() {
            (Some(table.top_index()?), None)
        } else {
            (None, Some(table.top_index()?))
        };
        Ok(Self {
            table,
            end,
            top,
            index,
            points: None,
            near_end: true,
            repeats: false,
            last_key: Vec::new(),
            passed: 0,
            passed_index: 0,
            value_block: None,
            external: None,
        })
    }

    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Goes to the next entry; `false` at the end.
    #[inline]
    pub fn advance(&mut self) -> Result<bool> {
        self.external = None;
        if let Some(points) = &mut self.points
            && points.advance().map_err(self.table.fault())?
        {
            self.repeats = points.repeats();
            return Ok(!self.near_end || self.before_end());
        }
        self.advance_block()
    }

    fn before_end(&self) -> bool {
        self.end.as_ref().is_none_or(|end| self.key() < end)
    }

    /// Goes to the first entry of the next block that has one.
    fn advance_block(&mut self) -> Result<bool> {
        self.last_key.clear();
        let fresh = match &self.points {
            Some(points) => {
                self.last_key.extend_from_slice(points.key());
                false
            }
            None => true,
        };
        while self.next_data_block()? {
            self.load(None)?;
            let Some(points) = &mut self.points else {
                break;
            };
            if points.advance().map_err(self.table.fault())? {
                self.repeats = !fresh && points.key() == self.last_key;
                if !fresh && points.key() < &self.last_key[..] {
                    return Err(self.unordered());
                }
                return Ok(self.before_end());
            }
        }
        Ok(false)
    }

    fn unordered(&self) -> crate::Error {
        self.table.fault()(Fault::damaged("the blocks of a table are not in order"))
    }

    /// Goes to the first entry whose user key is not less than `target`;
    /// `false` if there is none before the end. The entry counts as the first
    /// of its key.
    pub fn seek(&mut self, target: &[u8], cache: Option<&dyn BlockCache>) -> Result<bool> {
        self.external = None;
        self.points = None;
        (self.passed, self.passed_index) = (0, 0);
        let table = Arc::clone(&self.table);
        if let Some(top) = &mut self.top {
            if !top.seek(target).map_err(table.fault())? {
                self.index = None;
                return Ok(false);
            }
            let handle = top.handle();
            self.enter_index(handle)?;
        }
        let found = match &mut self.index {
            Some(index) => index.seek(target).map_err(table.fault())?,
            None => false,
        };
        // The upper index may point to a lower one without a block that
        // reaches the target: then the next one has it.
        if found {
            self.load(cache)?;
        } else if !self.next_data_block()? {
            return Ok(false);
        } else {
            self.load(cache)?;
        }
        let Some(points) = &mut self.points else {
            return Ok(false);
        };
        self.repeats = false;
        if points.seek(target).map_err(table.fault())? {
            return Ok(self.before_end());
        }
        // All keys of the block are before the target.
        self.points = None;
        let found = self.advance_block()?;
        if found && self.key() < target {
            // The index named another block than the one for the target.
            return Err(self.unordered());
        }
        Ok(found)
    }

    /// Goes to the next entry of the index.
    fn next_data_block(&mut self) -> Result<bool> {
        loop {
            if let Some(index) = &mut self.index
                && index.advance().map_err(self.table.fault())?
            {
                return Ok(true);
            }
            let Some(top) = &mut self.top else {
                return Ok(false);
            };
            if !top.advance().map_err(self.table.fault())? {
                self.index = None;
                return Ok(false);
            }
            let handle = top.handle();
            self.enter_index(handle)?;
        }
    }

    fn enter_index(&mut self, handle: Handle) -> Result<()> {
        if handle.offset < self.passed_index {
            return Err(self.unordered());
        }
        self.passed_index = handle.end().unwrap_or(u64::MAX);
        self.index = Some(self.table.lower_index(handle)?);
        Ok(())
    }

    /// Decodes the block of the current entry of the index.
    fn load(&mut self, cache: Option<&dyn BlockCache>) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let handle = index.handle();
        if handle.offset < self.passed {
            return Err(self.unordered());
        }
        self.passed = handle.end().unwrap_or(u64::MAX);
        self.near_end = match &self.end {
            // No key of the block is greater than the separator.
            Some(end) => index.separator().map_err(self.table.fault())? >= &end[..],
            None => false,
        };
        let table = &self.table;
        let block = match cache {
            Some(cache) => cache.block(handle, &|| table.block(handle))?,
            None => table.block(handle)?,
        };
        let points = PointCursor::new(block, table.point_format()).map_err(table.fault())?;
        self.points = Some(points);
        Ok(())
    }

    /// The user key of the current entry.
    #[inline]
    pub fn key(&self) -> &[u8] {
        self.points.as_ref().map_or(&[], PointCursor::key)
    }

    /// Sequence number and kind of the current entry, as stored.
    #[inline]
    pub fn trailer(&self) -> u64 {
        self.points.as_ref().map_or(0, PointCursor::trailer)
    }

    /// Whether the current entry is an older one of the key before.
    #[inline]
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// Reads the value of the current entry if it is not at hand; before
    /// [`TableIter::value`].
    #[inline]
    pub fn fetch_value(&mut self) -> Result<()> {
        if let Some(points) = &self.points
            && let (stored, true) = points.stored_value()
        {
            let value = self.table.external_value(stored, &mut self.value_block)?;
            self.external = Some(value);
        }
        Ok(())
    }

    /// The value of the current entry, once fetched.
    #[inline]
    pub fn value(&self) -> &[u8] {
        match (&self.external, &self.points) {
            (Some(value), _) => value,
            (None, Some(points)) => points.stored_value().0,
            (None, None) => &[],
        }
    }

    /// The same, to be kept.
    pub fn shared_value(&self) -> Bytes {
        match (&self.external, &self.points) {
            (Some(value), _) => value.clone(),
            (None, Some(points)) => points.shared_value(),
            (None, None) => Bytes::new(),
        }
    }
}
