//! Secrets as types: they do not print, and their memory is overwritten.

use std::fmt;

use baton_proto::c1::connector::v2;
use zeroize::{Zeroize, Zeroizing};

/// A value that no format string shows, and that is overwritten when it is
/// dropped.
///
/// ```
/// let password = baton_crypto::password::random(20, &[])?;
/// assert_eq!(format!("{password:?}"), "[redacted]");
/// assert_eq!(password.expose().len(), 20);
/// # Ok::<(), baton_crypto::Error>(())
/// ```
pub struct Hidden<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Hidden<T> {
    /// The value itself. Calls of this method are the places to review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<Zeroizing<T>> for Hidden<T> {
    fn from(value: Zeroizing<T>) -> Self {
        Self(value)
    }
}

impl<T: Zeroize> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A secret with its name. Neither its debug form nor anything else prints the
/// value, which is overwritten when it is dropped.
pub struct Plaintext {
    name: String,
    description: String,
    schema: String,
    value: Zeroizing<Vec<u8>>,
}

impl Plaintext {
    /// A secret called `name`, such as `password`.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            schema: String::new(),
            value: Zeroizing::new(value.into()),
        }
    }

    /// Adds what the secret is for; it is not encrypted.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// Adds the form of the value; it is not encrypted.
    #[must_use]
    pub fn schema(mut self, text: impl Into<String>) -> Self {
        self.schema = text.into();
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if the value has no bytes.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// The value. Calls of this method are the places to review.
    pub fn expose(&self) -> &[u8] {
        &self.value
    }

    /// The parts that stay readable, with the encrypted value.
    pub(crate) fn sealed(&self, encrypted: Vec<u8>) -> v2::EncryptedData {
        v2::EncryptedData {
            name: self.name.clone(),
            description: self.description.clone(),
            schema: self.schema.clone(),
            encrypted_bytes: encrypted,
            ..v2::EncryptedData::default()
        }
    }
}

impl From<v2::PlaintextData> for Plaintext {
    fn from(data: v2::PlaintextData) -> Self {
        Self {
            name: data.name,
            description: data.description,
            schema: data.schema,
            value: Zeroizing::new(data.bytes),
        }
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plaintext")
            .field("name", &self.name)
            .field("value", &"[redacted]")
            .finish_non_exhaustive()
    }
}
