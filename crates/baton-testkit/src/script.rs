//! A server made of replies by method and path.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::http::{
    BodyStream, Transport, TransportError, TransportErrorKind, whole_body,
};
use bytes::Bytes;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub struct Reply {
    answer: Answer,
    headers: Vec<(String, String)>,
    delay: Duration,
}

#[derive(Debug, Clone)]
enum Answer {
    Status(u16, String),
    Fails(TransportErrorKind),
    Silence,
}

impl Reply {
    fn of(answer: Answer) -> Self {
        Self {
            answer,
            headers: Vec::new(),
            delay: Duration::ZERO,
        }
    }

    /// 200 with a JSON body.
    pub fn json(body: impl Into<String>) -> Self {
        Self::status(200, body)
    }

    /// A status with a JSON body.
    pub fn status(status: u16, body: impl Into<String>) -> Self {
        Self::of(Answer::Status(status, body.into())).header("content-type", "application/json")
    }

    /// No answer, for this reason.
    pub fn fails(kind: TransportErrorKind) -> Self {
        Self::of(Answer::Fails(kind))
    }

    /// No answer, ever.
    pub fn silence() -> Self {
        Self::of(Answer::Silence)
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The answer takes so long.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// The replies of a server. Clones are the same server.
#[derive(Debug, Clone, Default)]
pub struct Script {
    state: std::sync::Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By method, path and query.
    replies: BTreeMap<String, VecDeque<Reply>>,
    seen: Vec<http::Request<Bytes>>,
    unexpected: Vec<String>,
}

impl Script {
    /// A server that knows no path.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replies to `GET` of a path, in order; the last one for ever.
    #[must_use]
    pub fn get(self, path: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.on("GET", path, replies)
    }

    /// Replies to a method and a path, in order; the last one for ever. A path
    /// with a query is meant for requests with exactly this query, and comes
    /// before the path alone.
    #[must_use]
    pub fn on(self, method: &str, path: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: VecDeque<Reply> = replies.into_iter().collect();
        assert!(!replies.is_empty(), "no reply to {method} {path}");
        let key = format!("{method} {path}");
        self.lock().replies.insert(key, replies);
        self
    }

    /// The requests so far: method, path and query.
    pub fn requests(&self) -> Vec<String> {
        let state = self.lock();
        state.seen.iter().map(|request| named(request).1).collect()
    }

    /// The requests so far, whole.
    pub fn seen(&self) -> Vec<http::Request<Bytes>> {
        self.lock().seen.clone()
    }

    /// Requests that no reply was meant for. They were answered with 404, and
    /// not in JSON.
    pub fn unexpected(&self) -> Vec<String> {
        self.lock().unexpected.clone()
    }

    /// Whatever happened to a thread that held it, the script is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, request: http::Request<Bytes>) -> Reply {
        let mut state = self.lock();
        let (path, whole) = named(&request);
        state.seen.push(request);
        let key = [whole.clone(), path]
            .into_iter()
            .find(|key| state.replies.contains_key(key));
        let Some(replies) = key.and_then(|key| state.replies.get_mut(&key)) else {
            state.unexpected.push(whole);
            return Reply::status(404, "the script has no such path")
                .header("content-type", "text/plain");
        };
        match replies.len() {
            1 => replies.front().cloned(),
            _ => replies.pop_front(),
        }
        .unwrap_or_else(Reply::silence)
    }
}

/// A request without and with its query.
fn named(request: &http::Request<Bytes>) -> (String, String) {
    let (method, uri) = (request.method(), request.uri());
    let path = format!("{method} {}", uri.path());
    let whole = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.clone(),
    };
    (path, whole)
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let reply = self.next(request);
        tokio::time::sleep(reply.delay).await;
        let (status, body) = match reply.answer {
            Answer::Status(status, body) => (status, body),
            Answer::Fails(kind) => return Err(TransportError::new(kind, "as scripted")),
            Answer::Silence => std::future::pending().await,
        };
        let mut answer = http::Response::builder().status(status);
        for (name, value) in reply.headers {
            answer = answer.header(name, value);
        }
        let answer = answer.body(whole_body(body));
        answer.map_err(|error| TransportError::new(TransportErrorKind::Protocol, error.to_string()))
    }
}
