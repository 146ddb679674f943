//! What can stop an expansion.

use std::io;

use baton_proto::Code;
use baton_proto::advice::{Advice, Advise, Limit};

/// What there are too many of, where that is found by counting.
pub(crate) const DERIVED_GRANTS: &str = "derived grants";

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an expansion failed. Ids are named, contents of rows never.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A grant passes on an entitlement that is not one of its principal's.
    /// The end of the message is what other tools print.
    #[error(
        "grant `{grant}` to {principal} expands entitlement `{source_entitlement}` of {resource}: \
         source entitlement resource id did not match grant principal id"
    )]
    SourceOfAnotherResource {
        /// The expandable grant.
        grant: String,
        /// Its principal, as `type/id`.
        principal: String,
        /// The source entitlement that it names.
        source_entitlement: String,
        /// That entitlement's resource, as `type/id`.
        resource: String,
    },
    /// Grants would be derived on an entitlement that has no resource.
    #[error("entitlement `{entitlement}` receives grants by expansion but has no resource")]
    DestinationWithoutResource {
        /// The destination.
        entitlement: String,
    },
    /// More of something than this implementation counts.
    #[error("too many {what} in the access graph: the limit is {limit}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Expansion would derive more grants than is allowed.
    #[error("expansion would derive {derived} grants, the limit is {limit}")]
    TooManyDerived {
        /// How many it would be.
        derived: u64,
        /// The limit.
        limit: u64,
    },
    /// The work was to end early.
    #[error("stopped")]
    Stopped,
    /// A stored row cannot be decoded.
    #[error("cannot decode {what} `{id}`")]
    Row {
        /// Which part of which kind of row.
        what: &'static str,
        /// The row's id.
        id: String,
        /// The decoder's reason.
        #[source]
        source: baton_proto::Error,
    },
    /// The temporary file could not be used.
    #[error("cannot {action} the temporary file of the expansion")]
    Spool {
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The code that the failure maps to.
    pub fn code(&self) -> Code {
        match self {
            Self::SourceOfAnotherResource { .. } | Self::DestinationWithoutResource { .. } => {
                Code::FailedPrecondition
            }
            Self::TooMany { .. } | Self::TooManyDerived { .. } => Code::ResourceExhausted,
            Self::Stopped => Code::Canceled,
            Self::Row { .. } => Code::DataLoss,
            Self::Spool { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Code::ResourceExhausted
            }
            Self::Spool { .. } => Code::Internal,
        }
    }
}

impl Advise for Error {
    fn advice(&self) -> Vec<Advice> {
        match self {
            Self::TooManyDerived { .. }
            | Self::TooMany {
                what: DERIVED_GRANTS,
                ..
            } => vec![Advice::RaiseLimit(Limit::DerivedGrants)],
            Self::Spool { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                vec![Advice::FreeSpace]
            }
            _ => Vec::new(),
        }
    }
}
