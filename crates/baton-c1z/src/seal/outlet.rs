//! Which writer a seal goes to, and the life of the working folder around it.

use std::path::PathBuf;
use std::sync::Arc;

use prost_types::Timestamp;

use crate::envelope::{Detected, detect};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::log::PageLog;
use crate::room::{self, Work};
use crate::row::{Row, Table};
use crate::run::{NewAsset, NewRun, SyncRun};
use crate::save::Saver;
use crate::sort::Place;
use crate::stop::Stop;
use crate::{Format, v1, v3};

use super::collect::Form;
use super::expand::Expander;
use super::plan::{Cleanup, SealEvent, SealPlan, Sealed};
use super::sink::{Finished, Sink};

/// The rows that count are at least this part of the page log.
const COUNTING_SHARE: u64 = 4;

/// How a format is written: what its rows are sorted as, and the writer,
/// which is only begun when the rows are ready.
pub(crate) struct Outlet<'a> {
    pub form: Form,
    pub open: Box<dyn FnOnce() -> Result<Box<dyn Sink + 'a>> + 'a>,
}

impl PageLog {
    /// Seals the log into [`SealPlan::target`] and removes the working
    /// folder. Blocks for as long as that takes; memory stays within
    /// [`SealPlan::memory_budget_bytes`] and what the format's writer needs.
    ///
    /// Of rows with the same id the last in canonical list and page order
    /// is in the file. Rows of dropped lists and of superseded generations
    /// are not. Mandatory ids that a row lacks are stored as empty strings in
    /// format v1 (c1z specification §1.4), and an error in v3.
    ///
    /// A v3 target stays v3; a v1 target becomes what the plan says. If it already holds a sync of
    /// this id, that is replaced: an earlier seal of this log was stopped
    /// after its last step but one. In format v3 there is room for one sync
    /// only, so any other one is replaced too, and named in
    /// [`Sealed::removed_syncs`].
    ///
    /// # Errors
    /// Whatever fails, the target is what it was, and opening the log again
    /// resumes it: also with [`Error::Stopped`], if the work of this thread is
    /// to end ([`Stop::scope`]). (If only the durability of the last rename is in doubt,
    /// that is an error too, though the new file is in place, and whole.) These are [`Error::Io`] for files, the expander's own errors, and for
    /// format v3 [`Error::Argument`] if the sync's id is no KSUID and
    /// [`Error::Unstorable`] if a row lacks a part of its identity.
    pub fn seal(
        self,
        plan: SealPlan,
        expander: &mut dyn Expander,
        progress: &mut dyn FnMut(SealEvent),
    ) -> Result<Sealed> {
        Stop::current().during(move || self.seal_now(plan, expander, progress))
    }

    fn seal_now(
        self,
        plan: SealPlan,
        expander: &mut dyn Expander,
        progress: &mut dyn FnMut(SealEvent),
    ) -> Result<Sealed> {
        let scratch = self.work_dir().scratch()?;
        let pouring = Pouring {
            memory_budget_bytes: plan.memory_budget_bytes,
            assets: plan.assets.clone(),
        };
        let format = match detect(&plan.target)? {
            Detected::Missing | Detected::Empty | Detected::V1 => plan.format,
            Detected::V3 => Format::V3,
        };
        // Of the log, which is on the same disk, a part may not count any more.
        let needed = match format {
            Format::V1 => self.size_bytes() / COUNTING_SHARE,
            Format::V3 => self.size_bytes() / room::MAX_RATIO,
        };
        let files = Arc::clone(self.work_dir().files());
        room::check(files.as_ref(), &scratch, needed, Work::Seal)?;
        let outlet = match format {
            Format::V1 => {
                let saver = Saver::locked(Arc::clone(self.work_dir().files()));
                let saver = saver.expecting(&plan.target)?;
                v1_outlet(plan, saver, scratch)
            }
            Format::V3 => v3_outlet(plan, self.place(&pouring))?,
        };
        let mut sealed = self.pour(outlet, &pouring, expander, progress)?;
        let dir = self.work_dir().clone();
        // Some systems remove no folder while a file in it is open.
        drop(self);
        if dir.remove().is_err() {
            sealed.leftover = Some(dir.path().to_owned());
        }
        Ok(sealed)
    }
}

fn v1_outlet<'a>(plan: SealPlan, saver: Saver, scratch: PathBuf) -> Outlet<'a> {
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
    Outlet {
        form: Form::Messages,
        open: Box::new(move || {
            let writer = v1::Writer::begin(options, &run)?;
            Ok(Box::new(V1Sink { writer }) as Box<dyn Sink>)
        }),
    }
}

/// Format v3 holds one sync: the one that was there is replaced.
fn v3_outlet<'a>(plan: SealPlan, place: Place) -> Result<Outlet<'a>> {
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
    Ok(Outlet {
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

/// What a seal into any outlet needs.
pub(super) struct Pouring {
    pub memory_budget_bytes: usize,
    pub assets: Vec<NewAsset>,
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
