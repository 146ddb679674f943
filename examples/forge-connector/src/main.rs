//! The `baton-forge` program.

fn main() -> std::process::ExitCode {
    baton_runtime::main(&baton_forge::app())
}
