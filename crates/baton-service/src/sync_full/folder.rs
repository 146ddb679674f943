//! The folder where a service keeps the file of its sync, and work that was
//! interrupted. It is named by the client id, so that the next task finds it.

#![cfg_attr(
    not(test),
    expect(
        clippy::disallowed_methods,
        reason = "this module owns the files of the service's folder that are not the sync engine's"
    )
)]

use std::io;
use std::path::{Path, PathBuf};

use baton_proto::Code;
use sha2::{Digest, Sha256};

use crate::finish::Failure;

/// Bytes that must stay free beside the files of a sync.
const RESERVE_BYTES: u64 = 256 << 20;
/// A sync needs so many times the bytes of the last file.
const TIMES_LAST: u64 = 2;

/// Asks how many bytes are free where a folder is; `None` if that is not known.
pub(crate) type FreeBytes = fn(&Path) -> Option<u64>;

/// The folder of a service.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    free_bytes: FreeBytes,
}

impl Folder {
    /// The folder in `temp_dir` of a client id.
    pub(crate) fn of(temp_dir: &Path, client_id: &str, free_bytes: FreeBytes) -> Self {
        let digest = Sha256::digest(client_id.as_bytes());
        let name = data_encoding::HEXLOWER.encode(digest.get(..8).unwrap_or_default());
        Self {
            path: temp_dir.join(format!("baton-service-{name}")),
            free_bytes,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a sync, until it is uploaded.
    pub(crate) fn target(&self) -> PathBuf {
        self.path.join("sync.c1z")
    }

    /// Where the debug log of a task is.
    pub(crate) fn debug_log(&self) -> PathBuf {
        self.path.join("debug.log")
    }

    /// How many bytes the last file had.
    fn last_size(&self) -> PathBuf {
        self.path.join("last-size")
    }

    /// Makes the folder; other users may not read it. One that is there must be a folder
    /// of this user, and no link: in a folder for temporary files others can put things.
    pub(crate) fn make(&self) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => own(&self.path),
            made => made,
        }
    }

    /// Keeps other processes from the files of the folder, as long as the result lives.
    fn lock(&self) -> io::Result<Lock> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.path.join("lock"))?;
        file.try_lock()?;
        Ok(Lock(file))
    }

    /// Makes the folder ready for a sync: without an earlier file, with enough room, and
    /// without another process in it.
    pub(super) fn prepare(&self) -> Result<Lock, Failure> {
        let failed = |doing: &str, error: &io::Error| {
            let text = format!("cannot {doing} {}: {error}", self.path.display());
            Failure::retryable(Code::Unknown, text)
        };
        self.make()
            .map_err(|error| failed("make the folder", &error))?;
        let lock = self.lock().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                let place = self.path.display();
                let text = format!("another process of the same client id syncs in {place}");
                Failure::retryable(Code::FailedPrecondition, text)
            }
            _ => failed("lock the folder", &error),
        })?;
        self.clear()
            .map_err(|error| failed("remove an earlier file from", &error))?;
        self.check_room()?;
        Ok(lock)
    }

    /// Removes the files of earlier syncs, but no work that can be resumed.
    pub(super) fn clear(&self) -> io::Result<()> {
        let target = self.target();
        let partial = baton_sync::partial_path(&target);
        for file in [target, partial] {
            remove(&file)?;
        }
        Ok(())
    }

    fn check_room(&self) -> Result<(), Failure> {
        let last = std::fs::read_to_string(self.last_size()).unwrap_or_default();
        let last: u64 = last.trim().parse().unwrap_or(0);
        let needed = last
            .saturating_mul(TIMES_LAST)
            .saturating_add(RESERVE_BYTES);
        match (self.free_bytes)(&self.path) {
            Some(free) if free < needed => {
                let place = self.path.display();
                let text = format!(
                    "not enough disk space for a sync: {place} has {free} bytes free, and the \
                     sync may need {needed}"
                );
                Err(Failure::retryable(Code::ResourceExhausted, text))
            }
            _ => Ok(()),
        }
    }

    /// Keeps the size of an uploaded file, for the next check.
    pub(super) fn keep_size(&self, bytes: u64) {
        // It is only an estimate for the next sync.
        if let Err(error) = std::fs::write(self.last_size(), bytes.to_string()) {
            tracing::debug!(%error, "the size of the last file is not kept");
        }
    }
}

/// The right of this process to the files of the folder.
#[derive(Debug)]
pub(super) struct Lock(
    #[expect(dead_code, reason = "the file is locked while it is open")] std::fs::File,
);

/// Checks that a folder is of this user, and closes it to others.
#[cfg(unix)]
fn own(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let metadata = std::fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let text = "it is there and belongs to another user";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn own(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        Ok(())
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

/// Removes a file, if it is there.
pub(crate) fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The bytes that are free for this user.
#[cfg(unix)]
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Not known here.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_depends_on_the_client_id_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = |id| Folder::of(dir.path(), id, free_bytes).path().to_owned();
        assert_eq!(path("a@b/c"), path("a@b/c"));
        assert_ne!(path("a@b/c"), path("a@b/d"));
        let name = path("golden-client@localhost:1/valet");
        let name = name.file_name().unwrap().to_str().unwrap();
        assert_eq!(name.len(), "baton-service-".len() + 16);
    }

    #[test]
    fn a_disk_without_room_fails_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let little = Folder::of(dir.path(), "a@b/c", |_| Some(1000));
        let failure = little.prepare().unwrap_err();
        assert_eq!(failure.status.code, Code::ResourceExhausted);
        assert!(failure.status.message.contains(" has 1000 bytes free"));
        assert!(failure.status.message.ends_with(" 268435456"));
        little.keep_size(1 << 30);
        let failure = little.prepare().unwrap_err();
        assert!(failure.status.message.ends_with(" 2415919104"));
        let enough = Folder::of(dir.path(), "a@b/c", |_| Some(3 << 30));
        drop(enough.prepare().unwrap());
        let unknown = Folder::of(dir.path(), "a@b/c", |_| None);
        drop(unknown.prepare().unwrap());
    }

    #[test]
    fn a_folder_that_another_process_uses_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(dir.path(), "a@b/c", |_| None);
        let held = folder.prepare().unwrap();
        std::fs::write(folder.target(), "being uploaded").unwrap();
        let failure = folder.prepare().unwrap_err();
        assert_eq!(failure.status.code, Code::FailedPrecondition);
        assert!(folder.target().exists());
        drop(held);
        drop(folder.prepare().unwrap());
        assert!(!folder.target().exists());
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_private_and_no_link() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(dir.path(), "a@b/c", |_| None);
        let mode = || {
            let metadata = std::fs::metadata(folder.path()).unwrap();
            metadata.permissions().mode() & 0o777
        };
        folder.make().unwrap();
        assert_eq!(mode(), 0o700);
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).unwrap();
        folder.make().unwrap();
        assert_eq!(mode(), 0o700);
        std::fs::remove_dir(folder.path()).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path()).unwrap();
        let failure = folder.prepare().unwrap_err();
        let text = failure.status.message;
        assert!(text.starts_with("cannot make the folder "), "{text}");
    }

    #[test]
    fn files_of_earlier_syncs_are_removed_and_work_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(dir.path(), "a@b/c", free_bytes);
        folder.make().unwrap();
        let partial = baton_sync::partial_path(&folder.target());
        let work = folder.path().join("work");
        for file in [&folder.target(), &partial, &work] {
            std::fs::write(file, "x").unwrap();
        }
        folder.clear().unwrap();
        assert!(!folder.target().exists() && !partial.exists());
        assert!(work.exists());
    }
}
