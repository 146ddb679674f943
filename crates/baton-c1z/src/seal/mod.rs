//! Sealing: a page log becomes a file.
//!
//! The steps, in order, are: sort the rows and leave out duplicate ids
//! ([`collect`], [`duplicate_ids`], [`dedup`]), replace placeholders of
//! external principals ([`replace`]), check the rows ([`check`]), expand grants
//! ([`expand`]), write the file ([`write`]). Callers choose the middle
//! steps ([`SealSteps`]); each can be read without the others.
//!
//! The result depends on the rows alone, not on the order in which their pages
//! arrived. Until the last step of writing the target is untouched, and the
//! log stays as it is for another try.

mod changes;
mod check;
pub(crate) mod collect;
pub(crate) mod dated;
pub(crate) mod dedup;
mod duplicate_ids;
mod expand;
mod finish;
pub(crate) mod format_writer;
pub(crate) mod grants;
pub(crate) mod key;
mod log_rows;
mod plan;
mod repeats;
mod replace;
mod replaced;
pub(crate) mod row_reader;
pub(crate) mod row_source;
pub(crate) mod sink;
mod sorted_rows;
mod steps;
#[cfg(test)]
mod tests;
mod visit;
mod write;

pub use check::RowCheck;
pub use expand::{Expander, Expansion, GrantChange, NewGrants};
pub use plan::{Cleanup, SealEvent, SealPlan, Sealed};
pub use replace::{GrantReplacer, PutGrant};
pub use sorted_rows::SortedRows;
pub use steps::{MergeSteps, SealSteps};
pub use visit::visit_sealed;

use std::sync::Arc;

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::log::PageLog;
use crate::run::NewAsset;
use crate::sort::Place;
use crate::stop::Stop;
use collect::Collected;
pub(crate) use finish::{SortedInput, Written};
use format_writer::FormatWriter;
use grants::GrantTable;
use key::Identity;
use log_rows::LogRows;
use sink::Sink;

/// Seals a log into [`SealPlan::target`] and removes the working folder.
/// Blocks for as long as that takes; memory stays within
/// [`SealPlan::memory_budget_bytes`] and what the format's writer needs.
///
/// If rows have the same id, the last in canonical list and page order is in
/// the file. Rows of dropped lists and of superseded generations are not.
/// Mandatory ids that a row lacks are stored as empty strings in format v1
/// (c1z specification §1.4), and are an error in v3.
///
/// A v3 target stays v3; a v1 target gets the format of the plan. If the target
/// already holds a sync of this id, that sync is replaced: an earlier seal of
/// this log was stopped between its last two steps. Format v3 has room for one
/// sync, so any other sync is replaced too, and listed in
/// [`Sealed::removed_syncs`].
///
/// # Errors
/// After any error the target is what it was, and opening the log again
/// resumes it: also after [`Error::Stopped`], if this thread's work is to end
/// ([`Stop::scope`]). One error is different: if only the durability of the
/// last rename is in doubt, the new file is in place, and whole. The errors
/// are [`Error::Io`] for files, those of the steps, and for format v3
/// [`Error::Argument`] if the sync's id is not a KSUID and
/// [`Error::Unstorable`] if a row lacks a part of its identity.
pub fn seal(
    log: PageLog,
    plan: SealPlan,
    steps: SealSteps<'_>,
    progress: &mut dyn FnMut(SealEvent),
) -> Result<Sealed> {
    Stop::current().during(move || seal_now(log, plan, steps, progress))
}

fn seal_now(
    log: PageLog,
    plan: SealPlan,
    steps: SealSteps<'_>,
    progress: &mut dyn FnMut(SealEvent),
) -> Result<Sealed> {
    let place = place(&log, plan.memory_budget_bytes);
    let assets = plan.assets.clone();
    let writer = FormatWriter::for_target(&log, plan, &place)?;
    let written = write_rows(&log, writer, &place, &assets, steps, progress)?;
    let dropped_lists = log.dropped_lists();
    let dir = log.work_dir().clone();
    // Some systems remove no folder while a file in it is open.
    drop(log);
    let is_removed = dir.remove().is_ok();
    Ok(Sealed {
        path: written.finished.path,
        stats: written.finished.stats,
        removed_syncs: written.finished.removed_syncs,
        duplicates_resolved: written.duplicates,
        dropped_lists,
        expandable_grants: written.expandable,
        grants_inserted: written.inserted,
        grants_replaced: written.replaced,
        warnings: written.warnings,
        leftover: (!is_removed).then(|| dir.path().to_owned()),
    })
}

/// Where a seal of this log sorts.
fn place(log: &PageLog, budget_bytes: usize) -> Place {
    Place {
        files: Arc::clone(log.work_dir().files()),
        dir: log.work_dir().scratch_path(),
        name: "",
        budget_bytes,
    }
}

/// Runs all steps. The caller creates the scratch folder, and removes the
/// working folder.
fn write_rows(
    log: &PageLog,
    writer: FormatWriter<'_>,
    place: &Place,
    assets: &[NewAsset],
    steps: SealSteps<'_>,
    progress: &mut dyn FnMut(SealEvent),
) -> Result<Written> {
    let form = &writer.form;
    let Collected {
        rows,
        ids,
        expandable,
        added,
    } = collect::collect(log, form, place, progress)?;
    let superseded = match form.identity() {
        Identity::ExternalId => duplicate_ids::superseded(log, &ids, added, place)?,
        Identity::Tuple => None,
    };
    let listed = LogRows {
        log,
        rows: &rows,
        superseded: superseded.as_ref(),
        added,
        shape: form.shape(),
        replaced: None,
    };
    let replacement = match steps.replace {
        Some(by) => replace::replace_placeholders(&listed, form, by, &ids, place)?,
        None => None,
    };
    let (grants, new_ids, replaced, replace_warnings) = match replacement {
        Some(done) => (
            Some(done.grants),
            done.ids,
            Some(done.replaced),
            done.warnings,
        ),
        None if expandable > 0 => (Some(GrantTable::spill(&listed, place)?), None, None, vec![]),
        None => (None, None, None, vec![]),
    };
    let source = LogRows {
        replaced: replaced.as_ref(),
        ..listed
    };
    let input = SortedInput {
        source: &source,
        grants: grants.as_ref(),
        ids: match new_ids {
            Some(new_ids) => ids.join(new_ids),
            None => ids,
        },
        place,
        warnings: replace_warnings,
    };
    let mut put_assets =
        |sink: &mut dyn Sink| assets.iter().try_for_each(|asset| sink.put_asset(asset));
    let row_steps = MergeSteps {
        check: steps.check,
        expand: steps.expand,
    };
    input.finish(row_steps, writer.open, &mut put_assets, progress)
}
