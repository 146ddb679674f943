//! What kind of file a path names, and opening without waiting.
//!
//! The kind is looked at before a file is opened, since opening some devices
//! has an effect, and again of what was opened, since another process may put
//! something else there in between.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// What a path names that is not a regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A folder.
    Folder,
    /// A pipe, with a name or without.
    Pipe,
    /// A socket.
    Socket,
    /// A device, such as a terminal.
    Device,
    /// An open file of a process, by a link of the system such as
    /// `/dev/stdout`.
    Stream,
    /// Something else.
    Other,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Pipe => "a pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Stream => "an open stream of a process",
            Self::Other => "a special file",
        })
    }
}

impl FileKind {
    /// `None` for a regular file.
    fn of(found: &Metadata) -> Option<Self> {
        let kind = found.file_type();
        if kind.is_file() {
            return None;
        }
        if kind.is_dir() {
            return Some(Self::Folder);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileTypeExt;
            if kind.is_fifo() {
                return Some(Self::Pipe);
            }
            if kind.is_socket() {
                return Some(Self::Socket);
            }
            if kind.is_char_device() || kind.is_block_device() {
                return Some(Self::Device);
            }
        }
        Some(Self::Other)
    }
}

fn must_be_regular(path: &Path, found: &Metadata) -> Result<()> {
    FileKind::of(found).map_or(Ok(()), |kind| {
        Err(Error::NotRegular {
            path: path.to_owned(),
            kind,
        })
    })
}

/// The facts about the regular file `path`; `None` if there is nothing. Links
/// are followed.
pub(crate) fn regular_or_missing(path: &Path) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(found) => must_be_regular(path, &found).map(|()| Some(found)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("look at", path, e)),
    }
}

/// Opens the regular file `path` for reading. Never waits: a pipe without a
/// writer is refused like everything else that is not a regular file.
///
/// # Errors
/// [`Error::NotRegular`]; [`Error::Io`] by the system.
#[expect(
    clippy::disallowed_methods,
    reason = "opened to find out what a path is"
)]
pub fn open_regular(path: &Path) -> Result<File> {
    if let Ok(found) = fs::metadata(path) {
        must_be_regular(path, &found)?;
    }
    let mut options = OpenOptions::new();
    options.read(true);
    never_wait(&mut options);
    let file = options.open(path).map_err(|e| Error::io("open", path, e))?;
    let found = file.metadata().map_err(|e| Error::io("look at", path, e))?;
    must_be_regular(path, &found)?;
    Ok(file)
}

/// Opens `path` to add text at its end: a file, new or old, a pipe or a
/// device. Never waits for the reader of a pipe.
///
/// # Errors
/// [`Error::NotRegular`] for folders and sockets; [`Error::NoReader`] for a
/// pipe that no process has open; [`Error::Io`] by the system.
#[expect(
    clippy::disallowed_methods,
    reason = "opened to find out what a path is"
)]
pub fn open_log(path: &Path) -> Result<File> {
    let found = fs::metadata(path).ok();
    let kind = found.as_ref().and_then(FileKind::of);
    if let Some(kind @ (FileKind::Folder | FileKind::Socket | FileKind::Other)) = kind {
        return Err(Error::NotRegular {
            path: path.to_owned(),
            kind,
        });
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    never_wait(&mut options);
    let file = options.open(path).map_err(|e| match kind {
        #[cfg(unix)]
        Some(FileKind::Pipe)
            if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) =>
        {
            Error::NoReader {
                path: path.to_owned(),
            }
        }
        _ => Error::io("open", path, e),
    })?;
    wait_again(&file).map_err(|e| Error::io("open", path, e))?;
    Ok(file)
}

/// Opens the regular file `path` to read it and to add records at its end; makes
/// it, for its owner only, if it does not exist.
///
/// # Errors
/// [`Error::NotRegular`]; [`Error::Io`] by the system.
#[expect(
    clippy::disallowed_methods,
    reason = "the records are not part of a sync file"
)]
pub fn open_records(path: &Path) -> Result<File> {
    if let Ok(found) = fs::metadata(path) {
        must_be_regular(path, &found)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    never_wait(&mut options);
    let file = options.open(path).map_err(|e| Error::io("open", path, e))?;
    let found = file.metadata().map_err(|e| Error::io("look at", path, e))?;
    must_be_regular(path, &found)?;
    Ok(file)
}

#[cfg(unix)]
fn never_wait(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    // Two bits of a C integer, on every system.
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits());
    options.custom_flags(flags.unwrap_or_default());
}

#[cfg(not(unix))]
fn never_wait(_: &mut OpenOptions) {}

/// Lets writes wait: a slow reader of a pipe is no error.
#[cfg(unix)]
fn wait_again(file: &File) -> io::Result<()> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let flags = fcntl_getfl(file)?;
    Ok(fcntl_setfl(file, flags - OFlags::NONBLOCK)?)
}

#[cfg(not(unix))]
fn wait_again(_: &File) -> io::Result<()> {
    Ok(())
}

/// Whether another user than the one of this process owns a file.
#[cfg(unix)]
pub(crate) fn owned_by_other(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(found) != rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
pub(crate) fn owned_by_other(_: &Metadata) -> bool {
    false
}
