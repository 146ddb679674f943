//! Conversions between the formats.
//!
//! A conversion reads one sync and writes it into a new file. Nothing that
//! both formats can hold is lost or changed. Where the formats differ, the
//! comments here state it, and the result counts it.

mod pairs;
pub(crate) mod to_v3;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use prost_types::Timestamp;

use crate::envelope::Identity;
use crate::envelope::{Detected, detect};
use crate::error::{Error, Result};
use crate::join::Joiner;
use crate::maintain::{RewriteOptions, file_bytes, must_not_exist};
use crate::room::{self, Work};
use crate::row::Table;
use crate::run::SyncType;
use crate::run::latest_finished;
use crate::run::{NewAsset, SyncRun};
use crate::save::Saver;
use crate::scratch::Scratch;
use crate::store::Store;
use crate::{Format, v1, v3};
use to_v3::Conversion;

/// What a conversion has done.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Converted {
    /// The new file.
    pub path: PathBuf,
    /// The sync; `None` if the source holds none and the new file is empty.
    pub run: Option<SyncRun>,
    /// Rows of the source, in the order of [`Table::ALL`].
    pub tables: [ConvertedRows; 4],
    /// Assets of the source.
    pub assets: ConvertedRows,
    /// Bytes of the assets.
    pub asset_bytes: u64,
    /// Grants that became one with another of the same principal and
    /// entitlement, which format v3 holds once.
    pub merged_grants: u64,
    /// Rows that format v3 cannot hold, since they lack an id.
    pub dropped_rows: u64,
    /// Everything together.
    pub took: Duration,
}

/// How many rows, and how long they took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvertedRows {
    /// Number of rows.
    pub rows: u64,
    /// Time spent on them.
    pub took: Duration,
}

impl Converted {
    fn new(path: &Path, run: Option<SyncRun>) -> Self {
        Self {
            path: path.to_owned(),
            run,
            tables: [ConvertedRows::default(); 4],
            assets: ConvertedRows::default(),
            asset_bytes: 0,
            merged_grants: 0,
            dropped_rows: 0,
            took: Duration::ZERO,
        }
    }
}

/// Converts one sync of the v1 file `source` into the new v3 file `target`:
/// the one asked for, finished or not, else the newest finished full one. The
/// run keeps its id, type, parent, link and times; the state of the syncer,
/// and what connectors stored, only while it is unfinished. A source without
/// syncs gives an empty v3 file.
///
/// # Errors
/// [`Error::Exists`]; [`Error::SameFormat`] if the source is of format v3;
/// [`Error::NoSuchSync`], [`Error::NoFullSync`]; [`Error::Argument`] if the
/// sync's id is no KSUID; those of reading and writing. There is then no
/// target.
#[expect(
    clippy::disallowed_methods,
    reason = "elapsed time, for the report only"
)]
pub fn to_v3(
    source: &Path,
    sync_id: Option<&str>,
    target: &Path,
    options: &RewriteOptions,
) -> Result<Converted> {
    must_not_exist(target)?;
    let started = Instant::now();
    let (reader, _) = match detect(source)? {
        Detected::Missing | Detected::Empty => (v1::Reader::empty(source)?, Identity::default()),
        Detected::V1 => v1::Reader::open(source, &options.read_options())?,
        Detected::V3 => {
            return Err(Error::SameFormat {
                path: source.to_owned(),
                format: Format::V3,
            });
        }
    };
    let runs = reader.runs()?;
    let needed = match runs.len() {
        0 => 0,
        n => room::rewritten(file_bytes(source)?, n == 1),
    };
    let scratch = Scratch::with_room(options.temp_dir.as_deref(), needed, Work::Convert)?;
    if runs.is_empty() && sync_id.is_none() {
        let path = v3::write_empty(&write_options(target, &scratch, options))?;
        return Ok(Converted {
            took: started.elapsed(),
            ..Converted::new(&path, None)
        });
    }
    let mut run = find(source, &runs, sync_id)?;
    if run.is_finished() {
        run.sync_token.clear();
    }
    let mut done = Converted::new(target, Some(run.clone()));
    let mut writer = v3::Writer::begin(write_options(target, &scratch, options), run.clone())?;
    let conversion = Conversion {
        store: &reader,
        run: &run,
        options,
        scratch: &scratch,
    };
    conversion.run(&mut writer, &mut done)?;
    done.path = writer.finish(&mut |_| ())?.path;
    done.took = started.elapsed();
    Ok(done)
}

fn write_options(target: &Path, scratch: &Scratch, options: &RewriteOptions) -> v3::WriteOptions {
    v3::WriteOptions {
        target: target.to_owned(),
        saver: Saver::new_file(),
        place: options.place(scratch, "v3"),
        encoding: v3::Encoding::IndexedZstd,
        compression_level: options.compression_level,
        written_at: options.now.into(),
    }
}

/// The run that is asked for, finished or not, else the newest finished full
/// one.
fn find(path: &Path, runs: &[SyncRun], id: Option<&str>) -> Result<SyncRun> {
    match id {
        None => latest_finished(runs, Some(&[SyncType::Full]))
            .cloned()
            .ok_or_else(|| Error::NoFullSync {
                path: path.to_owned(),
            }),
        Some(id) => runs
            .iter()
            .find(|run| run.id == id)
            .cloned()
            .ok_or_else(|| Error::NoSuchSync {
                path: path.to_owned(),
                id: id.to_owned(),
            }),
    }
}

/// Converts the v3 file `source` into the new v1 file `target`. Entitlements
/// and grants, of whose embedded objects v3 keeps the ids only, get whole
/// objects again where the file holds them.
///
/// # Errors
/// [`Error::Exists`]; [`Error::NoFile`]; [`Error::SameFormat`] if the source is of format v1;
/// [`Error::DuplicateId`] if two grants have one id, which v3 can hold and v1
/// cannot; those of reading and writing. There is then no target.
pub fn to_v1(source: &Path, target: &Path, options: &RewriteOptions) -> Result<Converted> {
    must_not_exist(target)?;
    match detect(source)? {
        Detected::Missing | Detected::Empty => Err(Error::NoFile {
            path: source.to_owned(),
        }),
        Detected::V1 => Err(Error::SameFormat {
            path: source.to_owned(),
            format: Format::V1,
        }),
        Detected::V3 => {
            let (reader, _) = v3::Reader::open(source, &options.read_options())?;
            match reader.runs()?.pop() {
                Some(run) => write_v1(&reader, run, target, options),
                None => v1::write_empty(target, options).map(|path| Converted::new(&path, None)),
            }
        }
    }
}

/// Writes the sync `run` of `store` into the new v1 file `target`.
#[expect(
    clippy::disallowed_methods,
    reason = "elapsed time, for the report only"
)]
fn write_v1(
    store: &dyn Store,
    run: SyncRun,
    target: &Path,
    options: &RewriteOptions,
) -> Result<Converted> {
    let started = Instant::now();
    let write = v1::WriteOptions {
        target: target.to_owned(),
        saver: Saver::new_file(),
        temp_dir: options.temp_dir.clone(),
        limits: options.limits.clone(),
        compression_level: options.compression_level,
        discovered_at: SystemTime::UNIX_EPOCH,
        cleanup: None,
        replace_same_sync: false,
    };
    let mut done = Converted::new(target, Some(run.clone()));
    let undated = run.started_at.unwrap_or_default();
    let sync_id = run.id.clone();
    let mut writer = v1::Writer::begin_as(write, run)?;
    let mut joiner = Joiner::new(store, options.temp_dir.as_deref());
    for (table, converted) in Table::ALL.into_iter().zip(&mut done.tables) {
        let begun = Instant::now();
        store.scan_dated(Some(&sync_id), table, &mut |row, at| {
            let data = joiner.join(table, row)?;
            writer.set_discovered_at(at.unwrap_or(undated))?;
            converted.rows += 1;
            writer.put(
                table,
                &crate::row::Row {
                    data: &data,
                    ..*row
                },
            )
        })?;
        converted.took = begun.elapsed();
    }
    let begun = Instant::now();
    store.assets(Some(&sync_id), &mut |id, asset, at: Option<Timestamp>| {
        writer.set_discovered_at(at.unwrap_or(undated))?;
        done.assets.rows += 1;
        done.asset_bytes += asset.data.len() as u64;
        writer.put_asset(&NewAsset {
            id: id.to_owned(),
            content_type: asset.content_type,
            data: asset.data,
        })
    })?;
    done.assets.took = begun.elapsed();
    store.sessions(Some(&sync_id), &mut |key, value| {
        writer.put_session(key, value)
    })?;
    done.path = writer.finish(&mut |_| ())?.path;
    done.took = started.elapsed();
    Ok(done)
}
