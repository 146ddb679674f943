//! Whole syncs under faults, in simulated time.
#![allow(clippy::unwrap_used)]

mod seeds;
