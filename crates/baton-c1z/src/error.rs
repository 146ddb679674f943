//! The one error type of this crate.
//!
//! An error names the file or row that it is about; types of the database
//! and the compressor stay inside, as sources.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use baton_proto::Code;
use baton_proto::advice::{Advice, Advise, Limit};

use crate::holder::{self, Holder};
use crate::paths::FileKind;
use crate::row::Table;

/// Result of everything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A cause from a library or a caller, kept for the chain of causes.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, and with what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file begins with none of the known magics.
    #[error("{} is not a c1z file", path.display())]
    NotC1z {
        /// The file.
        path: PathBuf,
    },
    /// There is no file, or nothing in it.
    #[error("{} does not exist or is empty", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// A path names something else than a regular file, where only a regular
    /// file can be read or written.
    #[error("{} is {kind}, not a regular file", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it names.
        kind: FileKind,
    },
    /// Two files of one run are the same file, and at least one is written.
    #[error("the {role} {} and the {other_role} {} are the same file, or one lies in the other", path.display(), other.display())]
    SameFile {
        /// A path.
        path: PathBuf,
        /// What the run uses it for.
        role: &'static str,
        /// Another path of the run.
        other: PathBuf,
        /// What the run uses that for.
        other_role: &'static str,
    },
    /// Text was to be written to a pipe that no process has open for reading.
    #[error("no process reads the pipe {}", path.display())]
    NoReader {
        /// The pipe.
        path: PathBuf,
    },
    /// The working folder of a sync file is not one that this user made.
    #[error("cannot use the working folder {}: {reason}", path.display())]
    WorkFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// A disk has less room than what is going to be written.
    #[error("cannot {doing} in {}: at least {needed} bytes are needed, and {free} are free", folder.display())]
    NoRoom {
        /// The folder.
        folder: PathBuf,
        /// What was to be done, such as `unpack a sync file`.
        doing: &'static str,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The content of a file is longer than its database states.
    #[error("{} is damaged: its content is longer than the {announced} bytes stated in its database header", path.display())]
    LongContent {
        /// The file.
        path: PathBuf,
        /// The size that the header announces, in bytes.
        announced: u64,
    },
    /// The work was asked to end before it was done. Nothing was written.
    #[error("the work was stopped before it was done")]
    Stopped,
    /// The file was changed or replaced since the work began.
    #[error("{} was modified by another process and was not overwritten", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file was of format v1 when it was looked at, and is of v3 now.
    #[error("{} became a file of another format while it was being opened", path.display())]
    FormatChanged {
        /// The file.
        path: PathBuf,
    },
    /// The compressed stream is damaged or cut off.
    #[error("{} is damaged: its compressed content cannot be decoded", path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        #[source]
        source: io::Error,
    },
    /// What surrounds the content of a v3 file is damaged.
    #[error("{} is damaged: {what}", path.display())]
    Envelope {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: Cow<'static, str>,
    },
    /// The file uses something that is not supported here.
    #[error("cannot read {}: {what} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Cow<'static, str>,
    },
    /// The envelope of a v3 file is intact, the tables in it are not, or are
    /// not supported.
    #[error("cannot read the tables in {}", path.display())]
    Tables {
        /// The c1z file.
        path: PathBuf,
        /// Damaged, not supported, or beyond a limit.
        code: Code,
        /// The reader's error.
        #[source]
        source: Cause,
    },
    /// The content would exceed [`crate::Limits::max_decoded_bytes`].
    #[error("{} decompresses to more than the limit of {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A frame asks for more memory than [`crate::Limits::max_window_bytes`].
    #[error("{} needs a decompression window of {window} bytes, the limit is {limit}", path.display())]
    WindowTooLarge {
        /// The file.
        path: PathBuf,
        /// The window that the frame declares, in bytes.
        window: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The envelope is intact, the database in it is not.
    #[error("the database in {} is damaged or not of a sync file: cannot {doing}", path.display())]
    Database {
        /// The c1z file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The database's error.
        #[source]
        source: Cause,
    },
    /// The database that is to become the new content cannot be written.
    #[error("cannot {doing} in the new database for {}", path.display())]
    Store {
        /// The c1z file to be written.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The database's error.
        #[source]
        source: Cause,
    },
    /// Two rows of one sync have the same id, which the format cannot hold.
    #[error("two rows of {} have the id `{id}`", table.name())]
    DuplicateId {
        /// Their table.
        table: Table,
        /// Their id.
        id: String,
    },
    /// Format v3 cannot hold a row that lacks a part of its identity.
    #[error("row `{id}` of {} lacks an id that format v3 needs: of itself, its resource, entitlement or principal", table.name())]
    Unstorable {
        /// The row's table.
        table: Table,
        /// The row's external id.
        id: String,
    },
    /// A row to be written is no message of its table.
    #[error("cannot write row `{id}` of {}: it is malformed", table.name())]
    Malformed {
        /// The row's table.
        table: Table,
        /// The row's external id.
        id: String,
        /// What is wrong.
        #[source]
        source: baton_proto::Error,
    },
    /// A stored row does not have the form it should.
    #[error("{}: row `{id}` of {} is malformed: {reason}", path.display(), table.name())]
    Row {
        /// The c1z file.
        path: PathBuf,
        /// The row's table.
        table: Table,
        /// The row's external id.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file was to be converted into the format that it has.
    #[error("{} is already of format {}", path.display(), format.name())]
    SameFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: crate::Format,
    },
    /// A new file was to be made where there is one already.
    #[error("output path ({}) must not exist", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// A v3 file has no room for a difference.
    #[error("{}: differences of syncs are unsupported in files of format v3, which hold one sync", path.display())]
    NoDifferences {
        /// The file.
        path: PathBuf,
    },
    /// A sync is not marked as one that can be compared with another file's.
    #[error("sync `{id}` in {} does not support differences between files", path.display())]
    NotComparable {
        /// The file.
        path: PathBuf,
        /// The sync.
        id: String,
    },
    /// There are not enough files for a compaction.
    #[error("must provide two or more files to compact")]
    TooFewFiles,
    /// A v3 file cannot be compacted into a v1 file.
    #[error("{} is of format v3 and cannot be compacted into a v1 file", path.display())]
    NotCompactable {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no finished sync that can be compacted.
    #[error("no finished full, resources-only or partial sync found in {}", path.display())]
    NoCompactableSync {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no finished sync of the type full.
    #[error("no finished full sync found in {}", path.display())]
    NoFullSync {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no finished sync of any type.
    #[error("no finished sync found in {}", path.display())]
    NoFinishedSync {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no sync that is shown when none is asked for.
    #[error("{} holds no current sync: none that is finished, and none that began in the last 7 days", path.display())]
    NoCurrentSync {
        /// The file.
        path: PathBuf,
    },
    /// The sync was never expanded, so there is nothing to undo.
    #[error(
        "sync did not run grant expansion (no supports_diff marker); nothing to roll back: \"{id}\""
    )]
    NotExpanded {
        /// The file.
        path: PathBuf,
        /// The sync's id.
        id: String,
    },
    /// An expansion can only be undone in files of format v1.
    #[error("cannot undo grant expansion in {}: it is of format v3", path.display())]
    RollbackOfV3 {
        /// The file.
        path: PathBuf,
    },
    /// The sync has not ended, so there is nothing complete to copy.
    #[error("sync {id} of {} is not ended", path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// The sync's id.
        id: String,
    },
    /// The file holds no such sync.
    #[error("{} holds no sync `{id}`", path.display())]
    NoSuchSync {
        /// The file.
        path: PathBuf,
        /// The id asked for.
        id: String,
    },
    /// The target already holds a sync of this id.
    #[error("{} already holds a sync `{id}`", path.display())]
    DuplicateSync {
        /// The file.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// A filter names a column that the table lacks.
    #[error("{} cannot be filtered by {field}", table.name())]
    Filter {
        /// The table.
        table: Table,
        /// The filter's field.
        field: &'static str,
    },
    /// A page cursor is malformed, or belongs to another file or query.
    #[error("cannot use the page cursor: {reason}")]
    Cursor {
        /// Why.
        reason: &'static str,
    },
    /// A value that a caller passed cannot be stored.
    #[error("{what} is invalid: {reason}")]
    Argument {
        /// The value's name.
        what: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Another process works on the target.
    #[error("{} is being written by {}", target.display(), holder::text(*.holder))]
    Busy {
        /// The target.
        target: PathBuf,
        /// Who, as far as it is known.
        holder: Option<Holder>,
    },
    /// Something is larger than this crate accepts.
    #[error("a {what} is larger than the limit of {limit} bytes")]
    Limit {
        /// What it is.
        what: &'static str,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The page log is not what was written.
    #[error("the page log {} is damaged at byte {offset}", path.display())]
    LogDamaged {
        /// The log.
        path: PathBuf,
        /// Offset of the record.
        offset: u64,
    },
    /// A row in the page log is no message of its table.
    #[error("a row of {} in the page log {} at byte {offset} is malformed", table.name(), path.display())]
    PageRow {
        /// The log.
        path: PathBuf,
        /// The row's table.
        table: Table,
        /// Offset of the row.
        offset: u64,
        /// What is wrong.
        #[source]
        source: baton_proto::Error,
    },
    /// A derived grant is no grant.
    #[error("expansion derived a malformed grant")]
    Derived(#[source] baton_proto::Error),
    /// The file system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was being done, such as `create`.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The folder for temporary files is missing, or cannot be written.
    #[error("cannot use the folder for temporary files {}", path.display())]
    TempFolder {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The folder of a file that is to be written does not exist.
    #[error("the folder {} does not exist", .path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A folder exists, and its file system has no place for new files, as that
    /// of `/proc`.
    #[error("the folder {} takes no new files", .path.display())]
    TakesNoFiles {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A caller's own visitor failed; see [`Error::caller`].
    #[error(transparent)]
    Caller(CallerFailure),
}

/// The error of a caller's visitor, passed through unchanged.
#[derive(Debug)]
pub struct CallerFailure {
    code: Code,
    cause: Cause,
    advice: Vec<Advice>,
}

impl CallerFailure {
    /// The caller's own error, borrowed.
    pub fn cause(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self.cause.as_ref()
    }

    /// The caller's own error, if it is of this type.
    ///
    /// # Errors
    /// This failure unchanged, if its cause is of another type.
    pub fn downcast<E: std::error::Error + 'static>(self) -> std::result::Result<E, Self> {
        let Self {
            code,
            cause,
            advice,
        } = self;
        cause.downcast().map(|own| *own).map_err(|cause| Self {
            code,
            cause,
            advice,
        })
    }

    /// The caller's own error.
    pub fn into_inner(self) -> Box<dyn std::error::Error + Send + Sync> {
        self.cause
    }
}

impl fmt::Display for CallerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for CallerFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

impl Error {
    /// Wraps the error of a caller, so that it can leave a visitor.
    pub fn caller(code: Code, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Caller(CallerFailure {
            code,
            cause: source.into(),
            advice: Vec::new(),
        })
    }

    /// As [`Error::caller`], with the error's own advice.
    pub fn advised(
        code: Code,
        source: impl std::error::Error + Advise + Send + Sync + 'static,
    ) -> Self {
        Self::Caller(CallerFailure {
            code,
            advice: source.advice(),
            cause: Box::new(source),
        })
    }

    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    /// The system's refusal of work in the folder for temporary files.
    pub(crate) fn in_temp_folder(doing: &'static str, folder: &Path, source: io::Error) -> Self {
        let path = folder.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem => Self::TempFolder { path, source },
            _ => Self::in_folder(doing, folder, source),
        }
    }

    /// The system's refusal of work in a folder that is to take a new file.
    pub(crate) fn in_folder(doing: &'static str, folder: &Path, source: io::Error) -> Self {
        if source.kind() != io::ErrorKind::NotFound {
            return Self::io(doing, folder, source);
        }
        let path = folder.to_owned();
        // Some file systems give the same answer for a new file in a folder that exists.
        if path.is_dir() {
            Self::TakesNoFiles { path, source }
        } else {
            Self::NoFolder { path }
        }
    }

    /// The kind of this failure in the common vocabulary.
    pub fn code(&self) -> Code {
        match self {
            Self::NotC1z { .. }
            | Self::NotRegular { .. }
            | Self::SameFile { .. }
            | Self::Filter { .. }
            | Self::Cursor { .. }
            | Self::SameFormat { .. }
            | Self::Argument { .. } => Code::InvalidArgument,
            Self::Store { .. } | Self::Derived(_) => Code::Internal,
            Self::NoReader { .. }
            | Self::DuplicateId { .. }
            | Self::Unstorable { .. }
            | Self::Unfinished { .. }
            | Self::NoCurrentSync { .. }
            | Self::NotExpanded { .. }
            | Self::NotComparable { .. } => Code::FailedPrecondition,
            // Plain errors in the Go tools.
            Self::NoDifferences { .. } | Self::NotCompactable { .. } | Self::TooFewFiles => {
                Code::Unknown
            }
            Self::Unsupported { .. } | Self::RollbackOfV3 { .. } => Code::Unimplemented,
            Self::Tables { code, .. } => *code,
            Self::Compressed { .. }
            | Self::Envelope { .. }
            | Self::Database { .. }
            | Self::Row { .. }
            | Self::Malformed { .. }
            | Self::PageRow { .. }
            | Self::LongContent { .. }
            | Self::LogDamaged { .. } => Code::DataLoss,
            Self::WorkFolder { .. } | Self::TakesNoFiles { .. } => Code::PermissionDenied,
            Self::Busy { .. } | Self::FormatChanged { .. } | Self::Changed { .. } => Code::Aborted,
            Self::Stopped => Code::Canceled,
            Self::TooLarge { .. }
            | Self::WindowTooLarge { .. }
            | Self::Limit { .. }
            | Self::NoRoom { .. } => Code::ResourceExhausted,
            Self::NoFile { .. }
            | Self::NoSuchSync { .. }
            | Self::NoFullSync { .. }
            | Self::NoFinishedSync { .. }
            | Self::NoCompactableSync { .. }
            | Self::NoFolder { .. } => Code::NotFound,
            Self::Exists { .. } | Self::DuplicateSync { .. } => Code::AlreadyExists,
            Self::Io { source, .. } | Self::TempFolder { source, .. } => io_code(source.kind()),
            Self::Caller(failure) => failure.code,
        }
    }
}

impl Advise for Error {
    fn advice(&self) -> Vec<Advice> {
        let advice = match self {
            Self::NotC1z { .. } | Self::NotRegular { .. } => Advice::NameSyncFile,
            Self::SameFile { .. } | Self::TakesNoFiles { .. } => Advice::NameAnotherTarget,
            Self::NoFolder { .. } => Advice::CreateFolder,
            Self::TempFolder { .. } => Advice::NameTempFolder,
            Self::NoRoom { .. } => Advice::FreeSpace,
            Self::WorkFolder { .. } => Advice::CheckPermissions,
            Self::NoFile { .. } => Advice::CheckPath,
            Self::FormatChanged { .. } | Self::Changed { .. } => Advice::RunAgain,
            Self::LongContent { .. }
            | Self::Compressed { .. }
            | Self::Envelope { .. }
            | Self::Database { .. }
            | Self::Tables {
                code: Code::DataLoss,
                ..
            } => Advice::CopyAgain,
            Self::Unsupported { .. }
            | Self::Tables {
                code: Code::Unimplemented,
                ..
            } => Advice::ConvertWithWriter,
            Self::TooLarge { .. } => Advice::RaiseLimit(Limit::DecodedSize),
            Self::WindowTooLarge { .. } => Advice::RaiseLimit(Limit::DecoderMemory),
            Self::NoDifferences { .. } => Advice::ConvertToV1,
            Self::NotComparable { .. } => Advice::ExpandFirst,
            Self::NotCompactable { .. } => Advice::ChooseV3,
            Self::Exists { .. } => Advice::RemoveOrRename,
            Self::NoSuchSync { .. }
            | Self::NoFullSync { .. }
            | Self::NoFinishedSync { .. }
            | Self::Unfinished { .. } => Advice::ChooseSync,
            Self::Busy { .. } => Advice::WaitForWriter,
            Self::LogDamaged { .. } => Advice::Resume,
            Self::Io { source, .. } => return Advice::of_io(source).into_iter().collect(),
            Self::Caller(failure) => return failure.advice.clone(),
            _ => return Vec::new(),
        };
        vec![advice]
    }
}

fn io_code(kind: io::ErrorKind) -> Code {
    match kind {
        io::ErrorKind::NotFound => Code::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Code::PermissionDenied
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Code::ResourceExhausted
        }
        _ => Code::Unknown,
    }
}
