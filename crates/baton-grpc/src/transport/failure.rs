//! Why a call has no answer, and what is known of its effect.

use std::error::Error as StdError;
use std::io;

use baton_connector::Error;
use baton_proto::Code;

use crate::status::Status;

/// How rustls reports that a peer ended a connection without the notice of TLS. The
/// connection is closed, and there is nothing else to learn from it.
const WITHOUT_NOTICE: &str = "close_notify";

/// The text of a status by which a server reports a panic of its handler
/// (`service-mode.md` §4.3).
const PANIC: &str = "Internal Server Error";

/// A call that has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connector answered with an error.
    Answered(Status),
    /// There is no answer, or none that is a gRPC answer.
    Broken(Broken),
}

/// What happened to a call without an answer.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub code: Code,
    /// What happened, as the end of a sentence that begins with the peer.
    pub what: String,
    /// The words of the system or of a library.
    pub cause: Option<String>,
    /// How far the call came.
    pub reach: Reach,
    /// The whole message, where the peer is known to be gone for good.
    pub instead: Option<String>,
}

/// How far a call without an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The request never left this process.
    NotSent,
    /// The peer refused the request before it processed any of it.
    Refused,
    /// The request was sent, or some of it.
    Sent,
    /// The request was sent, and the time limit passed.
    TimedOut,
    /// Something answered that is not a gRPC server.
    Http,
}

impl Reach {
    /// True if the call cannot have had an effect.
    fn is_without_effect(self) -> bool {
        matches!(self, Self::NotSent | Self::Refused)
    }
}

/// Why a peer can no longer be reached: no further attempt changes it. A dial
/// function gives it as the inner error of an [`io::Error`].
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct Gone {
    /// The code of calls that end with it.
    pub code: Code,
    /// What happened, as a message.
    pub text: String,
    /// Why, if it is known.
    pub cause: Option<String>,
}

impl Gone {
    /// The same as the error of a call that came so far.
    pub(crate) fn broken(self, reach: Reach) -> Broken {
        Broken {
            code: self.code,
            what: String::new(),
            cause: self.cause,
            reach,
            instead: Some(self.text),
        }
    }
}

impl Broken {
    /// A call that was sent, and ended with `code`.
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            cause: None,
            reach: Reach::Sent,
            instead: None,
        }
    }

    /// What happened to `peer`.
    fn text(&self, peer: &str) -> String {
        match &self.instead {
            Some(text) => text.clone(),
            None => format!("{peer} {}", self.what),
        }
    }

    /// What happened to `peer`, with its cause, as a status.
    pub(crate) fn into_status_of(self, peer: &str) -> Status {
        let text = self.text(peer);
        let text = match &self.cause {
            Some(cause) => format!("{text}: {cause}"),
            None => text,
        };
        Status::new(self.code, text)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Answered(status)
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Failure {
    /// What became of a call that failed with `error` while its connection ended with
    /// `ended`; `unsent` if it is certain that the request was not sent.
    pub(crate) fn of_transport(
        error: &hyper::Error,
        ended: Option<&hyper::Error>,
        unsent: bool,
    ) -> Self {
        let what = |error: &(dyn StdError + 'static)| chain(error).last().map(ToString::to_string);
        if let Some(reason) = reset(error) {
            let reach = match reason {
                _ if unsent => Reach::NotSent,
                h2::Reason::REFUSED_STREAM => Reach::Refused,
                _ => Reach::Sent,
            };
            let text = format!("reset the call ({reason:?})");
            return Self::Broken(Broken {
                reach,
                ..Broken::new(code_of(reason), text)
            });
        }
        let ended = ended.unwrap_or(error);
        let (code, text) = if is_not_http2(ended) {
            (Code::Internal, "does not speak gRPC")
        } else {
            (Code::Unavailable, "closed the connection")
        };
        Self::Broken(Broken {
            cause: what(ended).filter(|cause| !cause.contains(WITHOUT_NOTICE)),
            reach: if unsent { Reach::NotSent } else { Reach::Sent },
            ..Broken::new(code, text)
        })
    }

    /// The code of the call.
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Answered(status) => status.code,
            Self::Broken(broken) => broken.code,
        }
    }

    /// True if a write may have had its effect.
    pub(crate) fn leaves_outcome_open(&self) -> bool {
        match self {
            Self::Answered(status) => match status.code {
                Code::Unavailable | Code::DeadlineExceeded | Code::Canceled => true,
                Code::Internal => status.message == PANIC,
                _ => false,
            },
            Self::Broken(broken) => !broken.reach.is_without_effect(),
        }
    }

    /// The failure as a status.
    pub(crate) fn into_status(self) -> Status {
        match self {
            Self::Answered(status) => status,
            Self::Broken(broken) => broken.into_status_of("it"),
        }
    }

    /// The error of a call to the connector that messages call `peer`.
    pub(crate) fn into_error(self, peer: &str) -> Error {
        match self {
            Self::Answered(status) => status.into(),
            Self::Broken(broken) => {
                let text = broken.text(&format!("the connector at {peer}"));
                match broken.cause {
                    Some(cause) => Error::caused(broken.code, text, cause),
                    None => Error::stated(broken.code, text),
                }
            }
        }
    }
}

/// An error and its causes.
fn chain<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The reason of a reset that the peer sent for this stream alone.
fn reset(error: &(dyn StdError + 'static)) -> Option<h2::Reason> {
    let error = chain(error).find_map(|error| error.downcast_ref::<h2::Error>())?;
    error
        .reason()
        .filter(|_| error.is_reset() && error.is_remote())
}

/// Whether the bytes of the peer are not those of HTTP/2.
fn is_not_http2(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| {
        let http2 = error.downcast_ref::<h2::Error>();
        // What this side found wrong with the frames of the peer.
        let ours = http2.is_some_and(|error| {
            error.is_library() && error.reason() != Some(h2::Reason::NO_ERROR)
        });
        let io = error.downcast_ref().or_else(|| http2?.get_io());
        ours || io.is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::InvalidData)
    })
}

/// The code for a reset stream, as gRPC defines it for HTTP/2.
fn code_of(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::CANCEL => Code::Canceled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}
