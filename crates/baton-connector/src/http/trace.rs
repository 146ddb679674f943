//! Requests as `tracing` spans. They name the endpoint, never a URL: URLs have ids.

use tracing::{Span, field};

use super::request::Request;
use super::response::Response;
use crate::error::Result;

/// The span of a request with all its tries. Its name is made only where spans are
/// wanted.
pub(super) fn span(request: &Request) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = field::Empty,
        otel.kind = "client",
        otel.status_code = field::Empty,
        http.request.method = request.method.as_str(),
        http.request.resend_count = field::Empty,
        http.response.status_code = field::Empty,
        url.template = request.endpoint,
        error.type = field::Empty,
    );
    if !span.is_disabled() {
        let name = format!("{} {}", request.method, request.endpoint);
        span.record("otel.name", name);
    }
    span
}

/// Notes how the request of a span ended.
pub(super) fn ended(span: &Span, tries: u32, outcome: &Result<Response>) {
    if span.is_disabled() {
        return;
    }
    if tries > 1 {
        span.record("http.request.resend_count", tries - 1);
    }
    let status = match outcome {
        Ok(response) => Some(response.status()),
        Err(error) => error.status(),
    };
    if let Some(status) = status {
        span.record("http.response.status_code", status);
    }
    if let Err(error) = outcome {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error.code().name());
    }
}
