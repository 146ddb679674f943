//! A program that exports to a collector, in memory.

use std::time::SystemTime;

use baton_grpc::channel;
use baton_otel::{Collector, Exporting, LogLine, LogQueue, Meter, Otel, Settings, Severity};
use baton_term::TextGate;
use http::uri::Scheme;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::collector::TestCollector;

pub const SECRET: &str = "hunter2-hunter2";

pub struct Stage {
    pub collector: TestCollector,
    pub dispatch: Dispatch,
    pub logs: Option<LogQueue>,
    pub meter: Option<Meter>,
    exporting: Exporting,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(true, true)
    }

    pub fn with(traces: bool, logs: bool) -> Self {
        let collector = TestCollector::default();
        let served = collector.clone();
        let channel = channel(move || {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(served.clone().serve(far));
            std::future::ready(Ok(near))
        });
        let collector_there = Collector::over(channel, "otel.test:4317", Scheme::HTTP);
        Self::to(collector, collector_there, traces, logs)
    }

    pub fn to(collector: TestCollector, there: Collector, traces: bool, logs: bool) -> Self {
        let otel = Otel::new(Settings {
            collector: there,
            service_name: "baton-test-server".to_owned(),
            service_version: "1.2.3".to_owned(),
            traces,
            logs,
            gate: TextGate::new([SECRET.to_owned()]),
        });
        let layer = otel.span_layer("it");
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
        Self {
            collector,
            dispatch,
            logs: otel.logs(),
            meter: otel.meter(),
            exporting: otel.start(),
        }
    }

    /// Runs `work` as the code of the program.
    pub fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        tracing::dispatcher::with_default(&self.dispatch, work)
    }

    pub fn log(&self, message: &str) {
        self.logs.as_ref().unwrap().add(line(message));
    }

    pub async fn shutdown(self) -> TestCollector {
        self.exporting.shutdown().await;
        self.collector
    }
}

pub fn line(message: &str) -> LogLine {
    LogLine {
        at: SystemTime::UNIX_EPOCH,
        severity: Severity::Warn,
        caller: "it/stage.rs:1".to_owned(),
        message: message.to_owned(),
        fields: serde_json::Map::new(),
        span: None,
    }
}
