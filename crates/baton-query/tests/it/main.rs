//! Looking up objects in files of both formats.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failing unwrap is a failing test; tests make files"
)]

mod conditions;
mod diffs;
mod docs;
mod errors;
mod files;
mod ids;
mod matrix;
mod model;
mod names;
mod records;
mod support;
