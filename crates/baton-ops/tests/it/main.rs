//! The server over real sockets.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a failing unwrap is a failing test"
)]

mod hostile;
mod http;
#[cfg(unix)]
mod manager;
mod recorded;
mod stage;
