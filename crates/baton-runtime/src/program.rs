//! The shape of a connector program: its commands, and which flags each of them has.
//!
//! Derived once from the app; parsing, help, completions and the reference page all read it.
//! Common fields exist on every command. A connector's own fields exist on the root and on
//! `capabilities`, save the ones that it marks persistent.

use std::collections::BTreeSet;

use crate::args;
use baton_flags::Field;
use baton_flags::relation::{self, Relation};
use baton_flags::{Error, Result};

/// What a command does with words that are no flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// They are unknown commands.
    Refused,
    /// They are ignored, as in the Go programs.
    Ignored,
    /// They name a command to explain.
    Topic,
}

/// Which command a [`CommandShape`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandId {
    Capabilities,
    Config,
    Completion,
    Help,
    /// By position in the app's own commands.
    Extra(usize),
}

/// One subcommand.
#[derive(Debug, Clone)]
pub(crate) struct CommandShape {
    pub id: CommandId,
    pub name: &'static str,
    pub about: &'static str,
    pub words: Words,
    /// Whether the connector's own, non-persistent fields exist here.
    pub connector_fields: bool,
    /// Fields of this command alone; one with the name of a common field replaces it here.
    pub own_fields: Vec<Field>,
}

/// A connector program without its behaviour.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub name: &'static str,
    pub version: &'static str,
    pub common: Vec<Field>,
    pub connector: Vec<Field>,
    pub relations: Vec<Relation>,
    pub commands: Vec<CommandShape>,
}

/// A shell that `completion` writes a script for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Fish,
    Powershell,
    Zsh,
}

impl Shell {
    pub(crate) const ALL: [Self; 4] = [Self::Bash, Self::Fish, Self::Powershell, Self::Zsh];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Zsh => "zsh",
        }
    }
}

/// The commands that every program has, in the order of the help.
pub(crate) fn common_commands() -> Vec<CommandShape> {
    let shape = |id, name, about, words, connector_fields| CommandShape {
        id,
        name,
        about,
        words,
        connector_fields,
        own_fields: Vec::new(),
    };
    vec![
        shape(
            CommandId::Capabilities,
            "capabilities",
            "Print what the connector can do, as JSON",
            Words::Ignored,
            true,
        ),
        shape(
            CommandId::Completion,
            "completion",
            "Print a completion script for a shell",
            Words::Refused,
            false,
        ),
        shape(
            CommandId::Config,
            "config",
            "Print the schema of the connector's settings, as JSON",
            Words::Ignored,
            false,
        ),
        shape(
            CommandId::Help,
            "help",
            "Explain a command",
            Words::Topic,
            false,
        ),
    ]
}

impl Program {
    /// Checks the declaration: no name or letter twice on one command, none that the parser needs
    /// itself, relationships that can hold.
    pub(crate) fn check(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for field in self.common.iter().chain(&self.connector) {
            if !names.insert(field.name) {
                return Err(Error::DuplicateField { name: field.name });
            }
        }
        check_names(&self.fields_of(None))?;
        for command in &self.commands {
            let mut own = BTreeSet::new();
            if let Some(twice) = command
                .own_fields
                .iter()
                .find(|field| !own.insert(field.name))
            {
                return Err(Error::DuplicateField { name: twice.name });
            }
            check_names(&self.fields_of(Some(command)))?;
        }
        let fields: Vec<Field> = self.common.iter().chain(&self.connector).cloned().collect();
        relation::check_declared(&self.relations, &fields)
    }

    /// The fields of the root (`None`) or of one command, in declaration order.
    pub(crate) fn fields_of<'a>(&'a self, command: Option<&'a CommandShape>) -> Vec<&'a Field> {
        let Some(command) = command else {
            return self.common.iter().chain(&self.connector).collect();
        };
        let replaced =
            |field: &&Field| !command.own_fields.iter().any(|own| own.name == field.name);
        let connector = self
            .connector
            .iter()
            .filter(|field| command.connector_fields || field.persistent);
        self.common
            .iter()
            .chain(connector)
            .filter(replaced)
            .chain(&command.own_fields)
            .collect()
    }

    pub(crate) fn command(&self, name: &str) -> Option<&CommandShape> {
        self.commands.iter().find(|command| command.name == name)
    }
}

/// The parser treats a clash as a bug of the caller, so it must not see one.
fn check_names(fields: &[&Field]) -> Result<()> {
    let mut letters = BTreeSet::from(['h', 'v']);
    for field in fields {
        let reserved = [args::HELP, args::VERSION, args::NO_DESCRIPTIONS];
        let taken = if reserved.contains(&field.name) {
            format!("--{}", field.name)
        } else if let Some(short) = field.short.filter(|short| !letters.insert(*short)) {
            format!("-{short}")
        } else {
            continue;
        };
        return Err(Error::TakenName {
            name: field.name,
            taken,
        });
    }
    Ok(())
}
