//! Tests of the crate from outside.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests make files; a failing unwrap is a failing test"
)]

mod arms;
mod bad_tasks;
mod changes;
mod kills;
mod log_in;
mod loops;
mod observed;
mod people;
mod recorded;
mod rich;
mod rich_actions;
mod rich_events;
mod rich_tickets;
mod secrets;
mod serving;
mod soak;
mod stage;
mod syncs;
