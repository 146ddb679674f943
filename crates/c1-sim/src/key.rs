//! The key of a client, in the form that clients get it: the client secret.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::json;

use crate::Error;

/// Bytes of a seed, and of a public key.
const KEY_BYTES: usize = 32;
/// The first three of the four parts of a client secret.
const SECRET_START: &str = "secret-token:conductorone.com:v1:";

/// A public key that signs for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(message, signature).is_ok()
    }
}

/// A private key of a client. It does not print.
#[derive(Clone)]
pub struct ClientKey {
    seed: [u8; KEY_BYTES],
    public: PublicKey,
}

impl ClientKey {
    /// The key of a seed.
    ///
    /// # Errors
    /// The seed is not one of Ed25519.
    pub fn from_seed(seed: [u8; KEY_BYTES]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Error::Key)?;
        let public = pair.public_key().as_ref();
        let public = public.try_into().map_err(|_| Error::Key)?;
        Ok(Self {
            seed,
            public: PublicKey(public),
        })
    }

    /// The key in a client secret.
    ///
    /// # Errors
    /// The text is not a client secret with an Ed25519 key.
    pub fn from_client_secret(secret: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Jwk {
            d: String,
        }
        let mut parts = secret.trim().splitn(4, ':').skip(2);
        let (Some("v1"), Some(payload)) = (parts.next(), parts.next()) else {
            return Err(Error::Key);
        };
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Key);
        let jwk: Jwk = serde_json::from_slice(&decode(payload)?).map_err(|_| Error::Key)?;
        let seed = decode(&jwk.d)?.try_into().map_err(|_| Error::Key)?;
        Self::from_seed(seed)
    }

    /// The key in the form of `BATON_CLIENT_SECRET`.
    pub fn client_secret(&self) -> String {
        let jwk = json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": URL_SAFE_NO_PAD.encode(self.public.0),
            "d": self.encoded_seed(),
        });
        let jwk = URL_SAFE_NO_PAD.encode(jwk.to_string());
        format!("{SECRET_START}{jwk}")
    }

    /// The seed as it is in the JWK: a text that must be in no request.
    pub(crate) fn encoded_seed(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.seed)
    }

    /// Its public part.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message, as a client does.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.seed).map_err(|_| Error::Key)?;
        Ok(pair.sign(message).as_ref().to_vec())
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientKey");
        shown.field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_form_of_a_client_secret() {
        let key = ClientKey::from_seed([7; 32]).unwrap();
        let secret = key.client_secret();
        let read = ClientKey::from_client_secret(&format!("{secret}\n")).unwrap();
        assert_eq!(read.public(), key.public());
        let signature = read.sign(b"message").unwrap();
        assert!(key.public().has_signed(b"message", &signature));
        assert!(!key.public().has_signed(b"other", &signature));
        assert!(!format!("{key:?}").contains(&key.encoded_seed()));
        for wrong in ["", "a:b:v2:c", "a:b:v1:!", "a:b:v1:e30", &secret[..60]] {
            assert!(ClientKey::from_client_secret(wrong).is_err(), "{wrong}");
        }
    }
}
