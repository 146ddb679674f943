//! What a command is: its definition, arguments and work, and what it works
//! with.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use baton_c1z::{RunPaths, Use};
use baton_flags::builtin::BuiltIn;
use baton_flags::{Command, Config, Field};
use baton_term::Printer;

use crate::Process;
use crate::error::CliError;
use crate::output::Output;
use crate::streams::Data;
use crate::table::Style;

pub(crate) const FILE: Field<PathBuf> =
    Field::path("file", "the sync file to read; - for standard input")
        .short('f')
        .default("sync.c1z");
pub(crate) const OUTPUT_FORMAT: Field<String> = Field::string(
    "output-format",
    "how to show the result: console, json, ndjson, csv, yaml or markdown",
)
.short('o')
.value_name("format")
.default("console");
pub(crate) const VERBOSE: Field<bool> = Field::bool(
    "verbose",
    "list each missing object; on a terminal, show sync tokens whole",
);

pub(crate) const QUIET: Field<bool> =
    Field::bool("quiet", "print no warnings, notes and hints; only errors").short('q');
pub(crate) const NO_PAGER: Field<bool> = Field::bool(
    "no-pager",
    "on a terminal, never pass long output to the pager (PAGER, else less)",
);

/// A command: its definition, its arguments, its work.
pub(crate) trait Cmd: Sized {
    /// Its entry in the table, without what runs it.
    fn define() -> Command<Runs>;

    /// What the command line means.
    fn parse(given: &Given) -> Result<Self, CliError>;

    /// Whether it only shows something. Other commands do their work even where no process reads
    /// their output.
    fn only_shows(&self) -> bool {
        true
    }

    /// Whether it reads `--output-format` itself, with words of its own.
    fn has_own_formats() -> bool {
        false
    }

    /// The file to read, where a word and not the flag names it.
    fn input(&self) -> Option<&Path> {
        None
    }

    /// How many words it uses; further words are ignored with a warning.
    fn used_words() -> usize {
        0
    }

    /// The file or folder that it writes.
    fn output(&self) -> Option<&Path> {
        None
    }

    /// What it does with the file.
    fn uses_file(&self) -> Use {
        Use::Read
    }

    /// What it does with an output that may exist. A new file replaces nothing and needs no check.
    fn uses_output(&self) -> Option<Use> {
        None
    }

    /// Does the work.
    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError>;
}

/// What the user gave to a command.
pub(crate) struct Given {
    pub config: Config,
    /// Positionals behind the command.
    pub words: Vec<OsString>,
    /// The command's own words, such as `export c1z`.
    pub command: String,
}

impl Given {
    /// The file that the flag names.
    pub fn file(&self) -> Result<PathBuf, CliError> {
        self.config
            .find(&FILE)
            .map(ToOwned::to_owned)
            .ok_or_else(empty_file)
    }

    /// How rows are shown.
    pub fn output(&self) -> Result<Output, CliError> {
        let word = self.config.find(&OUTPUT_FORMAT).unwrap_or_default();
        Output::of_word(word).ok_or_else(|| CliError::Usage {
            message: format!("unknown output format `{word}`"),
            hint: Some(format!(
                "pass one of these with --output-format: {}",
                Output::words()
            )),
        })
    }

    /// Whether everything is shown that is summed up otherwise.
    pub fn verbose(&self) -> bool {
        self.config.get(&VERBOSE)
    }
}

pub(crate) fn empty_file() -> CliError {
    CliError::Usage {
        message: "the path of the sync file is empty".to_owned(),
        hint: Some("pass a file with --file, or omit the flag for sync.c1z".to_owned()),
    }
}

/// What a command works with.
pub(crate) struct Cx<'r, 'e> {
    pub process: &'r Process,
    /// The sync file.
    pub file: &'r Path,
    pub output: Output,
    pub verbose: bool,
    pub out: &'r mut dyn Write,
    pub err: &'r mut Printer<'e>,
}

impl Cx<'_, '_> {
    /// How tables look in these process.
    pub fn style(&self) -> Style {
        Style {
            terminal: self.process.terminal,
            colour: self.process.colour,
        }
    }
}

/// What runs a command.
#[derive(Clone, Copy)]
pub(crate) enum Runs {
    /// It is about the command line.
    BuiltIn(BuiltIn<Self>),
    /// A completion script, and what adds the values of the sync file to that of a shell.
    Completion(BuiltIn<Self>, fn(&str, &str) -> String),
    Work(fn(&Given, &mut Start<'_, '_, '_>) -> Result<(), CliError>),
    /// Work on a terminal with a file to look at; otherwise the help.
    Overview(fn(&Given, &mut Start<'_, '_, '_>) -> Result<(), CliError>),
}

/// What a command is started with.
pub(crate) struct Start<'r, 'o, 'e> {
    pub process: &'r Process,
    pub out: &'r mut Data<'o>,
    pub err: &'r mut Printer<'e>,
    /// What is being done, for the report of a panic.
    pub doing: &'r mut String,
}

/// Refuses to write onto another file of the run.
pub(crate) fn compare_files<C: Cmd>(command: &C, file: &Path) -> Result<(), CliError> {
    let mut paths = RunPaths::of_process();
    paths.add("sync file", file, command.uses_file())?;
    if let (Some(out), Some(how)) = (command.output(), command.uses_output()) {
        paths.add("output", out, how)?;
    }
    Ok(())
}
