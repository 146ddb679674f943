//! The connector against recorded traffic and against the simulator.
#![allow(clippy::unwrap_used)]

mod recording;
mod replay;
mod simulated;
