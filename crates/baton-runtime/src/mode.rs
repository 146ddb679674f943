//! What a run of the root command does, settled once from its flags; and the modes of the Go
//! programs that do not exist here.
//!
//! On the command line the flag of such a mode is simply unknown. In the environment or in a config
//! file it would pass unnoticed, and a deployment that is meant to run as a service would quietly
//! do a one-shot sync instead; so there it is refused.

use baton_flags::{Config, ConfigFile, Environment, Field, Reserved, env_name, sources};

use crate::commands::{Task, Writes, body, sync};
use crate::error::{Error, Result};
use crate::flags;
use crate::signals::StopMessages;

/// What the root command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Reads an application into a file.
    Sync,
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
        CHOSEN_BY
            .iter()
            .find(|(switch, _)| config.get(switch))
            .map_or(Self::Sync, |(_, mode)| *mode)
    }

    /// All that depends on the mode.
    pub(crate) fn task(self) -> Task {
        match self {
            Self::Sync => Task {
                doing: "syncing".to_owned(),
                stop_messages: StopMessages::SYNC,
                writes: Writes::SyncFile,
                body: body(sync::sync),
            },
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

/// Flag name, and what a non-empty value chooses (connector CLI specification, §5.1).
const REFUSED: [(&str, &str); 12] = [
    ("client-id", "service mode"),
    ("grant-entitlement", "granting"),
    ("revoke-grant", "revoking"),
    ("event-feed", "the event feed"),
    ("create-account-profile", "account creation"),
    ("create-account-login", "account creation"),
    ("invoke-action", "invoking an action"),
    ("delete-resource", "deleting a resource"),
    ("rotate-credentials", "rotating credentials"),
    ("create-ticket", "ticketing"),
    ("bulk-create-ticket", "ticketing"),
    ("get-ticket", "ticketing"),
];

/// Variables without a flag, by the flag that would derive them.
const WITHOUT_FLAG: [&str; 8] = [
    "config-path",
    "tmpdir",
    "keep-sync-count",
    "skip-cleanup",
    "experimental-pebble-compactor",
    "decoder-max-decoded-size-mb",
    "decoder-max-memory-mb",
    "disable-fcs-fail-fast",
];

/// The variables that no field of a connector may derive.
pub(crate) fn reserved() -> Vec<Reserved> {
    let modes = REFUSED.map(|(flag, mode)| Reserved {
        flag,
        meaning: mode,
        mode: Some(mode),
    });
    let settings = WITHOUT_FLAG.map(|flag| Reserved {
        flag,
        meaning: "a setting of every connector program",
        mode: None,
    });
    modes.into_iter().chain(settings).collect()
}

/// Fails on the first mode that environment or file would choose.
pub(crate) fn refuse(env: &Environment, file: Option<&ConfigFile>) -> Result<()> {
    for (setting, mode) in REFUSED {
        let name = env_name(setting);
        let origin = if sources::variable(env, &name)?.is_some() {
            format!("environment variable {name}")
        } else if let Some(file) = file
            && file.unknown.iter().any(|key| key.to_lowercase() == setting)
        {
            format!("config file `{}`", file.path.display())
        } else {
            continue;
        };
        return Err(Error::UnsupportedMode {
            setting,
            origin,
            mode,
        });
    }
    Ok(())
}
