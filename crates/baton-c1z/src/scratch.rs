//! Private folders for temporary content, such as a decompressed database. Only
//! their owner may read them, and dropping them removes them.
//!
//! A killed process drops nothing. So a folder is locked for as long as its
//! process lives, and each new folder first removes those beside it that no
//! process holds. A folder is removed only under its lock, and its creator
//! checks after locking that it still exists. So no folder in use is removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::files::{SystemFiles, still_there};
use crate::paths;
use crate::room::{self, Work};
use crate::stop;

const PREFIX: &str = ".baton-tmp-";
const FILE_NAME: &str = "db";
const LOCK: &str = "lock";
/// How often a folder may be taken for an abandoned one before it is locked.
const TRIES: u32 = 16;

/// A private folder with the path of one file in it.
#[derive(Debug)]
pub struct Scratch {
    /// Dropping it removes the folder.
    folder: TempDir,
    file: PathBuf,
    /// Held for its lock, and dropped last.
    _lock: File,
}

impl Scratch {
    /// Makes the folder in `parent`, or in the system's folder for temporary
    /// files, and removes what killed processes left there. The file does not
    /// exist yet.
    ///
    /// # Errors
    /// [`Error::TempFolder`] or [`Error::Io`] by the system.
    pub fn new(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(tempfile::env::temp_dir, Path::to_owned);
        Self::make_in(&parent, Error::in_temp_folder)
    }

    /// As [`Scratch::new`], in the folder that gets the content when it is whole.
    ///
    /// # Errors
    /// [`Error::Io`] by the system.
    pub(crate) fn beside(folder: &Path) -> Result<Self> {
        Self::make_in(folder, Error::in_folder)
    }

    fn make_in(
        parent: &Path,
        refused: fn(&'static str, &Path, io::Error) -> Error,
    ) -> Result<Self> {
        clear_scratch(parent);
        let failed = |e| refused("create a folder in", parent, e);
        let mut tries = 0;
        loop {
            let folder = make(parent).map_err(failed)?;
            match lock(folder.path()) {
                Ok(Some(lock)) => {
                    return Ok(Self {
                        file: folder.path().join(FILE_NAME),
                        folder,
                        _lock: lock,
                    });
                }
                Ok(None) if tries < TRIES => tries += 1,
                Ok(None) => return Err(failed(io::ErrorKind::WouldBlock.into())),
                Err(e) => return Err(failed(e)),
            }
        }
    }

    /// As [`Scratch::new`], for work that is going to write at least `needed`
    /// bytes.
    ///
    /// # Errors
    /// [`Error::NoRoom`] if there is less; [`Error::Stopped`] if the work of
    /// this thread is to end; those of [`Scratch::new`].
    pub(crate) fn with_room(parent: Option<&Path>, needed: u64, work: Work) -> Result<Self> {
        stop::check()?;
        let scratch = Self::new(parent)?;
        room::check(&SystemFiles, scratch.folder_path(), needed, work)?;
        Ok(scratch)
    }

    /// As [`Scratch::beside`], for work that is going to write at least `needed` bytes.
    ///
    /// # Errors
    /// Those of [`Scratch::with_room`].
    pub(crate) fn beside_with_room(folder: &Path, needed: u64, work: Work) -> Result<Self> {
        stop::check()?;
        let scratch = Self::beside(folder)?;
        room::check(&SystemFiles, scratch.folder_path(), needed, work)?;
        Ok(scratch)
    }

    /// As [`Scratch::new`], for work whose size is known only when it is done.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the work of this thread is to end; those of
    /// [`Scratch::new`].
    pub(crate) fn of_unknown_size(parent: Option<&Path>) -> Result<Self> {
        stop::check()?;
        Self::new(parent)
    }

    /// The folder's path.
    pub fn folder_path(&self) -> &Path {
        self.folder.path()
    }

    /// Creates the file, empty.
    #[expect(
        clippy::disallowed_methods,
        reason = "scratch files are never read after a crash"
    )]
    pub(crate) fn create_file(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&self.file)
            .map_err(|e| Error::io("create", &self.file, e))
    }

    /// The file's size.
    pub(crate) fn file_bytes(&self) -> Result<u64> {
        self.file
            .metadata()
            .map(|m| m.len())
            .map_err(|e| Error::io("look at", &self.file, e))
    }

    /// The file's path.
    pub(crate) fn file_path(&self) -> &Path {
        &self.file
    }
}

fn make(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}

/// Locks a new folder; `None` if it was taken for an abandoned one.
#[expect(
    clippy::disallowed_methods,
    reason = "scratch files are never read after a crash"
)]
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = match options.open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match file.try_lock() {
        Ok(()) => Ok(still_there(&file, &path).then_some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: no process takes it for abandoned.
        Err(fs::TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// Removes the private folders in `parent` whose process is gone. What cannot
/// be removed, or belongs to another user, stays.
pub(crate) fn clear_scratch(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes())
        {
            // The next one tries again.
            let _ = remove_abandoned(&entry.path());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "scratch files are never read after a crash"
)]
fn remove_abandoned(folder: &Path) -> io::Result<()> {
    let found = folder.symlink_metadata()?;
    if !found.is_dir() || paths::owned_by_other(&found) {
        return Ok(());
    }
    let path = folder.join(LOCK);
    let lock = match OpenOptions::new().write(true).open(&path) {
        // Its maker was killed right after it made it, or is about to lock it
        // and makes another one then.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return fs::remove_dir(folder),
        other => other?,
    };
    if lock.try_lock().is_ok() && still_there(&lock, &path) {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_used_is_named_as_that_for_temporary_files() {
        let folder = tempfile::tempdir().expect("made");
        let missing = folder.path().join("missing");
        let file = folder.path().join("file");
        fs::write(&file, b"x").expect("written");
        for parent in [missing, file] {
            let error = Scratch::new(Some(&parent)).expect_err("refused");
            let text = format!(
                "cannot use the folder for temporary files {}",
                parent.display()
            );
            assert_eq!(error.to_string(), text);
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("listed");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("entry").file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A folder as a killed process leaves it.
    fn abandoned(parent: &Path, name: &str) {
        let folder = parent.join(format!("{PREFIX}{name}"));
        fs::create_dir(&folder).expect("folder");
        fs::write(folder.join(LOCK), "").expect("written");
        fs::write(folder.join(FILE_NAME), "secret").expect("written");
    }

    #[test]
    fn what_killed_processes_left_goes_and_what_is_in_use_stays() {
        let parent = tempfile::tempdir().expect("folder");
        let first = Scratch::new(Some(parent.path())).expect("made");
        fs::write(first.file_path(), "in use").expect("written");
        abandoned(parent.path(), "a");
        fs::create_dir(parent.path().join(format!("{PREFIX}empty"))).expect("folder");
        fs::create_dir(parent.path().join("other")).expect("folder");
        let second = Scratch::new(Some(parent.path())).expect("made");
        assert_eq!(fs::read(first.file_path()).expect("there"), b"in use");
        assert_eq!(names(parent.path()).len(), 3);
        drop((first, second));
        assert_eq!(names(parent.path()), ["other"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_and_all_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().expect("folder");
        let elsewhere = tempfile::tempdir().expect("folder");
        abandoned(elsewhere.path(), "b");
        let kept = elsewhere.path().join(format!("{PREFIX}b"));
        std::os::unix::fs::symlink(&kept, parent.path().join(format!("{PREFIX}x"))).expect("link");
        let scratch = Scratch::new(Some(parent.path())).expect("made");
        assert!(kept.join(FILE_NAME).exists());
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        drop(scratch.create_file().expect("made"));
        assert_eq!(mode(scratch.folder_path()), 0o700);
        assert_eq!(mode(scratch.file_path()), 0o600);
    }
}
