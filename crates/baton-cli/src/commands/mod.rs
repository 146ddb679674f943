//! The commands, one file each, and the table of them.
//!
//! Adding one is a file with its definition, its parsed arguments as a type and its `run`, and a
//! line in [`table`].

mod access;
mod dump_db;
mod entitlements;
mod expand;
mod export_c1z;
mod flags;
mod grants;
mod listing;
mod output_file;
mod principals;
mod recalculate_stats;
mod resource_types;
mod resources;
mod rollback;
mod run_text;
mod stats;
mod syncs;
mod to_pebble;
mod to_sqlite;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use baton_c1z::{RunPaths, Use};
use baton_flags::builtin::{self, BuiltIn};
use baton_flags::{Command, Config, Positionals, Program};
use baton_term::Printer;

use crate::Process;
use crate::error::CliError;
use crate::output::Output;
use crate::start::{Start, start};
use crate::table::Style;

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
            .find(&flags::FILE)
            .map(ToOwned::to_owned)
            .ok_or_else(empty_file)
    }

    /// How rows are shown, or the unknown word for it.
    pub fn output(&self) -> Result<Output, &str> {
        match self.config.get(&flags::OUTPUT_FORMAT) {
            "json" => Ok(Output::Json),
            "console" => Ok(Output::Console),
            other => Err(other),
        }
    }

    /// Whether everything is shown that is summed up otherwise.
    pub fn verbose(&self) -> bool {
        self.config.get(&flags::VERBOSE)
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
    Work(fn(&Given, &mut Start<'_, '_, '_>) -> Result<(), CliError>),
}

/// An entry of the table. Further words are accepted, as always, but not silently.
fn entry<C: Cmd>() -> Command<Runs> {
    let mut entry = C::define().runs(Runs::Work(start::<C>));
    if entry.positionals == Positionals::Refused {
        entry.positionals = Positionals::Accepted;
    }
    entry
}

/// All commands, in the order of the help.
fn table() -> Vec<Command<Runs>> {
    let mut table = vec![
        entry::<resource_types::ResourceTypes>(),
        entry::<resources::Resources>(),
        entry::<entitlements::Entitlements>(),
        entry::<grants::Grants>(),
        entry::<principals::Principals>(),
        entry::<access::Access>(),
        entry::<syncs::Syncs>(),
        entry::<stats::Stats>(),
        Command::new("export", "export a sync").command(entry::<export_c1z::ExportC1z>()),
        entry::<recalculate_stats::RecalculateStats>(),
        entry::<to_pebble::ToPebble>(),
        entry::<to_sqlite::ToSqlite>(),
        entry::<expand::Expand>(),
        entry::<rollback::RollBack>(),
        entry::<dump_db::DumpDb>(),
    ];
    table.extend(builtin::commands(Runs::BuiltIn));
    table
}

/// The program.
pub(crate) fn program() -> Program<Runs> {
    let mut root = Command::new(
        "baton",
        "explore who has access to what: reads the sync files (.c1z) that connectors write",
    )
    .example("what a file holds", "stats -f sync.c1z")
    .example(
        "what one user can access",
        "access -t user -r u1 -f sync.c1z",
    )
    .example(
        "all grants for another program",
        "grants -o json -f sync.c1z",
    );
    root.commands = table();
    Program {
        version: env!("CARGO_PKG_VERSION"),
        root,
        common: vec![
            flags::FILE.any(),
            flags::OUTPUT_FORMAT.any(),
            flags::VERBOSE.any(),
        ],
        relations: Vec::new(),
        groups: Vec::new(),
        reads_settings: false,
        reserved: Vec::new(),
    }
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
