//! Whole runs, driven in process: arguments, environment and files in, exit code and text out.

#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod capabilities;
#[allow(
    dead_code,
    clippy::float_cmp,
    reason = "other tests use the rest; the numbers are exact"
)]
#[path = "../../../baton-metrics/tests/it/checker.rs"]
mod checker;
#[allow(dead_code, reason = "other crates use the rest")]
#[path = "../../../baton-otel/tests/it/collector.rs"]
mod collector;
mod commands;
mod config_schema;
mod errors;
mod file_tasks;
mod flags;
mod help;
mod hostile;
#[cfg(unix)]
#[allow(dead_code, reason = "other crates use the rest")]
#[path = "../../../baton-c1z/tests/it/kinds.rs"]
mod kinds;
mod kinds_of_settings;
mod logging;
mod metrics;
mod metrics_file;
#[cfg(unix)]
mod notices;
mod otel;
mod panics;
mod probes;
mod service_mode;
mod signals;
mod sources;
mod stage;
mod sync;
#[cfg(unix)]
mod targets;
mod whole;
