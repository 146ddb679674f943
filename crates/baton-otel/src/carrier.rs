//! Contexts of traces in the headers of gRPC calls, in the form of the W3C:
//! `traceparent`, `tracestate` and `baggage`.

use baton_grpc::TraceContext;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Carries the context of a trace over calls.
#[derive(Debug, Default)]
pub struct TraceCarrier {
    trace: TraceContextPropagator,
    baggage: BaggagePropagator,
}

struct Headers<'h>(&'h mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        // Empty values mean that there is nothing to carry.
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct Received<'h>(&'h HeaderMap);

impl Extractor for Received<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

impl TraceContext for TraceCarrier {
    fn inject(&self, span: &Span, headers: &mut HeaderMap) {
        let context = span.context();
        if !context.span().span_context().is_valid() {
            return;
        }
        let mut headers = Headers(headers);
        self.trace.inject_context(&context, &mut headers);
        self.baggage.inject_context(&context, &mut headers);
    }

    fn extract(&self, headers: &HeaderMap, span: &Span) {
        let received = Received(headers);
        // Not of the thread: what is current there belongs to another call.
        let empty = opentelemetry::Context::new();
        let context = self.trace.extract_with_context(&empty, &received);
        let context = self.baggage.extract_with_context(&context, &received);
        let has_parent = context.span().span_context().is_valid();
        if has_parent || !context.baggage().is_empty() {
            // It fails only for a span that is not part of a trace.
            let _ = span.set_parent(context);
        }
    }
}
