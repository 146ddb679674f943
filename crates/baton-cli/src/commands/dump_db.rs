//! `dump-db`: writes the database of a file unchanged.

use std::path::{Path, PathBuf};

use baton_c1z::{Dumped, Use};
use baton_flags::{Command, Field};

use super::flags;
use super::output_file::{options, print_line};
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;
use crate::open;

const OUT: Field<PathBuf> = flags::new_file("./sync.db").about("the file or folder to write");

pub(super) struct DumpDb {
    out: PathBuf,
}

impl Cmd for DumpDb {
    fn define() -> Command<Runs> {
        Command::new(
            "dump-db",
            "unpack the database (v1: one SQLite file, v3: a Pebble folder)",
        )
        .hidden()
        .field(OUT)
        .without(OUTPUT_FORMAT)
        .without(VERBOSE)
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

    fn uses_output(&self) -> Option<Use> {
        Some(Use::Replace)
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        open::must_hold_something(cx.file)?;
        match baton_c1z::dump(cx.file, &self.out, &options(cx.process)?)? {
            Dumped::Database => {}
            Dumped::Folder => print_line(
                cx.out,
                &format!(
                    "Extracted Pebble payload directory to {}",
                    self.out.display()
                ),
            )?,
        }
        Ok(())
    }
}
