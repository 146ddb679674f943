//! Commands that only one program has.

use std::pin::Pin;
use std::sync::Arc;

use baton_flags::{AnyField, Command, Example, Positionals};

use crate::context::CommandContext;
use crate::error::Result;
use crate::exit::ExitStatus;
use crate::signals;
use crate::task::{Body, Runs, Task, Writes};

/// The body of an extra command.
pub type CommandBody = Box<
    dyn Fn(CommandContext) -> Pin<Box<dyn Future<Output = Result<ExitStatus>> + Send>>
        + Send
        + Sync,
>;

/// A subcommand that only this program has.
pub struct ExtraCommand {
    name: &'static str,
    about: &'static str,
    fields: Vec<AnyField>,
    positionals: Positionals,
    uses_connector: bool,
    examples: Vec<Example>,
    commands: Vec<ExtraCommand>,
    secrets: Vec<String>,
    body: Option<Body>,
}

impl ExtraCommand {
    /// A command with a one-line description, in lower case and without a full stop. The common
    /// flags exist on it, the connector's own do not.
    pub fn new(name: &'static str, about: &'static str, body: CommandBody) -> Self {
        Self {
            body: Some(Arc::from(body)),
            ..Self::group(name, about)
        }
    }

    /// A command that only has others below it, and prints its help.
    pub fn group(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            fields: Vec::new(),
            positionals: Positionals::Refused,
            uses_connector: false,
            examples: Vec::new(),
            commands: Vec::new(),
            secrets: Vec::new(),
            body: None,
        }
    }

    /// Hides a secret that no flag holds in all texts for people.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// Adds a flag; one with the name of a common flag replaces it on this command.
    #[must_use]
    pub fn field(mut self, field: impl Into<AnyField>) -> Self {
        self.fields.push(field.into());
        self
    }

    /// Has the connector's flags, too, so that [`CommandContext::connect`] can make the connector.
    #[must_use]
    pub fn with_connector(mut self) -> Self {
        self.uses_connector = true;
        self
    }

    /// Takes words that are not flags, which [`CommandContext::positionals`] gives: how the usage shows them,
    /// such as `[FILE]`, and what they are.
    #[must_use]
    pub fn positionals(mut self, shown: &'static str, help: &'static str) -> Self {
        self.positionals = Positionals::Named { shown, help };
        self
    }

    /// Adds an example to the end of its help.
    #[must_use]
    pub fn example(mut self, about: &'static str, args: &'static str) -> Self {
        self.examples.push(Example { about, args });
        self
    }

    /// Adds a command below it.
    #[must_use]
    pub fn command(mut self, command: ExtraCommand) -> Self {
        self.commands.push(command);
        self
    }

    /// The secrets of the command and of those below it.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let below = self.commands.iter().flat_map(ExtraCommand::secrets);
        self.secrets.iter().cloned().chain(below).collect()
    }

    /// Its entry in the table, and those below it; `above` are the words in front.
    pub(crate) fn entry(&self, above: &str) -> Command<Runs> {
        let words = format!("{above}{}", self.name);
        let mut entry = Command::new(self.name, self.about).positionals(self.positionals);
        entry.fields.clone_from(&self.fields);
        entry.takes_root_fields = self.uses_connector;
        entry.examples.clone_from(&self.examples);
        let below = format!("{words} ");
        entry.commands = self
            .commands
            .iter()
            .map(|next| next.entry(&below))
            .collect();
        entry.run = self.body.clone().map(|body| {
            let doing = format!("running the command `{words}`");
            Runs::Work(Arc::new(move |_| Task {
                doing: doing.clone(),
                stop_messages: signals::StopMessages::SYNC,
                // A command that takes a file writes a sync file to it.
                writes: Writes::SyncFile,
                lasts: false,
                body: Arc::clone(&body),
            }))
        });
        entry
    }
}
