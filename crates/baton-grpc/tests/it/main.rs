//! Tests of the crate from outside.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests make files and processes; a failing unwrap is a failing test"
)]

mod certificates;
#[cfg(unix)]
mod child_process;
mod client_streams;
mod dialling;
mod every_service;
mod in_process;
mod listeners;
mod notes;
mod parent_replay;
mod raw;
mod recordings;
mod remote;
mod replay;
mod serving;
