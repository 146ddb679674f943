//! OAuth 2 client credentials (RFC 6749, 4.4).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use url::{Url, form_urlencoded};

use super::client::CallClient;
use super::credential::Credential;
use super::fields::{Fields, InvalidValues};
use super::request::Request;
use super::token::{Token, TokenSource};
use crate::Secret;
use crate::error::Result;

/// Gets tokens for a client id and its secret.
///
/// ```
/// use baton_connector::Secret;
/// use baton_connector::http::{ClientCredentials, Credential};
///
/// # fn example(base: &url::Url, secret: &Secret) -> Credential {
/// let source = ClientCredentials::new(base, "/oauth/token", "my-client", secret)
///     .param("scope", "users:read");
/// Credential::renewed("access token", source)
/// # }
/// ```
#[derive(Clone)]
pub struct ClientCredentials {
    base: Url,
    path: &'static str,
    id: String,
    secret: Secret,
    params: Vec<(String, String)>,
    in_body: bool,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl ClientCredentials {
    /// Tokens come from `path` below `base`; the client proves itself with HTTP
    /// basic authentication.
    pub fn new(base: &Url, path: &'static str, id: &str, secret: &Secret) -> Self {
        Self {
            base: base.clone(),
            path,
            id: id.to_owned(),
            secret: secret.clone(),
            params: Vec::new(),
            in_body: false,
        }
    }

    /// A further parameter of the request, such as `scope` or `audience`.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends id and secret in the form and not as a header, for servers that
    /// want it so.
    #[must_use]
    pub fn in_body(mut self) -> Self {
        self.in_body = true;
        self
    }

    fn request(&self) -> Result<Request> {
        let mut pairs = vec![("grant_type", "client_credentials")];
        let own = self.params.iter();
        pairs.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
        // An unused token does no harm, so the request may be repeated.
        let request = Request::post(&self.base, self.path, &[])?.idempotent(true);
        if self.in_body {
            pairs.push(("client_id", &self.id));
            pairs.push(("client_secret", self.secret.expose()));
            return Ok(request.form(pairs));
        }
        // Both are form-encoded first (RFC 6749, 2.3.1).
        let encoded =
            |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let user = encoded(&self.id);
        let password = Secret::new(encoded(self.secret.expose()));
        let credential = Credential::basic("client secret", &user, &password)?;
        Ok(request.form(pairs).credential(&credential))
    }
}

#[async_trait]
impl TokenSource for ClientCredentials {
    fn endpoint(&self) -> String {
        match self.request() {
            Ok(request) => request.target(),
            Err(_) => self.path.to_owned(),
        }
    }

    async fn token(&self, client: &CallClient) -> Result<Token> {
        let response = client.send(&self.request()?).await?;
        // Errors name places and kinds of values, never values.
        let document = response.document()?;
        let invalid = InvalidValues::default();
        let read = || {
            let answer = Fields::of(document.root(), String::new(), &invalid)?;
            let value = Secret::new(answer.id("access_token")?);
            let kind = answer.text("token_type");
            if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
                return Err(answer.field_error("token_type", "it is not `bearer`"));
            }
            let text = |name| answer.text(name)?.trim().parse().ok();
            let seconds = answer.count("expires_in").or_else(|| text("expires_in"));
            Ok(Token {
                value,
                // Zero means that the server does not say.
                lifetime: seconds.filter(|s| *s > 0).map(Duration::from_secs),
            })
        };
        read().map_err(|error| response.field_error(&error))
    }
}
