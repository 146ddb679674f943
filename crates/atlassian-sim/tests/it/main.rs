//! The simulator from outside: through its router in process, and over a socket where that matters.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed assumption fails its test"
)]

mod ask;
mod contents;
mod failures;
mod paging;
