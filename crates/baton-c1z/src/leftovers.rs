//! Removes at start what killed processes left behind.
//!
//! Everything that can be left has a lock, which ends with its process. A process
//! that can take the lock may remove it. Work that can be resumed stays.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::files::still_there;
use crate::paths;
use crate::save::{self, LOCKED_SUFFIX};
use crate::scratch::clear_scratch;
use crate::workdir;

/// Removes what killed processes of this user left beside `file` and in the
/// folder for temporary files, `temp_dir` or the system's: private copies,
/// files that were about to replace another, and working folders without
/// work. What is in use, or cannot be removed, stays.
pub fn clear_leftovers(file: &Path, temp_dir: Option<&Path>) {
    match temp_dir {
        Some(temp_dir) => clear_scratch(temp_dir),
        None => clear_scratch(&tempfile::env::temp_dir()),
    }
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Ok(folder) = folder.canonicalize() else {
        return;
    };
    clear_scratch(&folder);
    let mut targets = hidden(&folder, LOCKED_SUFFIX);
    targets.extend(hidden(&folder, workdir::SUFFIX));
    targets.extend(file.file_name().map(|name| folder.join(name)));
    for target in targets {
        // What cannot be removed now is tried again at the next start.
        let _ = clear_target(&target, temp_dir);
    }
}

/// The targets after which hidden files with this ending are named.
fn hidden(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let named = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let target = name.to_str()?.strip_prefix('.')?.strip_suffix(suffix)?;
        Some(folder.join(target))
    };
    entries.flatten().filter_map(named).collect()
}

/// Removes the new file for a target that no process works on, then its working
/// folders, if they hold no work.
#[expect(
    clippy::disallowed_methods,
    reason = "leftovers hold no work, so a crash halfway is harmless"
)]
fn clear_target(target: &Path, temp_dir: Option<&Path>) -> io::Result<()> {
    let mut folders = vec![workdir::folder_of(target, None)];
    if temp_dir.is_some() {
        folders.push(workdir::folder_of(target, temp_dir));
    }
    let path = save::locked_name(target);
    let folders: Vec<PathBuf> = folders.into_iter().flatten().collect();
    let is_idle = |folder: &PathBuf| folder.exists() && !workdir::holds_work(folder);
    if path.symlink_metadata().is_err() && !folders.iter().any(is_idle) {
        return Ok(());
    }
    let mut held = Vec::new();
    for folder in folders {
        match lock_existing(&folder) {
            Ok(lock) => held.push((folder, lock)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Its process was killed before it had the lock, or after it
                // had removed it. That shows nothing of the writer.
                if folder.exists() && !workdir::holds_work(&folder) {
                    remove_lockless(&folder)?;
                }
            }
            Err(e) => return Err(e),
        }
    }
    // Without any lock, its writer may hold one somewhere else.
    if held.is_empty() {
        return Ok(());
    }
    if let Ok(found) = path.symlink_metadata()
        && found.is_file()
        && !paths::owned_by_other(&found)
    {
        fs::remove_file(path)?;
    }
    for (folder, lock) in held {
        if !workdir::holds_work(&folder) {
            fs::remove_dir_all(folder)?;
        }
        drop(lock);
    }
    Ok(())
}

/// Removes a working folder that has no lock, if it is this user's: with a lock
/// of our own, so that a process that makes it at this moment tries again.
#[expect(
    clippy::disallowed_methods,
    reason = "a lock is a file of the system, not of a simulated disk"
)]
fn remove_lockless(folder: &Path) -> io::Result<()> {
    let found = folder.symlink_metadata()?;
    if !found.is_dir() || paths::owned_by_other(&found) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let path = folder.join(workdir::LOCK);
    let lock = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)?;
    if lock.try_lock().is_ok() && still_there(&lock, &path) {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// Takes the lock of a working folder, if the folder is this user's.
#[expect(
    clippy::disallowed_methods,
    reason = "a lock is a file of the system, not of a simulated disk"
)]
fn lock_existing(folder: &Path) -> io::Result<File> {
    let found = folder.symlink_metadata()?;
    if !found.is_dir() || paths::owned_by_other(&found) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let path: PathBuf = folder.join(workdir::LOCK);
    let lock = OpenOptions::new().write(true).open(&path)?;
    match lock.try_lock() {
        Ok(()) if still_there(&lock, &path) => Ok(lock),
        Ok(()) | Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workdir::WorkDir;
    use std::time::SystemTime;

    #[test]
    fn what_has_no_holder_goes_and_work_stays() {
        let parent = tempfile::tempdir().expect("folder");
        let path = |name: &str| parent.path().join(name);
        let locate = |name: &str| {
            WorkDir::locate(&path(name), None, SystemTime::UNIX_EPOCH).expect("located")
        };
        let held = locate("held.c1z");
        drop(locate("killed.c1z"));
        let resumable = locate("resumable.c1z");
        fs::write(resumable.log_path(), "work").expect("written");
        drop(resumable);
        // Killed before it had its lock.
        fs::create_dir(path(".lockless.c1z.baton-work")).expect("made");
        for name in ["held", "killed", "resumable", "unknown", "lockless"] {
            fs::write(path(&format!(".{name}.c1z.new.tmp")), "rows").expect("written");
        }
        clear_leftovers(&path("any.c1z"), None);
        let there = |name: &str| path(name).exists();
        assert!(there(".held.c1z.new.tmp") && held.path().exists());
        assert!(!there(".killed.c1z.new.tmp") && !there(".killed.c1z.baton-work"));
        assert!(!there(".resumable.c1z.new.tmp"));
        assert!(there(".resumable.c1z.baton-work/pages.log"));
        assert!(there(".unknown.c1z.new.tmp"));
        assert!(!there(".lockless.c1z.baton-work") && there(".lockless.c1z.new.tmp"));
    }
}
