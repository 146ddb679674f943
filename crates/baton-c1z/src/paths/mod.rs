//! Which paths may be read and written, for every file of this crate and for
//! the programs on top of it.
//!
//! A sync file is a regular file: it is opened without waiting, and judged by
//! what was opened. A file that is written differs from every other file of
//! the run. Symbolic links are followed to the file that they mean, also where
//! that file does not exist yet.

mod kind;
mod resolve;
mod run;

pub use kind::{FileKind, open_log, open_records, open_regular};
pub(crate) use kind::{owned_by_other, regular_or_missing};
pub(crate) use resolve::resolve;
pub use run::{RunPaths, Use};

use std::path::{Path, PathBuf};

use crate::error::Result;

/// Checks that a sync file can be written to `path`: it is a regular file, or
/// does not exist yet while its folder does. Gives the file that is written:
/// where `path` is a symbolic link, that is what the link points to.
///
/// # Errors
/// [`crate::Error::NotRegular`]; [`crate::Error::Io`] by the system.
pub fn check_target(path: &Path) -> Result<PathBuf> {
    let target = resolve(path)?;
    regular_or_missing(&target)?;
    Ok(target)
}
