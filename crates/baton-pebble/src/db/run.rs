//! A position among tables that do not overlap. The next table is opened when
//! the merge arrives at it, and the one before is let go.

use std::sync::Arc;

use bytes::Bytes;

use super::tables::RunTable;
use super::{Db, cover::Cover, shows};
use crate::error::{Fault, Result};
use crate::table::{Span, TableIter};

/// Sequence number of a table that is not open yet: before all its entries.
pub(super) const NOT_OPEN: u64 = u64::MAX;

pub(super) struct RunIter<'a> {
    db: &'a Db,
    tables: &'a [RunTable],
    /// Of the current table.
    at: usize,
    /// `None`: the table is not open yet.
    open: Option<TableIter>,
    /// Tombstones of the open table, within its bounds.
    spans: Arc<[Span]>,
    /// Rows from this key on are not asked for.
    end: Option<Bytes>,
}

impl<'a> RunIter<'a> {
    /// At no place: seek next.
    pub fn new(db: &'a Db, tables: &'a [RunTable], end: Option<Bytes>) -> Self {
        Self {
            db,
            tables,
            at: tables.len(),
            open: None,
            spans: Arc::default(),
            end,
        }
    }

    /// Goes to the first table that may have keys from `target` on, and opens
    /// it if it begins before.
    pub fn seek(&mut self, target: &[u8], cover: &mut Cover) -> Result<()> {
        let at = self.tables.partition_point(|table| table.end <= *target);
        if at != self.at {
            self.open = None;
        }
        self.at = at;
        match self.table() {
            Some(table) if table.start <= *target => {
                let iter = self.enter(table, cover)?;
                if !iter.seek(target, None)? {
                    self.next_table()?;
                }
            }
            Some(_) => self.open = None,
            None => {}
        }
        Ok(())
    }

    /// Opens the table that the merge has arrived at.
    pub fn arrive(&mut self, cover: &mut Cover) -> Result<()> {
        if let Some(table) = self.table() {
            let iter = self.enter(table, cover)?;
            if !iter.seek(&table.start, None)? {
                self.next_table()?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, table: &'a RunTable, cover: &mut Cover) -> Result<&mut TableIter> {
        let iter = if let Some(open) = self.open.take() {
            open
        } else {
            let file = self.db.table(table)?;
            // Rows of a physical table end by themselves.
            let own = table.info.is_virtual.then_some(&table.end);
            let asked = self.end.as_ref().filter(|end| **end < table.end);
            self.spans = table.spans(&file).into();
            TableIter::new(file, asked.or(own).cloned())?
        };
        cover.add(Arc::clone(&self.spans));
        Ok(self.open.insert(iter))
    }

    /// The current table, unless it lies behind what is asked for.
    fn table(&self) -> Option<&'a RunTable> {
        let end = self.end.as_ref();
        self.tables
            .get(self.at)
            .filter(|table| end.is_none_or(|end| table.start < *end))
    }

    #[inline]
    pub fn advance(&mut self) -> Result<()> {
        if let Some(open) = &mut self.open
            && !open.advance()?
        {
            self.next_table()?;
        }
        Ok(())
    }

    /// Leaves a table whose rows are all passed.
    fn next_table(&mut self) -> Result<()> {
        if let (Some(open), Some(table)) = (self.open.take(), self.tables.get(self.at)) {
            let within = self.end.as_ref().is_none_or(|end| *end >= table.end);
            if within && !table.info.is_virtual && open.key() >= &table.end[..] {
                let fault = Fault::damaged("the table has keys that the manifest rules out");
                return Err(open.table().fault()(fault));
            }
            self.db.caches.forget_table(table.info.file_number);
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    pub fn is_done(&self) -> bool {
        self.open.is_none() && self.table().is_none()
    }

    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.open.is_none()
    }

    /// The user key of the current entry; of a table that is not open, the
    /// first that it may have.
    #[inline]
    pub fn key(&self) -> &[u8] {
        match (&self.open, self.tables.get(self.at)) {
            (Some(open), _) => open.key(),
            (None, Some(table)) => &table.start,
            (None, None) => &[],
        }
    }

    #[inline]
    pub fn sequence(&self) -> u64 {
        match (&self.open, self.tables.get(self.at)) {
            (Some(open), Some(table)) => table.sequence(open.trailer()),
            _ => NOT_OPEN,
        }
    }

    pub fn rank(&self) -> u32 {
        self.tables.get(self.at).map_or(0, |table| table.rank)
    }

    #[inline]
    pub fn repeats(&self) -> bool {
        self.open.as_ref().is_some_and(TableIter::repeats)
    }

    /// Whether the current entry shows its key.
    #[inline]
    pub fn shows(&self) -> Result<bool> {
        match &self.open {
            Some(open) => shows(open.trailer()).map_err(open.table().fault()),
            None => Ok(false),
        }
    }

    #[inline]
    pub fn fetch_value(&mut self) -> Result<()> {
        match &mut self.open {
            Some(open) => open.fetch_value(),
            None => Ok(()),
        }
    }

    #[inline]
    pub fn value(&self) -> &[u8] {
        self.open.as_ref().map_or(&[], TableIter::value)
    }
}
