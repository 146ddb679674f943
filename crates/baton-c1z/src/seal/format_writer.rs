//! The writers of the formats, as a seal uses them.

use std::path::PathBuf;
use std::sync::Arc;

use prost_types::Timestamp;

use crate::envelope::{Detected, detect};
use crate::error::Result;
use crate::log::PageLog;
use crate::room::{self, Work};
use crate::row::{Row, Table};
use crate::run::{NewAsset, NewRun, SyncRun};
use crate::save::Saver;
use crate::sort::Place;
use crate::{Format, v1, v3};

use super::collect::Form;
use super::plan::{Cleanup, SealEvent, SealPlan};
use super::sink::{Finished, OpenSink, Sink};

/// The rows that count are at least this part of the page log.
const COUNTING_SHARE: u64 = 4;

/// How a format is written: what its rows are sorted as, and the writer,
/// which is only begun when the rows are ready.
pub(crate) struct FormatWriter<'a> {
    pub form: Form,
    pub open: OpenSink<'a>,
}

impl FormatWriter<'_> {
    /// The writer of the format that the target has or becomes. `place` is
    /// where the seal sorts.
    pub(super) fn for_target(log: &PageLog, plan: SealPlan, place: &Place) -> Result<Self> {
        let dir = log.work_dir();
        let scratch = dir.scratch()?;
        let format = match detect(&plan.target)? {
            Detected::Missing | Detected::Empty | Detected::V1 => plan.format,
            Detected::V3 => Format::V3,
        };
        // The log is on the same disk; a part of it may no longer count.
        let needed = match format {
            Format::V1 => log.size_bytes() / COUNTING_SHARE,
            Format::V3 => log.size_bytes() / room::MAX_RATIO,
        };
        room::check(dir.files().as_ref(), &scratch, needed, Work::Seal)?;
        match format {
            Format::V1 => {
                let saver = Saver::locked(Arc::clone(dir.files())).expecting(&plan.target)?;
                Ok(v1_writer(plan, saver, scratch))
            }
            Format::V3 => v3_writer(plan, place.clone()),
        }
    }
}

fn v1_writer<'a>(plan: SealPlan, saver: Saver, scratch: PathBuf) -> FormatWriter<'a> {
    let run = plan.run;
    let options = v1::WriteOptions {
        target: plan.target,
        saver,
        temp_dir: Some(scratch),
        replace_same_sync: true,
        limits: plan.limits,
        compression_level: plan.compression_level,
        discovered_at: plan.discovered_at,
        cleanup: match plan.cleanup {
            Cleanup::Skip => None,
            Cleanup::Keep(keep_full) => Some(v1::Cleanup {
                keep_full,
                moment: v1::Moment::Open,
            }),
            Cleanup::KeepAmong(keep_full) => Some(v1::Cleanup {
                keep_full,
                moment: v1::Moment::Ended,
            }),
        },
    };
    FormatWriter {
        form: Form::Messages,
        open: Box::new(move || {
            let writer = v1::Writer::begin(options, &run)?;
            Ok(Box::new(V1Sink { writer }) as Box<dyn Sink>)
        }),
    }
}

/// Format v3 holds one sync: the one that was there is replaced.
fn v3_writer<'a>(plan: SealPlan, place: Place) -> Result<FormatWriter<'a>> {
    v3::check_sync_id(&plan.run.id)?;
    let saver = Saver::locked(Arc::clone(&place.files)).expecting(&plan.target)?;
    let old = v3::Old::read(&plan.target, &plan.limits)?;
    let removed_syncs = old.sync_ids.into_iter().filter(|id| *id != plan.run.id);
    let removed_syncs = removed_syncs.collect();
    let options = v3::WriteOptions {
        target: plan.target,
        saver,
        place,
        encoding: old.encoding,
        compression_level: plan.compression_level,
        written_at: plan.discovered_at.into(),
    };
    let form = Form::Records {
        discovered_at: v3::timestamp(&options.written_at),
    };
    let run = new_run(plan.run);
    Ok(FormatWriter {
        form,
        open: Box::new(move || {
            Ok(Box::new(V3Sink {
                writer: v3::Writer::begin(options, run)?,
                removed_syncs,
            }) as Box<dyn Sink>)
        }),
    })
}

fn new_run(run: NewRun) -> SyncRun {
    SyncRun {
        id: run.id,
        sync_type: run.sync_type.as_str().to_owned(),
        started_at: Some(run.started_at.into()),
        ended_at: Some(run.ended_at.into()),
        parent_sync_id: run.parent_sync_id,
        sync_token: run.token,
        supports_diff: run.supports_diff,
        ingest_invariant: run.ingest_invariant,
        ..SyncRun::default()
    }
}

pub(crate) struct V1Sink {
    pub writer: v1::Writer,
}

impl Sink for V1Sink {
    fn set_discovered_at(&mut self, at: Timestamp) -> Result<()> {
        self.writer.set_discovered_at(at)
    }

    fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()> {
        self.writer.put(table, row)
    }

    fn put_asset(&mut self, asset: &NewAsset) -> Result<()> {
        self.writer.put_asset(asset)
    }

    fn finish(self: Box<Self>, progress: &mut dyn FnMut(SealEvent)) -> Result<Finished> {
        let written = self.writer.finish(&mut |phase| {
            progress(match phase {
                v1::Phase::Indexing => SealEvent::Indexing,
                v1::Phase::Saving {
                    done_bytes,
                    total_bytes,
                } => SealEvent::Compressing {
                    done_bytes,
                    total_bytes,
                },
            });
        })?;
        Ok(Finished {
            path: written.path,
            stats: written.stats,
            removed_syncs: written.removed_syncs,
        })
    }
}

pub(crate) struct V3Sink {
    pub writer: v3::Writer,
    pub removed_syncs: Vec<String>,
}

impl Sink for V3Sink {
    fn set_discovered_at(&mut self, at: Timestamp) -> Result<()> {
        self.writer.set_discovered_at(at);
        Ok(())
    }

    fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()> {
        self.writer.put(table, row)
    }

    fn put_record(&mut self, table: Table, tuple: &[u8], record: &[u8]) -> Result<()> {
        self.writer.put_record(table, tuple, record)
    }

    fn put_asset(&mut self, asset: &NewAsset) -> Result<()> {
        self.writer.put_asset(asset)
    }

    fn finish(self: Box<Self>, progress: &mut dyn FnMut(SealEvent)) -> Result<Finished> {
        let written = self.writer.finish(&mut |phase| {
            progress(match phase {
                v3::Phase::Indexing => SealEvent::Indexing,
                v3::Phase::Saving {
                    done_bytes,
                    total_bytes,
                } => SealEvent::Compressing {
                    done_bytes,
                    total_bytes,
                },
            });
        })?;
        Ok(Finished {
            path: written.path,
            stats: written.stats,
            removed_syncs: self.removed_syncs,
        })
    }
}
