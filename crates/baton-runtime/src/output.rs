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
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Stdout { source })
        }
        _ => Ok(()),
    }
}
