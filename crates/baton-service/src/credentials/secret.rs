//! Where the client secret comes from. It may change while the program runs.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use baton_crypto::ClientSecret;

use super::error::CredentialError;

/// Gives the client secret as it is now.
pub trait ClientSecretSource: fmt::Debug + Send + Sync {
    /// Reads it. It may block, as reading a file does.
    ///
    /// # Errors
    /// It cannot be read, or has another form. The error must not hold it.
    fn read(&self) -> Result<ClientSecret, Box<dyn StdError + Send + Sync>>;
}

/// A client secret that does not change: the text of one.
#[derive(Clone)]
pub struct FixedSecret(baton_connector::Secret);

impl FixedSecret {
    /// The secret with this text, which is read later.
    pub fn new(text: baton_connector::Secret) -> Self {
        Self(text)
    }
}

impl fmt::Debug for FixedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FixedSecret([redacted])")
    }
}

impl ClientSecretSource for FixedSecret {
    fn read(&self) -> Result<ClientSecret, Box<dyn StdError + Send + Sync>> {
        Ok(ClientSecret::parse(self.0.expose())?)
    }
}

pub(super) fn read(source: &dyn ClientSecretSource) -> Result<Arc<ClientSecret>, CredentialError> {
    let read = source.read();
    Ok(Arc::new(
        read.map_err(|error| CredentialError::Secret(error.into()))?,
    ))
}

/// Whether both are the same key under the same name.
pub(super) fn are_equal(a: &ClientSecret, b: &ClientSecret) -> bool {
    a.expose_seed() == b.expose_seed() && a.key_id() == b.key_id()
}
