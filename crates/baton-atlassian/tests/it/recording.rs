//! A recorded organization as a transport: it answers the requests of the
//! recording and no others, each exactly as recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use baton_connector::http::{
    BodyStream, Transport, TransportError, TransportErrorKind, whole_body,
};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

/// Credentials of the recording.
pub const TOKEN: &str = "test-token";
pub const ORGANIZATION: &str = "cd613e30-d8f1-4adf-91b7-584a2265b1f5";

/// The path of a recorded file.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A recorded file as JSON.
pub fn golden(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

struct Exchange {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// The recording.
pub struct Recording {
    exchanges: BTreeMap<String, Exchange>,
    /// Page sizes make no difference, and what was not recorded is not there.
    lenient: bool,
    asked: Mutex<BTreeSet<String>>,
    strays: Mutex<Vec<String>>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}

fn key(method: &str, path: &str, body: &str) -> String {
    // Bodies are compared as JSON: white space is not part of a request.
    let body =
        serde_json::from_str::<Value>(body).map_or_else(|_| String::new(), |v| v.to_string());
    format!("{method} {path} {body}")
}

/// The key without sizes of pages and of groups.
fn without_sizes(key: &str) -> String {
    let (request, body) = key.split_at(key.rfind(' ').unwrap());
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    let mut kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with("limit=") && !pair.starts_with("pageSize="))
        .filter(|pair| !pair.starts_with("counts."))
        .filter(|pair| !pair.is_empty())
        .collect();
    kept.sort_unstable();
    let body = match serde_json::from_str::<Value>(body.trim()) {
        Ok(Value::Object(mut map)) => {
            map.remove("limit");
            Value::Object(map).to_string()
        }
        _ => String::new(),
    };
    format!("{path}?{} {body}", kept.join("&"))
}

impl Recording {
    pub fn load() -> Self {
        let text = std::fs::read_to_string(fixture("exchanges.jsonl")).unwrap();
        let exchanges = text.lines().map(|line| {
            let entry: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let exchange = Exchange {
                status: u16::try_from(entry["status"].as_u64().unwrap()).unwrap(),
                headers: serde_json::from_value(entry["response_headers"].clone()).unwrap(),
                body: text("response_body"),
            };
            (
                key(&text("method"), &text("path"), &text("request_body")),
                exchange,
            )
        });
        Self {
            exchanges: exchanges.collect(),
            lenient: false,
            asked: Mutex::default(),
            strays: Mutex::default(),
        }
    }

    /// The organization, for a client with other page sizes and further
    /// endpoints: those are not there.
    pub fn lenient() -> Self {
        let strict = Self::load();
        let exchanges = strict.exchanges.into_iter();
        Self {
            exchanges: exchanges
                .map(|(key, exchange)| (without_sizes(&key), exchange))
                .collect(),
            lenient: true,
            ..Self::load()
        }
    }

    /// Requests that the recording does not hold.
    pub fn strays(&self) -> Vec<String> {
        self.strays.lock().unwrap().clone()
    }

    /// Recorded requests that nobody asked for.
    pub fn unasked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        self.exchanges
            .keys()
            .filter(|key| !asked.contains(*key))
            .cloned()
            .collect()
    }
}

#[async_trait]
impl Transport for Recording {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, TransportError> {
        let authorization = request.headers().get("authorization").unwrap();
        assert_eq!(authorization, &format!("Bearer {TOKEN}"));
        let path = request.uri().path_and_query().unwrap().as_str();
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        let mut key = key(request.method().as_str(), path, &body);
        if self.lenient {
            key = without_sizes(&key);
        }
        let Some(exchange) = self.exchanges.get(&key) else {
            if self.lenient {
                let response = Response::builder()
                    .status(404)
                    .header("content-type", "application/json");
                let body = r#"{"timestamp":"2026-11-01T00:00:00Z","status":404,"error":"Not Found","message":"TCS validation failed"}"#;
                return Ok(response.body(whole_body(body)).unwrap());
            }
            self.strays.lock().unwrap().push(key);
            return Err(TransportError::new(
                TransportErrorKind::Tls,
                "not in the recording",
            ));
        };
        self.asked.lock().unwrap().insert(key);
        let mut response = Response::builder().status(exchange.status);
        for (name, value) in &exchange.headers {
            response = response.header(name, value);
        }
        Ok(response
            .body(whole_body(exchange.body.clone().into_bytes()))
            .unwrap())
    }
}
