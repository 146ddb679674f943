//! Expansion outside a sync: a file whose grants arrived unexpanded becomes
//! one whose grants are expanded (sync-runtime specification §4.7).

use std::path::{Path, PathBuf};

use super::input::{Input, Source};
use super::{Merged, Merging, token};
use crate::error::{Error, Result};
use crate::maintain::{RewriteOptions, must_not_exist};
use crate::run::latest_finished;
use crate::run::{IngestInvariant, Stats, SyncRun, SyncType};
use crate::seal::MergeSteps;

/// What an expansion has made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Expanded {
    /// The new file.
    pub path: PathBuf,
    /// The sync as it is in the new file.
    pub run: SyncRun,
    /// Its counts.
    pub stats: Stats,
    /// Grants that have an expansion.
    pub expandable_grants: u64,
    /// Grants that were added.
    pub grants_inserted: u64,
    /// Grants that gained sources.
    pub grants_replaced: u64,
    /// What the expander wants the user to know.
    pub warnings: Vec<String>,
}

/// Expands the grants of one sync of `source` into the new file `target` of
/// the same format, which holds this sync only: the one asked for, finished or
/// not, else the newest finished full one, else the only one. Its id, type,
/// parent, times and assets stay; one that was unfinished ends now. Expanding
/// what is expanded already only adds.
///
/// # Errors
/// [`Error::Exists`], [`Error::NoFile`], [`Error::NoSuchSync`],
/// [`Error::NoFullSync`], those of the expander, of reading and writing. There is then no target.
pub fn expand_sync(
    source: &Path,
    sync_id: Option<&str>,
    target: &Path,
    options: &RewriteOptions,
    steps: MergeSteps<'_>,
) -> Result<Expanded> {
    options
        .stop
        .scope(|| expand_now(source, sync_id, target, options, steps))
}

fn expand_now(
    source: &Path,
    sync_id: Option<&str>,
    target: &Path,
    options: &RewriteOptions,
    steps: MergeSteps<'_>,
) -> Result<Expanded> {
    must_not_exist(target)?;
    let opened = Source::open(source, &options.read_options())?;
    let run = chosen(source, &opened.store().runs()?, sync_id)?;
    let format = opened.format();
    let inputs = [Input {
        source: opened,
        run,
    }];
    let merging = Merging {
        inputs: &inputs,
        format,
        base_wins: false,
        with_assets: true,
        target,
        options,
    };
    let ended = |_: &_| SyncRun {
        ended_at: inputs[0].run.ended_at.or(Some(options.now.into())),
        // A state that asks for an expansion is no longer true.
        sync_token: token::DONE.to_owned(),
        supports_diff: true,
        // Checked without the grants that are new.
        ingest_invariant: IngestInvariant::default(),
        ..inputs[0].run.clone()
    };
    let Merged { written, run, .. } = merging.run(ended, steps)?;
    Ok(Expanded {
        path: written.finished.path,
        run,
        stats: written.finished.stats,
        expandable_grants: written.expandable,
        grants_inserted: written.inserted,
        grants_replaced: written.replaced,
        warnings: written.warnings,
    })
}

/// The run to expand.
fn chosen(path: &Path, runs: &[SyncRun], id: Option<&str>) -> Result<SyncRun> {
    if let Some(id) = id {
        let found = runs.iter().find(|run| run.id == id).cloned();
        return found.ok_or_else(|| Error::NoSuchSync {
            path: path.to_owned(),
            id: id.to_owned(),
        });
    }
    if let Some(run) = latest_finished(runs, Some(&[SyncType::Full])) {
        return Ok(run.clone());
    }
    match runs {
        [only] => Ok(only.clone()),
        _ => Err(Error::NoFullSync {
            path: path.to_owned(),
        }),
    }
}
