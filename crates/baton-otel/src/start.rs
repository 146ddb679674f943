//! The parts that a program uses, and the beginning and the end of exports.

use std::sync::Arc;
use std::time::Duration;

use baton_grpc::TraceContext;
use baton_term::TextGate;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    RandomIdGenerator, Sampler, SdkTracer, SdkTracerProvider, SpanLimits,
};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::attributes::{SCOPE, resource};
use crate::carrier::TraceCarrier;
use crate::collector::Collector;
use crate::complaints::Complaints;
use crate::export::Exports;
use crate::layer;
use crate::logs::{LogQueue, Logs};
use crate::metrics::Metrics;
use crate::queue::{Taker, queue};
use crate::spans::{Ended, Gate, Spans};

/// How long the last exports may take.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// What is exported, and as whose.
pub struct Settings {
    /// Where to.
    pub collector: Collector,
    /// `service.name` of everything.
    pub service_name: String,
    /// `service.version` of everything.
    pub service_version: String,
    /// Export traces and metrics.
    pub traces: bool,
    /// Export log lines.
    pub logs: bool,
    /// Hides secrets in spans.
    pub gate: TextGate,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("collector", &self.collector)
            .field("service_name", &self.service_name)
            .field("traces", &self.traces)
            .field("logs", &self.logs)
            .finish_non_exhaustive()
    }
}

/// The exports of a program that have not begun.
#[derive(Debug)]
pub struct Otel {
    exports: Exports,
    resource: opentelemetry_proto::tonic::resource::v1::Resource,
    traces: Option<Traces>,
    logs: Option<(LogQueue, Taker<LogRecord>)>,
}

#[derive(Debug)]
struct Traces {
    provider: SdkTracerProvider,
    spans: Taker<Span>,
    metrics: Metrics,
}

impl Otel {
    /// Makes the parts. Nothing is sent.
    pub fn new(settings: Settings) -> Self {
        let Settings {
            collector,
            service_name,
            service_version,
            traces,
            logs,
            gate,
        } = settings;
        let resource = resource(&service_name, &service_version);
        let traces = traces.then(|| {
            let (ended, spans) = queue();
            // Everything that the library would take from the environment is set.
            let provider = SdkTracerProvider::builder()
                .with_sampler(Sampler::AlwaysOn)
                .with_id_generator(RandomIdGenerator::default())
                .with_span_limits(SpanLimits::default())
                .with_resource(Resource::builder_empty().build())
                .with_span_processor(Ended {
                    queue: ended,
                    gate: Gate(gate),
                })
                .build();
            let attributes = [
                KeyValue::new("service.name", service_name),
                KeyValue::new("service.version", service_version),
            ];
            let resource = Resource::builder_empty().with_attributes(attributes);
            Traces {
                provider,
                spans,
                metrics: Metrics::new(resource.build()),
            }
        });
        let logs = logs.then(|| {
            let (adder, taker) = queue();
            (LogQueue(adder), taker)
        });
        Self {
            exports: Exports {
                collector,
                complaints: Arc::new(Complaints::default()),
            },
            resource,
            traces,
            logs,
        }
    }

    /// The layer that makes spans of traces of `tracing` spans of the packages
    /// `baton_*` and `own_package`; `None` if traces are not exported. It takes nothing
    /// of events.
    pub fn span_layer<S>(&self, own_package: &str) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let traces = self.traces.as_ref()?;
        let tracer: SdkTracer = traces.provider.tracer(SCOPE);
        Some(layer::layer(tracer, own_package))
    }

    /// Where log lines go; `None` if they are not exported.
    pub fn logs(&self) -> Option<LogQueue> {
        self.logs.as_ref().map(|(queue, _)| queue.clone())
    }

    /// Makes instruments; `None` if metrics are not exported.
    pub fn meter(&self) -> Option<Meter> {
        let traces = self.traces.as_ref()?;
        Some(traces.metrics.provider.meter(SCOPE))
    }

    /// Carries traces over calls; `None` if traces are not exported.
    pub fn carrier(&self) -> Option<Arc<dyn TraceContext>> {
        let carrier = || Arc::new(TraceCarrier::default()) as Arc<dyn TraceContext>;
        self.traces.as_ref().map(|_| carrier())
    }

    /// Begins to export, in the async runtime of the caller.
    pub fn start(self) -> Exporting {
        let Self {
            exports,
            resource,
            traces,
            logs,
        } = self;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut provider = None;
        if let Some(traces) = traces {
            let signal = Spans {
                resource: resource.clone(),
            };
            tasks.spawn(exports.clone().run(signal, traces.spans, stop.clone()));
            let metrics = traces.metrics;
            tasks.spawn(metrics.run(exports.clone(), stop.clone()));
            provider = Some(traces.provider);
        }
        if let Some((_, lines)) = logs {
            let signal = Logs { resource };
            tasks.spawn(exports.run(signal, lines, stop.clone()));
        }
        Exporting {
            tasks,
            stop,
            _provider: provider,
        }
    }
}

/// Exports that are under way. Dropping it ends them at once.
#[derive(Debug)]
pub struct Exporting {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    /// Spans end only with it.
    _provider: Option<SdkTracerProvider>,
}

impl Exporting {
    /// Exports what still waits, for at most 5 s.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // What the collector did not take in time is lost.
        let _ = timeout(SHUTDOWN_LIMIT, ended).await;
    }
}
