//! Which `tracing` spans become spans of traces, and how log lines find theirs.

use std::sync::OnceLock;

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::dispatcher::WeakDispatch;
use tracing::level_filters::LevelFilter;
use tracing::span::Id;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// The ids of a span of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceIds {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span.
    pub span_id: [u8; 8],
}

/// The ids of the span `id`, which `dispatch` made; `None` if it is not part of a trace.
/// Nothing may hold the extensions of the span.
pub fn trace_ids(id: &Id, dispatch: &OnceLock<WeakDispatch>) -> Option<TraceIds> {
    let dispatch = dispatch.get()?.upgrade()?;
    let context = tracing_opentelemetry::get_otel_context(id, &dispatch)?;
    let span = context.span();
    let ids = span.span_context();
    ids.is_valid().then(|| TraceIds {
        trace_id: ids.trace_id().to_bytes(),
        span_id: ids.span_id().to_bytes(),
    })
}

/// Passes spans of our own packages, and no events: what an event has is a log line.
#[derive(Debug)]
struct OwnSpans {
    own_package: String,
}

impl OwnSpans {
    fn passes(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
            && *metadata.level() <= LevelFilter::INFO
            && is_ours(metadata.target(), &self.own_package)
    }
}

/// Whether the code at `target` belongs to the program. What other packages attach to
/// their spans is not known.
fn is_ours(target: &str, own_package: &str) -> bool {
    let package = target.split("::").next().unwrap_or_default();
    package.starts_with("baton_") || package == own_package
}

impl<S> Filter<S> for OwnSpans {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.passes(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.passes(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

/// The layer that makes spans of traces with `tracer`.
pub(crate) fn layer<S>(tracer: SdkTracer, own_package: &str) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    OpenTelemetryLayer::new(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_error_records_to_exceptions(false)
        .with_filter(OwnSpans {
            own_package: own_package.to_owned(),
        })
}
