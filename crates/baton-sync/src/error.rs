//! The one error type of this crate.
//!
//! Every error names the list or the file that it is about, and has
//! advice on what to do next. Whether the work done so far can be resumed is a
//! property of the error, see [`Error::discards_work`].

use std::path::PathBuf;

use baton_proto::{Advice, Advise, Code};

/// Result of everything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a sync did not end with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file, or the working folder beside it, cannot be used.
    #[error(transparent)]
    Store(baton_c1z::Error),
    /// The folder of the target cannot be written to.
    #[error("cannot write to the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The connector refused its settings or credentials.
    #[error(transparent)]
    Validation(baton_connector::Error),
    /// A call to the connector failed.
    #[error("cannot {doing}")]
    Connector {
        /// What was asked for, such as ``list grants of group `g1` ``.
        doing: String,
        /// The error of the connector.
        #[source]
        source: baton_connector::Error,
    },
    /// A type in the request's filter does not exist.
    #[error("invalid resource type '{name}' in filter")]
    UnknownFilterType {
        /// The type.
        name: String,
    },
    /// A resource's type promises a trait that the resource does not carry.
    #[error("resource was missing expected trait {wanted}: `{resource}`")]
    MissingTrait {
        /// Message name of the trait.
        wanted: &'static str,
        /// The resource, as `<type>:<id>`.
        resource: String,
    },
    /// The connector returned a resource with an annotation that only the
    /// engine may set.
    #[error("{record} carries the annotation BatonID, which connectors must not set")]
    BatonId {
        /// The record.
        record: String,
    },
    /// An entitlement is in several exclusion groups.
    #[error("entitlement `{entitlement}` carries more than one exclusion group")]
    SeveralExclusionGroups {
        /// The entitlement's id.
        entitlement: String,
    },
    /// An exclusion group breaks a rule (sync-runtime.md §3.3, I5).
    #[error("ingest invariant I5 violated: exclusion group `{group}` {problem}")]
    ExclusionGroup {
        /// The group's id.
        group: String,
        /// The rule that it breaks.
        problem: String,
    },
    /// The rows contradict each other (sync-runtime.md §3.3).
    #[error("ingest invariant {id} violated: {problem}")]
    Invariant {
        /// Which one, such as `I3`.
        id: &'static str,
        /// What breaks it.
        problem: String,
    },
    /// A record's annotation cannot be decoded.
    #[error("{record} carries an annotation that cannot be read")]
    Annotation {
        /// The record.
        record: String,
        /// The error of the decoder.
        #[source]
        source: baton_proto::Error,
    },
    /// The connector uses a part of the protocol that is not supported.
    #[error("{record} asks for {feature}, which is not supported")]
    Unsupported {
        /// The record or list.
        record: String,
        /// The feature.
        feature: &'static str,
    },
    /// The tokens of further pages on a page contradict each other.
    #[error("{problem}")]
    Cursors {
        /// What is wrong.
        problem: &'static str,
    },
    /// A cursor died, and the list cannot start over since other lists belong to it.
    #[error("cannot continue reading {list}: a page token is no longer valid")]
    CursorDied {
        /// The list.
        list: String,
        /// The error of the connector.
        #[source]
        source: baton_connector::Error,
    },
    /// A page names its own token as the next one.
    #[error("{list}: next page token unchanged")]
    TokenUnchanged {
        /// The list.
        list: String,
    },
    /// A list returns to a page that it had before.
    #[error("{list} never ends: page {page} is the same as an earlier one")]
    EndlessList {
        /// The list.
        list: String,
        /// Number of the repeated page, from 0.
        page: u32,
    },
    /// Page after page of a list brings nothing new.
    #[error(
        "{list} never ends: none of the last {} of its {pages} pages had a new row",
        baton_connector::paging::MAX_PAGES_WITHOUT_NEW_ROWS
    )]
    NothingNew {
        /// The list.
        list: String,
        /// Pages read.
        pages: u64,
    },
    /// A list has far more pages than its rows need.
    #[error(
        "{list} never ends: the application counts {rows} rows, and the list has not ended after {pages} pages"
    )]
    TooManyPages {
        /// The list.
        list: String,
        /// Pages read.
        pages: u64,
        /// Rows by the application's own count.
        rows: u64,
    },
    /// Too many lists could not be read for the rest to be trusted.
    #[error("too many warnings, exiting sync: {warnings} of {lists} lists were not found")]
    TooManyWarnings {
        /// Lists that ended with a warning.
        warnings: u64,
        /// Lists asked for so far.
        lists: u64,
        /// The first of them, for the message's reader.
        example: String,
    },
    /// Nothing of a kind was found where the last sync had some.
    #[error("the sync found no {what}, the last one in {} had {before}", path.display())]
    Empty {
        /// `users` or `groups`.
        what: &'static str,
        /// How many the last sync had.
        before: u64,
        /// The target.
        path: PathBuf,
    },
    /// None of the named resources exists.
    #[error("none of the named resources exists: {}", named(targets))]
    TargetsAbsent {
        /// The resources.
        targets: Vec<String>,
    },
    /// The connector cannot read single resources of these types.
    #[error(
        "the connector cannot read single resources of this type: {}",
        named(targets)
    )]
    TargetsUnreadable {
        /// The resources.
        targets: Vec<String>,
    },
    /// The type filter leaves out every named resource.
    #[error("the type filter leaves out every named resource")]
    TargetsLeftOut,
    /// The file of external resources cannot be read as one.
    #[error("cannot read external resources from {}", path.display())]
    External {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: baton_c1z::Error,
    },
    /// The file of external resources cannot be opened.
    #[error("cannot read external resources from {}", path.display())]
    ExternalUnreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file of external resources holds no sync that has ended.
    #[error("{} holds no finished sync to take external resources from", path.display())]
    ExternalUnfinished {
        /// The file.
        path: PathBuf,
    },
    /// The entitlement that external resources are chosen by does not exist.
    #[error("{} has no entitlement `{id}`, which is the filter of external resources", path.display())]
    ExternalEntitlement {
        /// The file.
        path: PathBuf,
        /// The entitlement's id.
        id: String,
    },
    /// A record about the sync's own progress cannot be read back.
    #[error("the working folder holds a record that cannot be read: {what}")]
    Journal {
        /// Which.
        what: &'static str,
    },
    /// The run was cancelled. The next run resumes it.
    #[error("interrupted during {phase}")]
    Interrupted {
        /// The phase that was running.
        phase: crate::event::Phase,
    },
    /// The run took as long as it may. The next run
    /// resumes it.
    #[error("sync exited without finishing: time limit of {} reached", shown(*limit))]
    OutOfTime {
        /// The limit.
        limit: std::time::Duration,
    },
    /// Code of the connector or of this crate panicked.
    #[error("internal error while {doing}: {message}")]
    Crashed {
        /// What was being done.
        doing: String,
        /// The message of the panic, on one line.
        message: String,
    },
}

/// A time limit, in minutes if it is a whole number of them.
fn shown(limit: std::time::Duration) -> String {
    match (limit.as_secs() / 60, limit.as_secs() % 60) {
        (minutes, 0) if minutes > 0 => format!("{minutes} min"),
        _ => format!("{} s", limit.as_secs_f64()),
    }
}

/// The first names, and how many more there are.
fn named(targets: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = targets.get(..SHOWN).unwrap_or(targets).join(", ");
    match targets.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// An error of ours that left through the storage crate, from a visitor or
/// from a step of the seal, is itself again.
impl From<baton_c1z::Error> for Error {
    fn from(error: baton_c1z::Error) -> Self {
        Self::own(error).unwrap_or_else(Self::Store)
    }
}

/// Lets an error of ours leave through the storage crate.
impl From<Error> for baton_c1z::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error,
            own => Self::advised(own.code(), own),
        }
    }
}

impl Error {
    /// The error of ours that a storage error carries.
    pub(crate) fn own(error: baton_c1z::Error) -> std::result::Result<Self, baton_c1z::Error> {
        match error {
            baton_c1z::Error::Caller(failure) => {
                failure.downcast().map_err(baton_c1z::Error::Caller)
            }
            other => Err(other),
        }
    }

    /// A panic, caught while `doing` ("listing grants").
    pub fn crashed(doing: impl Into<String>, payload: &(dyn std::any::Any + Send)) -> Self {
        Self::Crashed {
            doing: doing.into(),
            message: baton_proto::panic_text(payload),
        }
    }

    /// A task that ended without a result.
    pub(crate) fn ended(doing: impl Into<String>, ended: tokio::task::JoinError) -> Self {
        match ended.try_into_panic() {
            Ok(payload) => Self::crashed(doing, &*payload),
            // Tasks are cancelled only with the runtime as a whole.
            Err(_) => Self::Crashed {
                doing: doing.into(),
                message: "the task was cancelled".to_owned(),
            },
        }
    }

    /// The gRPC code of the failure; the program's exit status follows from it.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(source) | Self::External { source, .. } => source.code(),
            Self::Validation(source)
            | Self::Connector { source, .. }
            | Self::CursorDied { source, .. } => source.code(),
            Self::ExternalUnreadable { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => Code::NotFound,
                std::io::ErrorKind::PermissionDenied => Code::PermissionDenied,
                _ => Code::Unknown,
            },
            Self::ExternalEntitlement { .. } | Self::TargetsAbsent { .. } => Code::NotFound,
            Self::ExternalUnfinished { .. } | Self::Folder { .. } | Self::Empty { .. } => {
                Code::FailedPrecondition
            }
            Self::UnknownFilterType { .. }
            | Self::SeveralExclusionGroups { .. }
            | Self::TargetsLeftOut => Code::InvalidArgument,
            Self::MissingTrait { .. }
            | Self::BatonId { .. }
            | Self::ExclusionGroup { .. }
            | Self::Invariant { .. }
            | Self::Annotation { .. }
            | Self::Cursors { .. }
            | Self::TokenUnchanged { .. }
            | Self::EndlessList { .. }
            | Self::NothingNew { .. }
            | Self::TooManyPages { .. }
            | Self::Crashed { .. } => Code::Internal,
            Self::Unsupported { .. } | Self::TargetsUnreadable { .. } => Code::Unimplemented,
            Self::TooManyWarnings { .. } => Code::Aborted,
            Self::Journal { .. } => Code::DataLoss,
            Self::Interrupted { .. } => Code::Canceled,
            Self::OutOfTime { .. } => Code::DeadlineExceeded,
        }
    }

    /// Whether the error is about what was collected, so that a run that
    /// resumed it would end with the same error. The working folder is
    /// then removed and the next run starts over.
    pub fn discards_work(&self) -> bool {
        match self {
            Self::UnknownFilterType { .. }
            | Self::TargetsAbsent { .. }
            | Self::TargetsUnreadable { .. }
            | Self::TargetsLeftOut
            | Self::NothingNew { .. }
            | Self::TooManyPages { .. }
            | Self::ExclusionGroup { .. }
            | Self::Invariant { .. }
            | Self::CursorDied { .. }
            | Self::TooManyWarnings { .. }
            | Self::Empty { .. }
            | Self::Store(baton_c1z::Error::Unstorable { .. }) => true,
            // Expansion refuses grants that contradict each other.
            Self::Store(baton_c1z::Error::Caller(_)) => self.code() == Code::FailedPrecondition,
            _ => false,
        }
    }
}

impl Advise for Error {
    fn advice(&self) -> Vec<Advice> {
        let advice = match self {
            Self::Store(source) => return source.advice(),
            Self::Validation(source) | Self::Connector { source, .. } => return source.advice(),
            Self::Folder { .. } => Advice::MakeFolderWritable,
            Self::External { source, .. } => {
                let advice = source.advice();
                if !advice.is_empty() {
                    return advice;
                }
                Advice::NameExternalFile
            }
            Self::ExternalUnreadable { .. } | Self::ExternalUnfinished { .. } => {
                Advice::NameExternalFile
            }
            Self::ExternalEntitlement { path, .. } => Advice::ListEntitlements(path.clone()),
            Self::UnknownFilterType { .. } => Advice::ListResourceTypes,
            Self::TooManyWarnings { example, .. } => Advice::WaitForStableData(example.clone()),
            Self::TargetsAbsent { .. } | Self::TargetsLeftOut => Advice::CheckNamedResources,
            Self::TargetsUnreadable { .. } => Advice::SyncWholeTypes,
            Self::Empty { .. } => Advice::AllowEmpty,
            Self::CursorDied { .. } => Advice::NextRunStartsOver,
            Self::Journal { .. } => Advice::StartOver,
            Self::Invariant { id: "I10", .. } => {
                return vec![Advice::ReportBug, Advice::NextRunStartsOver];
            }
            Self::MissingTrait { .. }
            | Self::BatonId { .. }
            | Self::SeveralExclusionGroups { .. }
            | Self::ExclusionGroup { .. }
            | Self::Invariant { .. }
            | Self::Annotation { .. }
            | Self::Cursors { .. }
            | Self::Unsupported { .. }
            | Self::TokenUnchanged { .. }
            | Self::EndlessList { .. }
            | Self::NothingNew { .. }
            | Self::TooManyPages { .. } => Advice::ReportConnectorBug,
            Self::Interrupted { phase } if *phase == crate::event::Phase::Validate => {
                return Vec::new();
            }
            Self::Interrupted { .. } | Self::OutOfTime { .. } => Advice::Resume,
            Self::Crashed { .. } => return Vec::new(),
        };
        vec![advice]
    }
}
