//! Standard output that reports every failure to write.
//!
//! The standard library's own writer takes a descriptor that cannot be written
//! for one that is not read, and a closed one is `/dev/null` by the time that
//! `main` runs (see [`crate::stdout_was_closed`]). Both would lose data without
//! an error.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use crate::startup::stdout_was_closed;

/// Standard output of this process. It is not buffered.
#[derive(Debug)]
pub struct StandardOutput(Result<File, ErrorKind>);

impl StandardOutput {
    /// Takes the stream as the process was given it.
    pub fn of_process() -> Self {
        if stdout_was_closed() {
            return Self(Err(ErrorKind::NotConnected));
        }
        Self(open().map_err(|error| error.kind()))
    }
}

#[cfg(unix)]
fn open() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn open() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Ok(file) => file.write(bytes),
            Err(kind) => Err(io::Error::new(*kind, "standard output is closed")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
