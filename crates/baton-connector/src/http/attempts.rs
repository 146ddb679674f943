//! What happened to one request so far, for its log lines and its error.

use std::time::{Duration, SystemTime};

use baton_proto::Advice;
use http::header::LOCATION;
use tokio::time::Instant;
use url::Url;

use super::api_error::{ErrorResponse, ReadApiError};
use super::exchange::Answer;
use super::json::Document;
use super::limiter::BucketKey;
use super::meter::Wait;
use super::rate_headers::RateHeaders;
use super::redact::{headers_line, quoted};
use super::request::Request;
use super::response::{content_type, looks_like_a_page};
use crate::error::{RequestError, RequestErrorKind};
use crate::transport_error::{TransportError, TransportErrorKind};

/// Waits from this length on are worth a line at the usual log level.
const NOTABLE_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Attempts<'a> {
    pub request: &'a Request,
    pub key: BucketKey,
    pub began: Instant,
    /// Requests sent.
    pub sent: u32,
    /// Tries that count.
    pub counted: u32,
    /// The one immediate resend was used.
    pub resent: bool,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(request: &'a Request) -> Self {
        let credential = request.credential.as_ref();
        Self {
            request,
            key: BucketKey {
                credential: credential.map_or_else(|| "".into(), |c| c.name.clone()),
                endpoint: request.endpoint,
            },
            began: Instant::now(),
            sent: 0,
            counted: 0,
            resent: false,
        }
    }

    pub(super) fn begin_try(&mut self) {
        self.sent = self.sent.saturating_add(1);
        self.counted = self.counted.saturating_add(1);
    }

    pub(super) fn uncount_try(&mut self) {
        self.counted = self.counted.saturating_sub(1);
    }

    pub(super) fn resend(&mut self) {
        self.uncount_try();
        self.resent = true;
    }

    pub(super) fn error(&self, kind: RequestErrorKind) -> RequestError {
        let advice = advice(&kind);
        RequestError {
            method: self.request.method.to_string(),
            target: self.request.target(),
            endpoint: self.request.endpoint,
            kind,
            status: None,
            request_id: None,
            api_code: None,
            api_message: None,
            vanished: false,
            maybe_gone: false,
            retry_after: None,
            tries: self.sent,
            elapsed: self.began.elapsed(),
            advice,
        }
    }

    pub(super) fn transport_error(&self, cause: &TransportError) -> RequestError {
        self.error(RequestErrorKind::Transport {
            kind: cause.kind,
            detail: quoted(&cause.detail),
        })
    }

    pub(super) fn status_error(&self, answer: &Answer, api: &dyn ReadApiError) -> RequestError {
        let status = answer.status;
        if status == 407 {
            let cause = TransportError::new(TransportErrorKind::ProxyAuth, "");
            let mut error = self.transport_error(&cause);
            error.status = Some(status);
            return error;
        }
        let read = api.read(&ErrorResponse {
            endpoint: self.request.endpoint,
            method: &self.request.method,
            status,
            content_type: content_type(&answer.headers),
            body: &answer.body,
        });
        let mut error = self.error(RequestErrorKind::Status);
        error.status = Some(status);
        error.request_id = read.request_id.as_deref().map(quoted);
        error.api_code = read.code.as_deref().map(quoted);
        error.api_message = read.message.as_deref().map(quoted);
        let is_missing = matches!(status, 404 | 410);
        error.vanished = read.vanished && is_missing;
        let is_object = || {
            let body = Document::parse_beginning(&answer.body);
            body.is_ok_and(|body| body.root().object().is_some())
        };
        error.maybe_gone = is_missing && !error.vanished && is_object();
        error.advice = read.hint.map(Advice::Sentence).or_else(|| match status {
            300..=399 => Some(Advice::CorrectBaseUrl(redirect_host(answer))),
            _ if looks_like_a_page(&answer.headers, &answer.body) => Some(Advice::CheckWhoAnswers),
            _ => None,
        });
        error
    }

    pub(super) fn log_answer(
        &self,
        answer: &Answer,
        announced: &RateHeaders,
        request_id: Option<&str>,
    ) {
        tracing::debug!(
            method = %self.request.method,
            target_url = %self.request.target(),
            endpoint = self.request.endpoint,
            status = answer.status,
            bytes = answer.body.len(),
            request_id,
            tries = self.sent,
            quota_limit = announced.limit,
            quota_remaining = announced.remaining,
            "request answered",
        );
        tracing::trace!(
            endpoint = self.request.endpoint,
            request_headers = %headers_line(&self.request.headers),
            answer_headers = %headers_line(&answer.headers),
            "headers",
        );
    }

    /// A long wait is logged at the usual level, unless another request has logged
    /// the same.
    pub(super) fn log_wait(&self, wait: &Wait, ends: Option<SystemTime>, known: bool) {
        let endpoint = self.request.endpoint;
        let until = ends
            .and_then(|ends| jiff::Timestamp::try_from(ends).ok())
            .map(|ends| ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let wait_ms = u64::try_from(wait.duration.as_millis()).unwrap_or(u64::MAX);
        let reason = wait.reason;
        if wait.duration >= NOTABLE_WAIT && !known {
            tracing::info!(endpoint, wait_ms, until, reason = %reason, "waiting");
        } else {
            tracing::debug!(endpoint, wait_ms, until, reason = %reason, "waiting");
        }
    }
}

/// A failure in a few words, for the end of a hopeless run.
pub(super) fn summary(error: &RequestError) -> String {
    match (&error.kind, error.status) {
        (RequestErrorKind::Transport { kind, .. }, _) => kind.to_string(),
        (_, Some(status)) => format!("answered {status}"),
        _ => String::new(),
    }
}

fn advice(kind: &RequestErrorKind) -> Option<Advice> {
    Some(match kind {
        RequestErrorKind::Transport { kind, .. } => return kind.advice(),
        RequestErrorKind::NeverSucceeded { .. } => Advice::ResumeLater,
        _ => return None,
    })
}

/// The host that a redirect leads to.
fn redirect_host(answer: &Answer) -> Option<String> {
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    Url::parse(location).ok()?.host_str().map(quoted)
}
