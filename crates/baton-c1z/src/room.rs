//! Free space, asked for before much is written: a full disk is reported at
//! the beginning, not after minutes, and nothing else on it is starved.
//!
//! What is asked for is never more than what is certainly needed, so that no
//! work is refused that would have fitted.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files::Files;

/// So many times smaller a database may become by compression, at the most
/// that is to be expected.
pub(crate) const MAX_RATIO: u64 = 256;

/// Fails if the disk of `folder` has less room than `needed` bytes. A disk
/// that does not tell is trusted.
///
/// # Errors
/// [`Error::NoRoom`].
pub(crate) fn check(
    files: &dyn Files,
    folder: &Path,
    needed: u64,
    doing: &'static str,
) -> Result<()> {
    match files.free_bytes(folder) {
        Some(free) if free < needed => Err(Error::NoRoom {
            folder: folder.to_owned(),
            doing,
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
mod tests {
    use super::*;
    use crate::files::SystemFiles;

    #[test]
    fn both_numbers_are_in_the_error() {
        let folder = tempfile::tempdir().expect("folder");
        check(&SystemFiles, folder.path(), 1, "unpack a file").expect("room for a byte");
        if free_bytes(folder.path()).is_some() {
            let error = check(&SystemFiles, folder.path(), u64::MAX, "unpack a file");
            let error = error.expect_err("no disk is so large");
            assert!(error.to_string().contains(&u64::MAX.to_string()), "{error}");
            assert_eq!(error.code(), baton_proto::Code::ResourceExhausted);
        }
    }
}
