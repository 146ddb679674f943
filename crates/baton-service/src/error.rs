//! What goes wrong between this program and the service.

use std::io;

use baton_grpc::{CallError, CallErrorKind, Status};
use baton_proto::{Advice, Advise, Code};

use crate::credentials::CredentialError;

/// Why a call of the service failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// There is no access token.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The service answered with an error, or did not answer.
    #[error("{0}")]
    Call(#[from] CallError),
    /// A file that is to be uploaded cannot be read.
    #[error("cannot read the file to upload")]
    File(#[source] io::Error),
}

impl ApiError {
    /// The gRPC code.
    pub fn code(&self) -> Code {
        match self {
            Self::Credentials(error) => error.code(),
            Self::Call(error) => error.status.code,
            Self::File(_) => Code::Unknown,
        }
    }

    /// Whether the same call can succeed later.
    pub(crate) fn can_pass(&self) -> bool {
        match self {
            Self::Credentials(error) => error.may_pass(),
            Self::Call(error) if error.kind == CallErrorKind::Answered => !matches!(
                error.status.code,
                Code::Unauthenticated
                    | Code::PermissionDenied
                    | Code::InvalidArgument
                    | Code::Unimplemented
                    | Code::FailedPrecondition
                    | Code::NotFound
            ),
            Self::Call(_) => true,
            Self::File(_) => false,
        }
    }

    /// Whether the service may not have received the call, or its answer was lost.
    pub(crate) fn is_undecided(&self) -> bool {
        match self {
            Self::Credentials(error) => error.may_pass(),
            Self::Call(error) => {
                error.kind != CallErrorKind::Answered
                    || matches!(
                        error.status.code,
                        Code::Unavailable | Code::DeadlineExceeded
                    )
            }
            Self::File(_) => false,
        }
    }
}

/// Why the service was not greeted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// The connector does not say what it is.
    #[error("cannot read the connector's metadata: {0}")]
    Metadata(Status),
    /// The call failed.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl HelloError {
    /// The gRPC code.
    pub fn code(&self) -> Code {
        match self {
            Self::Metadata(status) => status.code,
            Self::Api(error) => error.code(),
        }
    }

    /// Whether the same call can succeed later.
    pub(crate) fn can_pass(&self) -> bool {
        match self {
            Self::Metadata(_) => true,
            Self::Api(error) => error.can_pass(),
        }
    }
}

/// Why a service ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service refused the first call of this program.
    #[error("startup Hello failed: {0}")]
    Hello(#[source] HelloError),
    /// The folder for syncs cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The gRPC code of the failure; the program's exit status follows from it.
    pub fn code(&self) -> Code {
        match self {
            Self::Hello(error) => error.code(),
            Self::Folder { .. } => Code::FailedPrecondition,
        }
    }
}

impl Advise for Error {
    fn advice(&self) -> Vec<Advice> {
        match self {
            Self::Hello(HelloError::Api(ApiError::Credentials(error))) => error.advice(),
            Self::Hello(_) => Vec::new(),
            Self::Folder { .. } => vec![Advice::NameTempFolder],
        }
    }
}
