//! Commands that every program has, since they are about its command line. They read the table of
//! commands and nothing else.

mod completion;
mod help;
mod man;
mod version;

pub use man::{ManualPage, manual_pages};

use crate::args::Line;
use crate::program::{Command, Program};

/// What runs a command that is about the command line.
pub type BuiltIn<R> = fn(&Program<R>, &Line<'_, R>, columns: usize) -> Printed;

/// What such a command prints.
#[derive(Debug, Default)]
pub struct Printed {
    /// For standard output.
    pub out: Vec<u8>,
    /// What was asked about and does not exist. Programs differ in whether that is a failure.
    pub unknown: Option<Unknown>,
}

/// A word that names no command.
#[derive(Debug)]
pub struct Unknown {
    /// The word.
    pub word: String,
    /// The command that has none of this name.
    pub root: String,
    /// The help to go by.
    pub help: String,
}

impl From<String> for Printed {
    fn from(text: String) -> Self {
        Self {
            out: text.into_bytes(),
            unknown: None,
        }
    }
}

/// `completion`, `help`, `man` and `version`; `wrap` makes of each what runs a command of the program.
pub fn commands<R>(wrap: fn(BuiltIn<R>) -> R) -> [Command<R>; 4] {
    [
        completion::command(wrap),
        help::command(wrap),
        man::command(wrap),
        version::command(wrap),
    ]
}

/// `--help`, or a command that only has commands below it.
pub fn help_of<R>(program: &Program<R>, line: &Line<'_, R>, columns: usize) -> Printed {
    crate::help::help(program, &line.path, columns).into()
}

/// `--version`.
pub fn version_of<R>(program: &Program<R>) -> Printed {
    version::line(program).into()
}
