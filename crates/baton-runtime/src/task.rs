//! What a command is: how it runs, and its work.

use std::pin::Pin;
use std::sync::Arc;

use baton_flags::builtin::BuiltIn;
use baton_flags::{Config, Program};

use crate::context::CommandContext;
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::schema::Presentation;
use crate::signals::StopMessages;

/// The result of a command, as a future.
pub(crate) type Outcome = Pin<Box<dyn Future<Output = Result<ExitStatus>> + Send>>;

/// What a command does.
pub(crate) type Body = Arc<dyn Fn(CommandContext) -> Outcome + Send + Sync>;

/// What runs a command of a connector program.
#[derive(Clone)]
pub(crate) enum Runs {
    /// It concerns the command line.
    BuiltIn(BuiltIn<Self>),
    /// It prints facts of the declaration, and reads no setting.
    Declared(fn(&Presentation, &Program<Self>) -> Result<String>),
    /// It works with the settings, which choose its task.
    Work(Arc<dyn Fn(&Config) -> Task + Send + Sync>),
    /// It works for a parent process, to which standard input and the files that
    /// flags name belong.
    Child(Arc<dyn Fn(&Config) -> Task + Send + Sync>),
}

/// The work of a command with its settings.
pub(crate) struct Task {
    /// The work as text, for the error of a panic.
    pub doing: String,
    /// Messages after signals.
    pub stop_messages: StopMessages,
    /// Which files it writes.
    pub writes: Writes,
    /// It runs for years: its log is not reduced on a terminal, and SIGHUP makes it read
    /// its settings again.
    pub lasts: bool,
    pub body: Body,
}

/// To whom standard input and the files that flags name belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// To this program.
    Program,
    /// To the process that started it: they are not touched.
    Parent,
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
