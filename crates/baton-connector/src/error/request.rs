//! A request that failed for good: what was asked, what came back, how often.

use std::time::Duration;

use baton_proto::{Advice, Advise, Code};

use crate::transport_error::TransportErrorKind;

/// The story of a request that failed for good.
///
/// Printed as `GET https://host/path answered 403 (code ADMIN-403-1: no
/// access) (request id 4c1, 3 tries in 2.1s)`. Query strings are left out:
/// they may hold personal data.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct RequestError {
    /// The HTTP method.
    pub method: String,
    /// Scheme, host and path; for sensitive requests the endpoint template.
    pub target: String,
    /// The endpoint template that the request belongs to.
    pub endpoint: &'static str,
    /// What went wrong.
    pub kind: RequestErrorKind,
    /// Status of the last answer, if there was one.
    pub status: Option<u16>,
    /// The server's own id of the request, for support cases.
    pub request_id: Option<String>,
    /// The application's own error code, from the body.
    pub api_code: Option<String>,
    /// The application's own words, from the body.
    pub api_message: Option<String>,
    /// The application answers that the object is gone.
    pub vanished: bool,
    /// A 404 or 410 in JSON that the connector's reader of errors does not take
    /// for an object that is gone.
    pub maybe_gone: bool,
    /// The wait that the last answer asked for.
    pub retry_after: Option<Duration>,
    /// Requests sent, the first one included.
    pub tries: u32,
    /// Time from the first request to giving up, waits included.
    pub elapsed: Duration,
    /// What the user can do.
    pub advice: Option<Advice>,
}

/// What went wrong with a request.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestErrorKind {
    /// The server answered with a status that is not a success.
    Status,
    /// No answer: see the transport's reason.
    Transport {
        /// The class of the failure.
        kind: TransportErrorKind,
        /// The transport's own words.
        detail: String,
    },
    /// Something else instead of JSON: a web page, compressed data, another
    /// character set.
    NotJson {
        /// The content type of the answer, if it had one.
        content_type: Option<String>,
        /// What came, in words.
        found: String,
    },
    /// A success of another kind than the one that counts.
    WrongStatus {
        /// The status that counts.
        expected: u16,
    },
    /// JSON that does not parse or has the wrong shape.
    Decode {
        /// Where in the document, as in `data[3].id`.
        path: String,
        /// What is wrong there.
        detail: String,
    },
    /// The answer is larger than allowed.
    TooLarge {
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// The endpoint had not one success for so long that the run ends. It can
    /// be resumed.
    NeverSucceeded {
        /// How long nothing succeeded.
        since: Duration,
        /// What the last try met.
        last: String,
    },
    /// The request could not be made.
    Unsendable {
        /// Why.
        detail: String,
    },
}

impl RequestError {
    /// The gRPC code of the failure (`sync-runtime.md` §6.1 and §6.2).
    pub fn code(&self) -> Code {
        match &self.kind {
            RequestErrorKind::Status => self.status.map_or(Code::Unknown, Code::from_http_status),
            RequestErrorKind::Transport { kind, .. } => kind.code(),
            RequestErrorKind::NotJson { .. }
            | RequestErrorKind::WrongStatus { .. }
            | RequestErrorKind::Decode { .. }
            | RequestErrorKind::TooLarge { .. } => Code::Internal,
            RequestErrorKind::NeverSucceeded { .. } => Code::Unavailable,
            RequestErrorKind::Unsendable { .. } => Code::InvalidArgument,
        }
    }
}

impl Advise for RequestError {
    fn advice(&self) -> Vec<Advice> {
        self.advice.iter().cloned().collect()
    }
}

impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ", self.method, self.target)?;
        match &self.kind {
            RequestErrorKind::Status => {
                write!(f, "answered {}", self.status.unwrap_or_default())?;
            }
            RequestErrorKind::Transport { kind, detail } => {
                write!(f, "got no answer: {kind}")?;
                if !detail.is_empty() {
                    write!(f, ": {detail}")?;
                }
            }
            RequestErrorKind::NotJson {
                content_type,
                found,
            } => {
                let status = self.status.unwrap_or_default();
                write!(f, "answered {status} with {found} instead of JSON")?;
                match content_type {
                    Some(content_type) => write!(f, " (content type `{content_type}`)")?,
                    None => write!(f, " (no content type)")?,
                }
            }
            RequestErrorKind::WrongStatus { expected } => {
                let status = self.status.unwrap_or_default();
                write!(f, "answered {status} instead of {expected}")?;
            }
            RequestErrorKind::Decode { path, detail } => {
                write!(f, "answered JSON that cannot be used")?;
                if path.is_empty() {
                    write!(f, ": {detail}")?;
                } else {
                    write!(f, ": at `{path}`: {detail}")?;
                }
            }
            RequestErrorKind::TooLarge { limit_bytes } => {
                write!(f, "answered more than {limit_bytes} bytes")?;
            }
            RequestErrorKind::NeverSucceeded { since, last } => write!(
                f,
                "has failed for {} min (last: {last})",
                since.as_secs() / 60
            )?,
            RequestErrorKind::Unsendable { detail } => {
                write!(f, "could not be sent: {detail}")?;
            }
        }
        match (&self.api_code, &self.api_message) {
            (Some(code), Some(message)) => write!(f, " ({code}: {message})")?,
            (Some(text), None) | (None, Some(text)) => write!(f, " ({text})")?,
            (None, None) => {}
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        if self.tries > 1 {
            write!(
                f,
                " ({} tries in {:.1} s)",
                self.tries,
                self.elapsed.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for RequestError {}
