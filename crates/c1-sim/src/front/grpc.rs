//! One call of gRPC: authorization and faults around the service.

use baton_grpc::Status;
use baton_proto::Code;
use http::{HeaderName, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;

use super::body::{self, Body};
use super::{Ending, Recorded, after, before, outcome_of};
use crate::Call;
use crate::faults::Action;
use crate::service::NUMBER;
use crate::simulator::Simulator;
use crate::state::{Ended, State};

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The beginning of the paths.
const SERVICE: &str = "/c1.connectorapi.baton.v1.BatonService/";

/// The call of a path.
pub(super) fn call_of(path: &str) -> Option<Call> {
    let name = path.strip_prefix(SERVICE)?;
    Call::named(name).filter(|call| *call != Call::Token)
}

/// Serves a call.
pub(super) async fn serve(
    simulator: &Simulator,
    call: Call,
    mut request: Request<Incoming>,
    connection: &CancellationToken,
    goaway: &CancellationToken,
) -> Ending {
    let recorded = Recorded::begin(&simulator.shared, call, connection);
    if let Err(status) = authorize(simulator, &recorded, &request) {
        recorded.ended(&outcome_of(&status), Ended::Status(status.code));
        return Ending::Answer(body::status(&status));
    }
    if call == Call::Heartbeat && recorded.action() == Some(Action::Hang) {
        // What follows it is awaited no longer than after one that is answered.
        simulator.shared.change(State::heartbeat_unread);
    }
    let (action, ending) = before(&recorded).await;
    if let Some(ending) = ending {
        if call == Call::Heartbeat {
            simulator.shared.change(State::heartbeat_unread);
        }
        return ending;
    }
    if let Some(response) = action.as_ref().and_then(instead) {
        let action = action.map(|action| action.to_string()).unwrap_or_default();
        if call == Call::Heartbeat {
            simulator.shared.change(State::heartbeat_unread);
        }
        recorded.ended(&format!("fault: {action}"), Ended::Broken);
        return Ending::Answer(response);
    }
    let number = HeaderValue::from(recorded.number);
    request.headers_mut().insert(NUMBER, number);
    let response = simulator.server.answer(request).await;
    let (status, text) = status_of(&response);
    if status == Some(Code::InvalidArgument) && text.starts_with("invalid ") {
        let text = format!("the request breaks a rule: {text}");
        simulator
            .shared
            .change(|state| state.complain(recorded.number, text));
    }
    let outcome = match status {
        None | Some(Code::Ok) => "OK".to_owned(),
        Some(code) => format!("{} {text}", code.name()),
    };
    if let Some(ending) = after(action.as_ref(), &recorded, &outcome).await {
        return ending;
    }
    let response = if status.is_none() {
        substituted(simulator, &recorded, action.as_ref()).unwrap_or(response)
    } else {
        response
    };
    if matches!(action, Some(Action::GoAway)) {
        goaway.cancel();
    }
    let ended = match status {
        None | Some(Code::Ok) => Ended::Success,
        Some(code) => Ended::Status(code),
    };
    recorded.ended(&outcome, ended);
    Ending::Answer(response)
}

/// Token and user agent of a call.
fn authorize(
    simulator: &Simulator,
    call: &Recorded,
    request: &Request<Incoming>,
) -> Result<(), Status> {
    let text_of = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let agent = text_of(header::USER_AGENT).unwrap_or_default();
    let authorization = text_of(header::AUTHORIZATION);
    let timeout = text_of(TIMEOUT).map(str::to_owned);
    simulator.shared.change(|state| {
        if timeout.is_none() && state.config.require_deadlines {
            state.complain(call.number, "the call has no deadline");
        }
        if let Some(live) = state.live(call.number) {
            live.timeout = timeout;
        }
        let name = state.config.client.name();
        if !agent
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(' '))
        {
            let text = format!("the user agent does not begin with `{name} `");
            state.complain(call.number, text);
        }
        let now = state.elapsed();
        if let Some(Action::ExpireToken) = state.action(call.number) {
            state.tokens.revoke(authorization.unwrap_or_default());
        }
        state.tokens.check(authorization, now).map_err(|refused| {
            if refused.is_wrong() {
                state.complain(call.number, refused.text());
            }
            // A client that reads this asks for another token.
            state.tokens.revoke(authorization.unwrap_or_default());
            Status::new(Code::Unauthenticated, refused.text())
        })
    })
}

/// What is answered instead of carrying out the call.
fn instead(action: &Action) -> Option<Response<Body>> {
    match action {
        Action::Garbage(bytes) => Some(body::message(bytes)),
        Action::Huge(bytes) => Some(body::huge(*bytes)),
        Action::WrongService => {
            let text = "unknown service c1.connectorapi.baton.v1.BatonService";
            let status = Status::new(Code::Unimplemented, text);
            Some(body::status(&status))
        }
        _ => None,
    }
}

/// The answer in the bytes that the handler or a fault decided.
fn substituted(
    simulator: &Simulator,
    call: &Recorded,
    action: Option<&Action>,
) -> Option<Response<Body>> {
    if let Some(Action::Message(message)) = action {
        return Some(body::message(message));
    }
    let message = simulator
        .shared
        .change(|state| state.live(call.number)?.message.take());
    message.map(|message| body::message(&message))
}

/// The status of an answer that has no message.
fn status_of(response: &Response<Body>) -> (Option<Code>, String) {
    let text = |name| {
        let value = response.headers().get(name)?;
        value.to_str().ok()
    };
    let code = text("grpc-status").and_then(|code| Code::from_number(code.parse().ok()?));
    let message = text("grpc-message").unwrap_or_default();
    (
        code,
        percent_decode_str(message).decode_utf8_lossy().into_owned(),
    )
}
