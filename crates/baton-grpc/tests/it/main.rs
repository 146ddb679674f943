//! Tests of the crate from outside.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files; a failing unwrap is a failing test"
)]

mod every_service;
mod raw;
mod recordings;
mod replay;
mod serving;
