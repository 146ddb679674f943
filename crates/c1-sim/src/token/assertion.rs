//! The assertion of a token request: a JWS in three parts, signed with the client's key.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::{ClientId, PublicKey};

/// From `nbf` to `exp`, in seconds.
const VALID_SECONDS: i64 = 240;
/// Length of a nonce in hexadecimal digits.
const NONCE_LENGTH: usize = 32;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    nonce: String,
    /// Present if the client's key has one.
    #[serde(default, rename = "kid")]
    _kid: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    nbf: i64,
    iat: i64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What an assertion is compared with.
pub(super) struct Expected<'a> {
    pub(super) client: &'a ClientId,
    pub(super) keys: &'a [PublicKey],
    pub(super) now: i64,
    pub(super) tolerance: Duration,
}

/// Why an assertion is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not an assertion of this protocol.
    Wrong(String),
    /// Its clock differs too much.
    Clock(String),
    /// No registered key signed it.
    Signature,
}

impl Refusal {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Wrong(text) | Self::Clock(text) => text.clone(),
            Self::Signature => "no registered key signed the assertion".to_owned(),
        }
    }
}

/// Checks an assertion; gives its nonce.
pub(super) fn check(assertion: &str, expected: &Expected<'_>) -> Result<String, Refusal> {
    let wrong = |text: String| Refusal::Wrong(text);
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        let count = parts.len();
        return Err(wrong(format!(
            "the assertion has {count} parts; expected 3"
        )));
    };
    let decode = |what: &str, part: &str| {
        let decoded = URL_SAFE_NO_PAD.decode(part);
        decoded.map_err(|_| Refusal::Wrong(format!("the {what} is not base64url")))
    };
    let parse = |what: &str, error: serde_json::Error| {
        Refusal::Wrong(format!("the {what} cannot be read: {error}"))
    };
    let read: Header = serde_json::from_slice(&decode("header", header)?)
        .map_err(|error| parse("header", error))?;
    if read.alg != "EdDSA" {
        return Err(wrong(format!("`alg` is `{}`; expected `EdDSA`", read.alg)));
    }
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if read.nonce.len() != NONCE_LENGTH || !read.nonce.bytes().all(is_hex) {
        let text = format!("the nonce has not {NONCE_LENGTH} lower-case hexadecimal digits");
        return Err(wrong(text));
    }
    let text: Claims = serde_json::from_slice(&decode("payload", claims)?)
        .map_err(|error| parse("payload", error))?;
    check_claims(&text, expected)?;
    let signature = decode("signature", signature)?;
    let signed = format!("{header}.{claims}");
    let signs = |key: &PublicKey| key.has_signed(signed.as_bytes(), &signature);
    if !expected.keys.iter().any(signs) {
        return Err(Refusal::Signature);
    }
    Ok(read.nonce)
}

fn check_claims(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refusal> {
    let wrong = |text: String| Err(Refusal::Wrong(text));
    let client = expected.client.as_str();
    for (name, value) in [("iss", &claims.iss), ("sub", &claims.sub)] {
        if value != client {
            return wrong(format!("`{name}` is `{value}`; expected `{client}`"));
        }
    }
    let audience = match &claims.aud {
        Audience::One(one) => Some(one),
        Audience::Many(many) if many.len() == 1 => many.first(),
        Audience::Many(_) => None,
    };
    let host = expected.client.audience();
    if audience.is_none_or(|audience| audience != host) {
        return wrong(format!("`aud` is {:?}; expected `{host}`", claims.aud));
    }
    let valid = claims.exp.saturating_sub(claims.nbf);
    if valid != VALID_SECONDS {
        return wrong(format!(
            "from `nbf` to `exp` are {valid} s; expected {VALID_SECONDS} s"
        ));
    }
    if claims.iat.saturating_sub(claims.nbf) != VALID_SECONDS / 2 {
        return wrong("`iat` is not in the middle of `nbf` and `exp`".to_owned());
    }
    let tolerance = i64::try_from(expected.tolerance.as_secs()).unwrap_or(i64::MAX);
    let now = expected.now;
    if claims.nbf > now.saturating_add(tolerance) || claims.exp < now.saturating_sub(tolerance) {
        let off = claims.iat.saturating_sub(now);
        return Err(Refusal::Clock(format!(
            "the client's clock is off by {off} s"
        )));
    }
    Ok(())
}
