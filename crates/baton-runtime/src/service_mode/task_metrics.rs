//! Metrics of tasks for an OpenTelemetry collector (`service-mode.md` §7.3).

use std::time::Duration;

use baton_otel::{Counter, Histogram, KeyValue, Meter};
use baton_service::{ServiceEvent, ServiceObserver, TaskFailure, TaskKind};

/// Counts tasks and their durations.
pub(super) struct TaskMetrics {
    successes: Counter<u64>,
    failures: Counter<u64>,
    latency: Histogram<f64>,
}

impl TaskMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            successes: meter
                .u64_counter("baton_sdk.task_success")
                .with_description("tasks that were carried out")
                .build(),
            failures: meter
                .u64_counter("baton_sdk.task_failure")
                .with_description("tasks that failed")
                .build(),
            latency: meter
                .f64_histogram("baton_sdk.task_latency")
                .with_description("how long tasks took")
                .with_unit("ms")
                .build(),
        }
    }

    fn ended(&self, kind: TaskKind, took: Duration, failure: Option<TaskFailure>) {
        let kind = KeyValue::new("task_type", kind.name());
        let status = |word| KeyValue::new("task_status", word);
        let milliseconds = took.as_secs_f64() * 1e3;
        match failure {
            None => {
                self.successes.add(1, std::slice::from_ref(&kind));
                self.latency
                    .record(milliseconds, &[kind, status("success")]);
            }
            Some(failure) => {
                let code = KeyValue::new("grpc_code", failure.code.name());
                let limited = KeyValue::new("is_rate_limit", failure.rate_limited);
                let why = [kind.clone(), code.clone(), limited.clone()];
                self.failures.add(1, &why);
                let attributes = [kind, status("failure"), code, limited];
                self.latency.record(milliseconds, &attributes);
            }
        }
    }
}

impl ServiceObserver for TaskMetrics {
    fn event(&self, event: &ServiceEvent<'_>) {
        if let ServiceEvent::TaskEnded {
            kind,
            took,
            failure,
        } = event
        {
            self.ended(*kind, *took, *failure);
        }
    }
}
