//! Tests of the crate from outside: scripted servers under paused time, a
//! few real sockets on the loopback, and the builders.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod accounts;
mod action_arguments;
mod actions;
mod builders;
mod changes;
mod connector;
mod credentials;
mod doors;
mod failures;
mod feeds;
mod identifiers;
mod limits;
mod network;
mod paging;
mod retries;
mod retrying;
mod script;
mod secrets;
mod spans;
mod ways_of_paging;
mod writes;
