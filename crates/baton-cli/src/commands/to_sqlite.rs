//! `to-sqlite`: a v3 file as a v1 file.

use std::path::{Path, PathBuf};

use baton_flags::{Command, Field};

use super::flags;
use super::output_file::{options, report};
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;
use crate::open;

const OUT: Field<PathBuf> = flags::new_file("./sync.sqlite.c1z");

pub(super) struct ToSqlite {
    out: PathBuf,
}

impl Cmd for ToSqlite {
    fn define() -> Command<Runs> {
        Command::new(
            "to-sqlite",
            "convert a v3 (Pebble) file to a new v1 (SQLite) file",
        )
        .field(OUT)
        .without(OUTPUT_FORMAT)
        .without(VERBOSE)
        .example(
            "convert a file",
            "to-sqlite -f sync-v3.c1z --out sync-v1.c1z",
        )
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            out: flags::output_path(given, &OUT)?,
        })
    }

    fn output(&self) -> Option<&Path> {
        Some(&self.out)
    }

    fn only_shows(&self) -> bool {
        false
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        open::warn_of_migration_in(cx.file, cx.process, cx.err)?;
        open::must_hold_something(cx.file)?;
        let done = baton_c1z::to_v1(cx.file, &self.out, &options(cx.process)?)?;
        report(
            "Converted C1Z to SQLite successfully.",
            &self.out,
            &done,
            cx.out,
        )
    }
}
