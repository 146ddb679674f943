//! Requests as spans: what they name, and what they leave out.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use baton_connector::http::TransportErrorKind;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber as _;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::script::{Reply, Script, client, get, ok, status};

/// Fields of the spans, of all kinds as texts.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeMap<u64, Fields>>>);

type Fields = BTreeMap<&'static str, String>;

struct Visitor<'f>(&'f mut Fields);

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Visitor(&mut fields));
        self.0.lock().unwrap().insert(id.into_u64(), fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.0.lock().unwrap();
        values.record(&mut Visitor(spans.get_mut(&id.into_u64()).unwrap()));
    }
}

/// The spans that `work` makes.
async fn spans(work: impl Future<Output = ()>) -> Vec<Fields> {
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    work.with_subscriber(subscriber).await;
    let all = spans.0.lock().unwrap();
    all.values().cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn a_request_is_one_span_with_its_endpoint_and_status() {
    let script = Script::new([status(503), ok()]);
    let client = client(&script);
    let spans = spans(async {
        client
            .send(&get("/x").query("token", "hunter2"))
            .await
            .unwrap();
    })
    .await;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let span = &spans[0];
    let endpoint = get("/x").endpoint();
    assert_eq!(span["otel.name"], format!("GET {endpoint}"));
    assert_eq!(span["otel.kind"], "client");
    assert_eq!(span["url.template"], endpoint);
    assert_eq!(span["http.request.method"], "GET");
    assert_eq!(span["http.response.status_code"], "200");
    assert_eq!(span["http.request.resend_count"], "1");
    assert!(!span.contains_key("otel.status_code"));
    assert!(!format!("{span:?}").contains("hunter2"), "{span:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_request_has_a_code_and_a_status_if_there_was_one() {
    for (reply, code, answered) in [
        (status(403), "PermissionDenied", Some("403")),
        (
            Reply::Fail(TransportErrorKind::UnknownHost),
            "InvalidArgument",
            None,
        ),
    ] {
        let script = Script::new([reply]);
        let client = client(&script);
        let spans = spans(async {
            client.send(&get("/x")).await.unwrap_err();
        })
        .await;
        let span = &spans[0];
        assert_eq!(span["otel.status_code"], "ERROR");
        assert_eq!(span["error.type"], code);
        let status = span.get("http.response.status_code");
        assert_eq!(status.map(String::as_str), answered);
        assert!(!span.contains_key("http.request.resend_count"));
    }
}
