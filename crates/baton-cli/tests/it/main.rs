//! The program as a user meets it: command lines in, text and exit status out.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used)]

mod command_line;
mod compare;
mod completing;
mod completion_scripts;
mod diff_forms;
mod diffs;
mod earlier;
mod expand;
mod export;
mod filters;
mod formats;
#[cfg(unix)]
mod full_disk;
mod goldens;
mod help;
mod hostile;
mod hostile_questions;
#[cfg(unix)]
mod kills;
#[cfg(unix)]
#[allow(dead_code, reason = "other crates use the rest")]
#[path = "../../../baton-c1z/tests/it/kinds.rs"]
mod kinds;
mod manners;
mod optimize;
mod panics;
mod program;
mod questions;
mod refusals;
mod replaced;
mod rollback;
mod sanitize;
mod show;
mod snapshots;
mod steps;
mod stopping;
mod streams;
#[cfg(unix)]
mod targets;
mod terminal;
