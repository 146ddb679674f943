//! Syncs whose rows get new content, such as rows without names, in a new file.
//!
//! Rows get other ids, so they are sorted again, in bounded memory. A file of
//! the other format is written in the source's format first, and then
//! converted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::columns;
use crate::convert::{Converted, to_v1, to_v3};
use crate::error::{Error, Result};
use crate::maintain::{RewriteOptions, file_bytes, must_not_exist};
use crate::merge::Source;
use crate::room::{self, Work};
use crate::row::{Row, Table};
use crate::run::{NewAsset, SyncRun};
use crate::save::{self, Saver};
use crate::scratch::Scratch;
use crate::seal::key::{self, Identity};
use crate::sort::{Entry, Sorter};
use crate::sorted_scan::{pack, unpack};
use crate::store::{Asset, Store};
use crate::{Format, v1, v3};

/// A row's new message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewContent {
    /// See [`Row::data`].
    pub data: Vec<u8>,
    /// See [`Row::expansion`].
    pub expansion: Option<Vec<u8>>,
}

/// Makes rows again, with new content.
pub trait RowRewriter {
    /// The new message of a row. Resource types come first, then resources,
    /// entitlements and grants.
    ///
    /// # Errors
    /// For a row whose message cannot be read.
    fn row(&mut self, table: Table, row: &Row<'_>) -> baton_proto::Result<NewContent>;

    /// The new form of an asset.
    fn asset(&mut self, id: &str, asset: Asset) -> NewAsset;
}

/// A sync of the source, and as what it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct RewrittenSync {
    /// The sync's id in the source.
    pub source_id: String,
    /// The run that is written. Its rows count as found when it ended.
    pub run: SyncRun,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rewritten {
    /// Rows of all syncs.
    pub rows: u64,
    /// Assets of all syncs.
    pub assets: u64,
    /// Rows that were left out: a row before has the same new id, or the
    /// format needs an id that they lack.
    pub dropped_rows: u64,
    /// Grants that became one with another of the same principal and
    /// entitlement, which format v3 holds once.
    pub merged_grants: u64,
}

/// Writes syncs of `source`, with new rows, into the new file `target`, in this
/// order. Format v3 holds one sync.
///
/// # Errors
/// [`Error::Exists`], [`Error::NoFile`], [`Error::NoSuchSync`]; [`Error::Argument`] for
/// several syncs in format v3; [`Error::Row`] for a row that cannot be read; those of reading
/// and writing. There is then no target.
pub fn rewrite_syncs(
    source: &Path,
    target: &Path,
    format: Format,
    syncs: &[RewrittenSync],
    rewriter: &mut dyn RowRewriter,
    options: &RewriteOptions,
) -> Result<Rewritten> {
    options
        .stop
        .during(|| rewrite_now(source, target, format, syncs, rewriter, options))
}

fn rewrite_now(
    source: &Path,
    target: &Path,
    format: Format,
    syncs: &[RewrittenSync],
    rewriter: &mut dyn RowRewriter,
    options: &RewriteOptions,
) -> Result<Rewritten> {
    must_not_exist(target)?;
    if format == Format::V3 && syncs.len() > 1 {
        return Err(Error::Argument {
            what: "list of syncs",
            reason: "format v3 holds one sync",
        });
    }
    let opened = Source::open(source, &options.read_options())?;
    let needed = room::rewritten(file_bytes(source)?, syncs.len() <= 1);
    let scratch = Scratch::with_room(options.temp_dir.as_deref(), needed, Work::Rewrite)?;
    if syncs.is_empty() {
        write_empty(target, format, &scratch, options)?;
        return Ok(Rewritten::default());
    }
    let runs = opened.store().runs()?;
    if let Some(missing) = syncs
        .iter()
        .find(|sync| !runs.iter().any(|run| run.id == sync.source_id))
    {
        return Err(Error::NoSuchSync {
            path: source.to_owned(),
            id: missing.source_id.clone(),
        });
    }
    let mut rewriting = Rewriting {
        path: source,
        store: opened.store(),
        rewriter,
        scratch: &scratch,
        options,
        done: Rewritten::default(),
    };
    let made = scratch.folder_path().join("made.c1z");
    match (opened.format(), format) {
        (Format::V3, Format::V3) => rewriting.write_v3(target, Saver::new_file(), syncs)?,
        (Format::V3, Format::V1) => {
            rewriting.write_v3(&made, Saver::shared(), syncs)?;
            to_v1(&made, target, options)?;
        }
        (Format::V1, Format::V1) => {
            rewriting.write_v1(&made, syncs)?;
            copy(&made, target)?;
        }
        (Format::V1, Format::V3) => {
            rewriting.write_v1(&made, syncs)?;
            let id = syncs.first().map(|sync| sync.run.id.as_str());
            let converted: Converted = to_v3(&made, id, target, options)?;
            rewriting.done.merged_grants += converted.merged_grants;
            rewriting.done.dropped_rows += converted.dropped_rows;
        }
    }
    Ok(rewriting.done)
}

fn write_empty(
    target: &Path,
    format: Format,
    scratch: &Scratch,
    options: &RewriteOptions,
) -> Result<PathBuf> {
    match format {
        Format::V1 => v1::write_empty(target, options),
        Format::V3 => v3::write_empty(&v3_options(target, Saver::new_file(), scratch, options)),
    }
}

fn v3_options(
    target: &Path,
    saver: Saver,
    scratch: &Scratch,
    options: &RewriteOptions,
) -> v3::WriteOptions {
    v3::WriteOptions {
        target: target.to_owned(),
        saver,
        place: options.place(scratch, "v3"),
        encoding: v3::Encoding::IndexedZstd,
        compression_level: options.compression_level,
        written_at: options.now.into(),
    }
}

/// Copies a whole file to its place.
fn copy(made: &Path, target: &Path) -> Result<()> {
    let mut content = File::open(made).map_err(|e| Error::io("open", made, e))?;
    save::replace(&Saver::new_file(), target, file_bytes(made)?, |out| {
        io::copy(&mut content, out).map(drop)
    })?;
    Ok(())
}

/// Syncs on their way into a new file.
struct Rewriting<'a> {
    path: &'a Path,
    store: &'a dyn Store,
    rewriter: &'a mut dyn RowRewriter,
    scratch: &'a Scratch,
    options: &'a RewriteOptions,
    done: Rewritten,
}

impl Rewriting<'_> {
    /// Adds one sync after another to a v1 file. Rows are in the order of
    /// their ids.
    fn write_v1(&mut self, made: &Path, syncs: &[RewrittenSync]) -> Result<()> {
        for sync in syncs {
            let write = v1::WriteOptions {
                target: made.to_owned(),
                saver: Saver::shared(),
                temp_dir: self.options.temp_dir.clone(),
                limits: self.options.limits.clone(),
                compression_level: self.options.compression_level,
                discovered_at: SystemTime::UNIX_EPOCH,
                cleanup: None,
                replace_same_sync: false,
            };
            let at = sync.run.ended_at.unwrap_or_default();
            let mut writer = v1::Writer::begin_as(write, sync.run.clone())?;
            writer.set_discovered_at(at)?;
            for table in Table::ALL {
                self.sorted(
                    &sync.source_id,
                    table,
                    |row, key| key.extend_from_slice(row.id.as_bytes()),
                    &mut |row| writer.put(table, row),
                )?;
            }
            self.assets(&sync.source_id, &mut |asset| writer.put_asset(asset))?;
            writer.finish(&mut |_| ())?;
        }
        Ok(())
    }

    /// Makes a v3 file. Rows are in the order of their keys.
    fn write_v3(&mut self, target: &Path, saver: Saver, syncs: &[RewrittenSync]) -> Result<()> {
        let Some(sync) = syncs.first() else {
            return Ok(());
        };
        let write = v3_options(target, saver, self.scratch, self.options);
        let mut writer = v3::Writer::begin(write, sync.run.clone())?;
        writer.set_discovered_at(sync.run.ended_at.unwrap_or_default());
        for table in Table::ALL {
            self.sorted(
                &sync.source_id,
                table,
                |row, out| key::build(Identity::Tuple, table, row, out),
                &mut |row| writer.put(table, row),
            )?;
        }
        self.assets(&sync.source_id, &mut |asset| writer.put_asset(asset))?;
        writer.finish(&mut |_| ())?;
        Ok(())
    }

    /// Visits the new rows of a table by their keys, each key once.
    fn sorted(
        &mut self,
        sync_id: &str,
        table: Table,
        key_of: impl Fn(&Row<'_>, &mut Vec<u8>),
        visit: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut sorter = Sorter::new(self.options.place(self.scratch, table.name()));
        let (mut key, mut packed, mut number) = (Vec::new(), Vec::new(), 0);
        let unreadable = |row: &Row<'_>| Error::Row {
            path: self.path.to_owned(),
            table,
            id: row.id.to_owned(),
            reason: "its content is no protobuf message",
        };
        let rewriter = &mut *self.rewriter;
        self.store.scan_dated(Some(sync_id), table, &mut |old, _| {
            let new = rewriter.row(table, old).map_err(|_| unreadable(old))?;
            let mut row = columns::read(table, &new.data).map_err(|_| unreadable(old))?;
            let id = [row.resource_type_id, ":", row.resource_id].concat();
            if table == Table::Resources {
                row.id = &id;
            }
            row.expansion = new.expansion.as_deref();
            row.is_expanded = old.is_expanded;
            key.clear();
            key_of(&row, &mut key);
            pack(&row, &mut packed);
            sorter.push(Entry {
                key: &key,
                page: number,
                row: 0,
                data: &packed,
            })?;
            number += 1;
            Ok(())
        })?;
        let sorted = sorter.finish()?;
        let mut merge = sorted.merge(0);
        let mut last: Option<Vec<u8>> = None;
        while let Some(entry) = merge.next()? {
            if last.as_deref() == Some(entry.key) {
                self.done.dropped_rows += 1;
                continue;
            }
            entry.key.clone_into(last.get_or_insert_default());
            let row = unpack(entry.data).ok_or_else(|| {
                let damaged = io::ErrorKind::InvalidData.into();
                Error::in_folder("read sorted rows in", self.scratch.folder_path(), damaged)
            })?;
            visit(&row)?;
            self.done.rows += 1;
        }
        drop(merge);
        sorted.remove(&crate::files::SystemFiles)
    }

    fn assets(
        &mut self,
        sync_id: &str,
        put: &mut dyn FnMut(&NewAsset) -> Result<()>,
    ) -> Result<()> {
        let rewriter = &mut *self.rewriter;
        let mut assets = 0;
        self.store.assets(Some(sync_id), &mut |id, asset, _| {
            assets += 1;
            put(&rewriter.asset(id, asset))
        })?;
        self.done.assets += assets;
        Ok(())
    }
}
