//! How results and errors leave the program.

use std::io::Write;

use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::terminal::Stderr;

/// Prints an error and gives its exit status.
pub(crate) fn fail(stderr: &Stderr, error: &Error) -> ExitStatus {
    stderr.print(&error.block());
    ExitStatus::Failed(error.code())
}

/// A reader that closes the pipe early is not a failure.
pub(crate) fn print(stdout: &mut dyn Write, text: &[u8]) -> Result<()> {
    print_open(stdout, text).map(drop)
}

/// Prints; true if the reader has closed the pipe.
pub(crate) fn print_open(stdout: &mut dyn Write, text: &[u8]) -> Result<bool> {
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(false),
        Err(source) if source.kind() == std::io::ErrorKind::BrokenPipe => Ok(true),
        Err(source) => Err(Error::Stdout { source }),
    }
}
