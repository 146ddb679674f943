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
            asked: Mutex::default(),
            strays: Mutex::default(),
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
        let key = key(request.method().as_str(), path, &body);
        let Some(exchange) = self.exchanges.get(&key) else {
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
