//! Format v1 into format v3 (c1z specification §2.8).
//!
//! Rows become records at once and are sorted by the keys of format v3.
//! Grants of one principal and one entitlement then are neighbours, and
//! become one.

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
use crate::store::Store;
use crate::v3;

/// The sync `run` of `store` on its way into a v3 file.
pub(super) struct Pouring<'a> {
    pub store: &'a dyn Store,
    pub run: &'a SyncRun,
    pub options: &'a RewriteOptions,
    pub scratch: &'a Scratch,
}

impl Pouring<'_> {
    /// Sorts and writes everything but the run itself.
    pub fn run(&self, writer: &mut v3::Writer, done: &mut Converted) -> Result<()> {
        for (number, table) in Table::ALL.into_iter().enumerate() {
            let begun = Instant::now();
            let (sorted, rows) = self.sort(table, done)?;
            match table {
                Table::Grants => write_grants(&sorted, writer, done)?,
                _ => write(table, &sorted, writer)?,
            }
            sorted.remove(&SystemFiles)?;
            if let Some(tally) = done.tables.get_mut(number) {
                tally.rows = rows;
                tally.took = begun.elapsed();
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

    /// The records of a table, and how many rows there were.
    fn sort(&self, table: Table, done: &mut Converted) -> Result<(Sorted, u64)> {
        let mut sorter = Sorter::new(self.options.place(self.scratch, table.name()));
        let (mut sort_key, mut record) = (Vec::new(), Vec::new());
        let (mut rows, mut dropped) = (0, 0);
        let undated = self.run.started_at.unwrap_or_default();
        let mut dated = None;
        let mut time = Vec::new();
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
            sorter.push(Entry {
                key: &sort_key,
                page: rows,
                row: 0,
                data: &record,
            })
        })?;
        done.dropped_rows += dropped;
        Ok((sorter.finish()?, rows))
    }
}

/// Where the tuple begins in a sorted key, behind the table and a separator.
const TUPLE_START: usize = 2;

/// Replaces `out` by a row's record.
fn to_record(table: Table, row: &Row<'_>, time: &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.clear();
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

/// One record for two.
fn merged(a: &[u8], b: &[u8]) -> Result<Vec<u8>> {
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
