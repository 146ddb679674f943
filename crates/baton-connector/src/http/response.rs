//! What a connector gets back: a success, read whole.

use baton_proto::Advice;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use url::Url;

use super::fields::FieldError;
use super::json::{Document, foreign_form};
use super::link;
use super::redact::quoted;
use crate::error::{Error, RequestError, RequestErrorKind, Result};

/// An answer with a 2xx status. Its debug form shows neither headers nor body.
#[derive(Clone)]
pub struct Response {
    /// Of the request.
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The request, for errors about the body; its kind is replaced.
    pub(super) error_context: Box<RequestError>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Response {
    /// The status, 200 to 299.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The server's own id of the request, for support cases.
    pub fn request_id(&self) -> Option<&str> {
        self.error_context.request_id.as_deref()
    }

    /// A header as text; `None` when it is missing or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next page of a list, by the `Link` headers (RFC 8288); `None` when
    /// no link has the relation `next`. A header that cannot be read is an
    /// error, since the list might continue.
    pub fn next_link(&self) -> Result<Option<Url>> {
        link::next(&self.headers, &self.url)
            .map_err(|detail| self.unusable("header `link`", detail))
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON. Errors name the request and the place in the
    /// document, or what came instead of JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let body = self.body.strip_prefix(BYTE_ORDER_MARK);
        let body = body.unwrap_or(&self.body);
        let mut source = serde_json::Deserializer::from_slice(body);
        let parsed: std::result::Result<T, _> = serde_path_to_error::deserialize(&mut source);
        let (path, detail) = match parsed {
            Ok(value) => match source.end() {
                Ok(()) => return Ok(value),
                Err(error) => (String::new(), error.to_string()),
            },
            Err(error) => {
                let path = error.path().to_string();
                let path = if path == "." { String::new() } else { path };
                (path, error.into_inner().to_string())
            }
        };
        Err(self.not_json(&path, &detail))
    }

    /// The answer to a read, as a document to be taken apart: only status 200
    /// is one. The error about any other body names what came instead.
    pub fn document(&self) -> Result<Document> {
        if self.status != 200 {
            return Err(self.failed(RequestErrorKind::WrongStatus { expected: 200 }));
        }
        Document::parse(&self.body).map_err(|error| self.not_json("", &error.to_string()))
    }

    /// An error about this answer, found by who reads it: where in the
    /// document, and what is wrong there.
    pub fn unusable(&self, path: &str, detail: &str) -> Error {
        self.failed(RequestErrorKind::Decode {
            path: quoted(path),
            detail: quoted(detail),
        })
    }

    /// An error about a value of this answer.
    pub fn field_error(&self, error: &FieldError) -> Error {
        self.unusable(&error.path, &error.detail)
    }

    /// The error of a body that does not parse: as what it is where that can
    /// be seen, else by the parser's words.
    fn not_json(&self, path: &str, detail: &str) -> Error {
        if let Some(found) = self.foreign() {
            let content_type = content_type(&self.headers).map(quoted);
            return self.failed(RequestErrorKind::NotJson {
                content_type,
                found,
            });
        }
        self.unusable(path, detail)
    }

    fn foreign(&self) -> Option<String> {
        let encoding = self.header(CONTENT_ENCODING.as_str()).unwrap_or_default();
        if !matches!(encoding.trim(), "" | "identity") {
            let encoding = quoted(encoding);
            return Some(format!(
                "a body in the encoding `{encoding}`, which was not asked for"
            ));
        }
        if let Some(form) = foreign_form(&self.body) {
            return Some(form.to_owned());
        }
        looks_like_a_page(&self.headers, &self.body).then(|| "text".to_owned())
    }

    fn failed(&self, kind: RequestErrorKind) -> Error {
        let mut error_context = self.error_context.clone();
        if matches!(kind, RequestErrorKind::NotJson { .. }) && !self.body.is_empty() {
            error_context.advice = Some(Advice::CheckWhoAnswers);
        }
        error_context.kind = kind;
        Error::Request(error_context)
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// HTML by its content type or first byte, or text that never meant to be
/// JSON.
pub(super) fn looks_like_a_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let declared = content_type(headers)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let opens_json = matches!(first, Some(b'{' | b'['));
    declared.contains("html") || first == Some(&b'<') || (declared.contains("text/") && !opens_json)
}
