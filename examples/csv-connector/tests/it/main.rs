//! The program as its users run it, and the guide that builds it.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod accounts;
mod actions;
mod changes;
mod failures;
mod guide;
mod harness;
mod resume;
mod sync;
mod tickets;
mod transports;
