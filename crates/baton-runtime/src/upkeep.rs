//! The modes that work on sync files instead of syncing: differences and compaction (connector CLI
//! specification, §5).
//!
//! No connector is made for them. Their results are told in the log, as the Go programs do.

use std::path::PathBuf;

use baton_access::{ExpandOptions, GraphExpander};
use baton_c1z::{CompactEntry, CompactPlan, DiffPlan, RewriteOptions};
use baton_sync::new_sync_id;
use tokio::task::spawn_blocking;

use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags::name;
use crate::preflight;
use crate::session::Session;

impl Session {
    /// Adds to `file` a partial sync of what the applied sync has and the base has not.
    pub(crate) async fn diff(&self, file: PathBuf) -> Result<ExitStatus> {
        let options = self.rewrite_options()?;
        let id = self.new_id();
        let new_sync_id = id.clone();
        let base = self.config.string(name::BASE_SYNC_ID).to_owned();
        let applied = self.config.string(name::APPLIED_SYNC_ID).to_owned();
        self.work("the diff", move || {
            let plan = DiffPlan {
                path: &file,
                base_sync_id: &base,
                applied_sync_id: &applied,
                new_sync_id: &id,
            };
            baton_c1z::diff_syncs(&plan, &options)
        })
        .await?;
        tracing::info!(new_sync_id, "generated diff of syncs");
        Ok(ExitStatus::Success)
    }

    /// Merges the syncs of several files into a new file.
    pub(crate) async fn compact(&self) -> Result<ExitStatus> {
        let files = self.config.list(name::COMPACT_FILE_PATHS);
        let ids = self.config.list(name::COMPACT_SYNC_IDS);
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
            output_dir: self.cwd.join(self.config.string(name::COMPACT_OUTPUT_PATH)),
            sync_id: self.new_id(),
            format: preflight::format(&self.config),
            strategy: self.storage.strategy,
            skip_expansion: false,
        };
        let options = self.rewrite_options()?;
        let expansion = ExpandOptions {
            temp_dir: options.temp_dir.clone(),
            ..ExpandOptions::default()
        };
        let done = self
            .work("the compaction", move || {
                baton_c1z::compact(&plan, &options, &mut GraphExpander::new(expansion))
            })
            .await?;
        for warning in &done.warnings {
            tracing::warn!("{warning}");
        }
        if done.dropped_rows > 0 {
            tracing::warn!(
                rows = done.dropped_rows,
                "rows that lack an id which format v3 needs were left out"
            );
        }
        tracing::info!(
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

    fn new_id(&self) -> String {
        new_sync_id(
            self.surroundings.clock.now(),
            self.surroundings.random.as_ref(),
        )
    }

    fn rewrite_options(&self) -> Result<RewriteOptions> {
        Ok(RewriteOptions {
            limits: self.storage.limits.clone(),
            temp_dir: self.temp_dir()?,
            now: self.surroundings.clock.now(),
            ..RewriteOptions::default()
        })
    }

    /// Does slow work beside the runtime. After a signal nobody waits for it: what it has written
    /// so far lies under another name, and the process ends with it.
    async fn work<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> baton_c1z::Result<T> + Send + 'static,
    ) -> Result<T> {
        let work = spawn_blocking(work);
        tokio::select! {
            done = work => match done {
                Ok(done) => Ok(done?),
                Err(_) => Err(Error::Stopped { doing }),
            },
            () = self.cancel.cancelled() => Err(Error::Stopped { doing }),
        }
    }
}
