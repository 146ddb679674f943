//! A collector for tests: it keeps what it gets, and does what a test wants it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a collector does with the next requests.
#[derive(Debug, Clone, Default)]
pub enum Behaviour {
    /// It takes them.
    #[default]
    Takes,
    /// It takes them after so long.
    Slow(Duration),
    /// It answers with this gRPC status.
    Refuses(&'static str),
    /// It never answers.
    Hangs,
    /// It closes the connection.
    Dies,
}

/// What it got.
#[derive(Debug, Default)]
pub struct Received {
    pub spans: Vec<Span>,
    pub logs: Vec<LogRecord>,
    pub metrics: Vec<Metric>,
    /// Attributes of the resources of all requests.
    pub resources: Vec<BTreeMap<String, String>>,
    pub requests: usize,
    /// The bytes of all requests.
    pub bytes: Vec<u8>,
}

/// A collector. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct TestCollector(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    received: Mutex<Received>,
    behaviour: Mutex<Behaviour>,
}

impl TestCollector {
    pub fn behave(&self, behaviour: Behaviour) {
        *self.0.behaviour.lock().unwrap() = behaviour;
    }

    pub fn received(&self) -> MutexGuard<'_, Received> {
        self.0.received.lock().unwrap()
    }

    /// Serves one connection.
    pub async fn serve<I>(self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(mut connection) = h2::server::handshake(io).await else {
            return;
        };
        while let Some(Ok((request, respond))) = connection.accept().await {
            let behaviour = self.0.behaviour.lock().unwrap().clone();
            if let Behaviour::Dies = behaviour {
                self.received().requests += 1;
                return;
            }
            tokio::spawn(self.clone().answer(request, respond, behaviour));
        }
    }

    async fn answer(
        self,
        request: Request<h2::RecvStream>,
        mut respond: SendResponse<Bytes>,
        behaviour: Behaviour,
    ) {
        let path = request.uri().path().to_owned();
        let mut body = request.into_body();
        let mut bytes = Vec::new();
        while let Some(Ok(chunk)) = body.data().await {
            let _ = body.flow_control().release_capacity(chunk.len());
            bytes.extend_from_slice(&chunk);
        }
        self.received().requests += 1;
        let status = match behaviour {
            Behaviour::Hangs => return std::future::pending().await,
            Behaviour::Refuses(status) => status,
            Behaviour::Slow(time) => {
                tokio::time::sleep(time).await;
                "0"
            }
            Behaviour::Takes | Behaviour::Dies => "0",
        };
        if status == "0" {
            self.keep(&path, &bytes);
        }
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let Ok(mut stream) = respond.send_response(response, false) else {
            return;
        };
        if status == "0" {
            let mut frame = BytesMut::new();
            frame.put_slice(&[0; 5]);
            let _ = stream.send_data(frame.freeze(), false);
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(status));
        let _ = stream.send_trailers(trailers);
    }

    fn keep(&self, path: &str, framed: &[u8]) {
        let message = &framed[5..];
        let mut received = self.received();
        received.bytes.extend_from_slice(message);
        match path {
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => {
                for of in ExportTraceServiceRequest::decode(message)
                    .unwrap()
                    .resource_spans
                {
                    let resource = texts(&of.resource.unwrap().attributes);
                    received.resources.push(resource);
                    let scopes = of.scope_spans.into_iter();
                    received.spans.extend(scopes.flat_map(|scope| scope.spans));
                }
            }
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => {
                for of in ExportLogsServiceRequest::decode(message)
                    .unwrap()
                    .resource_logs
                {
                    let resource = texts(&of.resource.unwrap().attributes);
                    received.resources.push(resource);
                    let scopes = of.scope_logs.into_iter();
                    received
                        .logs
                        .extend(scopes.flat_map(|scope| scope.log_records));
                }
            }
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => {
                for of in ExportMetricsServiceRequest::decode(message)
                    .unwrap()
                    .resource_metrics
                {
                    let resource = texts(&of.resource.unwrap().attributes);
                    received.resources.push(resource);
                    let scopes = of.scope_metrics.into_iter();
                    received
                        .metrics
                        .extend(scopes.flat_map(|scope| scope.metrics));
                }
            }
            other => panic!("unknown path {other}"),
        }
    }
}

impl Received {
    /// The only span with this name.
    #[track_caller]
    pub fn span(&self, name: &str) -> &Span {
        let found: Vec<&Span> = self.spans_named(name);
        assert_eq!(found.len(), 1, "{name}: {:?}", self.names());
        found[0]
    }

    pub fn spans_named(&self, name: &str) -> Vec<&Span> {
        let spans = self.spans.iter();
        spans.filter(|span| span.name == name).collect()
    }

    pub fn names(&self) -> Vec<&str> {
        self.spans.iter().map(|span| span.name.as_str()).collect()
    }

    /// Whether a text is anywhere in what was received.
    pub fn contains(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.bytes.windows(text.len()).any(|part| part == text)
    }
}

/// Attributes as texts.
pub fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(value) => Some(value.to_string()),
        Value::DoubleValue(value) => Some(value.to_string()),
        other => Some(format!("{other:?}")),
    };
    let pairs = attributes.iter();
    pairs
        .map(|attribute| (attribute.key.clone(), text(attribute).unwrap_or_default()))
        .collect()
}

/// Bytes of an id as it is in headers.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
