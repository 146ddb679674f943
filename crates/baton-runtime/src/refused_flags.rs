//! Flags without a meaning in a mode, and variables that are taken.

use baton_flags::{Config, Reserved};

use crate::error::{Error, Result};
use crate::flags;

/// Fails on a flag about changes in a mode that changes nothing.
pub(crate) fn refuse_change_flags(config: &Config) -> Result<()> {
    if config.was_set(&flags::OUTPUT) {
        let flag = flags::OUTPUT.name();
        return Err(Error::NotAChange { flag });
    }
    refuse_change_flags_of_reads(config)
}

/// As [`refuse_change_flags`], in a mode that reads and has a result: its form can be chosen.
pub(crate) fn refuse_change_flags_of_reads(config: &Config) -> Result<()> {
    if config.get(&flags::FOLLOW) || config.has(&flags::EVENT_FEED_CURSOR_FILE) {
        return Err(Error::NotEvents);
    }
    refuse_change_flags_of_events(config)
}

/// As [`refuse_change_flags_of_reads`], in the mode that reads events.
pub(crate) fn refuse_change_flags_of_events(config: &Config) -> Result<()> {
    match of_changes(config).into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Error::NotAChange { flag }),
        None => Ok(()),
    }
}

/// Fails on a flag about one change, in the mode that makes many for others.
pub(crate) fn refuse_flags_of_one_change(config: &Config) -> Result<()> {
    let of_all = [flags::AUDIT_LOG.name(), flags::FORCE_PROTECTED.name()];
    let events = config.get(&flags::FOLLOW) || config.has(&flags::EVENT_FEED_CURSOR_FILE);
    let others = [
        (flags::OUTPUT.name(), config.was_set(&flags::OUTPUT)),
        (flags::FOLLOW.name(), events),
        (flags::METRICS_FILE.name(), config.has(&flags::METRICS_FILE)),
    ];
    let mut refused = of_changes(config).into_iter().chain(others);
    match refused.find(|(flag, given)| *given && !of_all.contains(flag)) {
        Some((flag, _)) => Err(Error::NotForTasks { flag }),
        None => Ok(()),
    }
}

/// The flags about changes, and which of them are given.
fn of_changes(config: &Config) -> Vec<(&'static str, bool)> {
    let given = [
        (&flags::DRY_RUN, config.get(&flags::DRY_RUN)),
        (&flags::SYNC_AFTER, config.get(&flags::SYNC_AFTER)),
        (&flags::FORCE_PROTECTED, config.get(&flags::FORCE_PROTECTED)),
    ]
    .map(|(flag, given)| (flag.name(), given));
    let others = [
        (flags::AUDIT_LOG.name(), config.has(&flags::AUDIT_LOG)),
        (
            flags::CREDENTIALS_OUT.name(),
            config.has(&flags::CREDENTIALS_OUT),
        ),
        (
            flags::CREDENTIAL_RECIPIENT.name(),
            !config.get(&flags::CREDENTIAL_RECIPIENT).is_empty(),
        ),
        (flags::YES.name(), config.get(&flags::YES)),
        (
            flags::ACTION_TIMEOUT.name(),
            config.was_set(&flags::ACTION_TIMEOUT),
        ),
    ];
    given.into_iter().chain(others).collect()
}

/// Variables without a flag, by the flag that would derive them.
const WITHOUT_FLAG: [&str; 11] = [
    "config-path",
    "tmpdir",
    "c1-api-host",
    "host-id",
    "get-tasks",
    "keep-sync-count",
    "skip-cleanup",
    "experimental-pebble-compactor",
    "decoder-max-decoded-size-mb",
    "decoder-max-memory-mb",
    "disable-fcs-fail-fast",
];

/// The variables that no field of a connector may derive.
pub(crate) fn reserved() -> Vec<Reserved> {
    let settings = WITHOUT_FLAG.map(|flag| Reserved {
        flag,
        meaning: "a setting of every connector program",
    });
    settings.into_iter().collect()
}
