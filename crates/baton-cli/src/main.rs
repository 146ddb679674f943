//! The `baton` program: reads the surroundings once, hands them on, and turns
//! the outcome into an exit status.

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::SystemTime;

fn main() -> ExitCode {
    let surroundings = baton_cli::Surroundings {
        args: std::env::args_os().collect(),
        temp_dir: std::env::var_os("BATON_TMPDIR").map(Into::into),
        max_decoded_mb: std::env::var("BATON_DECODER_MAX_DECODED_SIZE_MB").ok(),
        max_window_mb: std::env::var("BATON_DECODER_MAX_MEMORY_MB").ok(),
        colour: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        now: SystemTime::now(),
    };
    let mut out = std::io::BufWriter::with_capacity(1 << 16, stdout().lock());
    let mut err = std::io::stderr().lock();
    let status = baton_cli::run(&surroundings, &mut out, &mut err);
    // A reader that went away (`baton grants | head`) is no error.
    let flushed = out.flush();
    match flushed {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(err, "error: cannot write the output: {e}");
            ExitCode::from(baton_cli::EXIT_UNKNOWN)
        }
        _ => ExitCode::from(status),
    }
}
