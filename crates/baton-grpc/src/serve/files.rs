//! The file of a Unix socket.

#![cfg(unix)]

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::address::Address;
use super::error::ServeError;

/// Only the user of this process may connect.
const MODE: u32 = 0o600;

/// A listening socket with its file, which is removed when this value is dropped.
#[derive(Debug)]
pub(super) struct SocketFile {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file: another server may have replaced it.
    id: (u64, u64),
}

impl SocketFile {
    /// Makes the socket under another name, and gives it its name when its mode is
    /// set: no process can connect before, and a stale file is replaced in one step.
    pub(super) async fn bind(path: &Path, address: &Address) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen {
            address: address.clone(),
            source,
        };
        refuse_used(path, address).await?;
        let made = made_beside(path).map_err(failed)?;
        let bound = (|| {
            let listener = UnixListener::bind(&made)?;
            std::fs::set_permissions(&made, std::fs::Permissions::from_mode(MODE))?;
            let found = std::fs::symlink_metadata(&made)?;
            rename(&made, path)?;
            Ok(Self {
                listener,
                path: path.to_owned(),
                id: (found.dev(), found.ino()),
            })
        })();
        bound.map_err(|source| {
            remove(&made);
            failed(source)
        })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = std::fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.id) {
            remove(&self.path);
        }
    }
}

/// Refuses a path whose file is not a stale socket.
async fn refuse_used(path: &Path, address: &Address) -> Result<(), ServeError> {
    let address = || address.clone();
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ServeError::Listen {
            address: address(),
            source,
        }),
        Ok(found) if !found.file_type().is_socket() => {
            Err(ServeError::NotASocket { address: address() })
        }
        Ok(_) => match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            // The other server has ended since then.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(_) => Err(ServeError::Answered { address: address() }),
            Err(source) => Err(ServeError::Listen {
                address: address(),
                source,
            }),
        },
    }
}

/// A name in the same folder that this process alone uses.
fn made_beside(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    // Short, since the names of sockets have about 100 bytes.
    Ok(path.with_file_name(format!(".{:016x}", u64::from_ne_bytes(random))))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a socket file holds no data that a crash could damage"
)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Removes a socket file; if that fails, the next server finds it stale.
#[expect(
    clippy::disallowed_methods,
    reason = "a socket file holds no data that a crash could damage"
)]
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}
