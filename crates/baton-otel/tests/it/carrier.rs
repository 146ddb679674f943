//! Contexts of traces in headers.

use baton_grpc::TraceContext as _;
use baton_otel::TraceCarrier;
use http::HeaderMap;

use crate::collector::hex;
use crate::stage::Stage;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_trace_is_taken_over_and_passed_on() {
    let stage = Stage::new();
    let carrier = TraceCarrier::default();
    let mut sent = HeaderMap::new();
    stage.within(|| {
        let span = tracing::info_span!(parent: None, "served");
        let received = headers(&[
            ("traceparent", PARENT),
            ("tracestate", "vendor=1"),
            ("baggage", "tenant=a"),
        ]);
        carrier.extract(&received, &span);
        span.in_scope(|| {
            let inner = tracing::info_span!("call");
            carrier.inject(&inner, &mut sent);
            drop(inner.entered());
        });
    });
    let collector = stage.shutdown().await;
    let received = collector.received();
    let served = received.span("served");
    assert_eq!(hex(&served.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&served.parent_span_id), "b7ad6b7169203331");
    let call = received.span("call");
    assert_eq!(call.parent_span_id, served.span_id);
    let parent = format!("00-{}-{}-01", hex(&call.trace_id), hex(&call.span_id));
    assert_eq!(sent["traceparent"], parent);
    assert_eq!(sent["tracestate"], "vendor=1");
    assert_eq!(sent["baggage"], "tenant=a");
}

#[tokio::test(start_paused = true)]
async fn spans_are_sampled_whatever_the_caller_does() {
    let stage = Stage::new();
    stage.within(|| {
        let span = tracing::info_span!(parent: None, "served");
        let parent = PARENT.replace("-01", "-00");
        TraceCarrier::default().extract(&headers(&[("traceparent", &parent)]), &span);
        drop(span.entered());
    });
    let collector = stage.shutdown().await;
    assert_eq!(collector.received().names(), ["served"]);
}

#[tokio::test(start_paused = true)]
async fn headers_that_are_not_contexts_start_a_trace() {
    let stage = Stage::new();
    stage.within(|| {
        for wrong in [
            "",
            "nonsense",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        ] {
            let span = tracing::info_span!(parent: None, "served");
            TraceCarrier::default().extract(&headers(&[("traceparent", wrong)]), &span);
            drop(span.entered());
        }
    });
    let collector = stage.shutdown().await;
    let received = collector.received();
    assert_eq!(received.spans.len(), 3);
    assert!(
        received
            .spans
            .iter()
            .all(|span| span.parent_span_id.is_empty())
    );
}

#[test]
fn without_a_trace_no_header_is_sent() {
    let mut headers = HeaderMap::new();
    TraceCarrier::default().inject(&tracing::info_span!("call"), &mut headers);
    assert!(headers.is_empty());
}
