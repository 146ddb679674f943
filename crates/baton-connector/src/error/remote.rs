//! Errors that come from another process, and what of an error crosses to one.
//!
//! A gRPC status has a code, a text and details. What an engine decides by is
//! in the details, in the standard messages `ErrorInfo` and `RetryInfo` and in
//! Baton's `RateLimitDescription`, so nothing is lost on the way: that the
//! object is gone, the status of the application's answer, and the wait that it
//! asked for.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use baton_proto::c1::connector::v2::{RateLimitDescription, rate_limit_description};
use baton_proto::{Code, any};
use prost::{Message, Name};
use prost_types::Any;

use crate::error::Error;
use crate::held::Through;

/// The domain of our [`ErrorInfo`].
const DOMAIN: &str = "baton-connector";
/// Its reason when the object asked for is gone.
const VANISHED: &str = "VANISHED";
/// Its reason for any other failed request.
const REQUEST_FAILED: &str = "REQUEST_FAILED";
/// Where its metadata have the status of the application's answer.
const HTTP_STATUS: &str = "http_status";
/// The domain of errors that the Go SDK knows as well.
const SDK_DOMAIN: &str = "github.com/conductorone/baton-sdk";
/// Its reason for a grant that comes from others.
const GRANT_INHERITED: &str = "grant_inherited";
/// Where its metadata have the ids of those, separated by commas.
const GROUPS: &str = "groups";
/// Details of an error that are looked at; a longer list is cut.
const MAX_DETAILS: usize = 64;

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(map = "string, string", tag = "3")]
    metadata: HashMap<String, String>,
}

impl Name for ErrorInfo {
    const NAME: &'static str = "ErrorInfo";
    const PACKAGE: &'static str = "google.rpc";
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

impl Name for RetryInfo {
    const NAME: &'static str = "RetryInfo";
    const PACKAGE: &'static str = "google.rpc";
}

/// An error of a connector in another process.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteError {
    /// The gRPC code.
    pub code: Code,
    /// The status' text.
    pub message: String,
    /// The status' details.
    pub details: Vec<Any>,
}

impl std::fmt::Display for RemoteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RemoteError {}

impl RemoteError {
    fn info(&self) -> Option<ErrorInfo> {
        let details = self.details.iter().take(MAX_DETAILS);
        let mut infos = details.filter_map(|detail| any::unpack::<ErrorInfo>(detail).ok());
        infos.find(|info| info.domain == DOMAIN)
    }

    pub(crate) fn is_vanished(&self) -> bool {
        self.info().is_some_and(|info| info.reason == VANISHED)
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.info()?.metadata.get(HTTP_STATUS)?.parse().ok()
    }

    /// Go connectors describe the limit that was exceeded.
    pub(crate) fn is_over_limit(&self) -> bool {
        let details = self.details.iter().take(MAX_DETAILS);
        let mut found = details.filter_map(|d| any::unpack::<RateLimitDescription>(d).ok());
        found.any(|limit| limit.status() == rate_limit_description::Status::Overlimit)
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let details = self.details.iter().take(MAX_DETAILS);
        let mut infos = details.filter_map(|detail| any::unpack::<RetryInfo>(detail).ok());
        let delay = infos.find_map(|info| info.retry_delay)?;
        Duration::try_from(delay).ok()
    }

    /// The end of the period whose requests are used up, as Go connectors say
    /// it, and how many requests are left in it.
    fn reset(&self) -> Option<(SystemTime, i64)> {
        let details = self.details.iter().take(MAX_DETAILS);
        let mut found = details.filter_map(|d| any::unpack::<RateLimitDescription>(d).ok());
        let limit = found.find(|limit| limit.reset_at.is_some())?;
        let reset = SystemTime::try_from(limit.reset_at?).ok()?;
        Some((reset, limit.remaining))
    }
}

impl Error {
    /// An error of a connector in another process.
    pub fn remote(code: Code, message: impl Into<String>, details: Vec<Any>) -> Self {
        Self::Remote(Box::new(RemoteError {
            code,
            message: message.into(),
            details,
        }))
    }

    /// What another process needs of this error besides its code and its text,
    /// as details of a gRPC status. [`Error::remote`] reads it again.
    pub fn details(&self) -> Vec<Any> {
        if let Some(remote) = self.as_remote() {
            return remote.details.clone();
        }
        let mut details = Vec::new();
        if let Some(through) = self.as_inherited() {
            let ids = through.iter().map(Through::resource_id);
            let ids = ids.collect::<Vec<_>>().join(",");
            details.push(any::pack(&ErrorInfo {
                reason: GRANT_INHERITED.to_owned(),
                domain: SDK_DOMAIN.to_owned(),
                metadata: HashMap::from([(GROUPS.to_owned(), ids)]),
            }));
        }
        if self.request().is_some() {
            let reason = if self.is_vanished() {
                VANISHED
            } else {
                REQUEST_FAILED
            };
            let status = self.status();
            details.push(any::pack(&ErrorInfo {
                reason: reason.to_owned(),
                domain: DOMAIN.to_owned(),
                metadata: status
                    .map(|status| (HTTP_STATUS.to_owned(), status.to_string()))
                    .into_iter()
                    .collect(),
            }));
        }
        if let Some(delay) = self.retry_after().and_then(|wait| wait.try_into().ok()) {
            details.push(any::pack(&RetryInfo {
                retry_delay: Some(delay),
            }));
        }
        details
    }

    fn as_inherited(&self) -> Option<&[Through]> {
        match self {
            Self::Inherited { through } => Some(through),
            Self::Step { source, .. } => source.as_inherited(),
            _ => None,
        }
    }

    pub(crate) fn as_remote(&self) -> Option<&RemoteError> {
        match self {
            Self::Remote(remote) => Some(remote),
            Self::Step { source, .. } | Self::OutcomeOpen(source) => source.as_remote(),
            _ => None,
        }
    }

    /// How long the application or the other process asks to wait from `now`
    /// on. Where requests are left in the period, they are spread over it.
    pub(crate) fn stated_wait(&self, now: SystemTime) -> Option<Duration> {
        let stated = self.retry_after();
        stated.or_else(|| {
            let (reset, left) = self.as_remote()?.reset()?;
            let wait = reset.duration_since(now).ok()?;
            let share = u32::try_from(left.max(1)).unwrap_or(u32::MAX);
            Some((wait / share).max(Duration::from_secs(1)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{RequestError, RequestErrorKind};

    fn request(status: Option<u16>, vanished: bool, wait: Option<u64>) -> Error {
        let error = RequestError {
            method: "GET".to_owned(),
            target: "https://api.test/x".to_owned(),
            endpoint: "/x",
            kind: RequestErrorKind::Status,
            status,
            request_id: None,
            api_code: None,
            api_message: None,
            vanished,
            maybe_gone: false,
            retry_after: wait.map(Duration::from_millis),
            tries: 1,
            elapsed: Duration::ZERO,
            advice: None,
        };
        Error::from(error)
    }

    /// What an engine decides by.
    fn decides(error: &Error) -> (Code, bool, Option<u16>, Option<Duration>) {
        let status = error.status();
        (
            error.code(),
            error.is_vanished(),
            status,
            error.retry_after(),
        )
    }

    #[test]
    fn what_an_engine_decides_by_survives_the_way_to_another_process() {
        let errors = [
            request(Some(404), true, None),
            request(Some(404), false, None),
            request(Some(410), true, None).during("cannot list groups"),
            request(Some(403), false, None),
            request(Some(429), false, Some(2_500)),
            request(None, false, None),
            Error::stated(Code::OutOfRange, "the cursor is gone"),
            Error::NoResourceTypes,
        ];
        for error in errors {
            let there = Error::remote(error.code(), error.to_string(), error.details());
            assert_eq!(decides(&there), decides(&error), "{error}");
            let further = Error::remote(there.code(), there.to_string(), there.details());
            assert_eq!(decides(&further), decides(&error), "{error}, once more");
            assert_eq!(further.to_string(), error.to_string());
            let within = further.during("cannot go on");
            assert_eq!(decides(&within), decides(&error), "{error}, as a cause");
        }
    }

    #[test]
    fn refusals_of_too_many_requests_are_known_from_here_and_from_go() {
        let there = |error: &Error| Error::remote(error.code(), "x", error.details());
        let refused = request(Some(429), false, None);
        assert!(refused.is_rate_limited() && there(&refused).is_rate_limited());
        let other = request(Some(503), false, Some(5));
        assert!(!other.is_rate_limited() && !there(&other).is_rate_limited());
        for (status, expected) in [
            (rate_limit_description::Status::Overlimit, true),
            (rate_limit_description::Status::Ok, false),
        ] {
            let limit = RateLimitDescription {
                status: status.into(),
                ..RateLimitDescription::default()
            };
            let error = Error::remote(Code::Unavailable, "x", vec![any::pack(&limit)]);
            assert_eq!(error.during("y").is_rate_limited(), expected);
        }
    }

    #[test]
    fn details_of_others_say_nothing_and_break_nothing() {
        let foreign = ErrorInfo {
            reason: VANISHED.to_owned(),
            domain: "example.test".to_owned(),
            metadata: HashMap::from([(HTTP_STATUS.to_owned(), "404".to_owned())]),
        };
        let damaged = Any {
            value: vec![0xff],
            ..any::pack(&foreign)
        };
        let details = vec![damaged, any::pack(&foreign)];
        let error = Error::remote(Code::NotFound, "no such group", details);
        assert_eq!(decides(&error), (Code::NotFound, false, None, None));
    }

    #[test]
    fn a_period_whose_requests_are_used_up_is_waited_for_and_others_are_spread() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let limit = |seconds: i64, remaining| {
            let reset_at = Some(prost_types::Timestamp { seconds, nanos: 0 });
            let limit = RateLimitDescription {
                reset_at,
                remaining,
                ..RateLimitDescription::default()
            };
            Error::remote(Code::Unavailable, "busy", vec![any::pack(&limit)]).stated_wait(now)
        };
        assert_eq!(limit(1_060, 0), Some(Duration::from_mins(1)));
        assert_eq!(limit(1_060, 10), Some(Duration::from_secs(6)));
        assert_eq!(limit(1_060, 1_000), Some(Duration::from_secs(1)));
        assert_eq!(limit(900, 0), None, "it has passed");
        assert_eq!(limit(1_060, i64::MIN), Some(Duration::from_mins(1)));
    }
}
