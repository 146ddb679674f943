//! What a command is: how it runs, and what is done with its settings.

use std::pin::Pin;
use std::sync::Arc;

use baton_flags::builtin::BuiltIn;
use baton_flags::{Config, Program};

use crate::context::CommandContext;
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::schema::Presentation;
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
    Declared(fn(&Presentation, &Program<Self>) -> Result<String>),
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
