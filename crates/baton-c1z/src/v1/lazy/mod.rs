//! A large v1 file of which only the beginning is unpacked, until more is
//! asked for.
//!
//! Small tables lie in front of the grants where our writer made the file, and
//! in any file of one sync. The beginning, cut to whole pages and with their
//! number in its header, is a database for everything on these pages. SQLite
//! refuses every page behind them, of a tree or of a long value. So a row that
//! was not unpacked never counts as absent: the query is repeated on a longer
//! beginning, and in the end on the whole file. The checksum of the stream
//! covers the whole file and is compared only then. Until then, damage in the
//! beginning of a large file may go unnoticed.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::path::{Path, PathBuf};

use super::reader::Reader;
use super::{front, open_content_of, unpack_file};
use crate::envelope::Identity;
use crate::error::{Error, Result};
use crate::paths::open_regular;
use crate::row::{OwnedRow, Table};
use crate::run::{Stats, SyncRun};
use crate::store::{
    Asset, Key, Query, Store, StorePage, Visit, VisitAsset, VisitDated, VisitSession,
};
use crate::way::Way;
use crate::{Capabilities, Format, ReadOptions};

/// How much is unpacked, one after the other, before it is everything.
const FRONTS: &[u64] = &[16 << 20, 64 << 20, 128 << 20, 256 << 20];
/// Content below this size is unpacked, and its checksum compared, at once.
const WHOLE_BYTES: u64 = 64 << 20;

/// An open v1 file.
pub(crate) struct Lazy {
    path: PathBuf,
    /// The file, whatever its name comes to mean.
    file: File,
    options: ReadOptions,
    /// Beginnings by length. One that is of no use stays `None`.
    fronts: Vec<(u64, OnceCell<Option<Reader>>)>,
    whole: OnceCell<(Reader, Identity)>,
    /// The first beginning that may be of use.
    first: Cell<usize>,
}

/// A stage's answer.
enum Answer<T> {
    Complete(T),
    /// It lies behind what is unpacked.
    Behind,
}

impl Lazy {
    /// Opens the v1 file `path`.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        // More than half of it gains nothing.
        Self::open_in_steps(path, options, FRONTS, WHOLE_BYTES, 2)
    }

    fn open_in_steps(
        path: &Path,
        options: &ReadOptions,
        steps: &[u64],
        whole_bytes: u64,
        share: u64,
    ) -> Result<Self> {
        let file = open_regular(path)?;
        let opened = open_content_of(path, &file, &options.limits)?;
        // Content that is too long is refused when all of it is unpacked.
        let is_large = |size: &u64| *size >= whole_bytes && *size <= opened.limit;
        let declared = opened.content.declared().filter(is_large).unwrap_or(0);
        drop(opened);
        let fronts = steps
            .iter()
            .filter(|step| **step <= declared / share)
            .map(|step| (*step, OnceCell::new()))
            .collect();
        let this = Self {
            path: path.to_owned(),
            file,
            options: options.clone(),
            fronts,
            whole: OnceCell::new(),
            first: Cell::new(0),
        };
        // So that a file that is no database is refused here.
        this.runs()?;
        Ok(this)
    }

    fn whole(&self) -> Result<&(Reader, Identity)> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let limits = &self.options.limits;
        let temp_dir = self.options.temp_dir.as_deref();
        let (copy, identity) = unpack_file(&self.path, &self.file, limits, temp_dir)?;
        let reader = Reader::of_copy(&self.path, copy)?.without_name();
        Ok(self.whole.get_or_init(|| (reader, identity)))
    }

    /// The reader of a beginning; `None` if it is of no use.
    fn front(&self, at: usize) -> Result<Option<&Reader>> {
        let Some((bytes, slot)) = self.fronts.get(at) else {
            return Ok(None);
        };
        if let Some(reader) = slot.get() {
            return Ok(reader.as_ref());
        }
        let copy = front::unpack(&self.path, &self.file, *bytes, &self.options)?;
        let reader = match copy {
            Some(copy) => Reader::of_front(&self.path, copy)?.map(Reader::without_name),
            None => None,
        };
        Ok(slot.get_or_init(|| reader).as_ref())
    }

    /// Asks one beginning after the other, then the whole.
    fn ask<T>(&self, mut ask: impl FnMut(&Reader) -> Result<Answer<T>>) -> Result<T> {
        while self.whole.get().is_none() && self.first.get() < self.fronts.len() {
            let at = self.first.get();
            if let Some(reader) = self.front(at)?
                && let Answer::Complete(answer) = ask(reader)?
            {
                return Ok(answer);
            }
            // A visitor's own requests may have advanced further.
            self.first.set(self.first.get().max(at + 1));
        }
        match ask(&self.whole()?.0)? {
            Answer::Complete(answer) => Ok(answer),
            // The whole answers with its error.
            Answer::Behind => Err(Error::Database {
                path: self.path.clone(),
                doing: "read it",
                source: "a page of it is missing".into(),
            }),
        }
    }

    /// Asks what has no visitor.
    fn get_of<T>(&self, table: Table, get: impl Fn(&Reader) -> Result<T>) -> Result<T> {
        if table == Table::Grants {
            return get(&self.whole()?.0);
        }
        self.ask(|reader| self.judge(reader, get(reader), false))
    }

    /// Whether a failure only means that the beginning ends.
    fn judge<T>(&self, reader: &Reader, result: Result<T>, by_visitor: bool) -> Result<Answer<T>> {
        let is_whole = self
            .whole
            .get()
            .is_some_and(|(whole, _)| std::ptr::eq(whole, reader));
        match result {
            Ok(answer) => Ok(Answer::Complete(answer)),
            Err(Error::Database { .. }) if !is_whole && !by_visitor => Ok(Answer::Behind),
            Err(e) => Err(e),
        }
    }
}

impl Store for Lazy {
    fn format(&self) -> Format {
        Format::V1
    }

    fn capabilities(&self) -> Capabilities {
        Reader::CAPABILITIES
    }

    fn identity(&self) -> Result<Identity> {
        Ok(self.whole()?.1)
    }

    fn runs(&self) -> Result<Vec<SyncRun>> {
        self.ask(|reader| self.judge(reader, reader.runs(), false))
    }

    fn scan(&self, query: &Query<'_>, visit: &mut Visit<'_>) -> Result<()> {
        if query.table == Table::Grants {
            return self.whole()?.0.scan(query, visit);
        }
        let mut last = None;
        self.ask(|reader| {
            let mut by_visitor = false;
            let scanned = reader.scan_behind(query, last, &mut |number, row| {
                last = Some(number);
                let next = visit(row);
                by_visitor = next.is_err();
                next
            });
            self.judge(reader, scanned, by_visitor)
        })
    }

    fn way(&self, query: &Query<'_>) -> Result<Way> {
        self.get_of(query.table, |reader| reader.way(query))
    }

    fn is_sorted(&self, query: &Query<'_>) -> Result<bool> {
        self.get_of(query.table, |reader| reader.is_sorted(query))
    }

    fn scan_dated(
        &self,
        sync_id: Option<&str>,
        table: Table,
        visit: &mut VisitDated<'_>,
    ) -> Result<()> {
        self.whole()?.0.scan_dated(sync_id, table, visit)
    }

    fn page(&self, query: &Query<'_>, size: u32, after: Option<&[u8]>) -> Result<StorePage> {
        self.whole()?.0.page(query, size, after)
    }

    fn get(&self, sync_id: Option<&str>, table: Table, key: Key<'_>) -> Result<Option<OwnedRow>> {
        self.get_of(table, |reader| reader.get(sync_id, table, key))
    }

    fn get_only(
        &self,
        sync_id: Option<&str>,
        table: Table,
        key: Key<'_>,
    ) -> Result<Option<OwnedRow>> {
        self.get_of(table, |reader| reader.get_only(sync_id, table, key))
    }

    fn count(&self, query: &Query<'_>) -> Result<u64> {
        self.get_of(query.table, |reader| reader.count(query))
    }

    fn compute_stats(&self, sync_id: Option<&str>) -> Result<Stats> {
        self.whole()?.0.compute_stats(sync_id)
    }

    fn asset(&self, sync_id: Option<&str>, id: &str) -> Result<Option<Asset>> {
        self.ask(|reader| self.judge(reader, reader.asset(sync_id, id), false))
    }

    fn assets(&self, sync_id: Option<&str>, visit: &mut VisitAsset<'_>) -> Result<()> {
        self.whole()?.0.assets(sync_id, visit)
    }

    fn sessions(&self, sync_id: Option<&str>, visit: &mut VisitSession<'_>) -> Result<()> {
        self.whole()?.0.sessions(sync_id, visit)
    }
}

#[cfg(test)]
mod tests;
