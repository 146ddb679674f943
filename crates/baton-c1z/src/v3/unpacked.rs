//! The directory of a file, written out as a folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use baton_pebble::Source;

use super::envelope::Envelope;
use crate::ReadOptions;
use crate::error::{Error, Result};
use crate::room::Work;
use crate::scratch::Scratch;
use crate::stop;

/// Bytes copied at a time.
const COPIED_BYTES: usize = 256 << 10;

/// Writes every file of the directory in `path` into the folder `out`, which
/// must be empty or not exist. The folder appears when it is complete.
#[expect(
    clippy::disallowed_methods,
    reason = "exports files for people, not a sync file; the rename shows them complete"
)]
pub(crate) fn unpack(path: &Path, out: &Path, options: &ReadOptions) -> Result<()> {
    must_be_free(out)?;
    let directory = Envelope::open(path, options)?.directory;
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let names = directory.names();
    let needed = names.iter().filter_map(|name| directory.size(name)).sum();
    let scratch = Scratch::beside_with_room(parent, needed, Work::Unpack)?;
    let folder = scratch.file_path();
    make_folder(folder).map_err(|e| Error::io("create", folder, e))?;
    for name in names {
        let content = directory.open(&name).map_err(|e| unreadable(path, e))?;
        let to = folder.join(&name);
        copy(content.as_ref(), &to).map_err(|e| {
            e.downcast::<Error>()
                .unwrap_or_else(|e| Error::io("write", &to, e))
        })?;
    }
    fs::rename(folder, out).map_err(|e| Error::io("make the folder", out, e))
}

/// Refuses everything but a folder with nothing in it. A link is something.
fn must_be_free(out: &Path) -> Result<()> {
    let is_free = match fs::symlink_metadata(out) {
        Ok(found) => {
            found.is_dir() && fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none())
        }
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    };
    if is_free {
        return Ok(());
    }
    Err(Error::Exists {
        path: out.to_owned(),
    })
}

/// Makes a folder, and its parents, for the owner only.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// What went wrong in the directory, which wraps what is ours.
fn unreadable(path: &Path, e: io::Error) -> Error {
    e.downcast::<Error>()
        .unwrap_or_else(|e| Error::io("read", path, e))
}

#[expect(
    clippy::disallowed_methods,
    reason = "exports files for people, not a sync file"
)]
fn copy(content: &dyn baton_pebble::FileBytes, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        make_folder(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(to)?;
    let mut at = 0;
    while at < content.len() {
        stop::check_io()?;
        let len = usize::try_from(content.len() - at).unwrap_or(COPIED_BYTES);
        let bytes = content.read_at(at, len.min(COPIED_BYTES))?;
        file.write_all(&bytes)?;
        at += bytes.len() as u64;
    }
    file.sync_all()
}
