//! Metrics: collected and exported every minute, and once at the end.

use std::sync::Arc;
use std::time::Duration;

use baton_grpc::Method;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality,
};
use std::sync::Weak;
use tokio_util::sync::CancellationToken;

use crate::export::Exports;

/// As the libraries for Go.
const EVERY: Duration = Duration::from_mins(1);

const METHOD: Method<ExportMetricsServiceRequest, ExportMetricsServiceResponse> = Method::new(
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest",
);

/// A reader that the provider and the export share.
#[derive(Debug, Clone)]
struct Reader(Arc<ManualReader>);

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(limit)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

/// The metrics of a program, and their export.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) provider: SdkMeterProvider,
    reader: Reader,
}

impl Metrics {
    pub(crate) fn new(resource: Resource) -> Self {
        let reader = Reader(Arc::new(ManualReader::builder().build()));
        let provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(reader.clone())
            .build();
        Self { provider, reader }
    }

    /// Exports until `stop`, and then once more. All values are sums since the start, so
    /// an export that fails loses nothing: the next one has the same and more.
    pub(crate) async fn run(self, exports: Exports, stop: CancellationToken) {
        loop {
            let last = tokio::select! {
                () = tokio::time::sleep(EVERY) => false,
                () = stop.cancelled() => true,
            };
            let mut collected = ResourceMetrics::default();
            let request = match self.reader.collect(&mut collected) {
                Ok(()) => ExportMetricsServiceRequest::from(&collected),
                Err(_) => ExportMetricsServiceRequest::default(),
            };
            let has_values = request.resource_metrics.iter().any(|resource| {
                let mut scopes = resource.scope_metrics.iter();
                scopes.any(|scope| !scope.metrics.is_empty())
            });
            if has_values {
                match exports.once(METHOD, &request).await {
                    Ok(response) => {
                        let partial = response.partial_success;
                        let refused = partial.filter(|partial| partial.rejected_data_points > 0);
                        if let Some(partial) = refused {
                            exports.complain("metrics", 0, &partial.error_message);
                        }
                    }
                    Err(error) => exports.complain("metrics", 0, &error.status.to_string()),
                }
            }
            if last {
                return;
            }
        }
    }
}
