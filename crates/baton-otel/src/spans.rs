//! Ended spans, from the library of OpenTelemetry to the queue.

use std::time::Duration;

use baton_term::TextGate;
use opentelemetry::Context;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanProcessor};

use baton_grpc::Method;

use crate::attributes::{cut, scope};
use crate::export::Signal;
use crate::queue::Adder;

/// Hides secrets in ended spans, and queues them.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) queue: Adder<Span>,
    pub(crate) gate: Gate,
}

/// The gate, which has no secrets in its debug form.
#[derive(Clone)]
pub(crate) struct Gate(pub(crate) TextGate);

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    fn pass(&self, text: &mut String) {
        *text = cut(self.0.pass_json(text).into_owned());
    }

    fn attributes(&self, attributes: &mut [KeyValue]) {
        for attribute in attributes {
            let value = attribute.value.as_mut().and_then(|any| any.value.as_mut());
            if let Some(Value::StringValue(text)) = value {
                self.pass(text);
            }
        }
    }
}

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let mut span = Span::from(span);
        self.gate.pass(&mut span.name);
        self.gate.attributes(&mut span.attributes);
        if let Some(status) = &mut span.status {
            self.gate.pass(&mut status.message);
        }
        self.queue.add(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The export of spans.
pub(crate) struct Spans {
    pub(crate) resource: Resource,
}

impl Signal for Spans {
    type Row = Span;
    type Request = ExportTraceServiceRequest;
    type Response = ExportTraceServiceResponse;

    const METHOD: Method<Self::Request, Self::Response> = Method::new(
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
    );
    const WHAT: &'static str = "spans";
    // As the libraries for Go.
    const EVERY: Duration = Duration::from_secs(5);

    fn request(&self, rows: &[Span]) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope()),
                    spans: rows.to_vec(),
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        }
    }

    fn rejected(response: Self::Response) -> Option<(i64, String)> {
        let partial = response.partial_success?;
        Some((partial.rejected_spans, partial.error_message))
    }
}
