//! What the HTTP client and the service report becomes numbers.

use baton_connector::http::{ExchangeOutcome, Exchanged, HttpObserver, Wait};
use baton_service::{ServiceEvent, ServiceObserver, TaskFailure};

use crate::family::Label;
use crate::metrics::{FAILURE, Metrics, SUCCESS};

impl HttpObserver for Metrics {
    fn exchanged(&self, exchanged: &Exchanged) {
        let endpoint = || Label::from(exchanged.endpoint);
        let status = match exchanged.outcome {
            ExchangeOutcome::Status(status) => Label::from(status.to_string()),
            ExchangeOutcome::TooLarge => Label::from("too_large"),
            ExchangeOutcome::Failed(kind) => Label::from(kind.name()),
        };
        let http = &self.http;
        http.requests.of([endpoint(), status]).inc();
        http.took
            .of([endpoint()])
            .observe(exchanged.took.as_secs_f64());
        if exchanged.repeated {
            http.retries.of([endpoint()]).inc();
        }
    }

    fn waited(&self, wait: &Wait) {
        let reason = || [Label::from(wait.reason.name())];
        self.http.waits.of(reason()).inc();
        let waited = self.http.waited.of(reason());
        waited.inc_by(wait.duration.as_secs_f64());
    }
}

/// The values of a truth value in labels.
fn truth(value: bool) -> Label {
    Label::from(if value { "true" } else { "false" })
}

impl ServiceObserver for Metrics {
    fn event(&self, event: &ServiceEvent<'_>) {
        let tasks = &self.tasks;
        match event {
            ServiceEvent::Accepted => {
                tasks.accepted.of([]).set(1);
            }
            ServiceEvent::TaskBegan { kind } => {
                tasks.running.of([kind.name().into()]).inc();
            }
            ServiceEvent::TaskEnded {
                kind,
                took,
                failure,
            } => {
                let kind = || Label::from(kind.name());
                tasks.running.of([kind()]).dec();
                let result = if failure.is_some() { FAILURE } else { SUCCESS };
                tasks.ended.of([kind(), result.into()]).inc();
                let histogram = tasks.took.of([kind(), result.into()]);
                histogram.observe(took.as_secs_f64());
                match failure {
                    None => {
                        tasks.last_success.of([]).set(self.now());
                    }
                    Some(TaskFailure {
                        code,
                        rate_limited,
                        non_retryable,
                    }) => {
                        let labels = [
                            kind(),
                            code.name().into(),
                            truth(*rate_limited),
                            truth(!non_retryable),
                        ];
                        tasks.failures.of(labels).inc();
                    }
                }
            }
            ServiceEvent::ReportLost { code, .. } => {
                tasks.reports_lost.of([code.name().into()]).inc();
            }
            ServiceEvent::SyncEnded { took, result } => self.sync_ended(*took, *result),
            ServiceEvent::Uploading { kind, bytes } => {
                tasks.uploaded.of([kind.name().into()]).inc_by(*bytes);
            }
            ServiceEvent::UploadEnded { kind, code } => {
                let labels = [kind.name().into(), code.name().into()];
                tasks.uploads.of(labels).inc();
            }
            ServiceEvent::PollFailed { code } => {
                tasks.poll_failures.of([code.name().into()]).inc();
            }
            ServiceEvent::HeartbeatMissed { code } => {
                tasks.heartbeats_missed.of([code.name().into()]).inc();
            }
            // Facts that have no metric.
            _ => {}
        }
    }
}
