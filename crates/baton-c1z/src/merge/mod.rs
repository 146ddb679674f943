//! New files out of the rows of others: grants expanded, syncs compacted.
//!
//! Everything is a merge of sorted streams in bounded memory: the rows of all
//! inputs are sorted by their place in the new file, of each row one version
//! stays, grants are expanded, and the result goes to the format's writer.
//! Inputs are only read; the target appears whole or not at all.

mod compact;
mod expand;
mod gather;
mod input;
mod settle;
mod token;

use std::path::Path;
use std::time::SystemTime;

use crate::error::Result;
use crate::maintain::{RewriteOptions, file_bytes};
use prost_types::Timestamp;

use crate::room::{self, Work};
use crate::row::{Row, Table};
use crate::run::{NewAsset, SyncRun};
use crate::save::Saver;
use crate::scratch::Scratch;
use crate::seal::origin::Shape;
use crate::seal::outlet::{V1Sink, V3Sink};
use crate::seal::sink::{Finished, Sink};
use crate::seal::{
    Expander, Expansion, Hands, NewGrants, OpenSink, SealEvent, Sealed, SortedRows,
    finish_laid_down,
};
use crate::sort::Place;
use crate::stop::Stop;
use crate::{Format, v1, v3};
use gather::gather;
use input::Input;
use settle::settle;

pub use compact::{CompactEntry, CompactPlan, Compacted, Strategy, compact};
pub use expand::{Expanded, expand_sync};

/// What a merge did to the rows of the base, by table in the order of
/// [`Table::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Per table.
    pub tables: [TableCounts; 4],
}

/// What a merge did to the rows of one table, before expansion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableCounts {
    /// Rows in the result.
    pub output: u64,
    /// Rows that the base did not have.
    pub added: u64,
    /// Rows of the base that another input had newer.
    pub replaced: u64,
    /// Rows of the base that stayed.
    pub carried: u64,
}

impl Counts {
    fn add(&mut self, table: Table, has_base: bool, newest_is_base: bool) {
        let Some(at) = Table::ALL.iter().position(|known| *known == table) else {
            return;
        };
        let counts = &mut self.tables[at];
        counts.output += 1;
        match (has_base, newest_is_base) {
            (_, true) => counts.carried += 1,
            (true, false) => counts.replaced += 1,
            (false, false) => counts.added += 1,
        }
    }
}

/// How inputs become one file.
struct Merging<'a> {
    inputs: &'a [Input],
    format: Format,
    base_wins: bool,
    /// Assets of the first input are taken over.
    with_assets: bool,
    target: &'a Path,
    options: &'a RewriteOptions,
}

/// What came of it.
struct Merged {
    sealed: Sealed,
    run: SyncRun,
    /// Rows that format v3 cannot hold.
    unstorable: u64,
    counts: Counts,
}

impl Merging<'_> {
    /// Merges, expands and writes. `run` is asked for the run when the rows
    /// have been counted.
    fn run(
        &self,
        run: impl FnOnce(&Counts) -> SyncRun,
        expander: &mut dyn Expander,
    ) -> Result<Merged> {
        let temp_dir = self.options.temp_dir.as_deref();
        let scratch = Scratch::with_room(temp_dir, self.needed()?, Work::Merge)?;
        let shape = match self.format {
            Format::V1 => Shape::DatedMessages,
            Format::V3 => Shape::Records,
        };
        let place = self.options.place(&scratch, "merge");
        let mut counts = Counts::default();
        let stop = &self.options.stop;
        let gathered = gather(
            self.inputs,
            shape,
            self.base_wins,
            stop,
            &place,
            &mut counts,
        )?;
        let unstorable = gathered.unstorable;
        // Ids have been counted already, where there is more than one input.
        let by_key = shape == Shape::Records || self.inputs.len() == 1;
        let (settled, ids) = settle(
            gathered,
            shape,
            self.options.now.into(),
            &place,
            by_key.then_some(&mut counts),
            stop,
        )?;
        let run = run(&counts);
        let mut assets = |sink: &mut dyn Sink| self.put_assets(sink);
        let mut expander = Stoppable {
            inner: expander,
            stop: stop.clone(),
        };
        let hands = Hands {
            expander: &mut expander,
            progress: &mut |_| (),
        };
        let sealed = finish_laid_down(
            &settled,
            &settled.grants,
            hands,
            ids,
            &place,
            self.open(&run, &scratch),
            &mut assets,
        )?;
        Ok(Merged {
            sealed,
            run,
            unstorable,
            counts,
        })
    }

    /// What the rows of the largest input need at least: each of them stays,
    /// or another one in its place.
    fn needed(&self) -> Result<u64> {
        let mut most = 0;
        for input in self.inputs {
            let alone = input.source.store().runs()?.len() == 1;
            let bytes = file_bytes(input.source.path())?;
            most = most.max(room::rewritten(bytes, alone));
        }
        Ok(most)
    }

    fn put_assets(&self, sink: &mut dyn Sink) -> Result<()> {
        let Some(input) = self.inputs.first().filter(|_| self.with_assets) else {
            return Ok(());
        };
        let undated = input.undated();
        let store = input.source.store();
        store.assets(Some(&input.run.id), &mut |id, asset, at| {
            sink.set_discovered_at(at.unwrap_or(undated))?;
            sink.put_asset(&NewAsset {
                id: id.to_owned(),
                content_type: asset.content_type,
                data: asset.data,
            })
        })
    }

    fn open<'s>(&'s self, run: &SyncRun, scratch: &'s Scratch) -> OpenSink<'s> {
        let run = run.clone();
        let open = self.open_format(run, scratch);
        let stop = self.options.stop.clone();
        Box::new(move || {
            let inner = open()?;
            Ok(Box::new(Stoppable { inner, stop }) as Box<dyn Sink>)
        })
    }

    fn open_format<'s>(&'s self, run: SyncRun, scratch: &'s Scratch) -> OpenSink<'s> {
        match self.format {
            Format::V1 => Box::new(move || {
                let options = v1::WriteOptions {
                    target: self.target.to_owned(),
                    saver: Saver::new_file(),
                    temp_dir: self.options.temp_dir.clone(),
                    limits: self.options.limits.clone(),
                    compression_level: self.options.compression_level,
                    discovered_at: SystemTime::UNIX_EPOCH,
                    cleanup: None,
                    replace_same_sync: false,
                };
                let writer = v1::Writer::begin_as(options, run)?;
                Ok(Box::new(V1Sink { writer }) as Box<dyn Sink>)
            }),
            Format::V3 => Box::new(move || {
                let options = v3::WriteOptions {
                    target: self.target.to_owned(),
                    saver: Saver::new_file(),
                    place: Place {
                        name: "v3",
                        ..self.options.place(scratch, "v3")
                    },
                    encoding: v3::Encoding::IndexedZstd,
                    compression_level: self.options.compression_level,
                    written_at: self.options.now.into(),
                };
                let writer = v3::Writer::begin(options, run)?;
                let removed_syncs = Vec::new();
                Ok(Box::new(V3Sink {
                    writer,
                    removed_syncs,
                }) as Box<dyn Sink>)
            }),
        }
    }
}

/// An expander, its new grants, or a sink that ends when it is asked to.
struct Stoppable<T> {
    inner: T,
    stop: Stop,
}

impl Expander for Stoppable<&mut dyn Expander> {
    fn needs_rows(&self) -> bool {
        self.inner.needs_rows()
    }

    fn expand(&mut self, rows: &dyn SortedRows) -> Result<Expansion> {
        self.stop.check()?;
        let expansion = self.inner.expand(rows)?;
        let stop = self.stop.clone();
        let changes = expansion.changes;
        let inserts = expansion.inserts.map(|inner| {
            let stop = self.stop.clone();
            Box::new(Stoppable { inner, stop }) as Box<dyn NewGrants>
        });
        Ok(Expansion {
            changes: Box::new(changes.map(move |change| stop.check().and(change))),
            inserts,
            ..expansion
        })
    }
}

impl NewGrants for Stoppable<Box<dyn NewGrants>> {
    fn advance(&mut self) -> Result<bool> {
        self.stop.check()?;
        self.inner.advance()
    }

    fn make(&mut self) -> Result<()> {
        self.inner.make()
    }

    fn row(&self) -> Row<'_> {
        self.inner.row()
    }

    fn rewind(&mut self) {
        self.inner.rewind();
    }
}

impl Sink for Stoppable<Box<dyn Sink + '_>> {
    fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()> {
        self.stop.check()?;
        self.inner.put(table, row)
    }

    fn put_record(&mut self, table: Table, tuple: &[u8], record: &[u8]) -> Result<()> {
        self.stop.check()?;
        self.inner.put_record(table, tuple, record)
    }

    fn set_discovered_at(&mut self, at: Timestamp) -> Result<()> {
        self.inner.set_discovered_at(at)
    }

    fn put_asset(&mut self, asset: &NewAsset) -> Result<()> {
        self.inner.put_asset(asset)
    }

    fn finish(self: Box<Self>, progress: &mut dyn FnMut(SealEvent)) -> Result<Finished> {
        self.stop.check()?;
        self.inner.finish(progress)
    }
}
