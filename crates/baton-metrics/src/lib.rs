//! Metrics of a connector's program: what its syncs, tasks and requests were, in the text
//! forms that Prometheus reads.
//!
//! [`Metrics`] is one value. It observes the HTTP client
//! ([`HttpObserver`](baton_connector::http::HttpObserver)) and the service
//! ([`ServiceObserver`](baton_service::ServiceObserver)), and
//! [`Metrics::render`] gives the text. Labels have values from a small set only: kinds of
//! tasks, gRPC codes, endpoint templates, statuses. No label has an id, a name or a host.
//! Each family has at most [`MAX_SERIES`] label sets; what comes after is counted under
//! `other`.
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        reason = "tests make files; a failing unwrap is a failing test"
    )
)]
#![warn(missing_docs)]

mod describe;
mod earlier;
mod family;
mod metrics;
mod observe;
#[cfg(target_os = "linux")]
mod process;
mod run;
mod text;

pub use describe::{Description, Kind, descriptions};
pub use family::MAX_SERIES;
pub use metrics::{Metrics, Parts};
pub use run::RunEnd;
pub use text::TextForm;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
