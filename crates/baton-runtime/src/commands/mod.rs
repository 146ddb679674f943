//! The commands that every connector program has, one file each, and the table of them.
//!
//! Adding one is a file with its definition and its body, and a line in [`common`].

mod action_schemas;
mod capabilities;
mod config;
mod connector_service;
mod health_check;
mod mode;
mod selftest;
mod serve;
mod sync;
mod validate;

pub(crate) use mode::runs;

use baton_flags::Command;

use crate::flags;
use crate::task::Runs;

/// Leaves the flags that only affect a sync of the root command out of the help.
fn without_sync_flags(command: Command<Runs>) -> Command<Runs> {
    without_file_flags(without_change_flags(command))
}

/// Leaves the flags about a sync file out of the help.
fn without_file_flags(command: Command<Runs>) -> Command<Runs> {
    command
        .without(flags::FILE)
        .without(flags::WORKERS)
        .without(flags::PARALLEL_SYNC)
        .without(flags::STORAGE_ENGINE)
        .without(flags::SKIP_ENTITLEMENTS_AND_GRANTS)
        .without(flags::SYNC_RESOURCES)
        .without(flags::SYNC_RESOURCE_TYPES)
        .without(flags::EXTERNAL_RESOURCE_C1Z)
        .without(flags::EXTERNAL_RESOURCE_FILTER)
        .without(flags::EXTERNAL_RESOURCE_TRAITS)
        .without(flags::ALLOW_PARTIAL)
        .without(flags::ALLOW_EMPTY)
        .without(flags::FRESH)
        .without(flags::MAX_GRANTS)
}

/// Leaves out of the help how the root command changes access.
pub(crate) fn without_change_flags(command: Command<Runs>) -> Command<Runs> {
    without_mode_flags(command)
        .without(flags::PROVISIONING)
        .without(flags::TICKETING)
}

/// Leaves out of the help what belongs to the modes of the root command.
fn without_mode_flags(command: Command<Runs>) -> Command<Runs> {
    command
        .without(flags::DRY_RUN)
        .without(flags::AUDIT_LOG)
        .without(flags::METRICS_FILE)
        .without(flags::SYNC_AFTER)
        .without(flags::FORCE_PROTECTED)
        .without(flags::CREDENTIAL_RECIPIENT)
        .without(flags::CREDENTIALS_OUT)
        .without(flags::YES)
        .without(flags::EVENT_FEED_CURSOR_FILE)
        .without(flags::FOLLOW)
        .without(flags::OUTPUT)
        .without(flags::HEALTH_CHECK)
        .without(flags::HEALTH_CHECK_PORT)
}

/// The commands that every connector program has.
pub(crate) fn common() -> [Command<Runs>; 7] {
    [
        without_sync_flags(capabilities::command()),
        config::command(),
        connector_service::command(),
        health_check::command(),
        without_sync_flags(selftest::command()),
        without_mode_flags(without_file_flags(serve::command())),
        without_sync_flags(validate::command()),
    ]
}
