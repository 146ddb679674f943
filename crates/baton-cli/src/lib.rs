//! The `baton` command as a library: everything but the surroundings.
//!
//! A command gets a file, a view of one sync in it and two writers; it reads
//! no environment and no clock. Data goes to `out`, all else to `err`.
#![warn(missing_docs)]

mod advice;
mod ahead;
mod args;
mod commands;
mod error;
mod json;
mod lookups;
mod open;
mod table;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use baton_term::{Printer, TextGate};
pub use error::EXIT_UNKNOWN;
use error::{CliError, is_closed_pipe};

/// What a run of the program depends on besides files.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The command line, the program's name first.
    pub args: Vec<OsString>,
    /// Where temporary copies go; the system's folder when unset.
    pub temp_dir: Option<PathBuf>,
    /// `BATON_DECODER_MAX_DECODED_SIZE_MB` as it was found.
    pub max_decoded_mb: Option<String>,
    /// `BATON_DECODER_MAX_MEMORY_MB` as it was found.
    pub max_window_mb: Option<String>,
    /// Whether tables may be coloured.
    pub colour: bool,
    /// The time at which old unfinished syncs are judged.
    pub now: SystemTime,
}

/// Runs one command line and returns the exit status.
///
/// A closed pipe ends the run quietly with 0. Errors are printed to `err`:
/// what failed, the causes, and what to do.
pub fn run(surroundings: &Surroundings, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match dispatch(surroundings, out, err) {
        Ok(()) => 0,
        Err(error) if is_closed_pipe(&error) => 0,
        Err(error) => {
            Printer::new(err, TextGate::default(), false).print(&error.block());
            error.exit_status()
        }
    }
}

fn dispatch(
    surroundings: &Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    match args::parse(&surroundings.args)? {
        args::Parsed::Print(text) => {
            out.write_all(text.as_bytes())?;
            Ok(())
        }
        args::Parsed::Command(invocation) => {
            for notice in &invocation.notices {
                writeln!(err, "warning: {notice}")?;
            }
            commands::run(&invocation, surroundings, out, err)
        }
    }
}
