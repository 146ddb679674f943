//! The file that a path means when it is written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::FileKind;
use crate::error::{Error, Result};

/// Links that are followed, one after the other.
const MAX_LINKS: usize = 40;

/// The full path of the file that `path` means, symbolic links followed. The
/// file need not exist, also behind a link; its folder must.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        return Err(Error::Argument {
            what: "path",
            reason: "it is empty",
        });
    }
    if bytes
        .last()
        .is_some_and(|&b| std::path::is_separator(char::from(b)))
    {
        return Err(not_regular(path, FileKind::Folder));
    }
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Some(name) = at.file_name() else {
            return Err(not_regular(path, FileKind::Folder));
        };
        let folder = match at.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = fs::canonicalize(folder).map_err(|e| Error::in_folder("open", folder, e))?;
        let here = folder.join(name);
        match fs::symlink_metadata(&here) {
            Ok(found) if found.is_symlink() => {
                if holds_streams(&folder) {
                    return Err(not_regular(path, FileKind::Stream));
                }
                let to = fs::read_link(&here).map_err(|e| Error::io("read the link", &here, e))?;
                at = folder.join(to);
            }
            Ok(_) => return Ok(here),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(here),
            Err(e) => return Err(Error::io("look at", path, e)),
        }
    }
    Err(Error::io("follow the links of", path, loops()))
}

/// Folders whose links stand for what processes have open.
fn holds_streams(folder: &Path) -> bool {
    cfg!(unix) && (folder == Path::new("/dev") || folder.starts_with("/proc"))
}

fn not_regular(path: &Path, kind: FileKind) -> Error {
    Error::NotRegular {
        path: path.to_owned(),
        kind,
    }
}

fn loops() -> io::Error {
    io::Error::other("too many symbolic links follow each other")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_to_a_file_that_does_not_exist_yet() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().canonicalize().expect("real");
        fs::create_dir(root.join("sub")).expect("folder");
        symlink("sub/second", root.join("first")).expect("link");
        symlink("../new.c1z", root.join("sub/second")).expect("link");
        for name in ["new.c1z", "first", "sub/second", "sub/../first"] {
            let resolved = resolve(&root.join(name)).expect("a path");
            assert_eq!(resolved, root.join("new.c1z"), "{name}");
        }
    }

    #[test]
    fn what_names_no_file_is_an_error() {
        let folder = tempfile::tempdir().expect("folder");
        symlink("b", folder.path().join("a")).expect("link");
        symlink("a", folder.path().join("b")).expect("link");
        symlink("no/x", folder.path().join("dangling")).expect("link");
        for name in ["", "new/", "sub/..", "a", "dangling", "no/x"] {
            let path = match name {
                "" => PathBuf::new(),
                name => folder.path().join(name),
            };
            assert!(resolve(&path).is_err(), "{name}");
        }
        for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            let error = resolve(Path::new(name)).expect_err("a stream");
            assert!(matches!(error, Error::NotRegular { .. }), "{error}");
        }
    }
}
