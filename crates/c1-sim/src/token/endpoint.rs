//! `POST /auth/v1/token`: from a request to an answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::json;

use super::RENEWED_BEFORE_END;
use super::assertion::{self, Expected, Refusal};
use crate::clock::http_date;
use crate::faults::Action;
use crate::state::State;

/// The path of the endpoint.
pub(crate) const PATH: &str = "/auth/v1/token";

const FORM: &str = "application/x-www-form-urlencoded";
const USER_AGENT: &str = "baton-c1-credential-provider";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An answer, and how the log shows it.
pub(crate) struct TokenAnswer {
    pub(crate) response: Response<Bytes>,
    pub(crate) outcome: String,
}

/// Answers a request for a token.
pub(crate) fn answer(state: &mut State, number: u64, request: &Request<Bytes>) -> TokenAnswer {
    if request.method() != Method::POST {
        return plain(state, StatusCode::METHOD_NOT_ALLOWED, "POST only");
    }
    if request.uri().path() != PATH {
        return plain(state, StatusCode::NOT_FOUND, "no such path");
    }
    let refused = match check(state, number, request) {
        Ok(()) => None,
        Err((status, error, text, is_wrong)) => {
            if is_wrong {
                state.complain(number, text.clone());
            }
            Some((status, error, text))
        }
    };
    if let Some(Action::TokenBody { status, body }) = state.action(number) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return given(state, status, body, "a scripted body");
    }
    if let Some((status, error, text)) = refused {
        let body = json!({ "error": error }).to_string();
        return given(state, status, body, &text);
    }
    let now = state.elapsed();
    if let Some(left) = state.tokens.still_valid(now)
        && left > RENEWED_BEFORE_END
    {
        let seconds = left.as_secs();
        let text = format!("a token is requested while the last one is valid for {seconds} s");
        state.complain_of_early_token(number, text);
    }
    let body = json!({
        "access_token": state.tokens.next_text(),
        "token_type": "Bearer",
        "expires_in": state.config.token_lifetime.as_secs(),
    });
    given(state, StatusCode::OK, body.to_string(), "a token")
}

type Refused = (StatusCode, &'static str, String, bool);

/// What is wrong with a request, and whether the client could know.
fn check(state: &mut State, number: u64, request: &Request<Bytes>) -> Result<(), Refused> {
    let invalid = |text: String| {
        let status = StatusCode::BAD_REQUEST;
        Err((status, "invalid_request", text, true))
    };
    let text_of = |name| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    if !text_of(header::USER_AGENT).starts_with(USER_AGENT) {
        state.complain(
            number,
            format!("the user agent does not begin with `{USER_AGENT}`"),
        );
    }
    let content_type = text_of(header::CONTENT_TYPE);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type != FORM {
        return invalid(format!(
            "the content type is `{content_type}`; expected `{FORM}`"
        ));
    }
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(request.body()) {
        let (name, value) = (name.into_owned(), value.into_owned());
        if fields.insert(name.clone(), value).is_some() {
            return invalid(format!("the field `{name}` occurs twice"));
        }
    }
    let mut take = |name: &str| fields.remove(name).unwrap_or_default();
    let id = take("client_id");
    let grant = take("grant_type");
    let kind = take("client_assertion_type");
    let assertion = take("client_assertion");
    if let Some(name) = fields.keys().next() {
        return invalid(format!("unexpected field `{name}`"));
    }
    for (name, value, expected) in [
        ("grant_type", grant.as_str(), "client_credentials"),
        ("client_assertion_type", kind.as_str(), ASSERTION_TYPE),
    ] {
        if value != expected {
            return invalid(format!("`{name}` is `{value}`; expected `{expected}`"));
        }
    }
    let config = &state.config;
    let refused = |text: String, is_wrong| {
        let status = StatusCode::UNAUTHORIZED;
        (status, "invalid_client", text, is_wrong)
    };
    let client = config.client.as_str();
    if id != client {
        let text = format!("`client_id` is `{id}`; expected `{client}`");
        return Err(refused(text, true));
    }
    let expected = Expected {
        client: &config.client,
        keys: &config.keys,
        now: config.clock.now().as_second(),
        tolerance: config.skew_tolerance,
    };
    let nonce = assertion::check(&assertion, &expected).map_err(|refusal| {
        // A clock that is off and a key that was revoked are not mistakes of the client.
        refused(refusal.text(), matches!(refusal, Refusal::Wrong(_)))
    })?;
    if !state.tokens.nonces.insert(nonce) {
        return Err(refused("the nonce was used before".to_owned(), true));
    }
    Ok(())
}

fn given(state: &mut State, status: StatusCode, body: String, outcome: &str) -> TokenAnswer {
    let now = state.elapsed();
    if status == StatusCode::OK {
        state.tokens.record(body.as_bytes(), now);
    }
    let mut answer = plain(state, status, outcome);
    let json = HeaderValue::from_static("application/json");
    let headers = answer.response.headers_mut();
    headers.insert(header::CONTENT_TYPE, json);
    *answer.response.body_mut() = body.into();
    answer
}

fn plain(state: &State, status: StatusCode, outcome: &str) -> TokenAnswer {
    let mut response = Response::new(Bytes::from(format!("{outcome}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::from_str(&http_date(state.config.clock.now())) {
        headers.insert(header::DATE, date);
    }
    TokenAnswer {
        response,
        outcome: format!("{} {outcome}", status.as_u16()),
    }
}
