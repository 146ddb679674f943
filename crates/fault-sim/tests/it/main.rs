//! Whole syncs under faults: simulated ones, and real processes that are
//! killed.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used)]

use std::sync::RwLock;

/// Tests that start processes share this; simulated syncs want it alone. A
/// process that is being started holds, for an instant, a copy of every file
/// that is open here, and with it every lock.
static STARTING: RwLock<()> = RwLock::new(());

mod changes;
mod crash;
mod process;
mod seeds;
#[cfg(unix)]
mod signals;
