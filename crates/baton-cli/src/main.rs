//! The `baton` program: reads its process once and turns the outcome into an
//! exit status.

use std::io::{BufWriter, IsTerminal, stderr, stdout};
use std::process::ExitCode;
use std::time::SystemTime;

use baton_cli::{PagerSettings, Paging, Signals, StandardInput};
use baton_term::{StandardOutput, columns_of_stdout, lines_of_stdout};

/// Columns of a terminal that does not report its width.
const USUAL_COLUMNS: usize = 80;
/// The variable that names the user's folder.
const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

#[expect(
    clippy::disallowed_methods,
    reason = "the entry point reads the process"
)]
fn main() -> ExitCode {
    let backtrace = std::env::var_os("RUST_BACKTRACE");
    if backtrace.is_none_or(|value| value.is_empty() || value == "0") {
        // A panic is reported like every other error, and only once.
        std::panic::set_hook(Box::new(|_| {}));
    }
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| !v.is_empty() && v != "0");
    let colour = |is_terminal| !is_set("NO_COLOR") && (is_terminal || forced);
    let process = baton_cli::Process {
        args: std::env::args_os().collect(),
        temp_dir: std::env::var_os("BATON_TMPDIR").map(Into::into),
        max_decoded_mb: std::env::var("BATON_DECODER_MAX_DECODED_SIZE_MB").ok(),
        max_window_mb: std::env::var("BATON_DECODER_MAX_MEMORY_MB").ok(),
        colour: colour(stdout().is_terminal()),
        colour_err: colour(stderr().is_terminal()),
        terminal: stdout()
            .is_terminal()
            .then(|| columns_of_stdout().unwrap_or(USUAL_COLUMNS)),
        now: SystemTime::now(),
        // Not `home_dir`: it asks the C library where the variable is missing.
        home: std::env::var_os(HOME)
            .filter(|home| !home.is_empty())
            .map(Into::into),
        sheet_rows: None,
        signals: Signals::OfProcess,
        stdin: StandardInput::OfProcess,
        paging: Paging::default(),
    };
    let pager = lines_of_stdout().map(|lines| PagerSettings {
        pager: std::env::var_os("PAGER"),
        has_less_settings: std::env::var_os("LESS").is_some(),
        lines,
    });
    let mut err = stderr().lock();
    let mut out = BufWriter::with_capacity(1 << 16, StandardOutput::of_process());
    ExitCode::from(match pager {
        Some(pager) => baton_cli::run_on_screen(&process, pager, &mut out, &mut err),
        None => baton_cli::run(&process, &mut out, &mut err),
    })
}
