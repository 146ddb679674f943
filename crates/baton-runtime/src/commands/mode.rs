//! The mode of the root command, decided once from its flags.

use baton_flags::{Config, Field};

use super::sync;
use crate::change;
use crate::flags;
use crate::signals::StopMessages;
use crate::task::{Body, Runs, Task, Writes, body};

/// What the root command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Reads an application into a file.
    Sync,
    /// Gives a principal an entitlement.
    Grant,
    /// Takes a grant away.
    Revoke,
    /// Creates an account.
    CreateAccount,
    /// Deletes a resource.
    Delete,
    /// Replaces the credentials of a resource.
    Rotate,
    /// Adds the difference of two syncs to a file.
    Diff,
    /// Merges the syncs of several files.
    Compact,
}

/// The switches that choose a mode; without one it is a sync.
const CHOSEN_BY: [(Field<bool>, Mode); 2] = [
    (flags::DIFF_SYNCS, Mode::Diff),
    (flags::COMPACT_SYNCS, Mode::Compact),
];

impl Mode {
    /// The mode that the flags choose.
    pub(crate) fn of(config: &Config) -> Self {
        let given = |flag: &Field<String>| !config.get(flag).is_empty();
        if given(&flags::GRANT_ENTITLEMENT) {
            return Self::Grant;
        }
        if given(&flags::REVOKE_GRANT) {
            return Self::Revoke;
        }
        let account = [
            flags::CREATE_ACCOUNT_PROFILE,
            flags::CREATE_ACCOUNT_LOGIN,
            flags::CREATE_ACCOUNT_EMAIL,
        ];
        if account.iter().any(given) {
            return Self::CreateAccount;
        }
        if given(&flags::DELETE_RESOURCE) {
            return Self::Delete;
        }
        if given(&flags::ROTATE_CREDENTIALS) {
            return Self::Rotate;
        }
        CHOSEN_BY
            .iter()
            .find(|(switch, _)| config.get(switch))
            .map_or(Self::Sync, |(_, mode)| *mode)
    }

    /// All that depends on the mode.
    pub(crate) fn task(self, config: &Config) -> Task {
        match self {
            Self::Sync => Task {
                doing: "syncing".to_owned(),
                stop_messages: StopMessages::SYNC,
                writes: Writes::SyncFile,
                body: body(sync::sync),
            },
            Self::Grant => change_task("granting", config, body(change::grant)),
            Self::Revoke => change_task("revoking", config, body(change::revoke)),
            Self::CreateAccount => {
                change_task("creating an account", config, body(change::create_account))
            }
            Self::Delete => change_task("deleting a resource", config, body(change::delete)),
            Self::Rotate => change_task("replacing credentials", config, body(change::rotate)),
            Self::Diff => Task {
                doing: "comparing syncs".to_owned(),
                stop_messages: StopMessages::FILES,
                writes: Writes::SyncFile,
                body: body(sync::diff),
            },
            Self::Compact => Task {
                doing: "compacting syncs".to_owned(),
                stop_messages: StopMessages::FILES,
                writes: Writes::Compaction,
                body: body(sync::compact),
            },
        }
    }
}

/// A change of access; with `--sync-after` it writes the file that it reads.
fn change_task(doing: &str, config: &Config, body: Body) -> Task {
    Task {
        doing: doing.to_owned(),
        stop_messages: StopMessages::CHANGE,
        writes: if config.get(&flags::SYNC_AFTER) {
            Writes::SyncFile
        } else {
            Writes::Nothing
        },
        body,
    }
}

/// What runs the root command.
pub(crate) fn runs() -> Runs {
    Runs::Work(std::sync::Arc::new(|config| Mode::of(config).task(config)))
}
