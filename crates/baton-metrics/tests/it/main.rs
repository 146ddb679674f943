//! Tests of the crate from outside.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "tests read files; a failing unwrap is a failing test; the numbers are small and exact"
)]

mod checker;
mod documented;
mod rendered;
