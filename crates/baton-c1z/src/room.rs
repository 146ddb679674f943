//! Free space, asked for before much is written: a full disk is reported at
//! the beginning, not after minutes, and nothing else on it is starved.
//!
//! What is asked for is never more than what is certainly needed, so that no
//! work is refused that would have fitted. Each private folder is made for a
//! named piece of work and a number of bytes
//! ([`crate::scratch::Scratch::with_room`]).

use std::path::Path;

use crate::error::{Error, Result};
use crate::files::Files;

/// So many times smaller a database may become by compression, at the most
/// that is to be expected.
pub(crate) const MAX_RATIO: u64 = 256;

/// Of a file that is copied or rewritten as a whole, in whatever form, so many
/// times less is needed at the most: free pages, overwritten rows and old
/// indexes go, and what is left may be laid out more densely.
const MAX_SHRINKING: u64 = 8;

/// What the rows of a file of `bytes` bytes certainly need when all of them
/// are written again; nothing is certain if only some of them are.
pub(crate) fn rewritten(bytes: u64, all: bool) -> u64 {
    if all { bytes / MAX_SHRINKING } else { 0 }
}

/// What needs room. Messages complete "cannot …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Work {
    /// The whole content of a file, or its directory.
    Unpack,
    /// The first pages of a database.
    UnpackBeginning,
    /// Rows of an earlier layout of format v3, in the current one.
    BringUpToDate,
    /// The syncs of the target that stay, in a new database.
    KeepSyncs,
    /// One sync of a database, in a new one.
    CopySync,
    /// A directory of format v3, with other counts or without state.
    Rewrite,
    /// The rows of one format, in the other.
    Convert,
    /// The rows of several files.
    Merge,
    /// The rows of the log.
    Seal,
    /// The compressed file, beside its target.
    Save,
}

impl Work {
    #[cfg(test)]
    const ALL: [Self; 10] = [
        Self::Unpack,
        Self::UnpackBeginning,
        Self::BringUpToDate,
        Self::KeepSyncs,
        Self::CopySync,
        Self::Rewrite,
        Self::Convert,
        Self::Merge,
        Self::Seal,
        Self::Save,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Unpack => "unpack a sync file",
            Self::UnpackBeginning => "unpack the beginning of a sync file",
            Self::BringUpToDate => "bring the rows of an older sync file up to date",
            Self::KeepSyncs => "take over the earlier syncs of the file",
            Self::CopySync => "copy a sync",
            Self::Rewrite => "rewrite a sync file",
            Self::Convert => "convert a sync file",
            Self::Merge => "merge sync files",
            Self::Seal => "make the sync file",
            Self::Save => "write the new file",
        }
    }
}

/// Fails if the disk of `folder` has less room than `needed` bytes. Unknown
/// free space counts as enough.
///
/// # Errors
/// [`Error::NoRoom`].
pub(crate) fn check(files: &dyn Files, folder: &Path, needed: u64, work: Work) -> Result<()> {
    #[cfg(test)]
    let free = tests::pretended(work, needed).or_else(|| files.free_bytes(folder));
    #[cfg(not(test))]
    let free = files.free_bytes(folder);
    match free {
        Some(free) if free < needed => Err(Error::NoRoom {
            folder: folder.to_owned(),
            doing: work.words(),
            needed,
            free,
        }),
        _ => Ok(()),
    }
}

/// Bytes that this user can still write in `folder`; `None` if unknown.
#[cfg(unix)]
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    // Some file systems have no notion of a size.
    if disk.f_blocks == 0 {
        return None;
    }
    // A part is set aside for the system's own user.
    let blocks = if rustix::process::geteuid().is_root() {
        disk.f_bfree
    } else {
        disk.f_bavail
    };
    Some(blocks.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
pub(crate) mod tests;
