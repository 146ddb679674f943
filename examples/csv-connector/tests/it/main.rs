//! The program as its users run it, and the guide that builds it.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod accounts;
mod actions;
mod changes;
#[cfg(unix)]
mod child;
#[cfg(target_os = "linux")]
mod conductor_one;
mod driving;
mod failures;
mod guide;
mod harness;
mod resume;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod service;
#[cfg(unix)]
mod service_changes;
mod sync;
mod tickets;
mod transports;
