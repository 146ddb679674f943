//! What the user can do about a failure, as data.
//!
//! A library gives the kind of remedy. It never names a flag, a variable or a
//! command, since it does not know the program that it is part of. The program turns each [`Advice`] into a sentence with its own flags.
//! The [`Display`](fmt::Display) form is a sentence that is true in every
//! program, for those that have nothing more exact to say.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A limit that the user can raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Limit {
    /// Bytes that a file may decompress to.
    DecodedSize,
    /// Memory that a decoder may use.
    DecoderMemory,
    /// Grants that expansion may derive.
    DerivedGrants,
    /// Open files per process, which the operating system limits.
    OpenFiles,
    /// Threads per user, which the operating system limits.
    Threads,
}

/// One remedy.
///
/// The variants are ordered, so that a set of them prints in a stable order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Advice {
    /// Raise a limit, if the input can be trusted.
    RaiseLimit(Limit),
    /// Name a sync file as input; the one that was named is something else.
    NameSyncFile,
    /// Check the input's path, or make the file first.
    CheckPath,
    /// Name another path for the file to be written.
    NameAnotherTarget,
    /// Remove the file that is in the way, or name another path.
    RemoveOrRename,
    /// Create the folder, or name another path.
    CreateFolder,
    /// Make the folder of the target writable, or name another path.
    MakeFolderWritable,
    /// Name a folder for temporary files that can be written.
    NameTempFolder,
    /// Wait for the process that writes the target, or name another path.
    WaitForWriter,
    /// The file is damaged: copy it again, or run its sync again.
    CopyAgain,
    /// The file needs another reader: convert it with the tool that wrote it.
    ConvertWithWriter,
    /// Convert the v3 file into a v1 file first.
    ConvertToV1,
    /// Write a v3 file instead of a v1 file.
    ChooseV3,
    /// Expand the grants of the file first.
    ExpandFirst,
    /// Choose one of the finished syncs of the file.
    ChooseSync,
    /// Free space on the disk, or use another one.
    FreeSpace,
    /// Check who may use the file and its folder.
    CheckPermissions,
    /// Name the sync file of another connector for external resources.
    NameExternalFile,
    /// Look up the ids of the entitlements in this file.
    ListEntitlements(PathBuf),
    /// Look up the ids of the resources in this file.
    ListResources(PathBuf),
    /// Look up the ids of the grants in this file.
    ListGrants(PathBuf),
    /// Several objects have the name: use the id of one of them.
    UseId,
    /// The file may be older than what is asked for: run its sync again.
    SyncAgain,
    /// Look up the resource types of the connector.
    ListResourceTypes,
    /// List the actions of the connector.
    ListActions,
    /// Check the ids of the named resources.
    CheckNamedResources,
    /// Sync all resources of the types instead of named ones.
    SyncWholeTypes,
    /// Accept that a list is empty now.
    AllowEmpty,
    /// Nothing to do: the next run starts over by itself.
    NextRunStartsOver,
    /// Throw the unfinished work away and start over.
    StartOver,
    /// Start the same work again; what is done is kept.
    Resume,
    /// Start the same work again later; what is done is kept.
    ResumeLater,
    /// Run again; the failure was a coincidence.
    RunAgain,
    /// Sync again when the data of the application is stable; the example is
    /// the first list that failed.
    WaitForStableData(String),
    /// Have the connector declare what the application answers about a deleted
    /// object: its code, if it has one.
    DeclareGone(Option<String>),
    /// Report a bug of the connector to its maintainers.
    ReportConnectorBug,
    /// Report a bug of this program.
    ReportBug,
    /// Check the host name in the base URL.
    CheckHost,
    /// Correct the base URL: the server redirects, to this host if it named one.
    CorrectBaseUrl(Option<String>),
    /// Check base URL and proxy: something else than the API answers.
    CheckWhoAnswers,
    /// Check the network's name service.
    CheckNameService,
    /// Check network, proxy and base URL.
    CheckNetwork,
    /// Check the client id and the client secret of the service.
    CheckClientCredentials,
    /// Set the clock of this machine.
    SetClock,
    /// Trust the certificate authority of the proxy that intercepts TLS.
    TrustCertificate,
    /// Give the proxy's user and password.
    GiveProxyCredentials,
    /// Revoke these grants instead: they give what cannot be revoked itself.
    RevokeInstead(Vec<String>),
    /// Carry the change out although a protected entitlement has too few
    /// holders then.
    ForceProtected,
    /// Look in the application whether a change was made.
    CheckApplication,
    /// A sentence of the application or of a connector's author. It must not
    /// name a flag that is not the author's own.
    Sentence(String),
}

/// Errors that know what the user can do.
pub trait Advise {
    /// The remedies, the most helpful first; empty when none is known.
    fn advice(&self) -> Vec<Advice>;
}

/// Numbers of the operating system for too many open files, of the process
/// and of the machine.
#[cfg(unix)]
const TOO_MANY_FILES: [i32; 2] = [24, 23];
#[cfg(not(unix))]
const TOO_MANY_FILES: [i32; 1] = [4];

impl Advice {
    /// What the user can do about a refusal of the operating system.
    pub fn of_io(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Self::FreeSpace),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Some(Self::CheckPermissions)
            }
            _ => error
                .raw_os_error()
                .filter(|number| TOO_MANY_FILES.contains(number))
                .map(|_| Self::RaiseLimit(Limit::OpenFiles)),
        }
    }

    /// What the user can do about the first cause of an error that is a
    /// refusal of the operating system: for errors that know no remedy of
    /// their own.
    pub fn of_causes(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let refusal = error.downcast_ref::<io::Error>();
            if let Some(advice) = refusal.and_then(Self::of_io) {
                return Some(advice);
            }
            cause = error.source();
        }
        None
    }

    /// A sentence of an application or of a connector's author.
    pub fn sentence(text: impl Into<String>) -> Self {
        Self::Sentence(text.into())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DecodedSize => "the limit of decompressed bytes",
            Self::DecoderMemory => "the limit of decoder memory",
            Self::DerivedGrants => "the limit of derived grants",
            Self::OpenFiles => "the limit of open files",
            Self::Threads => "the limit of threads",
        })
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::RaiseLimit(limit @ (Limit::DecodedSize | Limit::DecoderMemory)) => {
                return write!(f, "if you trust the file, raise {limit}");
            }
            Self::RaiseLimit(limit) => return write!(f, "raise {limit}"),
            Self::NameSyncFile => "name a file that a connector wrote, usually sync.c1z",
            Self::CheckPath => "check the path, or run a connector to make the file",
            Self::NameAnotherTarget => "name another path",
            Self::RemoveOrRename => "remove the file, or name another path",
            Self::CreateFolder => "create the folder, or name another path",
            Self::NameTempFolder => "name a writable folder for temporary files",
            Self::MakeFolderWritable => "make the folder writable, or name another path",
            Self::WaitForWriter => "wait for the other process, or name another path",
            Self::CopyAgain => {
                "the file may be cut off or half copied: copy it again, or run the sync again"
            }
            Self::ConvertWithWriter => {
                "use a newer version of this program, convert the file with the tool that wrote it, \
                 or run the sync again"
            }
            Self::ConvertToV1 => "convert the file to format v1 first",
            Self::ChooseV3 => "choose format v3 for the new file",
            Self::ExpandFirst => "expand the grants into a new file, and use that file",
            Self::ChooseSync => "choose one of the finished syncs of the file",
            Self::FreeSpace => "free space on that disk, or use a folder on another disk",
            Self::CheckPermissions => "check the permissions of the file and its folder",
            Self::NameExternalFile => {
                "name the file of a finished sync of another connector for external resources"
            }
            Self::ListEntitlements(path) => {
                return write!(
                    f,
                    "list the entitlements of {} to find the id",
                    path.display()
                );
            }
            Self::ListResources(path) => {
                return write!(f, "list the resources of {} to find the id", path.display());
            }
            Self::ListGrants(path) => {
                return write!(f, "list the grants of {} to find the id", path.display());
            }
            Self::UseId => "use the id instead of the name",
            Self::SyncAgain => "run the sync again if the file may be out of date",
            Self::ListActions => "list the actions of the connector",
            Self::ListResourceTypes => "list the resource types of the connector",
            Self::CheckNamedResources => "check the types and ids of the named resources",
            Self::SyncWholeTypes => "sync all resources of the types instead of named ones",
            Self::AllowEmpty => "if the empty list is correct, allow it; the next run starts over",
            Self::NextRunStartsOver => "the next run starts over",
            Self::StartOver => "start over without the unfinished work",
            Self::Resume => "run the same command again to resume",
            Self::ResumeLater => "run the same command later to resume",
            Self::RunAgain => "run the same command again",
            Self::WaitForStableData(example) => {
                return write!(
                    f,
                    "sync again when the data is stable; the first list that failed: {example}"
                );
            }
            Self::DeclareGone(Some(code)) => {
                return write!(
                    f,
                    "if the object was deleted, the author of the connector can declare `{code}` \
                     as a code of deleted objects; such lists are left out and counted"
                );
            }
            Self::DeclareGone(None) => {
                "if the object was deleted, the author of the connector can declare this answer as \
                 one about deleted objects; such lists are left out and counted"
            }
            Self::ReportConnectorBug => {
                "this is a bug in the connector: report it to its maintainers"
            }
            Self::ReportBug => "this is a bug: report it to the maintainers of this program",
            Self::CheckHost => "check the spelling of the host in the base URL",
            Self::CorrectBaseUrl(Some(host)) => {
                return write!(
                    f,
                    "the server redirects to `{host}`; redirects are not followed because of the \
                     credentials: correct the base URL"
                );
            }
            Self::CorrectBaseUrl(None) => "redirects are not followed: correct the base URL",
            Self::CheckWhoAnswers => {
                "a proxy or a sign-in page seems to answer instead of the API: check the base URL \
                 and the proxy settings"
            }
            Self::CheckNameService => "check the network and its name service",
            Self::CheckNetwork => "check the network, the proxy settings and the base URL",
            Self::CheckClientCredentials => "check the client id and the client secret",
            Self::SetClock => "set the clock of this machine",
            Self::TrustCertificate => "if a proxy intercepts TLS, trust its certificate authority",
            Self::GiveProxyCredentials => {
                "put user and password into the proxy setting, as in \
                 http://user:password@proxy:3128"
            }
            Self::RevokeInstead(grants) => {
                let grants: Vec<_> = grants.iter().map(|grant| format!("`{grant}`")).collect();
                return write!(
                    f,
                    "revoke the membership instead: grant {}",
                    grants.join(", ")
                );
            }
            Self::ForceProtected => {
                "grant the entitlement to another account first, or force the change"
            }
            Self::CheckApplication => "check in the application whether the change was made",
            Self::Sentence(text) => text,
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open")]
    struct Outer(#[source] io::Error);

    #[cfg(unix)]
    #[test]
    fn refusals_of_the_system_have_advice_also_as_causes() {
        for (number, expected) in [
            (24, Some(Advice::RaiseLimit(Limit::OpenFiles))),
            (23, Some(Advice::RaiseLimit(Limit::OpenFiles))),
            (28, Some(Advice::FreeSpace)),
            (13, Some(Advice::CheckPermissions)),
            (30, Some(Advice::CheckPermissions)),
            (5, None),
        ] {
            let error = || io::Error::from_raw_os_error(number);
            assert_eq!(Advice::of_io(&error()), expected, "{number}");
            assert_eq!(Advice::of_causes(&Outer(error())), expected, "{number}");
        }
    }
}
