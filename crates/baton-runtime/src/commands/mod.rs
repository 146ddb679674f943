//! The commands that every connector program has, one file each, and the table of them.
//!
//! Adding one is a file with its definition and its body, and a line in [`table`].

mod capabilities;
mod config;
mod selftest;
pub(crate) mod sync;
mod validate;

use std::pin::Pin;
use std::sync::Arc;

use baton_flags::builtin::{self, BuiltIn};
use baton_flags::{Command, Config, Program};

use crate::app::App;
use crate::context::CommandContext;
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::flags;
use crate::signals::StopMessages;

/// What comes of a command.
pub(crate) type Outcome = Pin<Box<dyn Future<Output = Result<ExitStatus>> + Send>>;

/// What a command does.
pub(crate) type Body = Arc<dyn Fn(CommandContext) -> Outcome + Send + Sync>;

/// What runs a command of a connector program.
#[derive(Clone)]
pub(crate) enum Runs {
    /// It is about the command line.
    BuiltIn(BuiltIn<Self>),
    /// It prints what is known from the declaration, and reads no setting.
    Declared(fn(&App, &Program<Self>) -> Result<String>),
    /// It works with settled values, which choose what it does.
    Work(Arc<dyn Fn(&Config) -> Task + Send + Sync>),
}

/// What is done with settled values.
pub(crate) struct Task {
    /// In words, for the report of a panic.
    pub doing: String,
    /// What is shown when signals come.
    pub stop_messages: StopMessages,
    /// Which files it writes.
    pub writes: Writes,
    pub body: Body,
}

/// Which files a task writes besides its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// None.
    Nothing,
    /// The sync file that `--file` names.
    SyncFile,
    /// A new file that is named later.
    Compaction,
}

/// An async function as a body.
pub(crate) fn body<F, R>(run: F) -> Body
where
    F: Fn(CommandContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<ExitStatus>> + Send + 'static,
{
    Arc::new(move |context| Box::pin(run(context)))
}

/// Leaves out of the help what only says how a sync of the root command goes.
fn without_sync_flags(command: Command<Runs>) -> Command<Runs> {
    command
        .without(flags::FILE)
        .without(flags::WORKERS)
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
        .without(flags::PROVISIONING)
        .without(flags::DRY_RUN)
        .without(flags::AUDIT_LOG)
        .without(flags::SYNC_AFTER)
        .without(flags::FORCE_PROTECTED)
        .without(flags::OUTPUT)
}

/// All commands of a program below its root: its own, then the common ones.
pub(crate) fn table(app: &App) -> Vec<Command<Runs>> {
    let own = app.commands.iter().map(|command| command.entry(""));
    let common = [
        without_sync_flags(capabilities::command()),
        config::command(),
        without_sync_flags(selftest::command()),
        without_sync_flags(validate::command()),
    ];
    own.chain(common)
        .chain(builtin::commands(Runs::BuiltIn))
        .collect()
}
