//! Calls as `tracing` spans, and contexts of traces in headers.

use std::sync::Arc;

use baton_proto::Code;
use http::HeaderMap;
use tracing::{Span, field};

/// Carries the context of a trace in the headers of calls. Which form it has there is
/// the matter of the implementation.
pub trait TraceContext: Send + Sync + std::fmt::Debug {
    /// Adds the context of `span`, which makes a call, to its headers.
    fn inject(&self, span: &Span, headers: &mut HeaderMap);

    /// Makes the context in the headers of a received call the parent of `span`, which
    /// serves the call and was not entered yet.
    fn extract(&self, headers: &HeaderMap, span: &Span);
}

/// The carrier of a side of calls, if there is one.
pub(crate) type Carrier = Option<Arc<dyn TraceContext>>;

/// The span of a call that this process makes.
pub(crate) fn client_span(path: &str) -> Span {
    let (service, method) = parts(path);
    tracing::info_span!(
        "rpc",
        otel.name = path.trim_start_matches('/'),
        otel.kind = "client",
        otel.status_code = field::Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = field::Empty,
    )
}

/// The span of a call that another process makes.
pub(crate) fn server_span(path: &str) -> Span {
    let (service, method) = parts(path);
    tracing::info_span!(
        parent: None,
        "rpc",
        otel.name = path.trim_start_matches('/'),
        otel.kind = "server",
        otel.status_code = field::Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = field::Empty,
    )
}

/// The span of a call within this process.
pub(crate) fn internal_span(path: &str) -> Span {
    let (service, method) = parts(path);
    tracing::info_span!(
        "rpc",
        otel.name = path.trim_start_matches('/'),
        otel.kind = "internal",
        otel.status_code = field::Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = field::Empty,
    )
}

/// Notes how the call of a span ended.
pub(crate) fn ended(span: &Span, code: Code) {
    span.record("rpc.grpc.status_code", i64::from(code.as_u8()));
    if code != Code::Ok {
        span.record("otel.status_code", "ERROR");
    }
}

fn parts(path: &str) -> (&str, &str) {
    let path = path.trim_start_matches('/');
    path.split_once('/').unwrap_or((path, ""))
}
