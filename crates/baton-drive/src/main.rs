//! The `baton-drive` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    baton_runtime::main(&baton_drive::app())
}
