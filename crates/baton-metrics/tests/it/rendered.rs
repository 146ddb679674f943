//! The text of metrics in all states.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_c1z::Stats;
use baton_connector::http::{ExchangeOutcome, Exchanged, HttpObserver, TransportErrorKind, Wait};
use baton_connector::{Clock, WaitReason};
use baton_metrics::{Kind, MAX_SERIES, Metrics, Parts, RunEnd, TextForm, descriptions};
use baton_proto::Code;
use baton_service::{ServiceEvent, ServiceObserver, TaskFailure, TaskKind, UploadKind};
use baton_sync::{Completeness, Report};

use crate::checker::{Exposition, checked};

const NOW: u64 = 1_764_610_000;

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }
}

fn parts() -> Parts {
    Parts {
        program: "baton-test".to_owned(),
        version: "v1.2.3 \"odd\\\n".to_owned(),
        rust_version: "1.95.0".to_owned(),
        clock: Arc::new(Still),
        process: Some(PathBuf::from("/proc/self")),
    }
}

/// Both forms pass the checks and have the same values.
#[track_caller]
fn read(metrics: &Metrics) -> Exposition {
    let text = |form| checked(&metrics.render(form), form);
    let (plain, open) = (text(TextForm::Prometheus), text(TextForm::OpenMetrics));
    let of = |exposition: &Exposition| -> BTreeMap<String, String> {
        // Those of the process change between two calls.
        let samples = exposition.samples.iter();
        let samples = samples.filter(|sample| !sample.name.starts_with("process_"));
        samples
            .map(|one| {
                // The forms write bounds of buckets as `1` and `1.0`.
                let series = format!("{}{:?}", one.name, one.labels);
                (series.replace(".0\"", "\""), one.value.to_string())
            })
            .collect()
    };
    assert_eq!(of(&plain), of(&open));
    plain
}

fn exchanged(endpoint: &'static str, outcome: ExchangeOutcome) -> Exchanged {
    Exchanged {
        endpoint,
        outcome,
        took: Duration::from_millis(300),
        repeated: false,
    }
}

fn report(completeness: Completeness) -> Report {
    let stats = Stats {
        resource_types: 4,
        resources: 1_200,
        entitlements: 60,
        grants: 9_000,
        ..Stats::default()
    };
    let mut report = Report::new("a sync", "/x/sync.c1z", stats);
    report.completeness = completeness;
    report
}

fn kind(name: &str) -> TaskKind {
    *TaskKind::ALL
        .iter()
        .find(|kind| kind.name() == name)
        .unwrap()
}

/// All events of a service and of the HTTP client.
fn everything(metrics: &Metrics) {
    let (kind, code) = (kind("sync_full"), Code::Unavailable);
    let took = Duration::from_secs(90);
    let complete = report(Completeness::Complete);
    let partial = report(Completeness::Partial);
    let ended = |failure| ServiceEvent::TaskEnded {
        kind,
        took,
        failure,
    };
    let synced = |took, result| ServiceEvent::SyncEnded { took, result };
    let uploading = |bytes| ServiceEvent::Uploading {
        kind: UploadKind::SyncFile,
        bytes,
    };
    let uploaded = |kind, code| ServiceEvent::UploadEnded { kind, code };
    for event in [
        ServiceEvent::Accepted,
        ServiceEvent::TaskBegan { kind },
        ServiceEvent::TaskBegan { kind },
        ServiceEvent::TaskBegan { kind },
        synced(took, Ok(&partial)),
        synced(took, Ok(&complete)),
        synced(took * 2, Err(Code::Canceled)),
        uploading(500),
        uploading(70),
        uploaded(UploadKind::SyncFile, Code::Ok),
        uploaded(UploadKind::DebugLog, code),
        ended(None),
        ended(Some(TaskFailure {
            code: Code::ResourceExhausted,
            rate_limited: true,
            non_retryable: false,
        })),
        ServiceEvent::ReportLost { kind, code },
        ServiceEvent::PollFailed { code },
        ServiceEvent::HeartbeatMissed { code },
    ] {
        metrics.event(&event);
    }
    let timeout = ExchangeOutcome::Failed(TransportErrorKind::Timeout);
    metrics.exchanged(&exchanged("GET /users", ExchangeOutcome::Status(200)));
    metrics.exchanged(&exchanged("GET /users", ExchangeOutcome::Status(429)));
    metrics.exchanged(&Exchanged {
        repeated: true,
        ..exchanged("GET /users", timeout)
    });
    metrics.exchanged(&exchanged("GET /groups", ExchangeOutcome::TooLarge));
    for seconds in [3, 4] {
        metrics.waited(&Wait {
            endpoint: "GET /users",
            reason: WaitReason::RateLimited,
            duration: Duration::from_secs(seconds),
        });
    }
}

#[test]
fn a_service_that_has_done_nothing_has_its_counters() {
    let seen = read(&Metrics::of_service(parts()));
    for kind in TaskKind::ALL {
        for result in ["success", "failure"] {
            let labels = [("type", kind.name()), ("result", result)];
            assert_eq!(seen.value("baton_tasks_total", &labels), Some(0.0));
        }
    }
    for result in ["complete", "partial", "failed"] {
        let labels = [("result", result)];
        assert_eq!(seen.value("baton_syncs_total", &labels), Some(0.0));
    }
    assert_eq!(seen.value("baton_service_accepted", &[]), Some(0.0));
    let start = seen.value("process_start_time_seconds", &[]);
    assert_eq!(start, Some(NOW as f64));
    let build = [
        ("program", "baton-test"),
        ("version", "v1.2.3 \"odd\\\n"),
        ("rust_version", "1.95.0"),
    ];
    assert_eq!(seen.value("baton_build_info", &build), Some(1.0));
    assert_eq!(seen.count("baton_task_last_success_timestamp_seconds"), 0);
}

#[test]
fn each_event_is_counted_once_with_its_labels() {
    let metrics = Metrics::of_service(parts());
    everything(&metrics);
    let seen = read(&metrics);
    let sync = ("type", "sync_full");
    let (done, failed) = (("result", "success"), ("result", "failure"));
    let unavailable = ("code", "Unavailable");
    let (file, log) = (("file", "sync_file"), ("file", "debug_log"));
    let users = ("endpoint", "GET /users");
    let groups = ("endpoint", "GET /groups");
    let limited = ("reason", "rate_limited");
    let exhausted = [
        sync,
        ("code", "ResourceExhausted"),
        ("rate_limited", "true"),
        ("retryable", "true"),
    ];
    let now = NOW as f64;
    for (name, labels, value) in [
        ("service_accepted", &[][..], 1.0),
        ("tasks_running", &[sync], 1.0),
        ("tasks_total", &[sync, done], 1.0),
        ("tasks_total", &[sync, failed], 1.0),
        ("task_failures_total", &exhausted, 1.0),
        ("task_duration_seconds_sum", &[sync, done], 90.0),
        ("task_last_success_timestamp_seconds", &[], now),
        ("task_reports_lost_total", &[unavailable], 1.0),
        ("poll_failures_total", &[unavailable], 1.0),
        ("heartbeats_missed_total", &[unavailable], 1.0),
        ("upload_bytes_total", &[file], 570.0),
        ("uploads_total", &[file, ("code", "OK")], 1.0),
        ("uploads_total", &[log, unavailable], 1.0),
        ("syncs_total", &[("result", "complete")], 1.0),
        ("syncs_total", &[("result", "partial")], 1.0),
        ("syncs_total", &[("result", "failed")], 1.0),
        ("sync_failures_total", &[("code", "Canceled")], 1.0),
        (
            "sync_last_end_timestamp_seconds",
            &[("result", "complete")],
            now,
        ),
        // The sync that failed afterwards took longer.
        ("sync_last_duration_seconds", &[], 90.0),
        ("sync_last_rows", &[("kind", "resources")], 1_200.0),
        ("sync_last_rows", &[("kind", "grants")], 9_000.0),
        ("http_requests_total", &[users, ("status", "200")], 1.0),
        ("http_requests_total", &[users, ("status", "429")], 1.0),
        ("http_requests_total", &[users, ("status", "timeout")], 1.0),
        (
            "http_requests_total",
            &[groups, ("status", "too_large")],
            1.0,
        ),
        ("http_request_retries_total", &[users], 1.0),
        ("http_request_duration_seconds_count", &[users], 3.0),
        ("http_waits_total", &[limited], 2.0),
        ("http_wait_seconds_total", &[limited], 7.0),
    ] {
        let found = seen.value(&format!("baton_{name}"), labels);
        assert_eq!(found, Some(value), "{name} {labels:?}");
    }
}

#[test]
fn labels_are_bounded_under_hostile_input() {
    let metrics = Metrics::of_service(parts());
    let requests = 10_000_u32;
    for n in 0..requests {
        let endpoint = format!("GET /{n} \"quoted\" \\ and\nbroken\u{0}");
        let endpoint: &'static str = Box::leak(endpoint.into_boxed_str());
        let status = u16::try_from(n % 1_000).unwrap();
        metrics.exchanged(&exchanged(endpoint, ExchangeOutcome::Status(status)));
    }
    let seen = read(&metrics);
    for name in [
        "baton_http_requests_total",
        "baton_http_request_duration_seconds_count",
    ] {
        assert_eq!(seen.count(name), MAX_SERIES, "{name}");
        let samples = seen.samples.iter().filter(|sample| sample.name == name);
        let sum: f64 = samples.map(|sample| sample.value).sum();
        assert_eq!(sum, f64::from(requests), "{name}");
    }
    let other = [("endpoint", "other"), ("status", "other")];
    let other = seen.value("baton_http_requests_total", &other).unwrap();
    assert_eq!(other, f64::from(requests) - (MAX_SERIES - 1) as f64);
}

#[test]
fn a_run_has_a_label_for_its_file_and_no_figures_of_the_process() {
    let metrics = Metrics::of_run(parts(), "a \"b\".prom");
    assert_eq!(read(&metrics).samples.len(), 1);
    metrics.sync_ended(Duration::from_secs(5), Err(Code::Unavailable));
    metrics.run_ended(RunEnd {
        mode: "sync",
        took: Duration::from_secs(6),
        succeeded: false,
    });
    let seen = read(&metrics);
    let file = ("metrics_file", "a \"b\".prom");
    for sample in &seen.samples {
        assert_eq!(sample.labels["metrics_file"], file.1);
        assert!(!sample.name.starts_with("process_"), "{}", sample.name);
    }
    let mode = [file, ("mode", "sync")];
    assert_eq!(seen.value("baton_run_succeeded", &mode), Some(0.0));
    assert_eq!(seen.value("baton_run_duration_seconds", &mode), Some(6.0));
    let failed = [file, ("result", "failed")];
    assert_eq!(seen.value("baton_syncs_total", &failed), Some(1.0));
    assert_eq!(seen.count("baton_tasks_total"), 0);
}

#[test]
fn a_run_takes_over_when_syncs_last_ended() {
    let name = "baton_sync_last_end_timestamp_seconds";
    let file = ("metrics_file", "x.prom");
    let first = Metrics::of_run(parts(), file.1);
    first.sync_ended(Duration::from_secs(5), Ok(&report(Completeness::Complete)));
    let text = first.render(TextForm::Prometheus);
    let second = Metrics::of_run(parts(), file.1);
    second.continue_from(&text);
    second.sync_ended(Duration::from_secs(5), Err(Code::Unavailable));
    let seen = read(&second);
    for result in ["complete", "failed"] {
        let labels = [file, ("result", result)];
        assert_eq!(seen.value(name, &labels), Some(NOW as f64));
    }
    let complete = [file, ("result", "complete")];
    assert_eq!(seen.value("baton_syncs_total", &complete), None);
    // Times in the future come from a clock that was wrong.
    let third = Metrics::of_run(parts(), file.1);
    let future = text.replace(&format!("{NOW}.0"), &(NOW + 1).to_string());
    assert_ne!(future, text);
    third.continue_from(&future);
    assert_eq!(read(&third).count(name), 0);
}

#[test]
fn all_metrics_that_are_rendered_are_described() {
    let metrics = Metrics::of_service(parts());
    everything(&metrics);
    metrics.run_ended(RunEnd {
        mode: "sync",
        took: Duration::ZERO,
        succeeded: true,
    });
    let seen = read(&metrics);
    let described: BTreeMap<String, _> =
        descriptions().iter().map(|one| (one.name(), one)).collect();
    assert_eq!(described.len(), descriptions().len());
    for (name, kind) in &seen.types {
        assert_eq!(described[name].kind.name(), kind, "{name}");
    }
    for (name, one) in &described {
        let is_elsewhere = name.starts_with("process_") && !cfg!(target_os = "linux");
        assert!(seen.types.contains_key(name) || is_elsewhere, "{name}");
        let sample = match one.kind {
            Kind::Histogram => format!("{name}_count"),
            _ => name.clone(),
        };
        for found in seen.samples.iter().filter(|other| other.name == sample) {
            let labels: Vec<&str> = found.labels.keys().map(String::as_str).collect();
            let mut expected = one.labels.to_vec();
            expected.sort_unstable();
            assert_eq!(labels, expected, "{name}");
        }
    }
}
