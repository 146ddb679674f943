//! Connectors over gRPC: a server for any connector, and a client that is one.
//!
//! The contract is that of the Go SDK (`service-mode.md` §4): the same services,
//! codes, texts and limits. Paths and types of the methods are made from the
//! descriptor set of `baton-proto` ([`methods`]).
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        reason = "tests read files; a failing unwrap is a failing test"
    )
)]
#![warn(missing_docs)]

mod buffered;
pub mod child;
mod client;
pub mod dial;
mod limiter;
mod memory_sessions;
mod method;
mod notes;
mod pem;
#[cfg(test)]
#[allow(dead_code, reason = "the tests from outside use the rest")]
#[path = "../tests/it/recordings.rs"]
mod recordings;
mod rules;
pub mod serve;
mod server;
mod services;
mod session;
mod status;
mod trace;
mod transport;

pub use client::{ClientSettings, Limits, RemoteConnector};
pub use limiter::{LimitedCalls, Limiter, LimiterService};
pub use memory_sessions::MemorySessions;
pub use method::Method;
pub use pem::PemError;
pub use rules::check as check_request;
pub use server::{CallOptions, Context, Extra, InProcess, Router, Server};
pub use services::{ConnectorSettings, Sessions, connector_services};
pub use session::{Registration, RemoteSessions, SessionUsage, SyncStores, session_service};
pub use status::Status;
pub use trace::TraceContext;
pub use transport::{
    CallError, CallErrorKind, Caller, CallerSettings, Channel, Gone, channel, channel_within,
};

/// Every method of the services, as a constant.
pub mod methods {
    include!(concat!(env!("OUT_DIR"), "/methods.rs"));
}

/// The largest message that a Go peer accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
