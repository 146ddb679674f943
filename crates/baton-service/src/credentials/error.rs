//! Why there is no access token.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_connector::http::{TransportError, TransportErrorKind};
use baton_proto::{Advice, Advise, Code};

/// A larger difference between two clocks can be why an assertion is refused.
const NOTABLE_SKEW: Duration = Duration::from_mins(1);

/// Why there is no access token. No error holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The service does not accept the client id and its secret.
    #[error("{endpoint} refused the client credentials with status {status}{}{}", in_parentheses(.reason.as_deref()), behind_semicolon(.skew.as_ref()))]
    Refused {
        /// The host of the service.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The code of the error that the service gave.
        reason: Option<String>,
        /// How far the clock of this machine is from that of the service, if that can
        /// be the reason.
        skew: Option<ClockSkew>,
    },
    /// The service gave no token now.
    #[error("cannot get an access token from {endpoint}")]
    Unavailable {
        /// The host of the service.
        endpoint: String,
        /// How long the service wants to be left alone.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        cause: Arc<TokenFault>,
    },
    /// The client secret cannot be read.
    #[error("cannot read the client secret")]
    Secret(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// No assertion can be made.
    #[error("cannot sign a request for an access token: {reason}")]
    Assertion {
        /// Why.
        reason: &'static str,
    },
}

/// What happened in place of a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// No answer came.
    #[error(transparent)]
    Transport(TransportError),
    /// No answer came in time.
    #[error("it did not answer within {} s", .0.as_secs())]
    Late(Duration),
    /// An answer that is neither a token nor a refusal.
    #[error("it answered with status {0}")]
    Status(u16),
    /// An answer that is too large.
    #[error("its answer has more than {0} bytes")]
    TooLarge(usize),
    /// An answer that is not a token.
    #[error("its answer is not a token: {0}")]
    NotToken(&'static str),
}

/// How far the clock of this machine is from that of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockSkew {
    /// This machine is so far behind.
    Behind(Duration),
    /// This machine is so far ahead.
    Ahead(Duration),
}

impl ClockSkew {
    /// The difference of two clocks, if it is notable.
    pub(super) fn between(ours: SystemTime, theirs: SystemTime) -> Option<Self> {
        let skew = match theirs.duration_since(ours) {
            Ok(behind) => Self::Behind(behind),
            Err(ahead) => Self::Ahead(ahead.duration()),
        };
        let (Self::Behind(by) | Self::Ahead(by)) = skew;
        (by > NOTABLE_SKEW).then_some(skew)
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Behind(by) | Self::Ahead(by)) = self;
        let direction = match self {
            Self::Behind(_) => "behind",
            Self::Ahead(_) => "ahead of",
        };
        let by = shown(by.as_secs());
        write!(
            f,
            "the clock of this machine is {by} {direction} that of the server"
        )
    }
}

/// A time in its largest two units.
fn shown(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size);
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units.iter().skip(first.unwrap_or(3)).take(2) {
        let count = left / size;
        left %= size;
        if count > 0 || parts.is_empty() {
            parts.push(format!("{count} {unit}"));
        }
    }
    parts.join(" ")
}

fn in_parentheses(reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!(" (`{reason}`)"),
        None => String::new(),
    }
}

fn behind_semicolon(skew: Option<&ClockSkew>) -> String {
    match skew {
        Some(skew) => format!("; {skew}"),
        None => String::new(),
    }
}

impl CredentialError {
    /// The gRPC code: `Unauthenticated` for a refusal, `Unavailable` where a later try
    /// may succeed.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused { .. } => Code::Unauthenticated,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::Secret(_) => Code::InvalidArgument,
            Self::Assertion { .. } => Code::Internal,
        }
    }

    /// True if a later try may succeed without a change of the settings.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// How long the service wants to be left alone, if it announced that.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Advise for CredentialError {
    fn advice(&self) -> Vec<Advice> {
        match self {
            Self::Refused { skew: Some(_), .. } => {
                vec![Advice::SetClock, Advice::CheckClientCredentials]
            }
            Self::Refused { .. } | Self::Secret(_) => vec![Advice::CheckClientCredentials],
            Self::Unavailable { cause, .. } => match &**cause {
                // The host is a part of the client id.
                TokenFault::Transport(error) if error.kind == TransportErrorKind::UnknownHost => {
                    vec![Advice::CheckClientCredentials]
                }
                TokenFault::Transport(error) => error.kind.advice().into_iter().collect(),
                TokenFault::Late(_) => vec![Advice::CheckNetwork],
                _ => Vec::new(),
            },
            Self::Assertion { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skew_has_a_direction_and_a_limit() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(ClockSkew::between(at(1_000), at(1_060)), None);
        assert_eq!(ClockSkew::between(at(1_060), at(1_000)), None);
        let behind = ClockSkew::between(at(1_000), at(1_301)).unwrap();
        assert_eq!(
            behind.to_string(),
            "the clock of this machine is 5 min 1 s behind that of the server"
        );
        let ahead = ClockSkew::between(at(90_100), at(0)).unwrap();
        assert_eq!(
            ahead.to_string(),
            "the clock of this machine is 1 d 1 h ahead of that of the server"
        );
    }

    #[test]
    fn times_are_shown_in_two_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min 59 s"),
            (3_605, "1 h"),
            (172_800, "2 d"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(shown(seconds), expected);
        }
    }
}
