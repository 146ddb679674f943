//! The modes that work on sync files instead of syncing: differences and compaction (connector CLI
//! specification, §5).
//!
//! No connector is made for them. Their results are in the log, as in the Go programs.

use std::path::PathBuf;

use baton_access::{ExpandOptions, GraphExpander};
use baton_c1z::{CompactEntry, CompactPlan, DiffPlan, MergeSteps, RewriteOptions, Stop, SyncRun};
use baton_sync::{MergeCheck, merge_invariant, new_sync_id};
use tokio::task::spawn_blocking;

use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::figures::counted;
use crate::flags;
use crate::log::RESULT_TARGET;
use crate::panics;
use crate::preflight;
use crate::settings::max_grants;

impl CommandContext {
    /// Adds to `file` a partial sync with the rows that the applied sync has and the base lacks.
    pub(crate) async fn diff(&self, file: PathBuf) -> Result<ExitStatus> {
        let options = self.rewrite_options()?;
        baton_c1z::clear_leftovers(&file, self.temp_dir()?.as_deref());
        let id = self.new_id();
        let new_sync_id = id.clone();
        let base = self.config.get(&flags::BASE_SYNC_ID).to_owned();
        let applied = self.config.get(&flags::APPLIED_SYNC_ID).to_owned();
        let stop = options.stop.clone();
        self.work("the diff", stop, move || {
            let plan = DiffPlan {
                path: &file,
                base_sync_id: &base,
                applied_sync_id: &applied,
                new_sync_id: &id,
            };
            baton_c1z::diff_syncs(&plan, &options)
        })
        .await?;
        tracing::info!(
            target: RESULT_TARGET,
            words = format!("wrote the difference as sync `{new_sync_id}`"),
            new_sync_id,
            "generated diff of syncs"
        );
        Ok(ExitStatus::Success)
    }

    /// Merges the syncs of several files into a new file.
    pub(crate) async fn compact(&self) -> Result<ExitStatus> {
        let files = self.config.get(&flags::COMPACT_FILE_PATHS);
        let ids = self.config.get(&flags::COMPACT_SYNC_IDS);
        if files.len() != ids.len() {
            return Err(Error::CompactLists {
                files: files.len(),
                ids: ids.len(),
            });
        }
        let entries = files.iter().zip(ids).map(|(file, id)| CompactEntry {
            path: self.cwd.join(file),
            sync_id: Some(id.clone()).filter(|id| !id.is_empty()),
        });
        let plan = CompactPlan {
            entries: entries.collect(),
            output_dir: self.compact_folder(),
            sync_id: self.new_id(),
            format: preflight::format(&self.config),
            strategy: self.storage.strategy,
            skip_expansion: false,
            ingest_invariant: merge_invariant(),
        };
        preflight::check_target(&plan.target(), self.storage.in_container)?;
        baton_c1z::clear_leftovers(&plan.target(), self.temp_dir()?.as_deref());
        let options = self.rewrite_options()?;
        let expansion = ExpandOptions {
            temp_dir: options.temp_dir.clone(),
            max_derived_grants: max_grants(&self.config),
            ..ExpandOptions::default()
        };
        let stop = options.stop.clone();
        let requested = plan.entries.clone();
        let done = self
            .work("the compaction", stop, move || {
                let steps = MergeSteps {
                    check: Some(&mut MergeCheck::new()),
                    expand: Some(&mut GraphExpander::new(expansion)),
                };
                baton_c1z::compact(&plan, &options, steps)
            })
            .await?;
        for (entry, run) in requested.iter().zip(&done.inputs) {
            report_input(entry, run);
        }
        for warning in &done.warnings {
            tracing::warn!("{warning}");
        }
        if done.dropped_rows > 0 {
            tracing::warn!(
                rows = done.dropped_rows,
                "left out rows without an id that format v3 needs"
            );
        }
        tracing::info!(
            target: RESULT_TARGET,
            words = format!(
                "compacted into `{}` as sync `{}`: {}, {} and {}",
                done.path.display(),
                done.run.id,
                shown(done.stats.resources, "resource", "resources"),
                shown(done.stats.entitlements, "entitlement", "entitlements"),
                shown(done.stats.grants, "grant", "grants"),
            ),
            file_path = %done.path.display(),
            sync_id = done.run.id,
            resources = done.stats.resources,
            entitlements = done.stats.entitlements,
            grants = done.stats.grants,
            derived_grants = done.grants_inserted,
            "compacted file"
        );
        Ok(ExitStatus::Success)
    }

    /// The rules of the flags ensure that it is set.
    fn compact_folder(&self) -> PathBuf {
        let folder = self.config.get(&flags::COMPACT_OUTPUT_PATH);
        folder.unwrap_or(&self.cwd).to_owned()
    }

    fn new_id(&self) -> String {
        new_sync_id(
            self.connector_env.clock.now(),
            self.connector_env.random.as_ref(),
        )
    }

    fn rewrite_options(&self) -> Result<RewriteOptions> {
        Ok(RewriteOptions {
            limits: self.storage.limits.clone(),
            temp_dir: self.temp_dir()?,
            now: self.connector_env.clock.now(),
            ..RewriteOptions::default()
        })
    }

    /// Runs slow work on a thread for blocking work. After a signal the work is asked to stop, and
    /// is waited for: only then is the result known, and its private files are removed.
    async fn work<T: Send + 'static>(
        &self,
        doing: &'static str,
        stop: Stop,
        work: impl FnOnce() -> baton_c1z::Result<T> + Send + 'static,
    ) -> Result<T> {
        let asked = stop.clone();
        let mut work = spawn_blocking(move || asked.during(work));
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            () = self.cancel.cancelled() => {
                stop.request();
                work.await
            }
        };
        match done {
            Ok(Err(baton_c1z::Error::Stopped)) => Err(Error::Stopped { doing }),
            Ok(done) => Ok(done?),
            Err(ended) => match ended.try_into_panic() {
                Ok(payload) => Err(panics::error(format!("working on {doing}"), &*payload)),
                Err(_) => Err(Error::Stopped { doing }),
            },
        }
    }
}

/// A count of a file with its noun.
fn shown(number: i64, one: &str, many: &str) -> String {
    counted(number.unsigned_abs(), one, many)
}

/// Reports which sync of a file was merged, and warns if another one was named.
fn report_input(entry: &CompactEntry, run: &SyncRun) {
    tracing::info!(
        target: RESULT_TARGET,
        words = format!(
            "merged sync `{}` ({}) of `{}`",
            run.id,
            run.sync_type,
            entry.path.display()
        ),
        file_path = %entry.path.display(),
        sync_id = run.id,
        sync_type = run.sync_type,
        "merged sync"
    );
    if let Some(named) = entry.sync_id.as_ref().filter(|named| **named != run.id) {
        tracing::warn!(
            file_path = %entry.path.display(),
            named = named.as_str(),
            taken = run.id,
            "ignored the requested sync id and used the newest finished sync: a sync can be \
             chosen only when v1 files are compacted into a v3 file"
        );
    }
}
