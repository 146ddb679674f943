//! What arrives at a collector.

use std::time::Duration;

use baton_otel::KeyValue;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::collector::texts;
use crate::stage::{SECRET, Stage, line};

#[tokio::test(start_paused = true)]
async fn spans_have_names_parents_kinds_attributes_and_status() {
    let stage = Stage::new();
    stage.within(|| {
        let outer = tracing::info_span!("outer", task_id = "t1");
        let _entered = outer.enter();
        let inner = tracing::info_span!(
            "inner",
            otel.name = "GET /x/{id}",
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            http.response.status_code = tracing::field::Empty,
        );
        inner.record("http.response.status_code", 503);
        inner.record("otel.status_code", "ERROR");
        inner.in_scope(|| tracing::info!("an event is not part of a span"));
    });
    let collector = stage.shutdown().await;
    let received = collector.received();
    assert_eq!(received.spans.len(), 2);
    let (outer, inner) = (received.span("outer"), received.span("GET /x/{id}"));
    assert_eq!(outer.parent_span_id, b"");
    assert_eq!(inner.parent_span_id, outer.span_id);
    assert_eq!(inner.trace_id, outer.trace_id);
    assert_eq!(outer.kind(), SpanKind::Internal);
    assert_eq!(inner.kind(), SpanKind::Client);
    assert_eq!(inner.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_eq!(outer.status.as_ref().unwrap().code(), StatusCode::Unset);
    let attributes = texts(&outer.attributes);
    assert_eq!(
        attributes.into_iter().collect::<Vec<_>>(),
        [("task_id".to_owned(), "t1".to_owned())]
    );
    let attributes = texts(&inner.attributes);
    assert_eq!(attributes["http.response.status_code"], "503");
    assert!(inner.events.is_empty() && outer.events.is_empty());
    for resource in &received.resources {
        assert_eq!(resource["service.name"], "baton-test-server");
        assert_eq!(resource["service.version"], "1.2.3");
    }
}

#[tokio::test(start_paused = true)]
async fn a_span_without_a_parent_starts_a_trace() {
    let stage = Stage::new();
    stage.within(|| {
        let outer = tracing::info_span!("outer");
        outer.in_scope(|| drop(tracing::info_span!(parent: None, "root").entered()));
    });
    let collector = stage.shutdown().await;
    let received = collector.received();
    assert_eq!(received.span("root").parent_span_id, b"");
    assert_ne!(
        received.span("root").trace_id,
        received.span("outer").trace_id
    );
}

#[tokio::test(start_paused = true)]
async fn spans_of_other_packages_and_of_debug_levels_are_not_exported() {
    let stage = Stage::new();
    stage.within(|| {
        drop(tracing::info_span!(target: "h2::codec", "foreign").entered());
        drop(tracing::debug_span!("detail").entered());
        drop(tracing::info_span!(target: "baton_sync::run", "ours").entered());
    });
    let collector = stage.shutdown().await;
    assert_eq!(collector.received().names(), ["ours"]);
}

#[tokio::test(start_paused = true)]
async fn secrets_do_not_leave_by_spans() {
    let stage = Stage::new();
    stage.within(|| {
        let span = tracing::info_span!(
            "work",
            otel.name = format!("work on {SECRET}"),
            key = SECRET,
            debugged = ?format!("key={SECRET}"),
            otel.status_description = format!("refused {SECRET}"),
        );
        drop(span.entered());
    });
    let collector = stage.shutdown().await;
    let received = collector.received();
    assert_eq!(received.names(), ["work on [secret]"]);
    assert!(!received.contains(SECRET));
    assert!(received.contains("refused [secret]"));
}

#[tokio::test(start_paused = true)]
async fn log_lines_are_exported_within_a_second() {
    let stage = Stage::new();
    sleep(Duration::from_secs(30)).await;
    let began = Instant::now();
    let mut full = line("a list was skipped");
    full.fields.insert("rows".to_owned(), json!(3));
    full.fields.insert("share".to_owned(), json!(0.5));
    full.fields.insert("list".to_owned(), json!(["a"]));
    stage.logs.as_ref().unwrap().add(full);
    while stage.collector.received().logs.is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(
        began.elapsed() <= Duration::from_millis(1100),
        "{:?}",
        began.elapsed()
    );
    let collector = stage.shutdown().await;
    let received = collector.received();
    let record = &received.logs[0];
    assert_eq!(record.severity_number(), SeverityNumber::Warn);
    assert_eq!(record.severity_text, "warn");
    let attributes = texts(&record.attributes);
    assert_eq!(attributes["caller"], "it/stage.rs:1");
    assert_eq!(attributes["rows"], "3");
    assert_eq!(attributes["share"], "0.5");
    assert_eq!(attributes["list"], "[\"a\"]");
    assert!(received.contains("a list was skipped"));
}

#[tokio::test(start_paused = true)]
async fn metrics_are_exported_every_minute_and_at_the_end() {
    let stage = Stage::new();
    let meter = stage.meter.clone().unwrap();
    let counter = meter.u64_counter("baton_sdk.task_success").build();
    counter.add(2, &[KeyValue::new("task_type", "grant")]);
    sleep(Duration::from_secs(61)).await;
    assert_eq!(stage.collector.received().metrics.len(), 1);
    counter.add(1, &[KeyValue::new("task_type", "grant")]);
    let collector = stage.shutdown().await;
    let received = collector.received();
    assert_eq!(received.metrics.len(), 2);
    let sum = |metric: &opentelemetry_proto::tonic::metrics::v1::Metric| match metric
        .data
        .as_ref()
        .unwrap()
    {
        Data::Sum(sum) => {
            assert!(sum.is_monotonic);
            let point = &sum.data_points[0];
            assert_eq!(texts(&point.attributes)["task_type"], "grant");
            format!("{:?}", point.value.unwrap())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(received.metrics[0].name, "baton_sdk.task_success");
    assert_eq!(sum(&received.metrics[0]), "AsInt(2)");
    assert_eq!(sum(&received.metrics[1]), "AsInt(3)");
}

#[tokio::test(start_paused = true)]
async fn each_switch_acts_alone() {
    let stage = Stage::with(false, true);
    assert!(stage.meter.is_none());
    stage.within(|| drop(tracing::info_span!("work").entered()));
    stage.log("a line");
    let collector = stage.shutdown().await;
    assert_eq!(collector.received().logs.len(), 1);
    assert_eq!(collector.received().requests, 1);

    let stage = Stage::with(true, false);
    assert!(stage.logs.is_none());
    stage.within(|| drop(tracing::info_span!("work").entered()));
    let collector = stage.shutdown().await;
    assert_eq!(collector.received().names(), ["work"]);
    assert_eq!(collector.received().requests, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_where_there_is_nothing() {
    let stage = Stage::new();
    sleep(Duration::from_mins(10)).await;
    let collector = stage.shutdown().await;
    assert_eq!(collector.received().requests, 0);
}
