//! The working folder of one target: found by name, locked, cleaned up.
//!
//! The holder of the lock owns everything in the folder. The lock is the
//! operating system's, so it ends with the process that holds it. The facts
//! about that process are in a file beside it, since some systems do not let
//! others read a locked file.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files::{Files, Open, SystemFiles, still_there};
use crate::holder::Holder;
use crate::paths;

/// Work older than this is not resumed, but set aside (c1z specification
/// §1.5: unfinished runs count for 7 days).
pub const MAX_WORK_AGE: Duration = Duration::from_hours(7 * 24);

/// What the name of a working folder beside its target ends with.
pub(crate) const SUFFIX: &str = ".baton-work";
const TEMP_PREFIX: &str = "baton-work-";
pub(crate) const LOCK: &str = "lock";
const HOLDER: &str = "holder";
const LOG: &str = "pages.log";
/// Largest file with the facts about the holder.
const MAX_HOLDER_BYTES: u64 = 256;
/// A folder can vanish between creating and locking it as often as another
/// process finishes; more often than this is not that.
const LOCK_TRIES: u32 = 16;
/// How often, and how long, a lock that is held is waited for.
const LOCK_WAITS: u32 = 5;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// The locked working folder of one target. Clones share the lock, which is
/// released when the last one is dropped.
#[derive(Debug, Clone)]
pub struct WorkDir {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    target: PathBuf,
    path: PathBuf,
    files: Arc<dyn Files>,
    /// Held for its lock; see `Drop` of [`File`].
    _lock: File,
}

impl WorkDir {
    /// Finds, creates and locks the working folder of `target`: a hidden
    /// folder beside it, or in `temp_dir` a folder named by a hash of the
    /// target's full path. Others are shown `now` as start time.
    ///
    /// # Errors
    /// [`Error::Busy`] if another process (or handle) works on the target;
    /// [`Error::Io`] if the folder cannot be made.
    pub fn locate(target: &Path, temp_dir: Option<&Path>, now: SystemTime) -> Result<Self> {
        Self::locate_on(Arc::new(SystemFiles), target, temp_dir, now)
    }

    /// As [`WorkDir::locate`], with another file layer under the work.
    pub fn locate_on(
        files: Arc<dyn Files>,
        target: &Path,
        temp_dir: Option<&Path>,
        now: SystemTime,
    ) -> Result<Self> {
        let target = paths::resolve(target)?;
        let path = folder_of(&target, temp_dir)?;
        let lock =
            take_lock(files.as_ref(), &path, &target).map_err(|error| match (error, temp_dir) {
                (Error::Io { doing, source, .. }, Some(folder)) => {
                    Error::in_temp_folder(doing, folder, source)
                }
                (other, _) => other,
            })?;
        let this = Self {
            inner: Arc::new(Inner {
                target,
                path,
                files,
                _lock: lock,
            }),
        };
        this.write_holder(now)?;
        Ok(this)
    }

    /// The target's full path, symbolic links resolved.
    pub fn target(&self) -> &Path {
        &self.inner.target
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Whether there is work in the folder to resume.
    pub fn has_work(&self) -> bool {
        holds_work(&self.inner.path)
    }

    /// Removes the folder and all work in it. The lock stays with this handle,
    /// so that no other process takes it.
    pub fn remove(&self) -> Result<()> {
        let path = &self.inner.path;
        self.inner
            .files
            .remove_dir_all(path)
            .map_err(|e| Error::io("remove", path, e))
    }

    /// Removes working folders in `folder` that no process holds and that are
    /// unchanged for longer than [`MAX_WORK_AGE`], and returns them. One that
    /// cannot be looked at or removed is left alone.
    pub fn remove_orphans(files: &dyn Files, folder: &Path, now: SystemTime) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| is_work_folder(path) && remove_orphan(files, path, now).unwrap_or(false))
            .collect()
    }

    pub(crate) fn files(&self) -> &Arc<dyn Files> {
        &self.inner.files
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.inner.path.join(LOG)
    }

    /// Where an older log is kept that is not resumed.
    pub(crate) fn set_aside_path(&self) -> PathBuf {
        self.inner.path.join("pages.log.old")
    }

    /// Where the files are that only one seal needs.
    pub(crate) fn scratch_path(&self) -> PathBuf {
        self.inner.path.join("seal")
    }

    /// Makes that folder, empty.
    pub(crate) fn scratch(&self) -> Result<PathBuf> {
        let path = self.scratch_path();
        self.clear_scratch()?;
        self.inner
            .files
            .create_dir_all(&path)
            .map_err(|e| Error::io("create", &path, e))?;
        Ok(path)
    }

    /// Removes what an interrupted seal left.
    pub(crate) fn clear_scratch(&self) -> Result<()> {
        let path = self.scratch_path();
        match self.inner.files.remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path, e)),
            _ => Ok(()),
        }
    }

    fn write_holder(&self, now: SystemTime) -> Result<()> {
        let since = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let path = self.inner.path.join(HOLDER);
        let text = format!("{} {since}\n", std::process::id());
        self.inner
            .files
            .open(&path, Open::Create)
            .and_then(|file| file.write_all_at(text.as_bytes(), 0))
            .map_err(|e| Error::io("write", &path, e))
    }
}

/// The working folder of the file `target`, whose path is resolved.
pub(crate) fn folder_of(target: &Path, temp_dir: Option<&Path>) -> Result<PathBuf> {
    if let Some(temp_dir) = temp_dir {
        let digest = Sha256::digest(target.as_os_str().as_encoded_bytes());
        let mut name = String::from(TEMP_PREFIX);
        for byte in digest.iter().take(16) {
            // Writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        return Ok(temp_dir.join(name));
    }
    let (Some(folder), Some(file)) = (target.parent(), target.file_name()) else {
        return Err(Error::Argument {
            what: "target",
            reason: "it names no file",
        });
    };
    let mut name = OsString::from(".");
    name.push(file);
    name.push(SUFFIX);
    Ok(folder.join(name))
}

/// Whether there is work to resume in the working folder `path`.
pub(crate) fn holds_work(path: &Path) -> bool {
    let log = path.join(LOG).metadata();
    log.is_ok_and(|found| found.len() > 0)
}

fn is_work_folder(path: &Path) -> bool {
    path.file_name()
        .and_then(|n| n.to_str())
        .is_some_and(|name| {
            name.starts_with(TEMP_PREFIX) || (name.starts_with('.') && name.ends_with(SUFFIX))
        })
}

/// Creates the folder and locks it.
#[expect(
    clippy::disallowed_methods,
    reason = "waits some milliseconds for another process, on a thread for blocking work"
)]
fn take_lock(files: &dyn Files, folder: &Path, target: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let mut waits = 0;
    for _ in 0..LOCK_TRIES {
        files
            .create_dir_all(folder)
            .map_err(|e| Error::io("create", folder, e))?;
        must_be_ours(folder)?;
        let file = match open_lock(&path) {
            Ok(file) => file,
            // Its last holder has just removed the folder.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::io("create", &path, e)),
        };
        match file.try_lock() {
            Ok(()) if still_there(&file, &path) => return Ok(file),
            Ok(()) => {}
            // A process that looks for leftovers holds it for a moment.
            Err(TryLockError::WouldBlock) if waits < LOCK_WAITS => {
                waits += 1;
                std::thread::sleep(LOCK_WAIT);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Busy {
                    target: target.to_owned(),
                    holder: read_holder(folder),
                });
            }
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path, e)),
        }
    }
    Err(Error::Busy {
        target: target.to_owned(),
        holder: read_holder(folder),
    })
}

/// Refuses a folder that replaced ours.
fn must_be_ours(folder: &Path) -> Result<()> {
    let found = match folder.symlink_metadata() {
        Ok(found) => found,
        // Its last holder has just removed it; that is noticed next.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io("look at", folder, e)),
    };
    let reason = if found.is_symlink() {
        "it is a symbolic link"
    } else if paths::owned_by_other(&found) {
        "it belongs to another user"
    } else {
        return Ok(());
    };
    Err(Error::WorkFolder {
        path: folder.to_owned(),
        reason,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lock is a file of the system, not of a simulated disk"
)]
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn read_holder(folder: &Path) -> Option<Holder> {
    use std::io::Read;
    let mut text = String::new();
    File::open(folder.join(HOLDER))
        .ok()?
        .take(MAX_HOLDER_BYTES)
        .read_to_string(&mut text)
        .ok()?;
    let (pid, since) = text.trim().split_once(' ')?;
    Some(Holder {
        pid: pid.parse().ok()?,
        since: UNIX_EPOCH.checked_add(Duration::from_secs(since.parse().ok()?))?,
    })
}

fn remove_orphan(files: &dyn Files, folder: &Path, now: SystemTime) -> io::Result<bool> {
    let touched = [LOG, LOCK]
        .iter()
        .filter_map(|name| folder.join(name).metadata().ok()?.modified().ok())
        .max();
    let old = touched
        .and_then(|t| now.duration_since(t).ok())
        .is_some_and(|age| age > MAX_WORK_AGE);
    if !old {
        return Ok(false);
    }
    let path = folder.join(LOCK);
    let lock = open_lock(&path)?;
    if lock.try_lock().is_err() || !still_there(&lock, &path) {
        return Ok(false);
    }
    files.remove_dir_all(folder)?;
    Ok(true)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, chown, symlink};

    #[test]
    fn a_folder_that_somebody_else_put_there_is_refused() {
        let parent = tempfile::tempdir().expect("folder");
        let target = parent.path().join("a.c1z");
        let locate = || WorkDir::locate(&target, None, SystemTime::now());
        let folder = locate().expect("made").path().to_owned();
        let mode = std::fs::metadata(&folder).expect("there").mode() & 0o777;
        assert_eq!(mode, 0o700);
        std::fs::remove_dir_all(&folder).expect("removed");
        let elsewhere = parent.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).expect("folder");
        symlink(&elsewhere, &folder).expect("link");
        let error = locate().expect_err("a link");
        assert!(matches!(error, Error::WorkFolder { .. }), "{error}");
        assert_eq!(std::fs::read_dir(&elsewhere).expect("listed").count(), 0);
        std::fs::remove_file(&folder).expect("removed");
        std::fs::create_dir(&folder).expect("folder");
        // Only the system's own user can give files away.
        if chown(&folder, Some(12_345), None).is_ok() {
            let error = locate().expect_err("another user's");
            assert!(matches!(error, Error::WorkFolder { .. }), "{error}");
        }
    }

    #[test]
    fn all_names_of_a_target_have_one_working_folder() {
        let parent = tempfile::tempdir().expect("folder");
        let target = parent.path().join("a.c1z");
        symlink("a.c1z", parent.path().join("link.c1z")).expect("link");
        let held = WorkDir::locate(&target, None, SystemTime::now()).expect("located");
        let other = WorkDir::locate(&parent.path().join("link.c1z"), None, SystemTime::now());
        assert!(matches!(other, Err(Error::Busy { .. })));
        drop(held);
    }
}
