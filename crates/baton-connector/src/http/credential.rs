//! How requests prove who sends them.
//!
//! A credential is sent by the client, after all headers of the request, so it
//! appears in no log; its name does. Limits are counted per name.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderName};

use super::request::header_value;
use super::token::{SharedToken, TokenSource};
use crate::Secret;
use crate::error::{Error, Result};

/// A credential with a name; limits are counted per name.
#[derive(Clone)]
pub struct Credential {
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    /// The same header with every request.
    Fixed(AuthHeader),
    /// A bearer token that ends and is renewed.
    Renewed(Arc<SharedToken>),
}

/// The header that a request is sent with.
#[derive(Clone)]
pub(super) struct AuthHeader {
    pub header: HeaderName,
    pub value: HeaderValue,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// A bearer token: `Authorization: Bearer …`. The name appears in logs, the
    /// token nowhere.
    pub fn bearer(name: &str, token: &Secret) -> Result<Self> {
        Self::scheme(name, "Bearer", token)
    }

    /// A token with the scheme of the application, as in
    /// `Authorization: token …`.
    pub fn scheme(name: &str, scheme: &str, token: &Secret) -> Result<Self> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if scheme.is_empty() || !scheme.chars().all(is_word) {
            return Err(unusable(format!("the scheme of the {name} is not a word")));
        }
        Self::fixed(name, AUTHORIZATION, &format!("{scheme} {}", token.expose()))
    }

    /// A user and a password: `Authorization: Basic …`. Refused: a user with a
    /// colon, which would be read as another user.
    pub fn basic(name: &str, user: &str, password: &Secret) -> Result<Self> {
        if user.contains(':') {
            return Err(unusable(format!("the user of the {name} has a colon")));
        }
        let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
        Self::fixed(name, AUTHORIZATION, &format!("Basic {pair}"))
    }

    /// A secret in a header of its own, as in `Private-Token: …`.
    pub fn header(name: &str, header: HeaderName, secret: &Secret) -> Result<Self> {
        Self::fixed(name, header, secret.expose())
    }

    /// A bearer token that `source` gives and renews, once for all requests that
    /// need it. Clones share the token.
    pub fn renewed(name: &str, source: impl TokenSource + 'static) -> Self {
        Self {
            name: name.into(),
            kind: Kind::Renewed(Arc::new(SharedToken::new(name, Box::new(source)))),
        }
    }

    fn fixed(name: &str, header: HeaderName, value: &str) -> Result<Self> {
        let auth_header = AuthHeader::new(name, header, value)?;
        Ok(Self {
            name: name.into(),
            kind: Kind::Fixed(auth_header),
        })
    }
}

impl AuthHeader {
    /// Refused: a value with a control character, which the error does not
    /// repeat.
    pub(super) fn new(name: &str, header: HeaderName, value: &str) -> Result<Self> {
        let mut value = header_value(value).ok_or_else(|| Error::Build {
            what: format!("header `{header}`"),
            reason: "the credential has a control character",
        });
        if let Ok(value) = &mut value {
            value.set_sensitive(true);
        }
        value
            .map(|value| Self { header, value })
            .map_err(|error| error.during(format!("cannot use the {name}")))
    }
}

fn unusable(reason: String) -> Error {
    Error::Setting {
        setting: "the credential",
        reason,
    }
}
