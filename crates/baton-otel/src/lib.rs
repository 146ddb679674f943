//! Traces, metrics and log lines of a program, exported over OTLP to an OpenTelemetry
//! collector.
//!
//! [`Otel::new`] makes the parts: a layer that turns `tracing` spans into spans of
//! traces, the place where log lines go, a meter, and the carrier of trace contexts for
//! gRPC. [`Otel::start`] begins to export. Whatever the collector does, the program is
//! not held up: each kind of data has a queue with a limit, and what does not fit is
//! dropped and counted.
//!
//! Nothing here is global, and no setting comes from the environment.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")
)]
#![warn(missing_docs)]

mod attributes;
mod carrier;
mod collector;
mod complaints;
mod endpoint;
mod export;
mod layer;
mod logs;
mod metrics;
mod queue;
mod spans;
mod start;

pub use carrier::TraceCarrier;
pub use collector::{Collector, CollectorError, Trust};
pub use endpoint::{Endpoint, EndpointError};
pub use layer::{TraceIds, trace_ids};
pub use logs::{LogLine, LogQueue, Severity};
pub use opentelemetry::KeyValue;
pub use opentelemetry::metrics::{Counter, Histogram, Meter};
pub use start::{Exporting, Otel, Settings};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
