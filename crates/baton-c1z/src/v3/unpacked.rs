//! The directory of a file, written out as a folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use baton_pebble::Source;

use super::envelope::Envelope;
use crate::ReadOptions;
use crate::error::{Error, Result};

/// Bytes copied at a time.
const COPIED_BYTES: usize = 256 << 10;

/// Writes every file of the directory in `path` into the folder `out`, which
/// must be empty or not exist. The folder appears when it is complete.
pub(crate) fn unpack(path: &Path, out: &Path, options: &ReadOptions) -> Result<()> {
    match fs::read_dir(out) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(Error::Exists {
                    path: out.to_owned(),
                });
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        // Something that is no folder.
        Err(_) => {
            return Err(Error::Exists {
                path: out.to_owned(),
            });
        }
    }
    let directory = Envelope::open(path, options)?.directory;
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = tempfile::Builder::new()
        .prefix(".dump.")
        .tempdir_in(parent)
        .map_err(|e| Error::io("create a folder in", parent, e))?;
    for name in directory.names() {
        let content = directory.open(&name).map_err(|e| unreadable(path, e))?;
        let to = folder.path().join(&name);
        copy(content.as_ref(), &to).map_err(|e| Error::io("write", &to, e))?;
    }
    let folder = folder.keep();
    fs::rename(&folder, out).map_err(|e| {
        // What cannot be removed either is named like a temporary folder.
        let _ = fs::remove_dir_all(&folder);
        Error::io("make the folder", out, e)
    })
}

/// What went wrong in the directory, which wraps what is ours.
fn unreadable(path: &Path, e: io::Error) -> Error {
    e.downcast::<Error>()
        .unwrap_or_else(|e| Error::io("read", path, e))
}

fn copy(content: &dyn baton_pebble::FileBytes, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create_new(to)?;
    let mut at = 0;
    while at < content.len() {
        let len = usize::try_from(content.len() - at).unwrap_or(COPIED_BYTES);
        let bytes = content.read_at(at, len.min(COPIED_BYTES))?;
        file.write_all(&bytes)?;
        at += bytes.len() as u64;
    }
    file.sync_all()
}
