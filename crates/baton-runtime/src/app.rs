//! What a connector brings to become a program.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use baton_connector::{Clock, Connector, Random};

use crate::error::Result;
use crate::exit::ExitStatus;
use crate::flags::{self, DefaultLogFormat};
use crate::program::{CommandId, CommandShape, Program, Words, common_commands};
use crate::schema::Presentation;
use crate::session::Session;
use baton_flags::Config;
use baton_flags::Field;
use baton_flags::Relation;

/// A connector, ready to be driven.
pub struct Built {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// What decides the content of its answers, such as base URL and organization. Work that was
    /// begun under other facts is not resumed. No secrets.
    pub content_facts: BTreeMap<String, String>,
}

/// What a connector may use from its surroundings.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// Random source, for jitter.
    pub random: Arc<dyn Random>,
    /// Current folder; relative paths in settings start here.
    pub cwd: PathBuf,
    /// Name and version of the program, as a `User-Agent` header wants them.
    pub user_agent: String,
}

/// Makes a connector from settled values. It sends no request.
pub type Connect =
    Box<dyn Fn(&Config, &Surroundings) -> baton_connector::Result<Built> + Send + Sync>;

/// The body of an extra command.
pub type CommandBody =
    Box<dyn Fn(Session) -> Pin<Box<dyn Future<Output = Result<ExitStatus>> + Send>> + Send + Sync>;

/// A subcommand that only this program has.
pub struct ExtraCommand {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) fields: Vec<Field>,
    pub(crate) secrets: Vec<String>,
    pub(crate) body: CommandBody,
}

impl ExtraCommand {
    /// A command with a one-line description. The common flags exist on it, the connector's own
    /// do not.
    pub fn new(name: &'static str, about: &'static str, body: CommandBody) -> Self {
        Self {
            name,
            about,
            fields: Vec::new(),
            secrets: Vec::new(),
            body,
        }
    }

    /// Keeps a secret that no flag holds out of everything that people read.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// Adds a flag; one with the name of a common flag replaces it on this command.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }
}

/// A connector program: [`crate::main`] runs it.
pub struct App {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) presentation: Presentation,
    pub(crate) fields: Vec<Field>,
    pub(crate) relations: Vec<Relation>,
    pub(crate) commands: Vec<ExtraCommand>,
    pub(crate) sends_requests: bool,
    pub(crate) connect: Connect,
}

impl App {
    /// A program named after its connector, such as `baton-example`.
    pub fn new(name: &'static str, version: &'static str, connect: Connect) -> Self {
        Self {
            name,
            version,
            presentation: Presentation::default(),
            fields: Vec::new(),
            relations: Vec::new(),
            commands: Vec::new(),
            sends_requests: true,
            connect,
        }
    }

    /// Sets what set-up forms show of the connector.
    #[must_use]
    pub fn presentation(mut self, presentation: Presentation) -> Self {
        self.presentation = presentation;
        self
    }

    /// Adds the connector's fields, in the order of the exported schema.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// Adds a rule over several of the connector's fields.
    #[must_use]
    pub fn relation(mut self, relation: Relation) -> Self {
        self.relations.push(relation);
        self
    }

    /// The connector reads something else than an HTTP API: the flags that
    /// steer requests would do nothing, so `--rate-share` and
    /// `--max-requests-per-second` do not exist, and `--http-timeout-seconds`,
    /// which every program of the Go tools accepts, is not shown.
    #[must_use]
    pub fn without_http(mut self) -> Self {
        self.sends_requests = false;
        self
    }

    /// Adds a subcommand.
    #[must_use]
    pub fn command(mut self, command: ExtraCommand) -> Self {
        self.commands.push(command);
        self
    }

    /// The shape of the program.
    pub(crate) fn program(&self, log_format: DefaultLogFormat) -> Program {
        let mut commands = common_commands();
        commands.extend(
            self.commands
                .iter()
                .enumerate()
                .map(|(index, command)| CommandShape {
                    id: CommandId::Extra(index),
                    name: command.name,
                    about: command.about,
                    words: Words::Refused,
                    connector_fields: false,
                    own_fields: command.fields.clone(),
                }),
        );
        let mut common = flags::common(log_format);
        if !self.sends_requests {
            common = flags::without_http(common);
        }
        Program {
            name: self.name,
            version: self.version,
            common,
            connector: self.fields.clone(),
            relations: flags::relations()
                .into_iter()
                .chain(self.relations.iter().cloned())
                .collect(),
            commands,
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}
