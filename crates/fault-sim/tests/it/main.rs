//! Whole syncs under faults: simulated ones, and real processes that are
//! killed.
#![allow(clippy::unwrap_used)]

mod crash;
mod process;
mod seeds;
#[cfg(unix)]
mod signals;
