//! Reads what the service answers to a request for a token.

use std::time::{Duration, SystemTime};

use baton_connector::Secret;
use baton_connector::http::{BodyStream, retry_after, server_date};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;
use zeroize::Zeroizing;

use super::error::{ClockSkew, TokenFault};

/// Largest answer that is read.
const MAX_BYTES: usize = 64 * 1024;
/// Longest code of an error that is shown.
const MAX_REASON_BYTES: usize = 64;

/// A token, and how long it lives from now on.
#[derive(Debug)]
pub(super) struct Token {
    /// The value of `authorization`, marked as sensitive.
    pub(super) header: HeaderValue,
    /// The token itself.
    pub(super) value: Secret,
    pub(super) lifetime: Duration,
}

/// Why an answer has no token.
#[derive(Debug)]
pub(super) enum NoToken {
    Refused {
        status: u16,
        reason: Option<String>,
        skew: Option<ClockSkew>,
    },
    Fault {
        fault: TokenFault,
        retry_after: Option<Duration>,
    },
}

impl From<TokenFault> for NoToken {
    fn from(fault: TokenFault) -> Self {
        Self::Fault {
            fault,
            retry_after: None,
        }
    }
}

/// The token in an answer that came at `now`.
pub(super) async fn read(
    answer: http::Response<BodyStream>,
    now: SystemTime,
) -> Result<Token, NoToken> {
    let (head, body) = answer.into_parts();
    let status = head.status.as_u16();
    match head.status {
        StatusCode::OK => {
            token(&whole(body).await?).map_err(|what| TokenFault::NotToken(what).into())
        }
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            // The body only adds to the message.
            let body = whole(body).await.unwrap_or_default();
            Err(NoToken::Refused {
                status,
                reason: reason(&body),
                skew: skew(&head.headers, now),
            })
        }
        _ => Err(NoToken::Fault {
            fault: TokenFault::Status(status),
            retry_after: retry_after(&head.headers, now),
        }),
    }
}

async fn whole(mut body: BodyStream) -> Result<Zeroizing<Vec<u8>>, TokenFault> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(TokenFault::Transport)?;
        if bytes.len() + piece.len() > MAX_BYTES {
            return Err(TokenFault::TooLarge(MAX_BYTES));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Zeroizing::new(bytes.into()))
}

/// Reads a token strictly: names of members by letter case, numbers as integers. The
/// texts hold nothing of the body.
fn token(body: &[u8]) -> Result<Token, &'static str> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Err("it is not a JSON object");
    };
    let text = |name, wrong| match members.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(wrong),
    };
    let value = text("access_token", "`access_token` is not text")?;
    if value.is_empty() {
        return Err("`access_token` is missing or empty");
    }
    let kind = text("token_type", "`token_type` is not text")?;
    let seconds = match members.get("expires_in") {
        None | Some(Value::Null) => 0,
        Some(Value::Number(number)) => match (number.as_u64(), number.as_i64()) {
            (Some(seconds), _) => seconds,
            (None, Some(_)) => 0,
            (None, None) => return Err("`expires_in` is not an integer"),
        },
        Some(_) => return Err("`expires_in` is not an integer"),
    };
    let header = Zeroizing::new(format!("{} {value}", scheme(kind)));
    let mut header =
        HeaderValue::from_str(&header).map_err(|_| "the token has characters of no header")?;
    header.set_sensitive(true);
    Ok(Token {
        header,
        value: Secret::new(value),
        lifetime: Duration::from_secs(seconds),
    })
}

/// The word before the token: known types in their usual form.
fn scheme(kind: &str) -> &str {
    let known = ["Bearer", "MAC", "Basic"];
    if kind.is_empty() {
        return "Bearer";
    }
    let known = known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(kind));
    known.unwrap_or(kind)
}

/// The code in the answer to a request that was refused, as `invalid_client` is one.
fn reason(body: &[u8]) -> Option<String> {
    let members: Value = serde_json::from_slice(body).ok()?;
    let code = members.get("error")?.as_str()?;
    let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_fine = !code.is_empty() && code.len() <= MAX_REASON_BYTES && code.chars().all(is_code);
    is_fine.then(|| code.to_owned())
}

fn skew(headers: &HeaderMap, now: SystemTime) -> Option<ClockSkew> {
    ClockSkew::between(now, server_date(headers)?)
}
