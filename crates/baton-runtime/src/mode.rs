//! What a run of the root command does, settled once from its flags; and the modes of the Go
//! programs that do not exist here.
//!
//! On the command line the flag of such a mode is simply unknown. In the environment or in a config
//! file it would pass unnoticed, and a deployment that is meant to run as a service would quietly
//! do a one-shot sync instead; so there it is refused.

use baton_flags::{Config, ConfigFile, Environment, Field, Reserved, env_name, sources};

use crate::change;
use crate::commands::{Body, Task, Writes, body, sync};
use crate::error::{Error, Result};
use crate::flags;
use crate::signals::StopMessages;

/// What the root command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Reads an application into a file.
    Sync,
    /// Gives a principal an entitlement.
    Grant,
    /// Takes a grant away.
    Revoke,
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

/// Fails on a flag that says how a change is made, where nothing is changed.
pub(crate) fn refuse_change_flags(config: &Config) -> Result<()> {
    let given = [
        (&flags::DRY_RUN, config.get(&flags::DRY_RUN)),
        (&flags::SYNC_AFTER, config.get(&flags::SYNC_AFTER)),
        (&flags::FORCE_PROTECTED, config.get(&flags::FORCE_PROTECTED)),
    ]
    .map(|(flag, given)| (flag.name(), given));
    let others = [
        (flags::AUDIT_LOG.name(), config.has(&flags::AUDIT_LOG)),
        (flags::OUTPUT.name(), config.was_set(&flags::OUTPUT)),
    ];
    match given.into_iter().chain(others).find(|(_, given)| *given) {
        Some((flag, _)) => Err(Error::NotAChange { flag }),
        None => Ok(()),
    }
}

/// Flag name, and what a non-empty value chooses (connector CLI specification, §5.1).
const REFUSED: [(&str, &str); 10] = [
    ("client-id", "service mode"),
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
