//! What a connector asks for.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use url::{Url, form_urlencoded};

use super::credential::{AuthHeader, Credential};
use super::redact::is_hidden;
use crate::error::{Error, Result};
use crate::write_view::WriteView;

/// Headers that make a repetition harmless whatever the method.
const IDEMPOTENCY_KEYS: [&str; 2] = ["idempotency-key", "x-idempotency-key"];

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
    /// segment each, so that the server reads them as they are: the characters
    /// of RFC 3986 `pchar` and `|` stay, every other byte becomes `%XX`.
    ///
    /// Refused: a parameter that is empty or only dots (it would change the
    /// path), a number of parameters that is not the template's, and a base URL
    /// with a query or a fragment. Slashes at the base's end do not count.
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

    /// The endpoint template.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// A number that requests share whose method, URL and body are equal.
    #[expect(clippy::disallowed_methods, reason = "compared within one process")]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.method.as_str(), self.url.as_str(), &self.body[..]).hash(&mut hasher);
        hasher.finish()
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

    /// Sends names and values as a form (`application/x-www-form-urlencoded`).
    pub fn form<N: AsRef<str>, V: AsRef<str>>(
        mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            body.append_pair(name.as_ref(), value.as_ref());
        }
        self.body = body.finish().into();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.headers.insert(CONTENT_TYPE, kind);
        self
    }

    /// Sends a credential.
    pub fn credential(mut self, credential: &Credential) -> Self {
        self.credential = Some(credential.clone());
        self
    }

    /// Sets a header. An idempotency key makes repetitions harmless. Refused:
    /// a value with a control character, which the error does not repeat.
    pub fn header(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let Some(mut value) = header_value(value) else {
            return Err(Error::Build {
                what: format!("header `{name}` of the request to `{}`", self.endpoint),
                reason: "its value has a control character",
            });
        };
        if is_hidden(&name) {
            value.set_sensitive(true);
        }
        if IDEMPOTENCY_KEYS.contains(&name.as_str()) {
            self.idempotent = true;
        }
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sets whether a repetition does no harm; `GET`, `HEAD`, `OPTIONS` and
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

    /// What people see of it: method, URL and body. A sensitive URL shows as its
    /// endpoint, and its body is hidden.
    pub(crate) fn view(&self) -> WriteView {
        let (target, body) = if self.sensitive {
            (self.endpoint.to_owned(), String::new())
        } else {
            let mut target = self.target();
            if let Some(query) = self.url.query() {
                target.push('?');
                target.push_str(query);
            }
            (target, String::from_utf8_lossy(&self.body).into_owned())
        };
        WriteView {
            method: self.method.to_string(),
            target,
            body,
        }
    }

    /// The whole URL, with its query.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The same request to another URL of the same server, as an answer named
    /// it for the next page of `list`.
    pub(crate) fn follow(mut self, list: &str, url: &str) -> Result<Self> {
        let refused = |reason: &str| {
            Error::stated(
                baton_proto::Code::Internal,
                format!("{list}: the link to the next page {reason}"),
            )
        };
        let next = Url::parse(url).map_err(|_| refused("is not a URL"))?;
        if next.origin() != self.url.origin() {
            return Err(refused("leads to another server"));
        }
        if !next.username().is_empty() || next.password().is_some() {
            return Err(refused("has credentials"));
        }
        self.url = next;
        Ok(self)
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
    pub(super) fn to_http(
        &self,
        user_agent: &HeaderValue,
        auth_header: Option<&AuthHeader>,
    ) -> Option<http::Request<Bytes>> {
        let mut request = http::Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        let uri: http::Uri = self.url.as_str().parse().ok()?;
        if uri.path() != self.url.path() || uri.query() != self.url.query() {
            return None;
        }
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        headers
            .entry(http::header::USER_AGENT)
            .or_insert_with(|| user_agent.clone());
        if let Some(auth_header) = auth_header {
            headers.insert(auth_header.header.clone(), auth_header.value.clone());
        }
        Some(request)
    }
}

/// A header's value; `None` if it has a control character (C0, DEL or C1).
pub(super) fn header_value(text: &str) -> Option<HeaderValue> {
    let has_control = text.chars().any(char::is_control);
    // What is left is refused by no header; its error could quote the value.
    (!has_control)
        .then(|| HeaderValue::from_bytes(text.as_bytes()).ok())
        .flatten()
}

/// What a path segment must not hold as it is: everything but the `pchar` of
/// RFC 3986 and `|`, which ids of accounts have.
const NOT_IN_SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// The URL of an endpoint. The path is put together here and not by the URL
/// library, which drops TAB, CR and LF and resolves dots.
fn fill(base: &Url, template: &str, params: &[&str]) -> std::result::Result<Url, &'static str> {
    if base.cannot_be_a_base() {
        return Err("the base URL cannot have a path");
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err("the base URL has a query or a fragment");
    }
    let mut path = base.path().trim_end_matches('/').to_owned();
    let mut params = params.iter();
    for segment in template.trim_start_matches('/').split('/') {
        path.push('/');
        if !segment.starts_with('{') {
            path.push_str(segment);
            continue;
        }
        let value = params.next().ok_or("too few parameters")?;
        if value.chars().all(|c| c == '.') {
            return Err("a parameter is empty or only dots");
        }
        path.extend(utf8_percent_encode(value, NOT_IN_SEGMENT));
    }
    if params.next().is_some() {
        return Err("too many parameters");
    }
    let mut url = base.clone();
    url.set_path(&path);
    if url.path() != path {
        return Err("the URL library changes its path");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn base() -> Url {
        Url::parse("https://user:pw@api.test/admin/").expect("valid")
    }

    #[test]
    fn parameters_cannot_leave_their_segment() {
        for bad in ["", ".", "..", "..."] {
            assert!(Request::get(&base(), "/a/{x}", &[bad]).is_err(), "{bad:?}");
        }
        assert!(Request::get(&base(), "/a/{x}", &[]).is_err());
        assert!(Request::get(&base(), "/a", &["x"]).is_err());
        let odd = Request::get(&base(), "/a/{x}/b", &["../c?d#e/f"]).expect("valid");
        assert_eq!(odd.url.path(), "/admin/a/..%2Fc%3Fd%23e%2Ff/b");
    }

    #[test]
    fn slashes_at_the_end_of_a_base_do_not_count() {
        for base in ["https://api.test/admin", "https://api.test/admin///"] {
            let base = Url::parse(base).expect("valid");
            let request = Request::get(&base, "/a/{x}", &["b"]).expect("valid");
            assert_eq!(request.url.as_str(), "https://api.test/admin/a/b");
        }
        for base in [
            "https://api.test/admin?a=b",
            "https://api.test/#a",
            "data:a",
        ] {
            let base = Url::parse(base).expect("valid");
            assert!(Request::get(&base, "/a", &[]).is_err(), "{base}");
        }
    }

    #[test]
    fn a_header_with_a_control_character_is_refused_by_its_name() {
        for bad in [
            "a\tb",
            "a\r\nx-other: c",
            "\0",
            "\u{7f}",
            "\u{85}",
            "\u{1b}[31m",
        ] {
            let request = Request::get(&base(), "/u", &[]).expect("valid");
            let name = HeaderName::from_static("x-tenant");
            let secret = format!("s3cr3t{bad}");
            let error = request.header(name, &secret).expect_err("refused");
            let told = format!("{error} {error:?}");
            assert!(told.contains("`x-tenant`"), "{told}");
            assert!(!told.contains("s3cr3t"), "{told}");
            let error = Credential::bearer("key", &Secret::new(secret)).expect_err("refused");
            let told = format!("{error} {error:?}");
            assert!(told.contains("cannot use the key"), "{told}");
            assert!(!told.contains("s3cr3t"), "{told}");
        }
        let request = Request::get(&base(), "/u", &[]).expect("valid");
        let name = HeaderName::from_static("x-tenant");
        let request = request.header(name, "plain ~ and d\u{e9}j\u{e0} vu");
        assert!(request.is_ok());
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
        let name = HeaderName::from_static("idempotency-key");
        assert!(write.header(name, "1").expect("valid").idempotent);
    }
}
