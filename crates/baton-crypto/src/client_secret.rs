//! The client secret of a service, and what only it decrypts
//! (`service-mode.md` §1.2, §5.3).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::jwk::{PrivateKey, key_id_member};
use crate::plaintext::Hidden;
use crate::{jwe, ssh};

/// A private key that decrypts what was encrypted to its public part. It does
/// not print.
pub struct DecryptionKey {
    key: PrivateKey,
    id: String,
}

impl DecryptionKey {
    /// The private key in a JWK.
    ///
    /// # Errors
    /// A JWK that is not one, or not private.
    pub fn of_jwk(json: &[u8]) -> Result<Self> {
        let (key, id) = PrivateKey::parse(json)?;
        Ok(Self { key, id })
    }

    /// The id of the key: the thumbprint of its public part.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Decrypts the bytes of an `EncryptedData` of the JWK family.
    ///
    /// # Errors
    /// [`Error::Decrypt`]: another key, or damaged data.
    pub fn decrypt(&self, encrypted_bytes: &[u8]) -> Result<Hidden<Vec<u8>>> {
        let bytes = STANDARD
            .decode(encrypted_bytes)
            .map_err(|_| Error::Decrypt)?;
        if let PrivateKey::Ec { curve, d } = &self.key {
            return jwe::decrypt(*curve, d, &bytes).map(Hidden::from);
        }
        let file = ssh::private_file(&self.key).ok_or(Error::Decrypt)?;
        let identity = age::ssh::Identity::from_buffer(file.as_bytes(), None);
        let identity = identity.map_err(|_| Error::Decrypt)?;
        let plain = age::decrypt(&identity, &bytes).map_err(|_| Error::Decrypt)?;
        Ok(Zeroizing::new(plain).into())
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A client secret: the private key that a service proves itself with.
pub struct ClientSecret {
    seed: Zeroizing<[u8; 32]>,
    key_id: Option<String>,
    decryption: DecryptionKey,
}

impl ClientSecret {
    /// Reads `<p0>:<p1>:v1:<base64url of a private Ed25519 JWK>`.
    ///
    /// # Errors
    /// [`Error::ClientSecret`] for every other form.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).ok_or(Error::ClientSecret)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':').skip(2);
        if parts.next()? != "v1" {
            return None;
        }
        let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?);
        let decryption = DecryptionKey::of_jwk(&json).ok()?;
        let PrivateKey::Ed25519 { seed, .. } = &decryption.key else {
            return None;
        };
        Some(Self {
            seed: seed.clone(),
            key_id: key_id_member(&json).ok()?,
            decryption,
        })
    }

    /// The private key's 32 bytes. Calls of this method are the places to
    /// review.
    pub fn expose_seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The `kid` of the JWK, if it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The id that encrypted passwords name: the `kid` of the JWK, or its
    /// thumbprint.
    pub fn recipient_id(&self) -> &str {
        self.key_id().unwrap_or_else(|| self.decryption.id())
    }

    /// The key as one that decrypts.
    pub fn decryption(&self) -> &DecryptionKey {
        &self.decryption
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret([redacted])")
    }
}
