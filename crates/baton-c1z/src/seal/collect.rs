//! The first pass of a seal: from the log into the sort.
//!
//! The log is read once, part by part, by two threads. Pages that do not count
//! are skipped; of every other row the canonical key is built and sorted
//! together with the row's content. Where ids identify rows, two hashes are
//! sorted beside it, by which [`super::duplicate_ids`] finds ids that occur under
//! several keys. Which thread took a row makes no difference to the result:
//! the order of rows with the same key is that of the log.

use std::hash::Hasher;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

use crate::columns;
use crate::error::{Error, Result};
use crate::log::{LoggedPage, PageLog};
use crate::row::{Row, Table};
use crate::sort::{Entry, Place, Sorted, Sorter};
use crate::stop::Stop;
use crate::v3;

use super::key::{self, Identity};
use super::plan::SealEvent;
use super::row_source::Shape;

/// So many threads read and sort; each takes the next part of the log.
const THREADS: usize = 2;

/// What rows are sorted as.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// The messages as they came.
    Messages,
    /// Records of format v3, far smaller for grants, with this encoded time of
    /// discovery.
    Records { discovered_at: Vec<u8> },
}

impl Form {
    /// What identifies rows of this form.
    pub(crate) fn identity(&self) -> Identity {
        match self {
            Self::Messages => Identity::ExternalId,
            Self::Records { .. } => Identity::Tuple,
        }
    }

    /// What the data of sorted entries is.
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Messages => Shape::Messages,
            Self::Records { .. } => Shape::Records,
        }
    }
}

/// Everything in the log that counts, sorted.
pub(super) struct Collected {
    /// Keys and rows.
    pub rows: Sorted,
    /// For rows whose external id is not their key: hash of the id, then
    /// hash of the key. Empty where ids identify nothing.
    pub ids: Sorted,
    /// Grants with an expansion, before repeated ids are resolved.
    pub expandable: u64,
    /// There are rows that no list has.
    pub added: bool,
}

/// Shares of the memory budget, in sixteenths.
const ROWS_SHARE: usize = 10;
const IDS_SHARE: usize = 2;
/// Names of the threads' files.
const NAMES: [[&str; 2]; THREADS] = [["rows", "ids"], ["rows-2", "ids-2"]];

/// Reads and sorts the log.
pub(super) fn collect(
    log: &PageLog,
    form: &Form,
    place: &Place,
    progress: &mut dyn FnMut(SealEvent),
) -> Result<Collected> {
    let parts = log.parts();
    let total_bytes = log.size_bytes();
    let queue = Queue {
        parts: &parts,
        next: AtomicUsize::new(0),
    };
    let [first, second] = NAMES;
    let threads = if parts.len() < THREADS { 1 } else { THREADS };
    let place = Place {
        budget_bytes: place.budget_bytes / threads,
        ..place.clone()
    };
    std::thread::scope(|scope| {
        let helper = (threads > 1).then(|| {
            let collector = Collector::new(log, form, &place, second);
            let queue = &queue;
            let stop = Stop::current();
            scope.spawn(move || stop.scope(|| collector.run(queue, &mut |_| ())))
        });
        let mut report = |done_bytes| {
            progress(SealEvent::Sorting {
                done_bytes,
                total_bytes,
            });
        };
        let mine = Collector::new(log, form, &place, first).run(&queue, &mut report);
        let others = match helper.map(ScopedJoinHandle::join) {
            None => None,
            Some(Ok(others)) => Some(others?),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        };
        let mine = mine?;
        Ok(match others {
            None => mine,
            Some(others) => Collected {
                rows: mine.rows.join(others.rows),
                ids: mine.ids.join(others.ids),
                expandable: mine.expandable + others.expandable,
                added: mine.added || others.added,
            },
        })
    })
}

pub(crate) fn share(place: &Place, name: &'static str, sixteenths: usize) -> Place {
    Place {
        name,
        budget_bytes: place.budget_bytes / 16 * sixteenths,
        ..place.clone()
    }
}

/// The parts of the log that no thread has taken yet.
struct Queue<'a> {
    parts: &'a [Range<u64>],
    next: AtomicUsize,
}

impl Queue<'_> {
    fn take(&self) -> Option<Range<u64>> {
        self.parts
            .get(self.next.fetch_add(1, Ordering::Relaxed))
            .cloned()
    }

    /// Leaves nothing for the others: the work has failed.
    fn close(&self) {
        self.next.store(self.parts.len(), Ordering::Relaxed);
    }
}

struct Collector<'a> {
    log: &'a PageLog,
    form: &'a Form,
    rows: Sorter,
    ids: Sorter,
    expandable: u64,
    added: bool,
    key: Vec<u8>,
    id: String,
    record: Vec<u8>,
}

impl<'a> Collector<'a> {
    fn new(
        log: &'a PageLog,
        form: &'a Form,
        place: &Place,
        [rows, ids]: [&'static str; 2],
    ) -> Self {
        Self {
            log,
            form,
            rows: Sorter::new(share(place, rows, ROWS_SHARE)),
            ids: Sorter::new(share(place, ids, IDS_SHARE)),
            expandable: 0,
            added: false,
            key: Vec::new(),
            id: String::new(),
            record: Vec::new(),
        }
    }

    /// Takes parts as long as there are any. `report` gets the offset
    /// that was reached.
    fn run(mut self, queue: &Queue<'_>, report: &mut dyn FnMut(u64)) -> Result<Collected> {
        while let Some(part) = queue.take() {
            report(part.start);
            let scanned = self.log.scan_pages(part, &mut |offset, page| {
                if self.log.counts(page.header.list, page.header.generation) {
                    self.add(offset, page)?;
                }
                Ok(())
            });
            if scanned.is_err() {
                queue.close();
            }
            scanned?;
        }
        Ok(Collected {
            rows: self.rows.finish()?,
            ids: self.ids.finish()?,
            expandable: self.expandable,
            added: self.added,
        })
    }

    fn add(&mut self, page: u64, logged: LoggedPage<'_>) -> Result<()> {
        for (at, row) in logged.rows {
            let (table, data) = (row.table, row.data);
            self.added |= row.added;
            // Rows are within their record, whose size is limited.
            let row = u32::try_from(at.offset() - page).unwrap_or(u32::MAX);
            match self.form {
                Form::Messages => self.add_message(table, data, (page, row)),
                Form::Records { discovered_at } => {
                    self.add_record(table, data, discovered_at, (page, row))
                }
            }
            .map_err(|failed| match failed {
                Failed::Bad(source) => Error::PageRow {
                    path: self.log.path().to_owned(),
                    table,
                    offset: at.offset(),
                    source,
                },
                Failed::Other(error) => error,
            })?;
        }
        Ok(())
    }

    fn add_message(
        &mut self,
        table: Table,
        data: &[u8],
        (page, row): (u64, u32),
    ) -> std::result::Result<(), Failed> {
        let columns = columns::read(table, data)?;
        key::build(Identity::ExternalId, table, &columns, &mut self.key);
        if table == Table::Grants && columns::is_expandable(data)? {
            self.expandable += 1;
        }
        if let Some(hashes) = id_hashes(table, &columns, &self.key, &mut self.id) {
            self.ids.push(Entry {
                key: &hashes,
                page,
                row,
                data: &[],
            })?;
        }
        self.rows.push(Entry {
            key: &self.key,
            page,
            row,
            data,
        })?;
        Ok(())
    }

    fn add_record(
        &mut self,
        table: Table,
        data: &[u8],
        discovered_at: &[u8],
        (page, row): (u64, u32),
    ) -> std::result::Result<(), Failed> {
        let split = match table {
            Table::Grants => columns::split_expandable(data)?,
            _ => None,
        };
        let data = split.as_ref().map_or(data, |split| &split.data);
        let mut columns = columns::read(table, data)?;
        columns.expansion = split.as_ref().and_then(|split| split.expansion.as_deref());
        self.expandable += u64::from(split.is_some());
        key::build(Identity::Tuple, table, &columns, &mut self.key);
        self.record.clear();
        v3::write_record(table, &columns, discovered_at, &mut self.record)?;
        self.rows.push(Entry {
            key: &self.key,
            page,
            row,
            data: &self.record,
        })?;
        Ok(())
    }
}

/// Why a row cannot be taken up.
enum Failed {
    /// It is no message of its table.
    Bad(baton_proto::Error),
    Other(Error),
}

impl From<baton_proto::Error> for Failed {
    fn from(source: baton_proto::Error) -> Self {
        Self::Bad(source)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Hash of table and external id, then of the key. `None` where the id is
/// the key. `id` is a buffer.
pub(crate) fn id_hashes(
    table: Table,
    row: &Row<'_>,
    key: &[u8],
    id: &mut String,
) -> Option<[u8; 16]> {
    if table == Table::ResourceTypes {
        return None;
    }
    external_id(table, row, id);
    let mut hashes = [0; 16];
    hashes[..8].copy_from_slice(&hash(key::table_byte(table), id.as_bytes()).to_be_bytes());
    hashes[8..].copy_from_slice(&hash(0, key).to_be_bytes());
    Some(hashes)
}

/// Replaces `out` by the row's external id as format v1 has it.
pub(crate) fn external_id(table: Table, row: &Row<'_>, out: &mut String) {
    out.clear();
    if table == Table::Resources {
        out.push_str(row.resource_type_id);
        out.push(':');
        out.push_str(row.resource_id);
    } else {
        out.push_str(row.id);
    }
}

/// A hash that is the same in every process, so that sealing does not vary.
#[expect(clippy::disallowed_methods, reason = "compared within one seal only")]
pub(super) fn hash(salt: u8, bytes: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write_u8(salt);
    hasher.write(bytes);
    hasher.finish()
}
