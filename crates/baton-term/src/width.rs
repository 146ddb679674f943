//! The size of the terminal, if there is one.

use std::io;

/// Columns of the terminal on standard output; `None` if it is not a terminal.
pub fn columns_of_stdout() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width.0)).filter(|columns| *columns > 0)
}

/// Lines of the terminal on standard output; `None` if it is not a terminal.
pub fn lines_of_stdout() -> Option<usize> {
    let (_, height) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(height.0)).filter(|lines| *lines > 0)
}

/// Columns of the terminal on standard error; `None` if it is not a terminal.
pub fn columns_of_stderr() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stderr())?;
    Some(usize::from(width.0)).filter(|columns| *columns > 0)
}
