//! Replaces a file as a whole: the old content stays until the new one is
//! complete and on the device, and a reader sees one or the other. A new file
//! never replaces another one.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::files::{Access, DataFile, Files, Open, SystemFiles};
use crate::paths;
use crate::room::{self, Work};
use crate::scratch::Scratch;
use crate::stop;

/// What the names of new files under a lock end with.
pub(crate) const LOCKED_SUFFIX: &str = ".new.tmp";

/// What the new file is called until it is in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// By a fixed name: only the holder of the target's lock uses it, and
    /// removes what an interrupted attempt left.
    Locked,
    /// In a folder of its own, which is cleared away if the process is killed.
    Shared,
}

/// What distinguishes a file from one that replaced it, or from a later content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    bytes: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Mark {
    /// `None` if there is no file.
    fn of(path: &Path) -> Result<Option<Self>> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("look at", path, e)),
        };
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&found);
        #[cfg(not(unix))]
        let inode = 0;
        Ok(Some(Self {
            bytes: found.len(),
            modified: found.modified().ok(),
            inode,
        }))
    }
}

/// What must lie in the target's place when it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Anything,
    Nothing,
    File(Mark),
}

/// How files are replaced.
#[derive(Debug, Clone)]
pub(crate) struct Saver {
    files: Arc<dyn Files>,
    naming: Naming,
    /// What lies in the target's place stays, and is an error.
    is_new: bool,
    /// What must still lie in the target's place.
    expected: Expected,
}

impl Saver {
    /// For the holder of the lock of the target's working folder.
    pub(crate) fn locked(files: Arc<dyn Files>) -> Self {
        Self {
            files,
            naming: Naming::Locked,
            is_new: false,
            expected: Expected::Anything,
        }
    }

    /// Replaces `target` only if it is then what it is now, read or not.
    pub(crate) fn expecting(self, target: &Path) -> Result<Self> {
        Ok(Self {
            expected: Mark::of(target)?.map_or(Expected::Nothing, Expected::File),
            ..self
        })
    }

    /// Fails if the target is not what it was.
    fn check(&self, target: &Path) -> Result<()> {
        let is_expected = match self.expected {
            Expected::Anything => true,
            Expected::Nothing => Mark::of(target)?.is_none(),
            Expected::File(mark) => Mark::of(target)? == Some(mark),
        };
        if is_expected {
            return Ok(());
        }
        Err(Error::Changed {
            path: target.to_owned(),
        })
    }

    /// For everybody else: the operating system's files.
    pub(crate) fn shared() -> Self {
        Self {
            files: Arc::new(SystemFiles),
            naming: Naming::Shared,
            is_new: false,
            expected: Expected::Anything,
        }
    }

    /// For a new file: one that has appeared in its place is not replaced.
    pub(crate) fn new_file() -> Self {
        Self {
            is_new: true,
            ..Self::shared()
        }
    }

    /// Whether there is no old file to look at.
    pub(crate) fn makes_new_file(&self) -> bool {
        self.is_new
    }
}

/// Lets `write` fill a new file of at least `bytes` beside `target`, if the disk
/// has that much room, then puts it in its place; of a saver of new files that is [`Error::Exists`] if the place is taken.
///
/// What is replaced must be a regular file. The new file has the owner, group
/// and mode of the one that it replaces, as far as that is permitted, else it
/// is private to its owner. A symbolic link keeps pointing to the replaced
/// file, and one that points to nothing to the new one. On any failure the
/// target is untouched and nothing is left behind, with one exception: if the
/// folder cannot be made durable after the rename, that is an error though the
/// new content is in place and whole.
pub(crate) fn replace(
    saver: &Saver,
    target: &Path,
    bytes: u64,
    write: impl FnOnce(&mut NewFile) -> io::Result<()>,
) -> Result<PathBuf> {
    let (target, access) = if saver.is_new {
        (target.to_owned(), None)
    } else {
        let target = paths::resolve(target)?;
        let old = paths::regular_or_missing(&target)?;
        (target, old.map(Access::of))
    };
    let folder = match target.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => {
            return Err(Error::io(
                "replace",
                &target,
                io::ErrorKind::IsADirectory.into(),
            ));
        }
    };
    let files = saver.files.as_ref();
    stop::check()?;
    room::check(files, folder, bytes, Work::Save)?;
    let New {
        path: temp,
        file,
        scratch: _scratch,
    } = create(files, saver.naming, folder, &target)?;
    let put = fill(file, access.as_ref(), write)
        .map_err(|e| Error::io("write the new content of", &target, e))
        .and_then(|()| saver.check(&target))
        .and_then(|()| rename(saver, &temp, &target));
    if let Err(error) = put {
        // The error is reported; a rest is cleared away by the next try.
        let _ = files.remove_file(&temp);
        return Err(error);
    }
    files
        .sync_dir(folder)
        .map_err(|e| Error::io("make the rename durable in", folder, e))?;
    Ok(target)
}

fn rename(saver: &Saver, temp: &Path, target: &Path) -> Result<()> {
    if !saver.is_new {
        // Much time has passed since the first look.
        paths::regular_or_missing(target)?;
        let renamed = saver.files.rename(temp, target);
        return renamed.map_err(|e| Error::io("replace", target, e));
    }
    match saver.files.rename_new(temp, target) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(Error::Exists {
            path: target.to_owned(),
        }),
        other => other.map_err(|e| Error::io("create", target, e)),
    }
}

/// The new file until it is in its place.
struct New {
    path: PathBuf,
    file: Box<dyn DataFile>,
    /// The folder that it is in, if that is its own.
    scratch: Option<Scratch>,
}

/// Makes the new file, empty. Never follows a link that lies in its place.
fn create(files: &dyn Files, naming: Naming, folder: &Path, target: &Path) -> Result<New> {
    let failed = |e| Error::io("create a file in", folder, e);
    if naming == Naming::Shared {
        let scratch = Scratch::beside(folder)?;
        let path = scratch.file_path().to_owned();
        let file = files.open(&path, Open::CreateNew).map_err(failed)?;
        return Ok(New {
            path,
            file,
            scratch: Some(scratch),
        });
    }
    let path = locked_name(target);
    match files.remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let file = files.open(&path, Open::CreateNew).map_err(failed)?;
    Ok(New {
        path,
        file,
        scratch: None,
    })
}

/// The name of the new file for `target`, for the holder of its lock.
pub(crate) fn locked_name(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(LOCKED_SUFFIX);
    target.with_file_name(name)
}

/// Writes the content. The file is closed when this returns: some systems
/// refuse to rename open files.
fn fill(
    file: Box<dyn DataFile>,
    access: Option<&Access>,
    write: impl FnOnce(&mut NewFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = NewFile { file, end: 0 };
    write(&mut file)?;
    if let Some(access) = access {
        file.file.set_access(access)?;
    }
    file.file.sync()
}

/// A file that is written from its beginning to its end.
pub(crate) struct NewFile {
    file: Box<dyn DataFile>,
    end: u64,
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        stop::check_io()?;
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .expect("folder")
            .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_failure_while_writing_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.c1z");
        fs::write(&target, "old").expect("write");
        let failed = replace(&Saver::shared(), &target, 0, |f| {
            f.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(Error::Io { .. })));
        assert_eq!(fs::read(&target).expect("read"), b"old");
        assert_eq!(names(folder.path()), ["a.c1z"]);
    }

    #[test]
    fn what_an_interrupted_try_left_is_cleared_away_by_the_next_under_the_lock() {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.c1z");
        let rest = folder.path().join(".a.c1z.new.tmp");
        fs::write(&rest, "half").expect("write");
        let saver = Saver::locked(Arc::new(SystemFiles));
        replace(&saver, &target, 0, |f| f.write_all(b"new")).expect("saved");
        assert_eq!(fs::read(&target).expect("read"), b"new");
        assert_eq!(names(folder.path()), ["a.c1z"]);
    }

    /// Files on a file system without hard links.
    #[derive(Debug)]
    struct NoLinks;

    impl Files for NoLinks {
        fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DataFile>> {
            SystemFiles.open(path, how)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            SystemFiles.rename(from, to)
        }
        fn remove_file(&self, path: &Path) -> io::Result<()> {
            SystemFiles.remove_file(path)
        }
        fn create_dir_all(&self, path: &Path) -> io::Result<()> {
            SystemFiles.create_dir_all(path)
        }
        fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
            SystemFiles.remove_dir_all(path)
        }
        fn sync_dir(&self, path: &Path) -> io::Result<()> {
            SystemFiles.sync_dir(path)
        }
    }

    fn without_links() -> Saver {
        Saver {
            files: Arc::new(NoLinks),
            ..Saver::new_file()
        }
    }

    #[test]
    fn a_new_file_takes_no_others_place() {
        for saver in [Saver::new_file(), without_links()] {
            let folder = tempfile::tempdir().expect("folder");
            let target = folder.path().join("a.c1z");
            replace(&saver, &target, 0, |f| f.write_all(b"mine")).expect("saved");
            assert_eq!(fs::read(&target).expect("read"), b"mine");
            assert_eq!(names(folder.path()), ["a.c1z"]);
            fs::remove_file(&target).expect("removed");
            let error = replace(&saver, &target, 0, |f| {
                fs::write(&target, "theirs")?;
                f.write_all(b"mine")
            })
            .expect_err("it has appeared");
            assert!(matches!(error, Error::Exists { .. }), "{error}");
            assert_eq!(fs::read(&target).expect("read"), b"theirs");
            assert_eq!(names(folder.path()), ["a.c1z"]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_takes_no_dangling_links_place() {
        for saver in [Saver::new_file(), without_links()] {
            let folder = tempfile::tempdir().expect("folder");
            let link = folder.path().join("link.c1z");
            std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).expect("link");
            let error = replace(&saver, &link, 0, |f| f.write_all(b"new")).expect_err("taken");
            assert!(matches!(error, Error::Exists { .. }), "{error}");
            assert_eq!(names(folder.path()), ["link.c1z"]);
        }
    }

    #[test]
    fn a_file_that_somebody_else_changed_meanwhile_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.c1z");
        let expecting = || Saver::shared().expecting(&target).expect("looked at");
        // It came, it changed, it was replaced by one of the same size, it went.
        let changes: [&dyn Fn(); 4] = [
            &|| fs::write(&target, "old").expect("write"),
            &|| fs::write(&target, "longer").expect("write"),
            &|| {
                let other = folder.path().join("other");
                fs::write(&other, "LONGER").expect("write");
                fs::rename(other, &target).expect("rename");
            },
            &|| fs::remove_file(&target).expect("remove"),
        ];
        for change in changes {
            let saver = expecting();
            change();
            let before = fs::read(&target).ok();
            let error = replace(&saver, &target, 0, |f| f.write_all(b"new")).expect_err("changed");
            assert!(matches!(error, Error::Changed { .. }), "{error}");
            assert_eq!(fs::read(&target).ok(), before);
        }
        replace(&expecting(), &target, 0, |f| f.write_all(b"new")).expect("saved");
        replace(&expecting(), &target, 0, |f| f.write_all(b"newer")).expect("saved");
        assert_eq!(names(folder.path()), ["a.c1z"]);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let missing = folder.path().join("no/a.c1z");
        let error = replace(&Saver::shared(), &missing, 0, |_| Ok(())).expect_err("no folder");
        assert!(error.to_string().contains("no"), "{error}");
        assert_eq!(error.code(), baton_proto::Code::NotFound);
    }

    #[test]
    fn a_folder_in_place_of_the_target_is_an_error() {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.c1z");
        fs::create_dir(&target).expect("folder");
        assert!(replace(&Saver::shared(), &target, 0, |_| Ok(())).is_err());
        assert_eq!(names(folder.path()), ["a.c1z"]);
    }

    #[cfg(unix)]
    #[test]
    fn new_files_are_private_and_replaced_ones_keep_their_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.c1z");
        let mode = || fs::metadata(&target).expect("exists").permissions().mode() & 0o777;
        replace(&Saver::shared(), &target, 0, |f| f.write_all(b"1")).expect("saved");
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).expect("chmod");
        replace(&Saver::shared(), &target, 0, |f| f.write_all(b"2")).expect("saved");
        assert_eq!(mode(), 0o644);
        assert_eq!(fs::read(&target).expect("read"), b"2");
    }

    /// Only the system's own user can make such a file.
    #[cfg(unix)]
    #[test]
    fn owner_and_group_stay_and_set_id_bits_go() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.c1z");
        fs::write(&target, "old").expect("write");
        if chown(&target, Some(12_345), Some(54_321)).is_err() {
            return;
        }
        fs::set_permissions(&target, fs::Permissions::from_mode(0o6754)).expect("chmod");
        for saver in [Saver::shared(), Saver::locked(Arc::new(SystemFiles))] {
            replace(&saver, &target, 0, |f| f.write_all(b"new")).expect("saved");
            let found = fs::metadata(&target).expect("there");
            assert_eq!((found.uid(), found.gid()), (12_345, 54_321));
            assert_eq!(found.mode() & 0o7777, 0o754);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nothing_gets_its_file() {
        let folder = tempfile::tempdir().expect("folder");
        let link = folder.path().join("link.c1z");
        std::os::unix::fs::symlink("made.c1z", &link).expect("link");
        let made = replace(&Saver::shared(), &link, 0, |f| f.write_all(b"new")).expect("saved");
        assert_eq!(made.file_name(), Some("made.c1z".as_ref()));
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
        assert_eq!(names(folder.path()), ["link.c1z", "made.c1z"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("folder");
        let real = folder.path().join("real.c1z");
        let link = folder.path().join("link.c1z");
        fs::write(&real, "old").expect("write");
        std::os::unix::fs::symlink(&real, &link).expect("link");
        replace(&Saver::shared(), &link, 0, |f| f.write_all(b"new")).expect("saved");
        assert_eq!(fs::read(&real).expect("read"), b"new");
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
    }
}
