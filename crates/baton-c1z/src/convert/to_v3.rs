//! Format v1 into format v3 (c1z specification §2.8).
//!
//! Rows become records at once and are sorted by the keys of format v3.
//! Grants of one principal and one entitlement then are neighbours, and
//! become one.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use super::Converted;
use super::pairs::{self, DatedGrant};
use crate::error::{Error, Result};
use crate::files::SystemFiles;
use crate::maintain::RewriteOptions;
use crate::row::{Row, Table};
use crate::run::{NewAsset, SyncRun};
use crate::scratch::Scratch;
use crate::seal::key::{self, Identity};
use crate::sort::{Entry, Sorted, Sorter};
use crate::stop::Stop;
use crate::store::Store;
use crate::v3;

/// The sync `run` of `store` on its way into a v3 file.
pub(super) struct Conversion<'a> {
    pub store: &'a dyn Store,
    pub run: &'a SyncRun,
    pub options: &'a RewriteOptions,
    pub scratch: &'a Scratch,
}

impl Conversion<'_> {
    /// Sorts and writes everything but the run itself.
    #[expect(
        clippy::disallowed_methods,
        reason = "elapsed time, for the report only"
    )]
    pub fn run(&self, writer: &mut v3::Writer, done: &mut Converted) -> Result<()> {
        for (number, table) in Table::ALL.into_iter().enumerate() {
            let begun = Instant::now();
            let (sorted, rows) = self.sort(table, done)?;
            match table {
                Table::Grants => write_grants(&sorted, writer, done)?,
                _ => write(table, &sorted, writer)?,
            }
            sorted.remove(&SystemFiles)?;
            if let Some(converted) = done.tables.get_mut(number) {
                converted.rows = rows;
                converted.took = begun.elapsed();
            }
        }
        let begun = Instant::now();
        let sync_id = Some(self.run.id.as_str());
        let undated = self.run.started_at.unwrap_or_default();
        self.store.assets(sync_id, &mut |id, asset, at| {
            done.assets.rows += 1;
            done.asset_bytes += asset.data.len() as u64;
            writer.set_discovered_at(at.unwrap_or(undated));
            writer.put_asset(&NewAsset {
                id: id.to_owned(),
                content_type: asset.content_type,
                data: asset.data,
            })
        })?;
        if !self.run.is_finished() {
            self.store
                .sessions(sync_id, &mut |key, value| writer.put_session(key, value))?;
        }
        done.assets.took = begun.elapsed();
        Ok(())
    }

    /// The records of a table, and how many rows there were. One thread reads
    /// and makes records, another one sorts them.
    fn sort(&self, table: Table, done: &mut Converted) -> Result<(Sorted, u64)> {
        let place = self.options.place(self.scratch, table.name());
        let (rows, dropped, sorted) = std::thread::scope(|scope| {
            let (full, batches) = sync_channel::<Batch>(BATCHES);
            let stop = Stop::current();
            let sorting = scope.spawn(move || {
                stop.scope(|| {
                    let mut sorter = Sorter::new(place);
                    for batch in batches {
                        batch.push_into(&mut sorter)?;
                    }
                    sorter.finish()
                })
            });
            let read = self.read(table, &full);
            drop(full);
            let sorted = match sorting.join() {
                Ok(sorted) => sorted?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            read.map(|(rows, dropped)| (rows, dropped, sorted))
        })?;
        done.dropped_rows += dropped;
        Ok((sorted, rows))
    }

    /// Sends the records of a table. Gives the number of rows, and of those
    /// that cannot be stored.
    fn read(&self, table: Table, full: &SyncSender<Batch>) -> Result<(u64, u64)> {
        let (mut sort_key, mut record) = (Vec::new(), Vec::new());
        let (mut rows, mut dropped) = (0, 0);
        let undated = self.run.started_at.unwrap_or_default();
        let mut dated = None;
        let mut time = Vec::new();
        let mut batch = Batch::default();
        let sync_id = Some(self.run.id.as_str());
        self.store.scan_dated(sync_id, table, &mut |row, at| {
            rows += 1;
            key::build(Identity::Tuple, table, row, &mut sort_key);
            if !v3::is_storable(sort_key.get(TUPLE_START..).unwrap_or_default()) {
                dropped += 1;
                return Ok(());
            }
            let at = at.unwrap_or(undated);
            if dated != Some(at) {
                dated = Some(at);
                time = v3::timestamp(&at);
            }
            to_record(table, row, &time, &mut record)?;
            batch.push(rows, &sort_key, &record);
            if batch.bytes.len() >= BATCH_BYTES {
                // Without a receiver, sorting has failed; its error has the reason.
                let _ = full.send(std::mem::take(&mut batch));
            }
            Ok(())
        })?;
        let _ = full.send(batch);
        Ok((rows, dropped))
    }
}

/// Bytes of records that are handed over at a time, and how many times that
/// waits to be sorted.
const BATCH_BYTES: usize = 512 << 10;
const BATCHES: usize = 4;

/// Records on their way to the sorter.
#[derive(Default)]
struct Batch {
    /// Number of the row, and lengths of its key and record.
    rows: Vec<(u64, usize, usize)>,
    /// Keys and records.
    bytes: Vec<u8>,
}

impl Batch {
    fn push(&mut self, number: u64, key: &[u8], record: &[u8]) {
        self.rows.push((number, key.len(), record.len()));
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(record);
    }

    fn push_into(&self, sorter: &mut Sorter) -> Result<()> {
        let mut rest = &self.bytes[..];
        for (number, key_len, record_len) in &self.rows {
            let (key, behind) = rest.split_at(*key_len);
            let (data, behind) = behind.split_at(*record_len);
            rest = behind;
            sorter.push(Entry {
                key,
                page: *number,
                row: 0,
                data,
            })?;
        }
        Ok(())
    }
}

/// Where the tuple begins in a sorted key, behind the table and a separator.
pub(crate) const TUPLE_START: usize = 2;

/// Replaces `out` by a row's record.
pub(crate) fn to_record(table: Table, row: &Row<'_>, time: &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.clear();
    // Expansions of a v1 file are always to be done (c1z specification §2.8).
    let row = &Row {
        is_expanded: false,
        ..*row
    };
    v3::write_record(table, row, time, out).map_err(|source| Error::Malformed {
        table,
        id: row.id.to_owned(),
        source,
    })
}

fn write(table: Table, sorted: &Sorted, writer: &mut v3::Writer) -> Result<()> {
    let mut merge = sorted.merge(0);
    while let Some(entry) = merge.next()? {
        writer.put_record(table, entry.key, entry.data)?;
    }
    Ok(())
}

/// Of grants with one key, one.
fn write_grants(sorted: &Sorted, writer: &mut v3::Writer, done: &mut Converted) -> Result<()> {
    let mut merge = sorted.merge(0);
    let (mut key, mut record): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    while let Some(entry) = merge.next()? {
        if entry.key == key {
            done.merged_grants += 1;
            record = merged(&record, entry.data)?;
            continue;
        }
        if !key.is_empty() {
            writer.put_record(Table::Grants, &key, &record)?;
        }
        entry.key.clone_into(&mut key);
        entry.data.clone_into(&mut record);
    }
    if key.is_empty() {
        return Ok(());
    }
    writer.put_record(Table::Grants, &key, &record)
}

/// One record of a grant for two of the same principal and entitlement.
pub(crate) fn merged(a: &[u8], b: &[u8]) -> Result<Vec<u8>> {
    let grant = pairs::merge(dated_grant(a)?, dated_grant(b)?).map_err(|source| {
        Error::Derived(baton_proto::Error::Decode {
            message: "c1.connector.v2.Grant".to_owned(),
            source,
        })
    })?;
    let mut row = crate::columns::read(Table::Grants, &grant.data).map_err(Error::Derived)?;
    row.expansion = grant.expansion.as_deref();
    let mut out = Vec::new();
    let time = v3::timestamp(&grant.at.unwrap_or_default());
    to_record(Table::Grants, &row, &time, &mut out)?;
    Ok(out)
}

fn dated_grant(record: &[u8]) -> Result<DatedGrant> {
    let mut buffers = v3::RecordBuffers::default();
    let row = v3::read_record(Table::Grants, record, &mut buffers).map_err(Error::Derived)?;
    Ok(DatedGrant {
        id: row.id.to_owned(),
        data: row.data.to_vec(),
        expansion: row.expansion.map(<[u8]>::to_vec),
        at: v3::discovered_at(Table::Grants, record),
    })
}
