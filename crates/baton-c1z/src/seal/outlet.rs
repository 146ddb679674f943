//! Which writer a seal goes to, and the life of the working folder around it.

use crate::error::{Error, Result};
use crate::log::PageLog;
use crate::row::{Row, Table};
use crate::run::NewAsset;
use crate::{Format, v1};

use super::expand::Expander;
use super::plan::{Cleanup, SealEvent, SealPlan, Sealed};
use super::sink::{Finished, Sink};
use super::winners::Identity;

/// How a format is written: the rule of identity, which decides what is
/// sorted out, and the writer, which is only begun when the rows are ready.
pub(crate) struct Outlet<'a> {
    pub identity: Identity,
    pub open: Box<dyn FnOnce() -> Result<Box<dyn Sink + 'a>> + 'a>,
}

impl PageLog {
    /// Seals the log into [`SealPlan::target`] and removes the working
    /// folder. Blocks for as long as that takes; memory stays within
    /// [`SealPlan::memory_budget_bytes`] and what the format's writer needs.
    ///
    /// Of rows with the same id the last in canonical list and page order
    /// is in the file. Rows of dropped lists and of superseded generations
    /// are not. Mandatory ids that a row lacks are stored as empty strings
    /// (c1z specification §1.4).
    ///
    /// If the target already holds a sync of this id, it is replaced: an
    /// earlier seal of this log was stopped after its last step but one.
    ///
    /// # Errors
    /// Whatever fails, the target is what it was, and opening the log again
    /// resumes it: [`Error::Io`] for files, [`Error::V3Unsupported`] if the
    /// target is or would be of format v3, the expander's own errors.
    pub fn seal(
        self,
        plan: SealPlan,
        expander: &mut dyn Expander,
        progress: &mut dyn FnMut(SealEvent),
    ) -> Result<Sealed> {
        if plan.format == Format::V3 {
            return Err(Error::V3Unsupported { path: plan.target });
        }
        let scratch = self.work_dir().scratch()?;
        let pouring = Pouring {
            memory_budget_bytes: plan.memory_budget_bytes,
            assets: plan.assets,
        };
        let run = plan.run;
        let options = v1::WriteOptions {
            target: plan.target,
            temp_dir: Some(scratch),
            replace_same_sync: true,
            limits: plan.limits,
            compression_level: plan.compression_level,
            discovered_at: plan.discovered_at,
            cleanup: match plan.cleanup {
                Cleanup::Skip => None,
                Cleanup::Keep(keep_full) => Some(v1::Cleanup { keep_full }),
            },
        };
        let outlet = Outlet {
            identity: Identity::ExternalId,
            open: Box::new(move || {
                let writer = v1::Writer::begin(options, &run)?;
                Ok(Box::new(V1Sink { writer }) as Box<dyn Sink>)
            }),
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

/// What a seal into any outlet needs.
pub(super) struct Pouring {
    pub memory_budget_bytes: usize,
    pub assets: Vec<NewAsset>,
}

struct V1Sink {
    writer: v1::Writer,
}

impl Sink for V1Sink {
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
