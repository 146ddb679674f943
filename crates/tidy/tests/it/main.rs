//! Rules of the workspace that the compiler cannot check, one module per kind.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod modules;
mod packages;
mod readmes;
mod source;
mod texts;
mod words;
mod workspace;
