//! Rows in canonical order, each identity once.
//!
//! Rows of equal key are neighbours after the sort; the one that is last in
//! canonical list and page order stays. Page headers are only looked up
//! where there is a choice. Keys that lost their id to a row under another
//! key (see [`super::conflict`]) are left out on the way.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::error::Result;
use crate::log::{ListId, PageLog};
use crate::sort::{Entry, Merge, Sorted};

use super::origin::Entries;

/// So many page headers are remembered; then all are forgotten.
const MAX_HEADERS: usize = 1024;

/// Decides which of two rows is later in canonical list and page order.
pub(super) struct Judge<'a> {
    log: &'a PageLog,
    headers: HashMap<u64, (ListId, u32)>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(log: &'a PageLog) -> Self {
        Self {
            log,
            headers: HashMap::new(),
        }
    }

    /// Compares two rows, each given by the offset of its page's record and
    /// its offset from there.
    pub(super) fn compare(&mut self, a: (u64, u32), b: (u64, u32)) -> Result<Ordering> {
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
        // One page logged twice: the repetition counts.
        Ok(pages.then(a.cmp(&b)))
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
pub(super) struct Winners<'a> {
    merge: Merge<'a>,
    losers: Option<Losers<'a>>,
    judge: Judge<'a>,
    held: Option<Held>,
    out: Held,
    dropped: u64,
}

impl<'a> Winners<'a> {
    /// The rows from table byte `from` on.
    pub(super) fn new(
        log: &'a PageLog,
        rows: &'a Sorted,
        losers: Option<&'a Sorted>,
        from: u8,
    ) -> Result<Self> {
        Ok(Self {
            merge: rows.merge(from),
            losers: losers.map(|l| Losers::new(l, from)).transpose()?,
            judge: Judge::new(log),
            held: None,
            out: Held::default(),
            dropped: 0,
        })
    }
}

impl Entries for Winners<'_> {
    fn dropped(&self) -> u64 {
        self.dropped
    }

    fn next(&mut self) -> Result<Option<Entry<'_>>> {
        loop {
            let Some(entry) = self.merge.next()? else {
                return Ok(self.held.take().map(|held| {
                    self.out = held;
                    self.out.entry()
                }));
            };
            if let Some(losers) = &mut self.losers
                && losers.contains(entry.key)?
            {
                self.dropped += 1;
                continue;
            }
            let Some(held) = &mut self.held else {
                let held = self.held.insert(std::mem::take(&mut self.out));
                held.set(&entry);
                continue;
            };
            if held.key == entry.key {
                self.dropped += 1;
                let at = (entry.page, entry.row);
                if self.judge.compare(held.at, at)? == Ordering::Less {
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
pub(crate) struct Losers<'a> {
    merge: Merge<'a>,
}

impl<'a> Losers<'a> {
    pub(crate) fn new(sorted: &'a Sorted, from: u8) -> Result<Self> {
        let mut merge = sorted.merge(from);
        merge.next()?;
        Ok(Self { merge })
    }

    /// Whether `key` is to be left out. Keys are asked for in order.
    pub(crate) fn contains(&mut self, key: &[u8]) -> Result<bool> {
        loop {
            match self.merge.current().map(|loser| loser.key.cmp(key)) {
                Some(Ordering::Less) => self.merge.next()?,
                Some(Ordering::Equal) => return Ok(true),
                Some(Ordering::Greater) | None => return Ok(false),
            };
        }
    }
}
