//! Traces across processes: this program, a child of it, and a connector behind that.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_connector::{Call, ConnectorBuilder, Page, ResourceSyncer, TypeSpec, Types, v2};
use baton_grpc::{
    ConnectorSettings, Limiter, MemorySessions, Server, TraceContext, connector_services,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::net::TcpListener;

use crate::collector::{Received, TestCollector, hex, texts};

struct People;

#[async_trait]
impl ResourceSyncer for People {
    async fn list(
        &self,
        _: &Call,
        _: Option<&v2::ResourceId>,
    ) -> baton_connector::Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

/// Keeps the headers of calls.
#[derive(Debug, Default)]
struct Headers(Mutex<Vec<http::HeaderMap>>);

impl TraceContext for Headers {
    fn inject(&self, _: &tracing::Span, _: &mut http::HeaderMap) {}

    fn extract(&self, headers: &http::HeaderMap, _: &tracing::Span) {
        self.0.lock().unwrap().push(headers.clone());
    }
}

/// A connector at a port of this machine; what it is called with is kept.
async fn connector() -> (String, Arc<Headers>) {
    let person = v2::ResourceType {
        id: "person".to_owned(),
        display_name: "Person".to_owned(),
        ..v2::ResourceType::default()
    };
    let types = Types::new().with(TypeSpec::new(person, |(): &()| Ok(People)));
    let connector = ConnectorBuilder::new()
        .metadata(v2::ConnectorMetadata {
            display_name: "People".to_owned(),
            ..v2::ConnectorMetadata::default()
        })
        .types(&types, &())
        .unwrap()
        .build()
        .unwrap();
    let mut router = connector_services(
        Arc::new(connector),
        ConnectorSettings {
            provisioning: false,
            ticketing: false,
            limiter: Limiter::default(),
            sessions: Arc::new(MemorySessions::new()),
            client_secret: None,
        },
    );
    let headers = Arc::<Headers>::default();
    router.continue_traces(Some(headers.clone()));
    let server = Server::new(router);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let server = server.clone();
            tokio::spawn(async move { server.serve(stream).await });
        }
    });
    (address, headers)
}

async fn collector() -> (String, TestCollector) {
    let collector = TestCollector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = collector.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(served.clone().serve(stream));
        }
    });
    (address, collector)
}

async fn drive(args: Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let ran = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_baton-drive"))
            .args(args)
            .env_clear()
            .current_dir(folder.path())
            .output()
            .unwrap()
    });
    let output = ran.await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("cannot export"), "{stderr}");
}

fn chain(connector: &str) -> Vec<String> {
    let inner = format!(
        "{} --connector-addr {connector}",
        env!("CARGO_BIN_EXE_baton-drive")
    );
    vec!["--connector-command".to_owned(), inner]
}

fn kind(received: &Received, kind: SpanKind) -> BTreeMap<Vec<u8>, Span> {
    let spans = received.spans.iter().filter(|span| span.kind() == kind);
    spans
        .map(|span| (span.span_id.clone(), span.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_continues_in_a_child_and_in_the_connector_behind_it() {
    let (address, headers) = connector().await;
    let (endpoint, collector) = collector().await;
    let mut args = chain(&address);
    // Only in the command: the child gets it as variables.
    args.push(format!("--otel-collector-endpoint=http://{endpoint}"));
    drive(args).await;
    let received = collector.received();
    // The sync of this program; the child syncs nothing.
    let sync = received.span("sync");
    let of_sync = received
        .spans
        .iter()
        .filter(|span| span.trace_id == sync.trace_id);
    assert!(of_sync.count() > 10);
    let (clients, servers) = (
        kind(&received, SpanKind::Client),
        kind(&received, SpanKind::Server),
    );
    let name = "c1.connector.v2.ResourceTypesService/ListResourceTypes";
    let served: Vec<&Span> = servers.values().filter(|span| span.name == name).collect();
    assert_eq!(served.len(), 1, "{:?}", received.names());
    let caller = &clients[&served[0].parent_span_id];
    assert_eq!(caller.name, name);
    assert_eq!(caller.trace_id, sync.trace_id);
    let phase = received.span("resource-types");
    assert_eq!(caller.parent_span_id, phase.span_id);
    assert_eq!(texts(&caller.attributes)["rpc.grpc.status_code"], "0");
    // What the child calls belongs to what it serves.
    let inner = clients
        .values()
        .find(|span| span.parent_span_id == served[0].span_id);
    let inner = inner.unwrap();
    assert_eq!(inner.name, name);
    let sent = hex(&inner.span_id);
    let headers = headers.0.lock().unwrap();
    let mut parents = headers
        .iter()
        .filter_map(|headers| headers.get("traceparent"));
    assert!(parents.any(|parent| parent.to_str().unwrap().contains(&sent)));
    assert!(
        received
            .logs
            .iter()
            .any(|line| line.trace_id == served[0].trace_id)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_no_header_is_sent() {
    let (address, headers) = connector().await;
    drive(chain(&address)).await;
    let headers = headers.0.lock().unwrap();
    assert!(headers.len() > 3);
    for headers in headers.iter() {
        for name in ["traceparent", "tracestate", "baggage"] {
            assert!(!headers.contains_key(name), "{headers:?}");
        }
    }
}
