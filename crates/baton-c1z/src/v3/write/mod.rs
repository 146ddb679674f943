//! Writing a file of format v3: rows in the order of their keys become
//! tables, tables become a payload, and the payload an envelope.
//!
//! Everything is built beside the target, which the last step replaces as a
//! whole. Memory is bounded by the sorters' budget and a few tables.

mod envelope;
mod old;
mod payload;
mod rewrite;
mod run;
mod spool;
mod tables;
mod tar;

use std::path::PathBuf;
use std::str::FromStr;

use baton_proto::c1::storage::v3;
use baton_proto::encode;
use prost_types::Timestamp;

pub(crate) use old::Old;
pub(crate) use rewrite::{Rewrite, rewrite};
pub(super) use run::stats_record;
pub(super) use spool::Spools;
pub(super) use tables::{TableSink, Tables};

use super::envelope::Encoding;
use super::records::Buffers;
use super::{encode as records, keys};
use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::row::{Row, Table};
use crate::run::{NewAsset, Stats, SyncRun};
use crate::save::Saver;
use crate::sort::Place;
use crate::tuple;
use payload::Payload;

/// Content type of an asset that states none.
const UNKNOWN_CONTENT_TYPE: &str = "unknown";

/// Where and how a file is written.
pub(crate) struct WriteOptions {
    /// The file to create or replace.
    pub target: PathBuf,
    /// How it is put in its place.
    pub saver: Saver,
    /// A folder for scratch files, and the memory for sorting.
    pub place: Place,
    /// How the directory is packed.
    pub encoding: Encoding,
    /// zstd level, 1 being the fastest.
    pub compression_level: i32,
    /// Recorded with the counts, and as the time of discovery of rows and
    /// assets that have none of their own.
    pub written_at: Timestamp,
}

/// What [`Writer::finish`] is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Writing the stored indexes.
    Indexing,
    /// Putting the file together.
    Saving {
        /// Bytes of the payload copied so far.
        done_bytes: u64,
        /// Its size.
        total_bytes: u64,
    },
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// The file, symbolic links resolved.
    pub path: PathBuf,
    /// Counts of the sync.
    pub stats: Stats,
}

/// One sync on its way into a file of format v3.
pub(crate) struct Writer {
    options: WriteOptions,
    run: SyncRun,
    dated: Timestamp,
    discovered_at: Vec<u8>,
    tables: Tables<Payload>,
    spools: Spools,
    counts: Counts,
    key: Vec<u8>,
    record: Vec<u8>,
}

/// The id of a record's row, for messages.
fn id_of(table: Table, record: &[u8]) -> String {
    let mut buffers = Buffers::default();
    super::records::read(table, record, &mut buffers).map_or(String::new(), |row| row.id.to_owned())
}

/// Whether format v3 can hold a sync of this id: it must be a KSUID.
pub(crate) fn check_sync_id(id: &str) -> Result<()> {
    match svix_ksuid::Ksuid::from_str(id) {
        // Twenty-seven digits can exceed the range: those come out changed.
        Ok(parsed) if parsed.to_string() == id => Ok(()),
        _ => Err(Error::Argument {
            what: "sync id",
            reason: "format v3 only holds syncs whose id is a KSUID",
        }),
    }
}

/// Whether format v3 can hold a row with this key: no part of its identity may
/// be empty (c1z specification §2.3).
pub(crate) fn is_storable(tuple: &[u8]) -> bool {
    let mut parts = tuple::parts(tuple).enumerate();
    // The tail of an entitlement's id may be: then the id is its resource's,
    // with a colon.
    let mut flag: &[u8] = &[];
    parts.all(|(at, part)| match at {
        FLAG_PART => {
            flag = part;
            true
        }
        TAIL_PART => !part.is_empty() || flag == tuple::FLAG_REST,
        _ => !part.is_empty(),
    })
}

/// Positions in the tuple of an entitlement or grant.
const FLAG_PART: usize = 2;
const TAIL_PART: usize = 3;

/// Adds the rows that state the layout of the keys.
fn stamp(tables: &mut Tables<Payload>) -> Result<()> {
    for key in [keys::ENTITLEMENT_ID_FORMAT, keys::KEYSPACE_VERSION] {
        tables.add(key, &keys::LAYOUT.to_be_bytes())?;
    }
    Ok(())
}

/// Makes a file without a sync.
pub(crate) fn write_empty(options: &WriteOptions) -> Result<PathBuf> {
    let mut tables = begin(options)?;
    stamp(&mut tables)?;
    let stored = tables.finish()?;
    let manifest = envelope::manifest(options.encoding, None);
    let path = envelope::assemble(
        &options.target,
        &options.saver,
        &manifest,
        &stored,
        &mut |_| (),
    )?;
    let _ = options.place.files.remove_file(&stored.path);
    Ok(path)
}

fn begin(options: &WriteOptions) -> Result<Tables<Payload>> {
    let payload = Payload::begin(
        &options.place.files,
        &options.place.dir,
        options.encoding,
        options.compression_level,
    )?;
    Ok(Tables::new(payload))
}

impl Writer {
    /// Begins a file beside the target.
    ///
    /// # Errors
    /// [`Error::Argument`] if the run's id is no KSUID.
    pub fn begin(options: WriteOptions, run: SyncRun) -> Result<Self> {
        check_sync_id(&run.id)?;
        let tables = begin(&options)?;
        Ok(Self {
            dated: options.written_at,
            discovered_at: records::timestamp(&options.written_at),
            tables,
            spools: Spools::new(options.place.clone()),
            counts: Counts::default(),
            key: Vec::new(),
            record: Vec::new(),
            run,
            options,
        })
    }

    /// Sets when the rows and assets from here on were found.
    pub fn set_discovered_at(&mut self, at: Timestamp) {
        if self.dated != at {
            self.dated = at;
            self.discovered_at = records::timestamp(&at);
        }
    }

    /// Adds one row. Rows come in the order of their keys, each key once;
    /// `GrantExpandable` must already be in `expansion`.
    ///
    /// # Errors
    /// [`Error::Unstorable`] for a row that lacks a part of its identity,
    /// [`Error::DuplicateId`] for one whose key is not greater than the last.
    pub fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()> {
        keys::row(table, row, &mut self.key);
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        records::record(table, row, &self.discovered_at, &mut record).map_err(|source| {
            Error::Malformed {
                table,
                id: row.id.to_owned(),
                source,
            }
        })?;
        let put = self.add(table, &record);
        self.record = record;
        put
    }

    /// As [`Writer::put`], for a record whose key while sealing is `sealed`.
    pub fn put_record(&mut self, table: Table, sealed: &[u8], record: &[u8]) -> Result<()> {
        keys::of_sealed(sealed, &mut self.key);
        self.add(table, record)
    }

    /// Adds the record whose key is in `self.key`.
    fn add(&mut self, table: Table, record: &[u8]) -> Result<()> {
        let tuple = keys::tuple_of(&self.key);
        if !is_storable(tuple) {
            return Err(Error::Unstorable {
                table,
                id: id_of(table, record),
            });
        }
        let type_id = tuple::parts(tuple).next().and_then(tuple::unescape);
        self.counts.add(table, &type_id.unwrap_or_default());
        if !self.tables.add(&self.key, record)? {
            return Err(Error::DuplicateId {
                table,
                id: id_of(table, record),
            });
        }
        let malformed = |source| Error::Malformed {
            table,
            id: id_of(table, record),
            source,
        };
        match table {
            Table::ResourceTypes | Table::Entitlements => Ok(()),
            Table::Resources => match records::parent(record).map_err(malformed)? {
                Some(parent) => self.spools.parent(parent, &self.key),
                None => Ok(()),
            },
            Table::Grants => {
                let needs_expansion = records::needs_expansion(record).map_err(malformed)?;
                self.spools.grant(&self.key, needs_expansion)
            }
        }
    }

    /// Adds an asset, unless it is empty. Assets come in any order.
    pub fn put_asset(&mut self, asset: &NewAsset) -> Result<()> {
        if asset.data.is_empty() {
            return Ok(());
        }
        let content_type = match asset.content_type.as_str() {
            "" => UNKNOWN_CONTENT_TYPE,
            stated => stated,
        };
        let record = v3::AssetRecord {
            sync_id: self.run.id.clone(),
            external_id: asset.id.clone(),
            content_type: content_type.to_owned(),
            data: asset.data.clone(),
            discovered_at: Some(self.dated),
        };
        self.counts.add_assets(1);
        self.spools
            .asset(&keys::asset(&asset.id), &encode::to_vec(&record))
    }

    /// Adds what a connector stored under `key` for the sync.
    pub fn put_session(&mut self, key: &str, value: &[u8]) -> Result<()> {
        let record = v3::SessionRecord {
            sync_id: self.run.id.clone(),
            key: key.to_owned(),
            value: value.to_vec(),
        };
        self.spools
            .session(&keys::session(&self.run.id, key), &encode::to_vec(&record))
    }

    /// Completes the file and puts it in its place.
    ///
    /// # Errors
    /// [`Error::Argument`] if two assets have one id. The target is then, and
    /// on any other failure, what it was.
    pub fn finish(self, progress: &mut dyn FnMut(Phase)) -> Result<Written> {
        progress(Phase::Indexing);
        let Self {
            options,
            run,
            mut tables,
            spools,
            counts,
            ..
        } = self;
        let (unique, indexes) = spools.put_assets(&mut tables)?;
        if !unique {
            return Err(Error::Argument {
                what: "list of assets",
                reason: "two of them have the same id",
            });
        }
        tables.add(keys::RUN, &encode::to_vec(&run::record(&run)))?;
        indexes.put(&mut tables)?;
        let stats = counts.into_stats();
        let stored_stats = run::stats_record(&run.id, &stats, Some(options.written_at));
        stamp(&mut tables)?;
        tables.add(keys::STATS, &encode::to_vec(&stored_stats))?;
        let stored = tables.finish()?;
        let summary = run::summary(&run, stored_stats);
        let manifest = envelope::manifest(options.encoding, Some(&summary));
        let total_bytes = stored.bytes;
        let path = envelope::assemble(
            &options.target,
            &options.saver,
            &manifest,
            &stored,
            &mut |done_bytes| {
                progress(Phase::Saving {
                    done_bytes,
                    total_bytes,
                });
            },
        )?;
        // The folder is removed later in any case; until then the file is small.
        let _ = options.place.files.remove_file(&stored.path);
        Ok(Written { path, stats })
    }
}

#[cfg(test)]
mod tests;
