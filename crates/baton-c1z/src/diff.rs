//! Differences of syncs, kept as syncs (c1z specification §3.1, §3.2).
//!
//! Format v1 only: a v3 file has room for one sync.

use std::path::Path;

use crate::diff_plan::{DiffPlan, FileDiffPlan};
use crate::envelope::{Detected, detect};
use crate::error::{Error, Result};
use crate::maintain::{InPlace, RewriteOptions};
use crate::{ReadOptions, v1};

/// Refuses what is no v1 file.
fn detected(path: &Path) -> Result<()> {
    match detect(path)? {
        Detected::Missing | Detected::Empty => Err(Error::NoFile {
            path: path.to_owned(),
        }),
        Detected::V1 => Ok(()),
        Detected::V3 => Err(Error::NoDifferences {
            path: path.to_owned(),
        }),
    }
}

fn open(path: &Path, options: &ReadOptions) -> Result<v1::Reader> {
    detected(path)?;
    Ok(v1::Reader::open_kept(path, options)?.0)
}

/// Adds to a v1 file a partial sync of all rows of the applied sync, assets
/// included, whose ids the base does not have. Changed rows are not in it, nor
/// is what grants expand to. Neither sync need have ended.
///
/// # Errors
/// [`Error::NoFile`], [`Error::NoDifferences`] for a v3 file,
/// [`Error::NoSuchSync`], [`Error::DuplicateSync`], [`Error::Busy`] while a
/// sync works on the file, those of reading and writing. The file is then what
/// it was.
pub fn diff_syncs(plan: &DiffPlan<'_>, options: &RewriteOptions) -> Result<()> {
    // A path without a file gets no working folder.
    detected(plan.path)?;
    let held = InPlace::begin(plan.path, options)?;
    let reader = open(plan.path, &options.read_options())?;
    v1::diff(reader, plan, &held.saver, options)
}

/// Adds two syncs to the newer of two v1 files: what of the old sync is gone,
/// and what of the new one is new or has other bytes. Both have the old sync
/// as their parent and each other as link.
///
/// # Errors
/// [`Error::NoFile`], [`Error::NoDifferences`] for a v3 file,
/// [`Error::NoSuchSync`], [`Error::NotComparable`], [`Error::DuplicateSync`],
/// [`Error::Busy`], those of reading and writing. Both files are then what they
/// were.
pub fn diff_files(plan: &FileDiffPlan<'_>, options: &RewriteOptions) -> Result<()> {
    let read = options.read_options();
    let old = open(plan.old_path, &read)?;
    detected(plan.new_path)?;
    let held = InPlace::begin(plan.new_path, options)?;
    let new = open(plan.new_path, &read)?;
    v1::diff_files(old, new, plan, &held.saver, options)
}
