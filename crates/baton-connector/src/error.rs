//! The one error type of this crate.
//!
//! An error names what failed; a failed request brings its whole story (see
//! [`RequestError`]). Advice for the user travels apart from the message, as
//! [`Advise::advice`], and nothing in here ever holds a credential.

mod remote;
mod request;

use std::sync::Arc;
use std::time::Duration;

use baton_proto::{Advice, Advise, Code};

use crate::held::Through;
use crate::limits::{MAX_CURSOR_BYTES, MAX_PAGES_WITHOUT_NEW_ROWS};

pub use remote::RemoteError;
pub use request::{RequestError, RequestErrorKind};

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a connector call failed.
///
/// [`Error::code`] gives the gRPC code, which is all that engines and exit
/// statuses depend on.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request to the upstream application failed for good.
    #[error(transparent)]
    Request(Box<RequestError>),
    /// The error of a connector in another process.
    #[error(transparent)]
    Remote(Box<RemoteError>),
    /// A step failed because of another error; `what` names the step and the
    /// thing it was about.
    #[error("{what}")]
    Step {
        /// The step, as in ``cannot list groups of organization `o-7` ``.
        what: String,
        /// What the user can do, when the step knows better than its cause.
        advice: Option<Advice>,
        /// The cause.
        source: Box<Error>,
    },
    /// A failure stated by a connector, with the code of its choice.
    #[error("{message}")]
    Stated {
        /// The gRPC code.
        code: Code,
        /// What failed, on what.
        message: String,
        /// What the user can do.
        advice: Option<Advice>,
        /// What caused it, if that is an error of another library.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A write failed that may have had its effect all the same.
    #[error(transparent)]
    OutcomeOpen(Box<Error>),
    /// A grant that comes from others cannot be revoked itself.
    #[error(
        "the principal does not hold it directly; it comes through {}",
        Through::names(through)
    )]
    Inherited {
        /// What gives it.
        through: Vec<Through>,
    },
    /// A resource type whose access cannot be changed. The text is that of the
    /// Go SDK.
    #[error("resource type {type_id} does not have provisioner configured")]
    NoProvisioner {
        /// The type of the entitlement's resource.
        type_id: String,
    },
    /// A call named a resource type that no syncer serves.
    #[error("{call}: there is no resource type `{type_id}`")]
    UnknownResourceType {
        /// The connector call.
        call: &'static str,
        /// The type asked for.
        type_id: String,
    },
    /// A connector without any syncer was asked for its resource types.
    #[error("list resource types: the connector has no resource types")]
    NoResourceTypes,
    /// A call that needs a resource got one without type or id.
    #[error("{call}: the resource has no type or no id")]
    MissingResource {
        /// The connector call.
        call: &'static str,
    },
    /// An optional call that this connector does not serve.
    #[error("{call} is not implemented for resource type `{type_id}`")]
    Unimplemented {
        /// The connector call.
        call: &'static str,
        /// The type asked for.
        type_id: String,
    },
    /// A list of a whole type was asked for that the type does not have.
    #[error("{call}: `{type_id}` is listed per resource")]
    NotTypeScoped {
        /// The connector call.
        call: &'static str,
        /// The type asked for.
        type_id: String,
    },
    /// A feed that the connector does not have.
    #[error("event feed id {id} not found")]
    UnknownEventFeed {
        /// The id asked for.
        id: String,
    },
    /// A request that asks for nothing.
    #[error("{reason}")]
    EmptyRequest {
        /// What is missing in it.
        reason: &'static str,
    },
    /// Credential options, recipients or requests for credentials that cannot be
    /// served. The texts are those of the Go SDK.
    #[error(transparent)]
    Credential(baton_crypto::Error),
    /// A page announced the token that was used to ask for it.
    #[error("{list}: next page token unchanged (`{token}`)")]
    TokenUnchanged {
        /// The list and the thing it belongs to.
        list: String,
        /// The token, shortened.
        token: String,
    },
    /// A list came back to a page that it already delivered.
    #[error("{list}: the pages repeat from token `{token}` on, after {pages} pages")]
    PagingLoop {
        /// The list and the thing it belongs to.
        list: String,
        /// The token that came twice with the same items, shortened.
        token: String,
        /// Pages read till then.
        pages: u64,
    },
    /// Page after page of a list brings nothing new.
    #[error(
        "{list} never ends: none of the last {} of its {pages} pages brought a new row",
        MAX_PAGES_WITHOUT_NEW_ROWS
    )]
    NothingNew {
        /// The list and the thing it belongs to.
        list: String,
        /// Pages read till then.
        pages: u64,
    },
    /// A server's cursor is longer than
    /// [`MAX_CURSOR_BYTES`](crate::paging::MAX_CURSOR_BYTES).
    #[error(
        "{list}: the next page's cursor has {bytes} bytes, more than {}",
        MAX_CURSOR_BYTES
    )]
    CursorTooLong {
        /// The list.
        list: String,
        /// Its length.
        bytes: usize,
    },
    /// A page token that this connector did not make, or not for this list.
    #[error("{list}: page token corrupt: {reason}")]
    TokenCorrupt {
        /// The list that was asked with the token.
        list: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More than one exclusion group on one entitlement.
    #[error("entitlement `{entitlement_id}` is in more than one exclusion group")]
    ExclusionGroups {
        /// The entitlement.
        entitlement_id: String,
    },
    /// The connector was put together wrongly.
    #[error("cannot register resource type `{type_id}`: {reason}")]
    Registration {
        /// The type whose syncer is at fault.
        type_id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An action that cannot be registered.
    #[error("cannot register action `{name}`{}: {reason}", of_type(type_id))]
    ActionRegistration {
        /// The action.
        name: String,
        /// Its type; empty for an action of the connector.
        type_id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Arguments that the schema of their action does not allow. Broken
    /// constraints have the texts of the Go SDK.
    #[error("{}", faults.join("; "))]
    Arguments {
        /// What is wrong with them, each in a sentence.
        faults: Vec<String>,
    },
    /// Something that a message needs is missing or too much.
    #[error("cannot build {what}: {reason}")]
    Build {
        /// The message and its id as far as known.
        what: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A setting of the HTTP client that cannot be used.
    #[error("cannot use {setting}: {reason}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No token for requests could be got. Not a failure of the request that
    /// needed it: whatever was asked for is neither forbidden nor gone.
    #[error("cannot get a token for the {credential} from {endpoint}")]
    Token {
        /// The name of the credential.
        credential: String,
        /// Where tokens come from.
        endpoint: String,
        /// Why there is none.
        source: Arc<Error>,
    },
    /// A row that came as bytes is not such a message.
    #[error("row {row} of the page cannot be read")]
    Row {
        /// The number of the row, from 0.
        row: usize,
        /// The decoding error.
        #[source]
        source: prost::DecodeError,
    },
    /// An annotation could not be read.
    #[error("cannot read the annotations of {what}")]
    Annotation {
        /// The record that carries them.
        what: String,
        /// The decoding error.
        #[source]
        source: baton_proto::Error,
    },
}

fn of_type(type_id: &str) -> String {
    if type_id.is_empty() {
        return String::new();
    }
    format!(" of resource type `{type_id}`")
}

impl Error {
    /// A failure with a code of the connector's choice.
    pub fn stated(code: Code, message: impl Into<String>) -> Self {
        Self::Stated {
            code,
            message: message.into(),
            advice: None,
            source: None,
        }
    }

    /// A failure with a code of the connector's choice, caused by an error of
    /// another library. `message` names what failed, on what; it does not repeat
    /// the cause, which is shown below it.
    pub fn caused(
        code: Code,
        message: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Stated {
            code,
            message: message.into(),
            advice: None,
            source: Some(cause.into()),
        }
    }

    /// Names the step that this error ended. The code stays.
    #[must_use]
    pub fn during(self, what: impl Into<String>) -> Self {
        Self::Step {
            what: what.into(),
            advice: None,
            source: Box::new(self),
        }
    }

    /// Adds a sentence about what the user can do; it wins over advice
    /// from deeper causes. It may name the connector's own flags only.
    #[must_use]
    pub fn with_hint(self, sentence: impl Into<String>) -> Self {
        self.with_advice(Advice::sentence(sentence))
    }

    /// Adds advice for the user; it wins over advice from deeper causes.
    #[must_use]
    pub fn with_advice(self, advice: Advice) -> Self {
        let advice = Some(advice);
        match self {
            Self::Step { what, source, .. } => Self::Step {
                what,
                advice,
                source,
            },
            Self::Stated {
                code,
                message,
                source,
                ..
            } => Self::Stated {
                code,
                message,
                advice,
                source,
            },
            Self::Request(mut request) => {
                request.advice = advice;
                Self::Request(request)
            }
            other => Self::Step {
                what: other.to_string(),
                advice,
                source: Box::new(other),
            },
        }
    }

    /// The failure of a write that may have had its effect, as when a file was
    /// replaced and its folder cannot be forced to the disk. The outcome is then
    /// read back.
    #[must_use]
    pub fn with_outcome_open(self) -> Self {
        Self::OutcomeOpen(Box::new(self))
    }

    /// The gRPC code of the failure.
    pub fn code(&self) -> Code {
        match self {
            Self::Request(request) => request.code(),
            Self::Remote(remote) => remote.code,
            Self::Step { source, .. } | Self::OutcomeOpen(source) => source.code(),
            Self::Stated { code, .. } => *code,
            // Whatever the server calls it.
            Self::Token { source, .. } => match source.code() {
                Code::InvalidArgument | Code::NotFound | Code::PermissionDenied => {
                    Code::Unauthenticated
                }
                code => code,
            },
            Self::UnknownResourceType { .. } | Self::UnknownEventFeed { .. } => Code::NotFound,
            Self::Credential(error) => error.code(),
            Self::NoResourceTypes | Self::Inherited { .. } => Code::FailedPrecondition,
            Self::Unimplemented { .. } | Self::NoProvisioner { .. } => Code::Unimplemented,
            Self::MissingResource { .. }
            | Self::NotTypeScoped { .. }
            | Self::EmptyRequest { .. }
            | Self::TokenCorrupt { .. }
            | Self::ExclusionGroups { .. }
            | Self::Registration { .. }
            | Self::ActionRegistration { .. }
            | Self::Arguments { .. }
            | Self::Build { .. }
            | Self::Setting { .. } => Code::InvalidArgument,
            Self::TokenUnchanged { .. }
            | Self::PagingLoop { .. }
            | Self::NothingNew { .. }
            | Self::CursorTooLong { .. }
            | Self::Row { .. }
            | Self::Annotation { .. } => Code::Internal,
        }
    }

    /// The request that failed, when one did.
    pub fn request(&self) -> Option<&RequestError> {
        match self {
            Self::Request(request) => Some(request),
            Self::Step { source, .. } | Self::OutcomeOpen(source) => source.request(),
            _ => None,
        }
    }

    /// The HTTP status of the answer that caused the failure.
    pub fn status(&self) -> Option<u16> {
        match self.as_remote() {
            Some(remote) => remote.status(),
            None => self.request().and_then(|request| request.status),
        }
    }

    /// True for the failure of a write that may have had its effect: a request
    /// was sent, and no answer shows what became of it, or the connector states it
    /// ([`Error::with_outcome_open`]).
    pub fn leaves_outcome_open(&self) -> bool {
        match self {
            Self::OutcomeOpen(_) => return true,
            Self::Step { source, .. } => return source.leaves_outcome_open(),
            _ => {}
        }
        self.request().is_some_and(|request| match &request.kind {
            RequestErrorKind::Status => {
                matches!(request.status, Some(status) if status >= 500 && status != 501)
            }
            RequestErrorKind::Transport { kind, .. } => !kind.never_sent(),
            // A success, or the end of a row of failures.
            RequestErrorKind::NotJson { .. }
            | RequestErrorKind::WrongStatus { .. }
            | RequestErrorKind::Decode { .. }
            | RequestErrorKind::TooLarge { .. }
            | RequestErrorKind::NeverSucceeded { .. } => true,
            RequestErrorKind::Unsendable { .. } => false,
        })
    }

    /// True when the application itself, and not a gateway, answers that the
    /// requested object is gone (DESIGN decision 5).
    pub fn is_vanished(&self) -> bool {
        self.request().is_some_and(|request| request.vanished)
            || self.as_remote().is_some_and(RemoteError::is_vanished)
    }

    /// True when the application refused a request because there were too many.
    pub fn is_rate_limited(&self) -> bool {
        self.status() == Some(429) || self.as_remote().is_some_and(RemoteError::is_over_limit)
    }

    /// How long the server asked us to wait, when it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.as_remote() {
            Some(remote) => remote.retry_after(),
            None => self.request().and_then(|request| request.retry_after),
        }
    }
}

impl Advise for Error {
    fn advice(&self) -> Vec<Advice> {
        match self {
            Self::Request(request) => request.advice(),
            Self::Step {
                advice: Some(advice),
                ..
            }
            | Self::Stated {
                advice: Some(advice),
                ..
            } => vec![advice.clone()],
            Self::Step { source, .. } | Self::OutcomeOpen(source) => source.advice(),
            Self::Token { source, .. } => source.advice(),
            Self::Inherited { through } if !through.is_empty() => {
                let grants = through.iter().map(|through| through.grant_id.clone());
                vec![Advice::RevokeInstead(grants.collect())]
            }
            _ => Vec::new(),
        }
    }
}

impl From<RequestError> for Error {
    fn from(request: RequestError) -> Self {
        Self::Request(Box::new(request))
    }
}
