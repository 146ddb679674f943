//! New files out of the rows of others: grants expanded, syncs compacted.
//!
//! Everything is a merge of sorted streams in bounded memory: the rows of all
//! inputs are sorted by their place in the new file, of each row one version
//! stays, grants are expanded, and the result goes to the format's writer.
//! Inputs are only read; the target appears whole or not.

mod collect;
mod compact;
mod expand;
mod input;
mod resolve;
mod token;

use std::path::Path;
use std::time::SystemTime;

use crate::error::Result;
use crate::maintain::{RewriteOptions, file_bytes};

use crate::room::{self, Work};
use crate::row::Table;
use crate::run::{NewAsset, SyncRun};
use crate::save::Saver;
use crate::scratch::Scratch;
use crate::seal::format_writer::{V1Sink, V3Sink};
use crate::seal::row_source::Shape;
use crate::seal::sink::{OpenSink, Sink};
use crate::seal::{MergeSteps, SortedInput, Written};
use crate::sort::Place;
use crate::{Format, v1, v3};
use collect::collect;
use input::Input;
use resolve::{Resolved, resolve};

pub use compact::{CompactEntry, CompactPlan, Compacted, InvariantByFormat, Strategy, compact};
pub use expand::{Expanded, expand_sync};
pub(crate) use input::Source;

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
    written: Written,
    run: SyncRun,
    /// Rows that format v3 cannot hold.
    unstorable: u64,
    counts: Counts,
}

impl Merging<'_> {
    /// Merges the rows, runs the steps and writes. `run` is called when the
    /// rows have been counted.
    fn run(&self, run: impl FnOnce(&Counts) -> SyncRun, steps: MergeSteps<'_>) -> Result<Merged> {
        let temp_dir = self.options.temp_dir.as_deref();
        let scratch = Scratch::with_room(temp_dir, self.needed()?, Work::Merge)?;
        let shape = match self.format {
            Format::V1 => Shape::DatedMessages,
            Format::V3 => Shape::Records,
        };
        let place = self.options.place(&scratch, "merge");
        let mut counts = Counts::default();
        let collected = collect(self.inputs, shape, self.base_wins, &place, &mut counts)?;
        let unstorable = collected.unstorable;
        // Ids have been counted already, where there is more than one input.
        let by_key = shape == Shape::Records || self.inputs.len() == 1;
        let Resolved { rows, ids } = resolve(
            collected,
            shape,
            self.options.now.into(),
            &place,
            by_key.then_some(&mut counts),
        )?;
        let run = run(&counts);
        let input = SortedInput {
            source: &rows,
            grants: Some(&rows.grants),
            ids,
            place: &place,
            warnings: Vec::new(),
        };
        let written = input.finish(
            steps,
            self.open(&run, &scratch),
            &mut |sink| self.put_assets(sink),
            &mut |_| (),
        )?;
        Ok(Merged {
            written,
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
