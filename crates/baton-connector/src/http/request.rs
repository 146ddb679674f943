//! What a connector asks for.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;
use url::Url;

use super::redact::is_hidden;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Headers that make a repetition harmless whatever the method.
const IDEMPOTENCY_KEYS: [&str; 2] = ["idempotency-key", "x-idempotency-key"];

/// A credential with a name; limits are counted per name.
#[derive(Debug, Clone)]
pub struct Credential {
    pub(super) name: Arc<str>,
    pub(super) header: HeaderValue,
}

impl Credential {
    /// A bearer token. The name appears in logs, the token nowhere.
    pub fn bearer(name: &str, token: &Secret) -> Result<Self> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            // The error of the header type could quote the token.
            .map_err(|_| Error::Setting {
                setting: "credential",
                reason: format!("`{name}` has characters that no header can carry"),
            })?;
        header.set_sensitive(true);
        Ok(Self {
            name: name.into(),
            header,
        })
    }
}

/// One request, to be sent as often as it takes. Its debug form shows neither
/// query nor headers.
#[must_use]
#[derive(Clone)]
pub struct Request {
    pub(super) endpoint: &'static str,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) credential: Option<Credential>,
    pub(super) idempotent: bool,
    pub(super) sensitive: bool,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target())
            .finish_non_exhaustive()
    }
}

impl Request {
    /// A request to an endpoint below a base URL.
    ///
    /// `template` is the endpoint's path with a `{name}` for each of
    /// `params`, as in `/v2/orgs/{org}/groups/{group}`. It names the endpoint
    /// in counters, limits and errors. Parameters are encoded as one path
    /// segment each.
    ///
    /// Refused: a parameter that is empty or only dots (it would change the
    /// path), and a number of parameters that is not the template's.
    pub fn new(
        method: Method,
        base: &Url,
        template: &'static str,
        params: &[&str],
    ) -> Result<Self> {
        let url = fill(base, template, params).map_err(|reason| Error::Build {
            what: format!("request to `{template}`"),
            reason,
        })?;
        let idempotent = matches!(
            method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
        );
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Ok(Self {
            endpoint: template,
            method,
            url,
            headers,
            body: Bytes::new(),
            credential: None,
            idempotent,
            sensitive: false,
        })
    }

    /// A `GET` request; see [`Request::new`].
    pub fn get(base: &Url, template: &'static str, params: &[&str]) -> Result<Self> {
        Self::new(Method::GET, base, template, params)
    }

    /// A `POST` request; see [`Request::new`].
    pub fn post(base: &Url, template: &'static str, params: &[&str]) -> Result<Self> {
        Self::new(Method::POST, base, template, params)
    }

    /// Adds a query value; a name may come several times.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Adds a query value if there is one.
    pub fn maybe_query(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends a JSON body.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(|_| Error::Build {
            what: format!("request to `{}`", self.endpoint),
            reason: "its body cannot be written as JSON",
        })?;
        self.body = bytes.into();
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }

    /// Sends a credential.
    pub fn credential(mut self, credential: &Credential) -> Self {
        self.credential = Some(credential.clone());
        self
    }

    /// Sets a header. An idempotency key makes repetitions harmless.
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        if is_hidden(&name) {
            value.set_sensitive(true);
        }
        if IDEMPOTENCY_KEYS.contains(&name.as_str()) {
            self.idempotent = true;
        }
        self.headers.insert(name, value);
        self
    }

    /// Says whether a repetition does no harm; `GET`, `HEAD`, `OPTIONS` and
    /// `TRACE` are harmless anyway.
    pub fn idempotent(mut self, yes: bool) -> Self {
        self.idempotent = yes;
        self
    }

    /// Keeps the URL out of errors and logs; the endpoint template stands in.
    pub fn sensitive_url(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The URL without its query: what errors and logs show.
    pub(super) fn target(&self) -> String {
        if self.sensitive {
            return self.endpoint.to_owned();
        }
        let mut shown = self.url.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        // A base URL may carry credentials; setting fails only for URLs that
        // have no place for them.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.into()
    }

    /// The form that transports take.
    pub(super) fn to_http(&self, user_agent: &HeaderValue) -> Option<http::Request<Bytes>> {
        let mut request = http::Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.as_str().parse().ok()?;
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        headers
            .entry(http::header::USER_AGENT)
            .or_insert_with(|| user_agent.clone());
        if let Some(credential) = &self.credential {
            headers.insert(AUTHORIZATION, credential.header.clone());
        }
        Some(request)
    }
}

fn fill(base: &Url, template: &str, params: &[&str]) -> std::result::Result<Url, &'static str> {
    let mut url = base.clone();
    let mut params = params.iter();
    {
        let mut path = url
            .path_segments_mut()
            .map_err(|()| "the base URL cannot have a path")?;
        path.pop_if_empty();
        for segment in template.trim_start_matches('/').split('/') {
            if !segment.starts_with('{') {
                path.push(segment);
                continue;
            }
            let value = params.next().ok_or("too few parameters")?;
            if value.chars().all(|c| c == '.') {
                return Err("a parameter is empty or only dots");
            }
            path.push(value);
        }
    }
    match params.next() {
        Some(_) => Err("too many parameters"),
        None => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url::parse("https://user:pw@api.test/admin/").expect("valid")
    }

    #[test]
    fn parameters_cannot_leave_their_segment() {
        for bad in ["", ".", ".."] {
            assert!(Request::get(&base(), "/a/{x}", &[bad]).is_err(), "{bad:?}");
        }
        assert!(Request::get(&base(), "/a/{x}", &[]).is_err());
        assert!(Request::get(&base(), "/a", &["x"]).is_err());
        let odd = Request::get(&base(), "/a/{x}/b", &["../c?d#e/f"]).expect("valid");
        assert_eq!(odd.url.path(), "/admin/a/..%2Fc%3Fd%23e%2Ff/b");
    }

    #[test]
    fn ids_with_colons_stay_readable() {
        let request = Request::get(&base(), "/u/{id}", &["712020:aa|b"]).expect("valid");
        assert_eq!(request.url.path(), "/admin/u/712020:aa|b");
    }

    #[test]
    fn what_is_shown_has_neither_query_nor_credentials() {
        let request = Request::get(&base(), "/u", &[])
            .expect("valid")
            .query("email", "a@b.test");
        assert_eq!(request.target(), "https://api.test/admin/u");
        assert_eq!(request.sensitive_url().target(), "/u");
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_not_repeated_in_the_error() {
        let error = Credential::bearer("key", &Secret::new("s3cr\n3t")).expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("s3cr"));
        let good = Credential::bearer("key", &Secret::new("s3cr3t")).expect("valid");
        let request = Request::get(&base(), "/u", &[])
            .expect("valid")
            .credential(&good);
        assert!(!format!("{request:?}").contains("s3cr3t"));
    }

    #[test]
    fn an_idempotency_key_makes_a_write_harmless() {
        let write = Request::post(&base(), "/u", &[]).expect("valid");
        assert!(!write.idempotent);
        let keyed = write.header(
            HeaderName::from_static("idempotency-key"),
            HeaderValue::from_static("1"),
        );
        assert!(keyed.idempotent);
    }
}
