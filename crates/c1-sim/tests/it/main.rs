//! Tests of the crate from outside.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files; a failing unwrap is a failing test"
)]

mod client;
mod faults;
mod program;
mod replay;
mod retries;
mod rules;
mod scripts;
mod socket;
mod syncs;
mod tasks;
mod tokens;
