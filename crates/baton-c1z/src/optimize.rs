//! Files without free space: the rows stay, their pages are written again.

use std::path::Path;

use crate::envelope::{Detected, detect};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::maintain::{InPlace, RewriteOptions};
use crate::v1;

/// What [`optimize`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optimized {
    /// The file was written again, in the same place.
    Rewritten,
    /// The file has no database with free pages: it is missing, empty, or of
    /// format v3, whose files are written whole.
    NotApplicable,
}

/// Writes the database of a v1 file again, without the space that removed
/// rows left. All rows stay. The file is replaced as a whole.
///
/// # Errors
/// [`Error::Busy`] while a sync works on the file; those of reading and
/// writing. The file is then what it was.
pub fn optimize(path: &Path, options: &RewriteOptions) -> Result<Optimized> {
    match detect(path)? {
        Detected::V1 => {
            let held = InPlace::begin(path, options)?;
            v1::vacuum(path, &held.saver, options)?;
            Ok(Optimized::Rewritten)
        }
        Detected::Missing | Detected::Empty | Detected::V3 => Ok(Optimized::NotApplicable),
    }
}
