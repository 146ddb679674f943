//! Replacing a file as a whole: the old content stays until the new one is
//! complete and on the device, and whoever looks sees one or the other.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Lets `write` fill a new file beside `target`, then puts it in its place.
///
/// The new file has the mode of the one it replaces, else it is private to
/// its owner. A symbolic link keeps pointing to the replaced file. On any
/// failure the target is untouched and nothing is left behind.
pub(crate) fn replace(
    target: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<PathBuf> {
    let (target, mode) = match fs::canonicalize(target) {
        Ok(real) => {
            let old = fs::metadata(&real).map_err(|e| Error::io("look at", &real, e))?;
            (real, Some(old.permissions()))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => (target.to_owned(), None),
        Err(e) => return Err(Error::io("look at", target, e)),
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
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let mut temp = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(|e| Error::io("create a file in", folder, e))?;
    write(temp.as_file_mut())
        .and_then(|()| keep_mode(temp.as_file(), mode))
        .and_then(|()| temp.as_file().sync_all())
        .map_err(|e| Error::io("write the new content of", &target, e))?;
    // Closed before the rename: some systems refuse to rename open files.
    temp.into_temp_path()
        .persist(&target)
        .map_err(|e| Error::io("replace", &target, e.error))?;
    sync_folder(folder).map_err(|e| Error::io("make the rename durable in", folder, e))?;
    Ok(target)
}

#[cfg(unix)]
fn keep_mode(file: &File, mode: Option<fs::Permissions>) -> io::Result<()> {
    mode.map_or(Ok(()), |mode| file.set_permissions(mode))
}

#[cfg(not(unix))]
fn keep_mode(_: &File, _: Option<fs::Permissions>) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems have nothing to make durable here.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

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
        let failed = replace(&target, |f| {
            f.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(Error::Io { .. })));
        assert_eq!(fs::read(&target).expect("read"), b"old");
        assert_eq!(names(folder.path()), ["a.c1z"]);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let missing = folder.path().join("no/a.c1z");
        let error = replace(&missing, |_| Ok(())).expect_err("no folder");
        assert!(error.to_string().contains("no"), "{error}");
        assert_eq!(error.code(), baton_proto::Code::NotFound);
    }

    #[test]
    fn a_folder_in_place_of_the_target_is_an_error() {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.c1z");
        fs::create_dir(&target).expect("folder");
        assert!(replace(&target, |_| Ok(())).is_err());
        assert_eq!(names(folder.path()), ["a.c1z"]);
    }

    #[cfg(unix)]
    #[test]
    fn new_files_are_private_and_replaced_ones_keep_their_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.c1z");
        let mode = || fs::metadata(&target).expect("exists").permissions().mode() & 0o777;
        replace(&target, |f| f.write_all(b"1")).expect("saved");
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).expect("chmod");
        replace(&target, |f| f.write_all(b"2")).expect("saved");
        assert_eq!(mode(), 0o644);
        assert_eq!(fs::read(&target).expect("read"), b"2");
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("folder");
        let real = folder.path().join("real.c1z");
        let link = folder.path().join("link.c1z");
        fs::write(&real, "old").expect("write");
        std::os::unix::fs::symlink(&real, &link).expect("link");
        replace(&link, |f| f.write_all(b"new")).expect("saved");
        assert_eq!(fs::read(&real).expect("read"), b"new");
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
    }
}
