//! Tests of the crate from outside.
#![allow(
    missing_docs,
    dead_code,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests take the time; a failing unwrap is a failing test"
)]

mod carrier;
mod collector;
mod exports;
mod robust;
mod stage;
mod tls;
