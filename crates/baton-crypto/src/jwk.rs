//! JSON web keys: parsed, reduced to their public part, and identified.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Smallest RSA key, in bits.
const MIN_RSA_BITS: usize = 2048;
/// Largest RSA key, in bits: that of the `age` crate.
const MAX_RSA_BITS: usize = 4096;
/// Longest JWK that is parsed.
const MAX_JSON_BYTES: usize = 64 << 10;

/// A curve of the NIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    pub(crate) const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// The public part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Ed25519([u8; 32]),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
}

/// A private key. It does not print.
pub(crate) enum PrivateKey {
    Ed25519 {
        seed: Zeroizing<[u8; 32]>,
        public: [u8; 32],
    },
    Rsa(Box<RsaParts>),
    Ec {
        curve: Curve,
        d: Zeroizing<Vec<u8>>,
    },
}

/// The numbers of a private RSA key.
pub(crate) struct RsaParts {
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    pub d: Zeroizing<Vec<u8>>,
    pub p: Zeroizing<Vec<u8>>,
    pub q: Zeroizing<Vec<u8>>,
    pub qi: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey([redacted])")
    }
}

/// The members of a JWK that are read. No debug form: `d` is a secret.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Members {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    y: String,
    n: String,
    e: String,
    d: Zeroizing<String>,
    p: Zeroizing<String>,
    q: Zeroizing<String>,
    qi: Zeroizing<String>,
}

fn not_jwk(reason: impl Into<String>) -> Error {
    Error::NotJwk {
        reason: reason.into(),
    }
}

fn members(json: &[u8]) -> Result<Members> {
    if json.len() > MAX_JSON_BYTES {
        return Err(not_jwk("it is too long"));
    }
    serde_json::from_slice(json).map_err(|error| {
        // The words of the SDK. The parser's own could quote a private key.
        if error.is_eof() {
            return not_jwk("unexpected end of JSON input");
        }
        not_jwk(format!(
            "not a JSON object of texts, at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}

fn bytes(name: &str, text: &str) -> Result<Vec<u8>> {
    if text.is_empty() {
        return Err(not_jwk(format!("member `{name}` is missing")));
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| not_jwk(format!("member `{name}` is not base64url")))
}

fn sized<const N: usize>(name: &str, text: &str) -> Result<[u8; N]> {
    let bytes = Zeroizing::new(bytes(name, text)?);
    bytes
        .as_slice()
        .try_into()
        .map_err(|_| not_jwk(format!("member `{name}` does not have {N} bytes")))
}

/// A number without leading zeros.
fn number(name: &str, text: &str) -> Result<Vec<u8>> {
    let bytes = Zeroizing::new(bytes(name, text)?);
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}

fn curve(name: &str) -> Result<Curve> {
    let found = Curve::ALL.into_iter().find(|curve| curve.name() == name);
    found.ok_or(Error::KeyType)
}

/// A coordinate or a private number of a curve, in its full length.
fn of_curve(curve: Curve, name: &str, text: &str) -> Result<Vec<u8>> {
    let bytes = bytes(name, text)?;
    if bytes.len() == curve.size() {
        Ok(bytes)
    } else {
        Err(not_jwk(format!(
            "member `{name}` does not have {} bytes",
            curve.size()
        )))
    }
}

impl PublicKey {
    /// The key in a JWK, public or private.
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        Self::of(&members(json)?)
    }

    fn of(jwk: &Members) -> Result<Self> {
        match (jwk.kty.as_str(), jwk.crv.as_str()) {
            ("OKP", "Ed25519") => Ok(Self::Ed25519(sized("x", &jwk.x)?)),
            ("RSA", _) => {
                let (n, e) = (number("n", &jwk.n)?, number("e", &jwk.e)?);
                let bits = n.len() * 8 - n.first().map_or(0, |b| b.leading_zeros() as usize);
                if bits < MIN_RSA_BITS {
                    return Err(Error::Recipient {
                        reason: "the RSA key has less than 2048 bits",
                    });
                }
                if bits > MAX_RSA_BITS {
                    return Err(Error::Recipient {
                        reason: "the RSA key has more than 4096 bits",
                    });
                }
                Ok(Self::Rsa { n, e })
            }
            ("EC", name) => {
                let curve = curve(name)?;
                Ok(Self::Ec {
                    curve,
                    x: of_curve(curve, "x", &jwk.x)?,
                    y: of_curve(curve, "y", &jwk.y)?,
                })
            }
            ("", _) => Err(not_jwk("member `kty` is missing")),
            _ => Err(Error::KeyType),
        }
    }

    /// The id of the key: its thumbprint (RFC 7638) in lower-case hex.
    pub(crate) fn id(&self) -> String {
        hex(&Sha256::digest(self.to_json()))
    }

    /// The JWK of the public part, in the form whose hash is the thumbprint.
    pub(crate) fn to_json(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
            Self::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
            }
            Self::Ec { curve, x, y } => format!(
                r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
                curve.name(),
                text(x),
                text(y)
            ),
        }
    }
}

impl PrivateKey {
    /// The private key in a JWK, and its id.
    pub(crate) fn parse(json: &[u8]) -> Result<(Self, String)> {
        let jwk = members(json)?;
        let public = PublicKey::of(&jwk)?;
        let id = public.id();
        let key = match public {
            PublicKey::Ed25519(public) => Self::Ed25519 {
                seed: Zeroizing::new(sized("d", &jwk.d)?),
                public,
            },
            PublicKey::Rsa { n, e } => {
                let secret = |name, text: &str| number(name, text).map(Zeroizing::new);
                Self::Rsa(Box::new(RsaParts {
                    n,
                    e,
                    d: secret("d", &jwk.d)?,
                    p: secret("p", &jwk.p)?,
                    q: secret("q", &jwk.q)?,
                    qi: secret("qi", &jwk.qi)?,
                }))
            }
            PublicKey::Ec { curve, .. } => Self::Ec {
                curve,
                d: Zeroizing::new(of_curve(curve, "d", &jwk.d)?),
            },
        };
        Ok((key, id))
    }
}

/// The `kid` of a JWK, or nothing.
pub(crate) fn key_id_member(json: &[u8]) -> Result<Option<String>> {
    let kid = members(json)?.kid;
    Ok((!kid.is_empty()).then_some(kid))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_thumbprint_of_rfc_7638() {
        let json = br#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        let key = PublicKey::parse(json).unwrap();
        // NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs, as the RFC gives it.
        let expected = URL_SAFE_NO_PAD
            .decode("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
            .unwrap();
        assert_eq!(key.id(), hex(&expected));
        assert_eq!(key_id_member(json).unwrap().as_deref(), Some("2011-04-29"));
    }

    #[test]
    fn a_private_key_and_its_public_part_have_one_id() {
        // RFC 8037, appendix A.
        let private = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let (_, id) = PrivateKey::parse(private).unwrap();
        assert_eq!(PublicKey::parse(private).unwrap().id(), id);
        let thumbprint = URL_SAFE_NO_PAD
            .decode("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
            .unwrap();
        assert_eq!(id, hex(&thumbprint));
    }

    #[test]
    fn wrong_keys_are_refused_and_no_error_quotes_them() {
        let secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
        for (json, expected) in [
            (
                "",
                "jwk: failed to unmarshal jwk: unexpected end of JSON input",
            ),
            (
                "{",
                "jwk: failed to unmarshal jwk: unexpected end of JSON input",
            ),
            ("[]", "jwk: failed to unmarshal jwk"),
            ("{}", "member `kty` is missing"),
            (r#"{"kty":"oct","k":"AAAA"}"#, "jwk: unsupported key type"),
            (
                r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#,
                "jwk: unsupported key type",
            ),
            (r#"{"kty":"OKP","crv":"Ed25519"}"#, "member `x` is missing"),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#,
                "does not have 32 bytes",
            ),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"AA=="}"#,
                "is not base64url",
            ),
            (
                r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#,
                "does not have 32 bytes",
            ),
            (
                r#"{"kty":"EC","crv":"secp256k1"}"#,
                "jwk: unsupported key type",
            ),
            (
                r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
                "less than 2048 bits",
            ),
            (r#"{"kty":7}"#, "jwk: failed to unmarshal jwk"),
        ] {
            let error = PublicKey::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        let broken = format!(r#"{{"kty":"OKP","crv":"Ed25519","d":"{secret}","x":7}}"#);
        let error = PrivateKey::parse(broken.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("nWGxne"));
    }
}
