//! Whole runs, driven in process: arguments, environment and files in, exit code and text out.

#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod capabilities;
mod config_schema;
mod errors;
mod flags;
mod help;
mod hostile;
mod logging;
mod panics;
mod signals;
mod sources;
mod stage;
mod sync;
mod upkeep;
mod whole;
