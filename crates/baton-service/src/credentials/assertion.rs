//! The signed assertion by which a client proves who it is: a compact JWS.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use baton_crypto::{ClientId, ClientSecret};
use data_encoding::HEXLOWER;
use ring::signature::Ed25519KeyPair;
use serde::Serialize;

/// An assertion counts from so long before it is made until so long after.
const VALIDITY: Duration = Duration::from_mins(2);

/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 16;

/// The members in the order of the Go SDK.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    nonce: String,
}

/// The members in the order of the Go SDK.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    nbf: u64,
    iat: u64,
}

/// An assertion of the client `id`, made at `now`. `None` for a key that cannot sign,
/// which a key that was read is not.
pub(super) fn signed(
    id: &ClientId,
    secret: &ClientSecret,
    now: SystemTime,
    nonce: [u8; NONCE_BYTES],
) -> Option<String> {
    let since_epoch = |time: Option<SystemTime>| {
        let since = time?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    };
    let header = Header {
        alg: "EdDSA",
        kid: secret.key_id(),
        nonce: HEXLOWER.encode(&nonce),
    };
    let claims = Claims {
        iss: id.as_str(),
        sub: id.as_str(),
        // Never that of another host, at which the service is reached.
        aud: id.token_host_name(),
        exp: since_epoch(now.checked_add(VALIDITY))?,
        nbf: since_epoch(now.checked_sub(VALIDITY)).unwrap_or_default(),
        iat: since_epoch(Some(now)).unwrap_or_default(),
    };
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).ok()?);
    let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).ok()?);
    let signed = format!("{header}.{claims}");
    let key = Ed25519KeyPair::from_seed_unchecked(secret.expose_seed()).ok()?;
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    Some(format!("{signed}.{signature}"))
}
