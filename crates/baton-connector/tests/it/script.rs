//! A server made of scripted replies, and a client on it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use baton_connector::http::{
    ApiError, BodyStream, ErrorResponse, Exchanged, HttpClient, HttpObserver, HttpParts,
    HttpSettings, ReadApiError, Request, Response, Transport, TransportError, TransportErrorKind,
    Wait, whole_body,
};
use baton_connector::{
    Clock, Error, RequestErrorKind, Result, Run, TrafficSnapshot, TrafficSource,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

/// The wall time of every script: 2026-11-23 20:30:00 UTC.
pub const NOW_S: u64 = 1_795_465_800;
pub const DATE: &str = "Mon, 23 Nov 2026 20:30:00 GMT";

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
    },
    /// No answer at all.
    Fail(TransportErrorKind),
    /// The head, one piece of body, then the connection is gone.
    Truncated,
    /// One byte per second, for ever.
    Drip,
    /// Never answers.
    Hang,
    /// So many bytes, without a content length.
    Bytes(usize),
}

pub fn status(status: u16) -> Reply {
    Reply::Answer {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: Bytes::from_static(b"{}"),
    }
}

pub fn ok() -> Reply {
    status(200)
}

impl Reply {
    #[expect(clippy::needless_pass_by_value, reason = "callers pass literals")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.retain(|(known, _)| *known != name);
            headers.push((name, value.to_string()));
        }
        self
    }

    pub fn body(mut self, text: &str) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = Bytes::copy_from_slice(text.as_bytes());
        }
        self
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = Bytes::copy_from_slice(bytes);
        }
        self
    }

    fn play(self) -> std::result::Result<http::Response<BodyStream>, TransportError> {
        let (status, headers, body): (u16, Vec<(&str, String)>, BodyStream) = match self {
            Self::Answer {
                status,
                headers,
                body,
            } => (status, headers, whole_body(body)),
            Self::Fail(kind) => return Err(TransportError::new(kind, "as scripted")),
            Self::Truncated => {
                let lost = TransportError::new(TransportErrorKind::Truncated, "as scripted");
                let pieces = [Ok(Bytes::from_static(b"{\"a\":")), Err(lost)];
                (200, Vec::new(), Box::pin(stream::iter(pieces)))
            }
            Self::Drip => {
                let drops = stream::unfold((), |()| async {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Some((Ok(Bytes::from_static(b" ")), ()))
                });
                (200, Vec::new(), Box::pin(drops))
            }
            Self::Hang => (200, Vec::new(), Box::pin(stream::pending())),
            Self::Bytes(count) => {
                let pieces = stream::repeat(Bytes::from_static(&[b' '; 1000]))
                    .take(count.div_ceil(1000))
                    .map(Ok);
                (200, Vec::new(), Box::pin(pieces))
            }
        };
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(name, value);
        }
        Ok(answer.body(body).unwrap())
    }
}

/// Plays its replies in order; the last one for ever.
#[derive(Debug)]
pub struct Script {
    pub replies: Mutex<VecDeque<Reply>>,
    pub seen: Mutex<Vec<(Instant, http::Request<Bytes>)>>,
    pub latency: Duration,
    busy: Mutex<(usize, usize)>,
}

impl Script {
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        Self::slow(Duration::ZERO, replies)
    }

    pub fn slow(latency: Duration, replies: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        Arc::new(Self {
            replies: Mutex::new(replies.into_iter().collect()),
            seen: Mutex::default(),
            latency,
            busy: Mutex::default(),
        })
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Pauses between requests, in milliseconds.
    pub fn gaps_ms(&self) -> Vec<u128> {
        let seen = self.seen.lock().unwrap();
        let pairs = seen.windows(2);
        pairs
            .map(|pair| (pair[1].0 - pair[0].0).as_millis())
            .collect()
    }

    /// The most requests that were on the wire at once.
    pub fn most_at_once(&self) -> usize {
        self.busy.lock().unwrap().1
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<BodyStream>, TransportError> {
        self.seen.lock().unwrap().push((Instant::now(), request));
        let reply = {
            let mut replies = self.replies.lock().unwrap();
            match replies.len() {
                1 => replies[0].clone(),
                _ => replies.pop_front().unwrap(),
            }
        };
        {
            let mut busy = self.busy.lock().unwrap();
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        tokio::time::sleep(self.latency).await;
        self.busy.lock().unwrap().0 -= 1;
        reply.play()
    }
}

/// Stands still at [`NOW_S`].
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S)
    }
}

/// Understands `{"code":…,"message":…}`.
#[derive(Debug)]
struct Codes;

impl ReadApiError for Codes {
    fn read(&self, answer: &ErrorResponse<'_>) -> ApiError {
        let body: serde_json::Value = serde_json::from_slice(answer.body).unwrap_or_default();
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        let code = text("code");
        ApiError {
            vanished: code.as_deref() == Some("GONE"),
            code,
            message: text("message"),
            request_id: text("requestId"),
            hint: None,
        }
    }
}

/// Keeps what it is notified of.
#[derive(Debug, Default)]
pub struct Waits {
    pub begun: Mutex<Vec<Wait>>,
    pub ended: Mutex<Vec<Wait>>,
    pub all: Mutex<Vec<Wait>>,
    pub exchanged: Mutex<Vec<Exchanged>>,
}

impl HttpObserver for Waits {
    fn wait_begins(&self, wait: &Wait) {
        self.begun.lock().unwrap().push(*wait);
    }

    fn wait_ends(&self, wait: &Wait) {
        self.ended.lock().unwrap().push(*wait);
    }

    fn waited(&self, wait: &Wait) {
        self.all.lock().unwrap().push(*wait);
    }

    fn exchanged(&self, exchanged: &Exchanged) {
        self.exchanged.lock().unwrap().push(*exchanged);
    }
}

pub fn parts(script: &Arc<Script>) -> HttpParts {
    let transport: Arc<dyn Transport> = Arc::clone(script) as _;
    HttpParts {
        clock: Arc::new(Still),
        api_errors: Arc::new(Codes),
        ..HttpParts::new(transport, 7)
    }
}

/// A client, and the run that its requests are of.
#[derive(Debug)]
pub struct Client {
    pub http: HttpClient,
    pub run: Run,
}

impl Client {
    pub fn new(parts: HttpParts, settings: HttpSettings) -> Self {
        Self {
            http: HttpClient::new(parts, settings).unwrap(),
            run: Run::begin(None),
        }
    }

    pub async fn send(&self, request: &Request) -> Result<Response> {
        self.http.on(&self.run.call()).send(request).await
    }

    pub async fn json<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        self.http.on(&self.run.call()).json(request).await
    }

    pub fn traffic(&self) -> TrafficSnapshot {
        self.http.traffic(&self.run.view())
    }
}

pub fn client(script: &Arc<Script>) -> Client {
    Client::new(parts(script), HttpSettings::default())
}

/// A client whose server has answered before: one request is already made.
pub async fn proven(script: &Arc<Script>) -> Client {
    let client = client(script);
    script.replies.lock().unwrap().push_front(ok());
    client.send(&get("/warm")).await.unwrap();
    script.seen.lock().unwrap().clear();
    client
}

pub fn base() -> Url {
    Url::parse("https://api.test/admin").unwrap()
}

pub fn get(template: &'static str) -> Request {
    Request::get(&base(), template, &[]).unwrap()
}

pub fn post(template: &'static str) -> Request {
    let request = Request::post(&base(), template, &[]).unwrap();
    request.json(&serde_json::json!({"a": 1})).unwrap()
}

/// The kind of the request error inside.
pub fn kind(error: &Error) -> &RequestErrorKind {
    &error.request().unwrap().kind
}

pub fn failed<T: std::fmt::Debug>(outcome: Result<T>) -> Error {
    outcome.expect_err("the request must fail")
}
