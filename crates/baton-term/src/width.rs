//! The width of the terminal, where there is one.

use std::io;

/// Columns of the terminal on standard output; `None` when it is no terminal.
pub fn columns_of_stdout() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width.0)).filter(|columns| *columns > 0)
}

/// Columns of the terminal on standard error; `None` when it is no terminal.
pub fn columns_of_stderr() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stderr())?;
    Some(usize::from(width.0)).filter(|columns| *columns > 0)
}
