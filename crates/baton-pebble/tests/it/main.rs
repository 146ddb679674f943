//! Whole directories, as Pebble itself wrote them.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used, reason = "a failed assumption fails its test")]

mod fixtures;
mod hostile;
mod merging;
mod reading;
