//! What makes a connector a program.

use std::sync::Arc;

use baton_connector::Types;
use baton_flags::{
    AUTH_METHOD, AnyField, Command, Config, Example, Export, Field, FieldGroup, Program, Relation,
    builtin,
};

use crate::commands;
use crate::connector_env::{Announce, Connect, SharedConnect};
use crate::extra::ExtraCommand;
use crate::flags::{self, LogFormat};
use crate::refused_flags;
use crate::schema::Presentation;
use crate::task::Runs;

/// A connector program: [`crate::main`] runs it.
pub struct App {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) commit: Option<&'static str>,
    pub(crate) about: &'static str,
    pub(crate) presentation: Presentation,
    pub(crate) fields: Vec<AnyField>,
    pub(crate) groups: Vec<FieldGroup>,
    pub(crate) relations: Vec<Relation>,
    pub(crate) commands: Vec<ExtraCommand>,
    pub(crate) examples: Vec<Example>,
    pub(crate) sends_requests: bool,
    pub(crate) unsigned_when: Option<Field<bool>>,
    pub(crate) connect: SharedConnect,
    pub(crate) announce: Option<Announce>,
    pub(crate) asks_connector: bool,
}

impl App {
    /// A program named after its connector, such as `baton-example`.
    pub fn new(name: &'static str, version: &'static str, connect: Connect) -> Self {
        Self {
            name,
            version,
            commit: None,
            about: "read who has access to what in an application into a sync file (.c1z)",
            presentation: Presentation::default(),
            fields: Vec::new(),
            groups: Vec::new(),
            relations: Vec::new(),
            commands: Vec::new(),
            examples: Vec::new(),
            sends_requests: true,
            unsigned_when: None,
            connect: Arc::from(connect),
            announce: None,
            asks_connector: false,
        }
    }

    /// The commit that the program was built from, which `version` prints: usually
    /// `option_env!("BATON_COMMIT")`, which packaging sets.
    #[must_use]
    pub fn commit(mut self, commit: Option<&'static str>) -> Self {
        self.commit = commit;
        self
    }

    /// Registers the connector's resource types and what it can do with each, before anything
    /// is connected: `capabilities` prints them without any setting but the flags that decide
    /// over them. A connector that announces something else is refused.
    #[must_use]
    pub fn types<C: 'static>(
        mut self,
        types: impl Fn(&Config) -> baton_connector::Result<Types<C>> + Send + Sync + 'static,
    ) -> Self {
        self.announce = Some(Arc::new(move |config| types(config)?.capabilities()));
        self
    }

    /// `capabilities` asks the connector what it can do: for a program whose connector is
    /// known only once it is connected.
    #[must_use]
    pub fn capabilities_of_connector(mut self) -> Self {
        self.asks_connector = true;
        self
    }

    /// What the program does, as the first line of its help: lower case, no full stop.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Sets what set-up forms show of the connector.
    #[must_use]
    pub fn presentation(mut self, presentation: Presentation) -> Self {
        self.presentation = presentation;
        self
    }

    /// Adds a field of the connector; the exported schema keeps their order.
    #[must_use]
    pub fn field(mut self, field: impl Into<AnyField>) -> Self {
        self.fields.push(field.into());
        self
    }

    /// Adds fields of the connector, in the order of the exported schema.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = AnyField>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// Adds a way to fill the fields, of which one is used: `--auth-method` chooses it, else the
    /// values that are set.
    #[must_use]
    pub fn group(mut self, group: FieldGroup) -> Self {
        self.groups.push(group);
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

    /// A switch of the connector under which files do not name the program that wrote them, as
    /// those of another program that it is to equal.
    #[must_use]
    pub fn unsigned_when(mut self, switch: Field<bool>) -> Self {
        self.unsigned_when = Some(switch);
        self
    }

    /// Adds a subcommand.
    #[must_use]
    pub fn command(mut self, command: ExtraCommand) -> Self {
        self.commands.push(command);
        self
    }

    /// Adds an example to the end of the help: what it does, and the words behind the program's
    /// name.
    #[must_use]
    pub fn example(mut self, about: &'static str, args: &'static str) -> Self {
        self.examples.push(Example { about, args });
        self
    }

    /// The commands below the root: the program's own, then the common ones.
    fn commands(&self) -> Vec<Command<Runs>> {
        let own = self.commands.iter().map(|command| command.entry(""));
        let own = own.map(commands::without_change_flags);
        own.chain(commands::common())
            .chain(builtin::commands(Runs::BuiltIn))
            .collect()
    }

    /// The shape of the program.
    pub(crate) fn program(&self, log_format: LogFormat) -> Program<Runs> {
        let mut common = flags::common(log_format);
        if !self.sends_requests {
            common = flags::without_http(common);
        }
        let mut root = Command::new(self.name, self.about).runs(commands::runs());
        root.fields.extend(&self.fields);
        if !self.groups.is_empty() {
            common = flags::with_groups(common);
            root.fields
                .push(AUTH_METHOD.persistent().export(Export::None).any());
        }
        root.commands = self.commands();
        root.examples.clone_from(&self.examples);
        Program {
            version: self.version,
            commit: self.commit,
            root,
            common,
            relations: flags::relations()
                .into_iter()
                .chain(self.relations.iter().cloned())
                .collect(),
            groups: self.groups.clone(),
            reads_settings: true,
            reserved: refused_flags::reserved(),
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
