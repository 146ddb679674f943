//! The `baton-csv` program.

fn main() -> std::process::ExitCode {
    baton_runtime::main(&baton_csv::app())
}
