//! The `baton-atlassian` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    baton_runtime::main(&baton_atlassian::app())
}
