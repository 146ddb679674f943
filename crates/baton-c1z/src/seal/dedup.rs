//! Rows in canonical order, each identity once.
//!
//! Rows of equal key are neighbours after the sort. The last in canonical list
//! and page order is kept; a row of a list is kept before any added row. Page
//! headers are read only where there is a choice. Keys whose id belongs to a
//! row under another key ([`super::duplicate_ids`]) are left out.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::error::Result;
use crate::log::{ListId, PageLog};
use crate::sort::{Entry, Merge, Sorted};

use super::row_source::RowStream;

/// So many page headers are remembered; then all are forgotten.
const MAX_HEADERS: usize = 1024;

/// Decides which of two rows is later in canonical list and page order. Rows
/// that no list has come before all others.
pub(super) struct PageOrder<'a> {
    log: &'a PageLog,
    /// The log has rows that no list has.
    added: bool,
    headers: HashMap<u64, (ListId, u32)>,
}

impl<'a> PageOrder<'a> {
    pub(super) fn new(log: &'a PageLog, added: bool) -> Self {
        Self {
            log,
            added,
            headers: HashMap::new(),
        }
    }

    /// Compares two rows, each given by the offset of its page's record and
    /// its offset from there.
    pub(super) fn compare(&mut self, a: (u64, u32), b: (u64, u32)) -> Result<Ordering> {
        let listed = self.is_listed(a)?.cmp(&self.is_listed(b)?);
        if listed.is_ne() {
            return Ok(listed);
        }
        if a.0 == b.0 {
            return Ok(a.1.cmp(&b.1));
        }
        if self.headers.len() >= MAX_HEADERS {
            self.headers.clear();
        }
        for page in [a.0, b.0] {
            if !self.headers.contains_key(&page) {
                self.headers.insert(page, self.log.page_at(page)?);
            }
        }
        let pages = self.headers.get(&a.0).cmp(&self.headers.get(&b.0));
        // One page was logged twice: the second record counts.
        Ok(pages.then(a.cmp(&b)))
    }

    /// Whether a list has the row.
    pub(super) fn is_listed(&self, at: (u64, u32)) -> Result<bool> {
        Ok(!self.added || !self.log.is_added(at.0, at.1)?)
    }
}

#[derive(Default)]
struct Held {
    key: Vec<u8>,
    at: (u64, u32),
    data: Vec<u8>,
}

impl Held {
    fn set(&mut self, entry: &Entry<'_>) {
        self.key.clear();
        self.key.extend_from_slice(entry.key);
        self.at = (entry.page, entry.row);
        self.data.clear();
        self.data.extend_from_slice(entry.data);
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            key: &self.key,
            page: self.at.0,
            row: self.at.1,
            data: &self.data,
        }
    }
}

/// See the module's header.
pub(super) struct Dedup<'a> {
    merge: Merge<'a>,
    superseded: Option<Superseded<'a>>,
    order: PageOrder<'a>,
    held: Option<Held>,
    out: Held,
    duplicates: u64,
}

impl<'a> Dedup<'a> {
    /// The rows from table byte `from` on. `added`: there are rows that no
    /// list has.
    pub(super) fn new(
        log: &'a PageLog,
        rows: &'a Sorted,
        superseded: Option<&'a Sorted>,
        added: bool,
        from: u8,
    ) -> Result<Self> {
        Ok(Self {
            merge: rows.merge(from),
            superseded: superseded.map(|l| Superseded::new(l, from)).transpose()?,
            order: PageOrder::new(log, added),
            held: None,
            out: Held::default(),
            duplicates: 0,
        })
    }
}

impl RowStream for Dedup<'_> {
    fn duplicates(&self) -> u64 {
        self.duplicates
    }

    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        loop {
            let Some(entry) = self.merge.next()? else {
                return Ok(self.held.take().map(|held| {
                    self.out = held;
                    self.out.entry()
                }));
            };
            if let Some(superseded) = &mut self.superseded
                && superseded.contains(entry.key)?
            {
                let listed = self.order.is_listed((entry.page, entry.row))?;
                self.duplicates += u64::from(listed);
                continue;
            }
            let Some(held) = &mut self.held else {
                let held = self.held.insert(std::mem::take(&mut self.out));
                held.set(&entry);
                continue;
            };
            if held.key == entry.key {
                let at = (entry.page, entry.row);
                // A row that no list has is left out, but is not a duplicate.
                let is_duplicate = self.order.is_listed(held.at)? && self.order.is_listed(at)?;
                self.duplicates += u64::from(is_duplicate);
                if self.order.compare(held.at, at)? == Ordering::Less {
                    held.set(&entry);
                }
                continue;
            }
            std::mem::swap(held, &mut self.out);
            held.set(&entry);
            return Ok(Some(self.out.entry()));
        }
    }
}

/// Keys to leave out, walked in step with keys in order.
pub(crate) struct Superseded<'a> {
    merge: Merge<'a>,
}

impl<'a> Superseded<'a> {
    pub(crate) fn new(sorted: &'a Sorted, from: u8) -> Result<Self> {
        let mut merge = sorted.merge(from);
        merge.next()?;
        Ok(Self { merge })
    }

    /// Whether `key` is to be left out. Keys are asked for in order.
    pub(crate) fn contains(&mut self, key: &[u8]) -> Result<bool> {
        loop {
            match self
                .merge
                .current()
                .map(|superseded| superseded.key.cmp(key))
            {
                Some(Ordering::Less) => self.merge.next()?,
                Some(Ordering::Equal) => return Ok(true),
                Some(Ordering::Greater) | None => return Ok(false),
            };
        }
    }
}
