//! What a connector gets back: a success, read whole.

use baton_proto::Advice;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::redact::quoted;
use crate::error::{Error, RequestError, RequestErrorKind, Result};

/// An answer with a 2xx status.
#[derive(Debug, Clone)]
pub struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Tells the request in errors about the body; its kind is replaced.
    pub(super) story: Box<RequestError>,
}

impl Response {
    /// The status, 200 to 299.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header as text; `None` when it is missing or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON. Errors name the request and the place in the
    /// document; a web page is told from broken JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let mut source = serde_json::Deserializer::from_slice(&self.body);
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
        if looks_like_a_page(&self.headers, &self.body) {
            let content_type = content_type(&self.headers).map(quoted);
            return Err(self.failed(RequestErrorKind::NotJson { content_type }));
        }
        let detail = if self.body.is_empty() {
            "the body is empty".to_owned()
        } else {
            quoted(&detail)
        };
        Err(self.failed(RequestErrorKind::Decode {
            path: quoted(&path),
            detail,
        }))
    }

    /// An error about this answer, found by who reads it: where in the
    /// document, and what is wrong there.
    pub fn unusable(&self, path: &str, detail: &str) -> Error {
        self.failed(RequestErrorKind::Decode {
            path: quoted(path),
            detail: quoted(detail),
        })
    }

    fn failed(&self, kind: RequestErrorKind) -> Error {
        let mut story = self.story.clone();
        if matches!(kind, RequestErrorKind::NotJson { .. }) {
            story.advice = Some(Advice::CheckWhoAnswers);
        }
        story.kind = kind;
        Error::Request(story)
    }
}

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
