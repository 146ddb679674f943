//! The `baton` command as a library.
//!
//! A command gets a file, a view of one sync in it and two writers. It reads
//! no environment and no clock. Data goes to `out`, all else to `err`.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests make files and threads")
)]
#![warn(missing_docs)]

mod advice;
mod column;
mod command;
mod commands;
mod error;
mod exported;
mod go_duration;
mod json;
mod layout;
mod lookups;
mod missing;
mod open;
mod output;
mod pager;
mod reference;
mod rows;
mod sanitize;
mod scan;
mod sheets;
mod signals;
mod sinks;
mod standard_input;
mod start;
mod streams;
mod table;

use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::SystemTime;

use baton_proto::panic_text;
use baton_term::{Printer, TextGate};
use error::CliError;
pub use error::EXIT_UNKNOWN;
use pager::{Beside, Screen};
pub use pager::{PagerSettings, Paging};
pub use reference::reference_markdown;
pub use signals::{Signal, Signals, Stopping};
pub use standard_input::StandardInput;
use streams::{Data, Finished};

/// What a run of the program takes from its process.
#[derive(Debug, Clone)]
pub struct Process {
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
    /// Columns of the terminal that tables are shown on; none where the
    /// output goes into a pipe or a file.
    pub terminal: Option<usize>,
    /// Whether messages on standard error may be coloured.
    pub colour_err: bool,
    /// The time at which old unfinished syncs are judged.
    pub now: SystemTime,
    /// The user's own folder, which `~` means in words that a shell completes.
    pub home: Option<PathBuf>,
    /// Rows that a sheet of a workbook holds, its head included, where it is not as many as Excel
    /// reads. Tests fill small sheets.
    pub sheet_rows: Option<u32>,
    /// What asks a command that makes a file to stop.
    pub signals: Signals,
    /// What `--file -` reads.
    pub stdin: StandardInput,
    /// Whether output may go through a pager: set by the command.
    pub paging: Paging,
}

/// As [`run`], on a terminal: output that is longer than the screen goes
/// through a pager.
pub fn run_on_screen(
    process: &Process,
    settings: PagerSettings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let mut screen = Screen::new(settings, process.paging.clone(), out);
    let mut err = Beside::new(process.paging.clone(), err);
    let status = run(process, &mut screen, &mut err);
    screen.close();
    err.release();
    status
}

/// Runs one command line and returns the exit status.
///
/// Errors are printed to `err`: what failed, the causes, and what to do. A
/// failure to write `err` is ignored. A failure to write `out` fails the run,
/// except that a list whose reader closed the pipe ends with 0. A panic is an
/// error, too.
pub fn run(process: &Process, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let mut out = Data::new(out);
    let mut err = Printer::new(err, TextGate::default(), process.colour_err);
    let mut doing = "reading the command line".to_owned();
    let done = catch_unwind(AssertUnwindSafe(|| {
        start::run(
            &commands::program(),
            &mut command::Start {
                process,
                out: &mut out,
                err: &mut err,
                doing: &mut doing,
            },
        )
    }));
    let result = match done {
        Ok(result) => result,
        Err(payload) => Err(CliError::Crashed {
            doing,
            message: panic_text(&*payload),
        }),
    };
    let result = match (result, out.finish()) {
        (Ok(()), Finished::Whole) | (Ok(()) | Err(CliError::Output(_)), Finished::NotWanted) => {
            Ok(())
        }
        (Ok(()) | Err(CliError::Output(_)), Finished::Failed(error)) => Err(error.into()),
        // The cause of the failed work matters more than that of its output.
        (Err(error), _) => Err(error),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            err.print_always(&error.block());
            error.exit_status()
        }
    }
}
