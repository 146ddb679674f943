//! The front of the server: connections, the token path, authorization, and faults.

mod body;
mod connection;
mod grpc;

use std::sync::Arc;

use baton_grpc::Status;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

pub(crate) use connection::{Version, serve};

use crate::faults::Action;
use crate::simulator::{Shared, Simulator};
use crate::state::Ended;
use crate::{Call, CallRecord, token};
use body::Body;

/// Largest request for a token, in bytes.
const MAX_TOKEN_REQUEST: usize = 64 * 1024;
const PAGE: &str = "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>\n";

/// A fault broke the connection before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke")]
pub struct ConnectionBroken;

/// How a request ends.
enum Ending {
    Answer(Response<Body>),
    /// The stream is reset with this code of HTTP/2.
    Reset(u32),
    /// The connection breaks.
    Broken,
}

/// Records the end of a call also if its request is dropped.
struct Recorded {
    shared: Arc<Shared>,
    number: u64,
}

impl Recorded {
    fn begin(shared: &Arc<Shared>, call: Call, connection: &CancellationToken) -> Self {
        let number = shared.change(|state| {
            let number = state.begin(call, connection.clone());
            state.note_retry(number);
            number
        });
        let shared = Arc::clone(shared);
        Self { shared, number }
    }

    fn action(&self) -> Option<Action> {
        self.shared.change(|state| state.action(self.number))
    }

    fn ended(&self, outcome: &str, ended: Ended) {
        let ended = self.shared.change(|state| {
            let record: CallRecord = state.end(self.number, outcome, ended)?;
            Some((record, state.config.observer.clone()?))
        });
        // The observer is called without the lock: it may ask the simulator.
        if let Some((record, observer)) = ended {
            observer(&record);
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        // Does nothing if the end is recorded.
        self.ended("the client left", Ended::Broken);
    }
}

/// Answers a request for a token without a connection, with its faults.
pub(crate) async fn token(
    simulator: &Simulator,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, ConnectionBroken> {
    let connection = CancellationToken::new();
    match token_call(simulator, &request, &connection).await {
        Ending::Answer(response) => {
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|_| ConnectionBroken)?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        }
        Ending::Reset(_) | Ending::Broken => Err(ConnectionBroken),
    }
}

/// A request of a connection to the token path.
async fn token_over_http(
    simulator: &Simulator,
    request: Request<Incoming>,
    connection: &CancellationToken,
) -> Ending {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_TOKEN_REQUEST).collect().await else {
        return Ending::Answer(body::page(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", ""));
    };
    let request = Request::from_parts(parts, body.to_bytes());
    token_call(simulator, &request, connection).await
}

async fn token_call(
    simulator: &Simulator,
    request: &Request<Bytes>,
    connection: &CancellationToken,
) -> Ending {
    let call = Recorded::begin(&simulator.shared, Call::Token, connection);
    let (action, ending) = before(&call).await;
    if let Some(ending) = ending {
        return ending;
    }
    let answer = simulator
        .shared
        .change(|state| token::answer(state, call.number, request));
    if let Some(ending) = after(action.as_ref(), &call, &answer.outcome).await {
        return ending;
    }
    call.ended(&answer.outcome, Ended::Success);
    Ending::Answer(answer.response.map(body::whole))
}

/// What a fault does before a call is carried out; `None`: it is carried out.
async fn before(call: &Recorded) -> (Option<Action>, Option<Ending>) {
    let action = call.action();
    let ending = match &action {
        Some(Action::Http {
            status,
            retry_after,
        }) => Some(Ending::Answer(http_answer(*status, *retry_after))),
        Some(Action::Html) => Some(Ending::Answer(body::page(
            StatusCode::OK,
            "text/html",
            PAGE,
        ))),
        Some(Action::ResetStream(code)) => Some(Ending::Reset(*code)),
        Some(Action::Drop) => Some(Ending::Broken),
        Some(Action::Hang) => {
            std::future::pending::<()>().await;
            None
        }
        Some(Action::Delay(time)) => {
            tokio::time::sleep(*time).await;
            None
        }
        _ => None,
    };
    if let (Some(_), Some(action)) = (&ending, &action) {
        let ended = match action {
            Action::Http { .. } | Action::Html => Ended::Http,
            _ => Ended::Broken,
        };
        call.ended(&format!("fault: {action}"), ended);
    }
    (action, ending)
}

/// What a fault does after a call was carried out.
async fn after(action: Option<&Action>, call: &Recorded, outcome: &str) -> Option<Ending> {
    match action {
        Some(action @ Action::LoseAnswer) => {
            call.ended(&format!("{outcome}; fault: {action}"), Ended::Broken);
            Some(Ending::Broken)
        }
        Some(Action::HangAnswer) => {
            std::future::pending::<()>().await;
            None
        }
        _ => None,
    }
}

fn http_answer(status: u16, retry_after: Option<u32>) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = body::page(status, "text/plain", "a fault of the simulator\n");
    if let Some(seconds) = retry_after {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The status of a call, for the log.
fn outcome_of(status: &Status) -> String {
    format!("{} {}", status.code.name(), status.message)
}
