//! The connector against recorded traffic and against the simulator.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used)]

mod account_actions;
mod account_creation;
mod account_deletion;
mod account_storm;
mod bench;
mod change_faults;
mod change_members;
mod change_organization;
mod change_promises;
mod change_roles;
#[allow(
    dead_code,
    clippy::float_cmp,
    reason = "other tests use the rest; the numbers are exact"
)]
#[path = "../../../baton-metrics/tests/it/checker.rs"]
mod checker;
#[cfg(unix)]
mod child;
mod counts;
mod echoes;
mod feed_guarantee;
mod feed_program;
mod fields;
mod flood;
#[cfg(unix)]
mod handles;
mod help;
mod hostile;
mod in_process;
mod large_errors;
mod limits;
mod metrics;
mod odd_lists;
mod plans;
mod program;
mod recording;
mod replay;
mod selftest;
#[cfg(unix)]
mod service;
mod shapes;
mod side_by_side;
mod simulated;
mod streams;
mod transports;
#[cfg(unix)]
mod unit_file;
mod vanished;
mod whole;
