//! Exports of whole programs to a collector.

use std::net::TcpListener;
use std::sync::mpsc;

use baton_runtime::Signal;
use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::collector::{TestCollector, hex, texts};
use crate::service_mode::{GRANT, SYNC, World, finished};
use crate::stage::Stage;
use crate::whole::{self, Upstream};

/// A collector at a port of this machine.
pub struct Served {
    pub collector: TestCollector,
    pub endpoint: String,
    _end: tokio::sync::oneshot::Sender<()>,
}

impl Served {
    pub fn new() -> Self {
        let collector = TestCollector::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let (end, mut ended) = tokio::sync::oneshot::channel();
        let (began, has_begun) = mpsc::channel();
        let served = collector.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                began.send(()).unwrap();
                loop {
                    tokio::select! {
                        accepted = listener.accept() => {
                            tokio::spawn(served.clone().serve(accepted.unwrap().0));
                        }
                        _ = &mut ended => return,
                    }
                }
            });
        });
        has_begun.recv().unwrap();
        Self {
            collector,
            endpoint,
            _end: end,
        }
    }

    /// The flags that lead there.
    pub fn flags(&self) -> [&str; 3] {
        [
            "--otel-collector-endpoint",
            &self.endpoint,
            "--otel-collector-endpoint-tls-insecure",
        ]
    }
}

#[test]
fn a_sync_is_a_trace_of_its_phases_and_its_log_lines_name_their_spans() {
    let served = Served::new();
    let mut args = served.flags().to_vec();
    args.extend(["--log-format", "json"]);
    let outcome = whole::sync(&mut Stage::new(), Upstream::OneForbidden, &args);
    assert_eq!(outcome.status.code(), 20, "{}", outcome.stderr);
    let received = served.collector.received();
    let sync = received.span("sync");
    let id = texts(&sync.attributes)["sync_id"].clone();
    assert!(outcome.stderr.contains(&format!("\"sync_id\":\"{id}\"")));
    assert_eq!(hex(&sync.parent_span_id), "");
    for phase in ["validate", "resource-types", "resources", "grants", "seal"] {
        let span = received.span(phase);
        assert_eq!(span.parent_span_id, sync.span_id, "{phase}");
        assert_eq!(span.trace_id, sync.trace_id, "{phase}");
    }
    let line = received.logs.iter().find(|line| {
        let body = format!("{:?}", line.body);
        body.contains("\"list skipped\"")
    });
    let line = line.unwrap();
    assert_eq!(texts(&line.attributes)["sync_id"], id);
    assert_eq!(line.trace_id, sync.trace_id);
    assert_eq!(line.span_id, received.span("grants").span_id);
    assert_eq!(line.time_unix_nano / 1_000_000, crate::stage::NOW_MS);
    for resource in &received.resources {
        assert_eq!(resource["service.name"], "baton-toy-server");
        assert_eq!(resource["service.version"], "1.2.3");
    }
    // Each line of the log was exported, and nothing else.
    assert_eq!(
        received.logs.len(),
        outcome.stderr.matches("\"level\":").count()
    );
}

#[test]
fn each_switch_acts_alone_and_both_export_nothing() {
    for (switches, spans, logs) in [
        (vec!["--otel-tracing-disabled"], false, true),
        (vec!["--otel-logging-disabled"], true, false),
        (
            vec!["--otel-tracing-disabled", "--otel-logging-disabled"],
            false,
            false,
        ),
    ] {
        let served = Served::new();
        let mut args = served.flags().to_vec();
        args.extend(&switches);
        let healthy = Upstream::Healthy { users: 2 };
        let outcome = whole::sync(&mut Stage::new(), healthy, &args);
        assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
        let received = served.collector.received();
        assert_eq!(!received.spans.is_empty(), spans, "{switches:?}");
        assert_eq!(!received.logs.is_empty(), logs, "{switches:?}");
        assert_eq!(received.requests > 0, spans || logs, "{switches:?}");
    }
}

#[test]
fn secrets_leave_neither_by_spans_nor_by_log_lines() {
    let served = Served::new();
    let mut stage = Stage::ready();
    let mut args = served.flags().to_vec();
    // The log has the path in its lines.
    args.extend(["--log-level", "debug", "--file", "hunter2.c1z"]);
    let outcome = stage.run(&args);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let received = served.collector.received();
    assert!(!received.logs.is_empty());
    assert!(received.contains("[secret]"));
    assert!(!received.contains("hunter2"));
}

#[test]
fn a_collector_that_is_not_there_is_one_warning() {
    let endpoint = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let args = ["--otel-collector-endpoint", &endpoint];
    let healthy = Upstream::Healthy { users: 2 };
    let outcome = whole::sync(&mut Stage::new(), healthy, &args);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let warning = "cannot export to the OpenTelemetry collector";
    assert_eq!(
        outcome.stderr.matches(warning).count(),
        1,
        "{}",
        outcome.stderr
    );
}

#[test]
fn settings_that_cannot_be_used_end_the_program_at_its_start() {
    let folder = Stage::ready().file("empty.pem", "no certificate");
    let mut stage = folder;
    let there = ["--otel-collector-endpoint", "collector.test:4317"];
    let cert = "--otel-collector-endpoint-tls-cert";
    let path = "--otel-collector-endpoint-tls-cert-path";
    for (args, text) in [
        (
            vec![cert, "?"],
            "field otel-collector-endpoint-tls-cert: otel: failed to decode base64 TLS certificate: ",
        ),
        (
            vec![cert, "-----BEGIN NOTHING"],
            "field otel-collector-endpoint-tls-cert: the trusted certificates",
        ),
        (
            vec![cert, "AAAA"],
            "field otel-collector-endpoint-tls-cert: the trusted certificates",
        ),
        (
            vec![path, "absent.pem"],
            "field otel-collector-endpoint-tls-cert-path: cannot read ",
        ),
        (
            vec![path, "empty.pem"],
            "field otel-collector-endpoint-tls-cert-path: the trusted certificates",
        ),
        (
            vec![cert, "AAAA", path, "empty.pem"],
            "cannot be used together with --otel-collector-endpoint-tls-cert-path",
        ),
    ] {
        let args: Vec<&str> = there.into_iter().chain(args).collect();
        let outcome = stage.run(&args);
        assert_eq!(outcome.status.code(), 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(text), "{text}: {}", outcome.stderr);
        assert!(!stage.path().join("sync.c1z").exists());
    }
    for (args, text) in [
        (
            vec!["--otel-collector-endpoint", "ftp://x"],
            "expected <host>:<port>",
        ),
        (
            vec![
                "--otel-collector-endpoint",
                "https://x:1",
                "--otel-collector-endpoint-tls-insecure",
            ],
            "https:// asks for TLS",
        ),
    ] {
        let outcome = stage.run(&args);
        assert_eq!(outcome.status.code(), 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(text), "{text}: {}", outcome.stderr);
    }
    // Without a collector they mean nothing, and without TLS the certificates do not.
    for args in [
        vec![cert, "?"],
        vec!["--otel-collector-endpoint", "http://127.0.0.1:1", cert, "?"],
    ] {
        let outcome = stage.run(&args);
        assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    }
}

/// Tasks in service mode, whose toy connector is in this process.
fn served_tasks(served: &Served, more: &[&str]) -> World {
    let mut world = World::new();
    world.plan(SYNC);
    world.plan(GRANT);
    let mut args = served.flags().to_vec();
    args.extend(more);
    let outcome = world.run(&args, vec![(Signal::Terminate, finished(2))]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    world
}

#[test]
fn tasks_and_polls_are_traces_of_their_own() {
    let served = Served::new();
    let world = served_tasks(&served, &[]);
    let received = served.collector.received();
    let tasks = received.spans_named("task");
    assert_eq!(tasks.len(), 2, "{:?}", received.names());
    let task = |kind: &str| {
        let mut tasks = tasks.iter();
        let is = |span: &&&Span| texts(&span.attributes)["task_type"] == kind;
        *tasks.find(is).unwrap()
    };
    let (sync, grant) = (task("sync_full"), task("grant"));
    assert_ne!(sync.trace_id, grant.trace_id);
    for (span, id) in [
        (sync, "S00000000000000000000000001"),
        (grant, "G00000000000000000000000001"),
    ] {
        assert_eq!(hex(&span.parent_span_id), "");
        assert_eq!(texts(&span.attributes)["task_id"], id);
    }
    // The stage serves no changes.
    assert_eq!(grant.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_eq!(sync.status.as_ref().unwrap().code(), StatusCode::Unset);
    let below = |parent: &Span, name: &str| {
        let spans = received.spans_named(name);
        let mut spans = spans.into_iter();
        spans.any(|span| span.parent_span_id == parent.span_id && span.trace_id == parent.trace_id)
    };
    assert!(below(sync, "sync"));
    assert!(below(sync, "upload"));
    let api = "c1.connectorapi.baton.v1.BatonService";
    assert!(below(sync, &format!("{api}/Heartbeat")));
    assert!(below(sync, &format!("{api}/FinishTask")));
    assert!(below(
        received.span("upload"),
        &format!("{api}/UploadAsset")
    ));
    assert!(
        below(grant, "c1.connector.v2.GrantManagerService/Grant"),
        "{:?}",
        received.names()
    );
    assert!(below(grant, &format!("{api}/FinishTask")));
    let polls = received.spans_named("poll");
    assert!(polls.len() >= 2);
    for poll in polls {
        assert_eq!(hex(&poll.parent_span_id), "");
    }
    // A line of a task has the ids of its trace.
    let began = received
        .logs
        .iter()
        .filter(|line| format!("{:?}", line.body).contains("a task began"));
    for line in began {
        let of = task(&texts(&line.attributes)["task_type"]);
        assert_eq!(line.trace_id, of.trace_id);
        assert_eq!(line.span_id, of.span_id);
    }
    assert!(!received.contains(world.secret()));
}

#[test]
fn tasks_are_counted_and_timed() {
    let served = Served::new();
    served_tasks(&served, &["--otel-logging-disabled"]);
    let received = served.collector.received();
    let metric = |name: &str| {
        let mut metrics = received.metrics.iter();
        metrics.find(|metric| metric.name == name).unwrap()
    };
    let Some(Data::Sum(successes)) = &metric("baton_sdk.task_success").data else {
        panic!()
    };
    let Some(Data::Sum(failures)) = &metric("baton_sdk.task_failure").data else {
        panic!()
    };
    let Some(Data::Histogram(latency)) = &metric("baton_sdk.task_latency").data else {
        panic!()
    };
    assert_eq!(metric("baton_sdk.task_latency").unit, "ms");
    let of = |points: &[NumberDataPoint]| -> Vec<String> {
        let points = points.iter();
        points
            .map(|point| format!("{:?} {:?}", texts(&point.attributes), point.value))
            .collect()
    };
    assert_eq!(
        of(&successes.data_points),
        [r#"{"task_type": "sync_full"} Some(AsInt(1))"#]
    );
    assert_eq!(
        of(&failures.data_points),
        [
            r#"{"grpc_code": "FailedPrecondition", "is_rate_limit": "false", "task_type": "grant"} Some(AsInt(1))"#
        ]
    );
    let mut timed: Vec<String> = latency
        .data_points
        .iter()
        .map(|point| format!("{} {:?}", point.count, texts(&point.attributes)))
        .collect();
    timed.sort();
    assert_eq!(
        timed,
        [
            r#"1 {"grpc_code": "FailedPrecondition", "is_rate_limit": "false", "task_status": "failure", "task_type": "grant"}"#,
            r#"1 {"task_status": "success", "task_type": "sync_full"}"#,
        ]
    );
}

#[test]
fn without_traces_there_are_no_metrics() {
    let served = Served::new();
    served_tasks(&served, &["--otel-tracing-disabled"]);
    let received = served.collector.received();
    assert!(received.metrics.is_empty());
    assert!(received.spans.is_empty());
    assert!(!received.logs.is_empty());
}
