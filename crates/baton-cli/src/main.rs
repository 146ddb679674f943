//! The `baton` program: reads its process once and turns the outcome into an
//! exit status.

use std::io::{BufWriter, IsTerminal, stderr, stdout};
use std::process::ExitCode;
use std::time::SystemTime;

use baton_cli::Signals;
use baton_term::{StandardOutput, columns_of_stdout};

/// Columns of a terminal that does not report its width.
const USUAL_COLUMNS: usize = 80;

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
    let colours = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let process = baton_cli::Process {
        args: std::env::args_os().collect(),
        temp_dir: std::env::var_os("BATON_TMPDIR").map(Into::into),
        max_decoded_mb: std::env::var("BATON_DECODER_MAX_DECODED_SIZE_MB").ok(),
        max_window_mb: std::env::var("BATON_DECODER_MAX_MEMORY_MB").ok(),
        colour: colours && stdout().is_terminal(),
        colour_err: colours && stderr().is_terminal(),
        terminal: stdout()
            .is_terminal()
            .then(|| columns_of_stdout().unwrap_or(USUAL_COLUMNS)),
        now: SystemTime::now(),
        signals: Signals::OfProcess,
    };
    let mut err = stderr().lock();
    let mut out = BufWriter::with_capacity(1 << 16, StandardOutput::of_process());
    ExitCode::from(baton_cli::run(&process, &mut out, &mut err))
}
