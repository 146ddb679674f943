//! The visible rows of a range, merged from logs and tables. Spec §5.4.
//!
//! Sources are kept in the order of where they stand. The first one moves on;
//! as long as it stays first, a row costs one comparison with the second.

use std::cmp::Ordering;
use std::ops::Bound;

use bytes::Bytes;

use super::cover::Cover;
use super::memory::MemoryIter;
use super::run::RunIter;
use super::{Db, successor};
use crate::error::Result;

/// Visible rows in the order of their keys.
///
/// After an error it is of no more use.
pub struct Iter<'a> {
    db: &'a Db,
    sources: Vec<Source<'a>>,
    /// Sources that are not done, by where they stand.
    order: Vec<usize>,
    cover: Cover,
    lower: Bytes,
    /// Whether the first source stands at a row that was given out.
    at_row: bool,
}

enum Source<'a> {
    Memory(MemoryIter<'a>),
    Run(Box<RunIter<'a>>),
}

impl std::fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

impl<'a> Iter<'a> {
    pub(super) fn new(db: &'a Db, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> Result<Self> {
        let lower = match lower {
            Bound::Unbounded => Bytes::new(),
            Bound::Included(key) => Bytes::copy_from_slice(key),
            Bound::Excluded(key) => successor(key),
        };
        let end = match upper {
            Bound::Unbounded => None,
            Bound::Included(key) => Some(successor(key)),
            Bound::Excluded(key) => Some(Bytes::copy_from_slice(key)),
        };
        let mut sources = Vec::new();
        let is_empty = end.as_ref().is_some_and(|end| *end <= lower);
        if !is_empty {
            if !db.memory.is_empty() {
                sources.push(Source::Memory(db.memory.entries_before(end.as_ref())));
            }
            let runs = db.runs.iter();
            sources
                .extend(runs.map(|run| Source::Run(Box::new(RunIter::new(db, run, end.clone())))));
        }
        let mut this = Self {
            db,
            order: Vec::with_capacity(sources.len()),
            sources,
            cover: Cover::default(),
            lower,
            at_row: false,
        };
        this.seek(&[])?;
        Ok(this)
    }

    /// Goes to before the first row whose key is not less than `key`, forward
    /// or back, but not out of the range.
    ///
    /// # Errors
    /// Those of reading the tables there.
    pub fn seek(&mut self, key: &[u8]) -> Result<()> {
        let target = key.max(&self.lower);
        self.at_row = false;
        self.cover.clear();
        self.cover.add(self.db.memory.spans().clone());
        for source in &mut self.sources {
            match source {
                Source::Memory(iter) => iter.seek(target),
                Source::Run(iter) => iter.seek(target, &mut self.cover)?,
            }
        }
        let sources = &self.sources;
        self.order.clear();
        self.order
            .extend((0..sources.len()).filter(|n| sources.get(*n).is_some_and(|s| !s.is_done())));
        self.order.sort_by(|a, b| compare(sources, *a, *b));
        Ok(())
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// Damage, and what is not supported, in the tables that are arrived at.
    #[allow(
        clippy::should_implement_trait,
        reason = "rows are lent, which an iterator cannot"
    )]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        if !self.find()? {
            return Ok(None);
        }
        Ok(self.first().map(|source| (source.key(), source.value())))
    }

    fn first(&self) -> Option<&Source<'a>> {
        self.sources.get(*self.order.first()?)
    }

    /// Goes to the next visible row.
    fn find(&mut self) -> Result<bool> {
        if self.at_row {
            self.at_row = false;
            self.pass(0)?;
        }
        loop {
            let Some(first) = self.order.first() else {
                return Ok(false);
            };
            let Some(source) = self.sources.get_mut(*first) else {
                return Ok(false);
            };
            if source.arrive(&mut self.cover)? {
                self.settle(0);
                continue;
            }
            if source.shows()? && !self.cover.hides(source.key(), source.sequence()) {
                source.fetch_value()?;
                self.pass_older()?;
                self.at_row = true;
                return Ok(true);
            }
            self.pass_older()?;
            self.pass(0)?;
        }
    }

    /// Moves the other sources past the key of the first one, which is the
    /// newest.
    #[inline]
    fn pass_older(&mut self) -> Result<()> {
        while let [first, second, ..] = self.order[..] {
            let (Some(a), Some(b)) = (self.sources.get(first), self.sources.get(second)) else {
                break;
            };
            if a.key() != b.key() {
                break;
            }
            self.pass(1)?;
        }
        Ok(())
    }

    /// Moves the source at `place` of the order past its current key.
    #[inline]
    fn pass(&mut self, place: usize) -> Result<()> {
        if let Some(source) = self.order.get(place).and_then(|n| self.sources.get_mut(*n)) {
            source.advance()?;
            while source.repeats() {
                source.advance()?;
            }
            self.settle(place);
        }
        Ok(())
    }

    /// Restores the order after the source at `place` has moved.
    #[inline]
    fn settle(&mut self, mut place: usize) {
        let Some(source) = self.order.get(place).and_then(|n| self.sources.get(*n)) else {
            return;
        };
        if source.is_done() {
            self.order.remove(place);
            return;
        }
        while let Some([a, b]) = self.order.get_mut(place..place + 2)
            && compare(&self.sources, *a, *b).is_gt()
        {
            std::mem::swap(a, b);
            place += 1;
        }
    }
}

/// Order of two sources: key, then newest first.
#[inline]
fn compare(sources: &[Source<'_>], a: usize, b: usize) -> Ordering {
    match (sources.get(a), sources.get(b)) {
        (Some(a), Some(b)) => a.key().cmp(b.key()).then_with(|| {
            let newest_first = b.sequence().cmp(&a.sequence());
            newest_first.then(a.rank().cmp(&b.rank()))
        }),
        _ => Ordering::Equal,
    }
}

impl Source<'_> {
    fn is_done(&self) -> bool {
        match self {
            Self::Memory(iter) => iter.is_done(),
            Self::Run(iter) => iter.is_done(),
        }
    }

    /// Opens the table that it stands before; `false` if it stands at an
    /// entry.
    #[inline]
    fn arrive(&mut self, cover: &mut Cover) -> Result<bool> {
        match self {
            Self::Run(iter) if iter.is_waiting() => iter.arrive(cover).map(|()| true),
            _ => Ok(false),
        }
    }

    #[inline]
    fn advance(&mut self) -> Result<()> {
        match self {
            Self::Memory(iter) => {
                iter.advance();
                Ok(())
            }
            Self::Run(iter) => iter.advance(),
        }
    }

    #[inline]
    fn repeats(&self) -> bool {
        match self {
            // Holds each key once.
            Self::Memory(_) => false,
            Self::Run(iter) => iter.repeats(),
        }
    }

    #[inline]
    fn key(&self) -> &[u8] {
        match self {
            Self::Memory(iter) => iter.key(),
            Self::Run(iter) => iter.key(),
        }
    }

    #[inline]
    fn sequence(&self) -> u64 {
        match self {
            Self::Memory(iter) => iter.sequence(),
            Self::Run(iter) => iter.sequence(),
        }
    }

    #[inline]
    fn rank(&self) -> u32 {
        match self {
            Self::Memory(_) => 0,
            Self::Run(iter) => iter.rank(),
        }
    }

    #[inline]
    fn shows(&self) -> Result<bool> {
        match self {
            Self::Memory(iter) => Ok(iter.shows()),
            Self::Run(iter) => iter.shows(),
        }
    }

    #[inline]
    fn fetch_value(&mut self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Run(iter) => iter.fetch_value(),
        }
    }

    #[inline]
    fn value(&self) -> &[u8] {
        match self {
            Self::Memory(iter) => iter.value(),
            Self::Run(iter) => iter.value(),
        }
    }
}
