//! The first pass of a seal: from the log into the sort.
//!
//! The log is read once, forward. Pages that do not count are skipped; of
//! every other row the canonical key is built and sorted together with the
//! row's bytes, and beside it two hashes by which [`super::conflict`] finds
//! ids that occur under several keys.

use std::hash::Hasher;

use crate::columns;
use crate::error::{Error, Result};
use crate::log::{LoggedPage, PageLog};
use crate::row::{Row, Table};
use crate::sort::{Entry, Place, Sorted, Sorter};
use crate::v3;

use super::key;
use super::plan::SealEvent;
use super::winners::Identity;

/// How many bytes of the log lie between two reports of progress.
const REPORT_BYTES: u64 = 8 << 20;

/// Everything in the log that counts, sorted.
pub(super) struct Collected {
    /// Keys and rows.
    pub rows: Sorted,
    /// For rows whose external id is not their key: hash of the id, then
    /// hash of the key. Empty where ids identify nothing.
    pub ids: Sorted,
    /// Grants with an expansion, before repeated ids are resolved.
    pub expandable: u64,
}

/// Shares of the memory budget, in sixteenths.
const ROWS_SHARE: usize = 10;
const IDS_SHARE: usize = 2;

/// Reads and sorts the log.
pub(super) fn collect(
    log: &PageLog,
    identity: Identity,
    place: &Place,
    progress: &mut dyn FnMut(SealEvent),
) -> Result<Collected> {
    let mut collector = Collector {
        log,
        identity,
        rows: Sorter::new(share(place, "rows", ROWS_SHARE)),
        ids: Sorter::new(share(place, "ids", IDS_SHARE)),
        expandable: 0,
        key: Vec::new(),
        id: String::new(),
        stub: Vec::new(),
    };
    let total_bytes = log.size_bytes();
    let mut report_at = 0;
    log.scan_pages(&mut |offset, page| {
        if offset >= report_at {
            report_at = offset + REPORT_BYTES;
            progress(SealEvent::Sorting {
                done_bytes: offset,
                total_bytes,
            });
        }
        if log.counts(page.header.list, page.header.generation) {
            collector.add(offset, page)?;
        }
        Ok(())
    })?;
    Ok(Collected {
        rows: collector.rows.finish()?,
        ids: collector.ids.finish()?,
        expandable: collector.expandable,
    })
}

pub(super) fn share(place: &Place, name: &'static str, sixteenths: usize) -> Place {
    Place {
        name,
        budget_bytes: place.budget_bytes / 16 * sixteenths,
        ..place.clone()
    }
}

struct Collector<'a> {
    log: &'a PageLog,
    identity: Identity,
    rows: Sorter,
    ids: Sorter,
    expandable: u64,
    key: Vec<u8>,
    id: String,
    stub: Vec<u8>,
}

impl Collector<'_> {
    fn add(&mut self, page: u64, logged: LoggedPage<'_>) -> Result<()> {
        for (at, row) in logged.rows {
            let (table, data) = (row.table(), row.data());
            let bad = |source| Error::PageRow {
                path: self.log.path().to_owned(),
                table,
                offset: at.offset(),
                source,
            };
            let columns = columns::read(table, data).map_err(bad)?;
            key::build(table, &columns, &mut self.key);
            if table == Table::Grants && columns::is_expandable(data).map_err(bad)? {
                self.expandable += 1;
            }
            // Rows are within their record, whose size is limited.
            let row = u32::try_from(at.offset() - page).unwrap_or(u32::MAX);
            let mut data = data;
            match self.identity {
                Identity::ExternalId => {
                    if let Some(hashes) = id_hashes(table, &columns, &self.key, &mut self.id) {
                        self.ids.push(Entry {
                            key: &hashes,
                            page,
                            row,
                            data: &[],
                        })?;
                    }
                }
                // Only ids of what a grant embeds are kept in the end, so
                // nothing else is moved through the sort.
                Identity::Tuple if table == Table::Grants => {
                    v3::grant_stub(&columns, &mut self.stub).map_err(bad)?;
                    data = &self.stub;
                }
                Identity::Tuple => {}
            }
            self.rows.push(Entry {
                key: &self.key,
                page,
                row,
                data,
            })?;
        }
        Ok(())
    }
}

/// Hash of table and external id, then of the key. `None` where the id is
/// the key. `id` is a buffer.
pub(super) fn id_hashes(
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
pub(super) fn external_id(table: Table, row: &Row<'_>, out: &mut String) {
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
pub(super) fn hash(salt: u8, bytes: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write_u8(salt);
    hasher.write(bytes);
    hasher.finish()
}
