//! A toy connector program and a process to run it in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use baton_connector::{
    Call, Clock, Connector, Page, ResourceSyncer, Row, SplitMix, TypeSpec, Types,
};
use baton_proto::c1::connector::v2;
use baton_runtime::{
    AnyField, App, Built, Config, Engine, ExitStatus, Field, FieldGroup, Presentation, Process,
    Secret, Signals, Stderr, StringRules,
};
use tempfile::TempDir;

/// 2026-01-02T03:04:05.678Z.
pub const NOW_MS: u64 = 1_767_323_045_678;

/// Stands still during a run; each run of a stage is an hour after the one before.
#[derive(Debug)]
struct FixedClock {
    run: u64,
}

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(NOW_MS) + Duration::from_secs(3600 * self.run)
    }
}

/// A stream that can be read back.
#[derive(Clone, Default)]
pub struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Knows one type and nothing else.
pub struct Toy;

type Answer<T> = baton_connector::Result<T>;

#[async_trait]
impl ResourceSyncer for Toy {
    async fn list(&self, _: &Call, _: Option<&v2::ResourceId>) -> Answer<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

fn types() -> Types<()> {
    let user = v2::ResourceType {
        id: "user".to_owned(),
        display_name: "User <&>".to_owned(),
        traits: vec![v2::resource_type::Trait::User.into()],
        ..v2::ResourceType::default()
    };
    Types::new().with(TypeSpec::new(user, |(): &()| Ok(Toy)))
}

#[async_trait]
impl Connector for Toy {
    async fn metadata(&self, _: &Call) -> Answer<v2::ConnectorMetadata> {
        Ok(v2::ConnectorMetadata {
            display_name: "Toy".to_owned(),
            capabilities: Some(types().capabilities()?),
            ..v2::ConnectorMetadata::default()
        })
    }

    async fn validate(&self, _: &Call) -> Answer<Vec<prost_types::Any>> {
        Ok(Vec::new())
    }

    async fn list_resource_types(&self, _: &Call) -> Answer<Page<v2::ResourceType>> {
        Ok(Page::empty())
    }

    async fn list_resources(
        &self,
        _: &Call,
        _: &str,
        _: Option<&v2::ResourceId>,
    ) -> Answer<Page<v2::Resource>> {
        Ok(Page::empty())
    }

    async fn list_static_entitlements(&self, _: &Call, _: &str) -> Answer<Page<v2::Entitlement>> {
        Ok(Page::empty())
    }

    async fn list_entitlements(&self, _: &Call, _: &v2::Resource) -> Answer<Page<v2::Entitlement>> {
        Ok(Page::empty())
    }

    async fn list_grants(&self, _: &Call, _: &v2::Resource) -> Answer<Page<v2::Grant>> {
        Ok(Page::empty())
    }

    async fn get_resource(
        &self,
        _: &Call,
        _: &v2::ResourceId,
        _: Option<&v2::ResourceId>,
    ) -> Answer<Option<Row<v2::Resource>>> {
        Ok(None)
    }

    async fn cleanup(&self, _: &Call) -> Answer<()> {
        Ok(())
    }
}

pub const ACCESS_TOKEN: Field<Secret> = Field::secret(
    "access-token",
    "Access Token used to authenticate with the Atlassian API.",
)
.display_name("Access Token")
.required()
.env_aliases(&["BATON_API_TOKEN"]);
pub const ORGANIZATION_ID: Field<String> =
    Field::string("organization-id", "Organization that will be synchronized.")
        .display_name("Organization ID")
        .required()
        .env_aliases(&["BATON_ORG"]);
const SCIM_TOKEN: Field<Secret> = Field::secret(
    "scim-token",
    "SCIM Token used for user provisioning operations.",
)
.display_name("SCIM Token")
.rules(StringRules::NONE);
const SCIM_BASE_URL: Field<String> = Field::string(
    "scim-base-url",
    "The SCIM base URL for user provisioning (you can get it along with the token)",
)
.display_name("SCIM Base URL")
.rules(StringRules::NONE);
const BASE_URL: Field<String> = Field::string("base-url", "Address of the API")
    .hidden()
    .export(baton_runtime::Export::Cli);

/// The fields of a connector like the ones in the wild.
pub fn fields() -> Vec<AnyField> {
    vec![
        ACCESS_TOKEN.any(),
        ORGANIZATION_ID.any(),
        SCIM_TOKEN.any(),
        SCIM_BASE_URL.any(),
        BASE_URL.any(),
    ]
}

/// What one run left behind.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// The settled values, if a connector was made or an extra command ran.
    pub config: Option<Config>,
}

impl Outcome {
    /// The first line of standard error that reports a failure, without its mark.
    pub fn error(&self) -> &str {
        self.stderr
            .lines()
            .find_map(|line| line.strip_prefix("error: "))
            .unwrap_or_default()
    }

    #[track_caller]
    pub fn config(&self) -> &Config {
        self.config
            .as_ref()
            .unwrap_or_else(|| panic!("no run, but:\n{}", self.stderr))
    }
}

/// A folder, an environment and an engine for the next run.
pub struct Stage {
    pub dir: TempDir,
    pub env: BTreeMap<OsString, OsString>,
    pub stdin: String,
    pub fields: Vec<AnyField>,
    pub groups: Vec<FieldGroup>,
    pub unsigned_when: Option<Field<bool>>,
    /// Columns of the terminal.
    pub columns: Option<usize>,
    pub relations: Vec<baton_runtime::Relation>,
    pub engine: Engine,
    pub signals: Option<Signals>,
    pub commands: Vec<baton_runtime::ExtraCommand>,
    /// Makes the connector.
    pub connect: Arc<dyn Fn() -> Arc<dyn Connector> + Send + Sync>,
    /// The types that the program registers.
    pub types: Option<fn() -> Types<()>>,
    /// The program has the flags that limit requests.
    pub sends_requests: bool,
    /// Standard error is a terminal.
    pub terminal: bool,
    /// The network.
    pub transport: Option<Arc<dyn baton_connector::http::Transport>>,
    /// The way to ConductorOne.
    pub service_channel: Option<baton_grpc::Channel>,
    /// The async runtime of the next run.
    pub runtime: Option<tokio::runtime::Runtime>,
    /// What the next run writes to standard error, while it runs.
    pub stderr: Sink,
    /// Runs before this one.
    runs: u64,
}

impl Stage {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            env: BTreeMap::new(),
            stdin: String::new(),
            fields: fields(),
            groups: Vec::new(),
            unsigned_when: None,
            columns: None,
            relations: Vec::new(),
            engine: crate::sync::complete_engine(),
            signals: None,
            commands: Vec::new(),
            connect: Arc::new(|| Arc::new(Toy)),
            types: Some(types),
            sends_requests: true,
            terminal: false,
            transport: None,
            service_channel: None,
            runtime: None,
            stderr: Sink::default(),
            runs: 0,
        }
    }

    /// With the two required values in the environment.
    pub fn ready() -> Self {
        Self::new()
            .env("BATON_ACCESS_TOKEN", "hunter2")
            .env("BATON_ORGANIZATION_ID", "o-1")
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.dir.path().join(name), content).unwrap();
        self
    }

    pub fn stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    pub fn field(mut self, field: impl Into<AnyField>) -> Self {
        self.fields.push(field.into());
        self
    }

    pub fn relation(mut self, relation: baton_runtime::Relation) -> Self {
        self.relations.push(relation);
        self
    }

    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn run(&mut self, args: &[&str]) -> Outcome {
        let seen: Arc<Mutex<Option<Config>>> = Arc::default();
        let stdout = Sink::default();
        let stderr = std::mem::take(&mut self.stderr);
        let config = Arc::clone(&seen);
        let connect = Arc::clone(&self.connect);
        let mut app = App::new(
            "baton-toy",
            "1.2.3",
            Box::new(move |settled, _| {
                *config.lock().unwrap() = Some(settled.clone());
                Ok(Built {
                    connector: connect(),
                    content_facts: BTreeMap::new(),
                })
            }),
        )
        .commit(Some("0123abc"))
        .presentation(Presentation {
            display_name: "Atlassian",
            help_url: "/docs/baton/atlassian",
            icon_url: "/static/app-icons/atlassian.svg",
            ..Presentation::default()
        })
        .fields(self.fields.clone());
        for group in &self.groups {
            app = app.group(*group);
        }
        if let Some(switch) = self.unsigned_when {
            app = app.unsigned_when(switch);
        }
        for relation in &self.relations {
            app = app.relation(relation.clone());
        }
        if let Some(types) = self.types {
            let config = Arc::clone(&seen);
            app = app.types(move |settled| {
                *config.lock().unwrap() = Some(settled.clone());
                Ok(types())
            });
        }
        for command in self.commands.drain(..) {
            app = app.command(command);
        }
        if !self.sends_requests {
            app = app.without_http();
        }
        let process = Process {
            asks: false,
            args: args.iter().map(Into::into).collect(),
            env: self.env.clone(),
            exe: None,
            cwd: self.dir.path().to_path_buf(),
            stdin: Box::new(Cursor::new(self.stdin.clone())),
            inherited: baton_runtime::Inherited::default(),
            stdout: Box::new(stdout.clone()),
            stderr: Stderr::new(Box::new(stderr.clone()), self.terminal, false),
            columns: self.columns,
            signals: self.signals.take().unwrap_or_else(|| {
                let (_, receiver) = tokio::sync::mpsc::channel(1);
                Signals::Given(receiver)
            }),
            clock: Arc::new(FixedClock { run: self.runs }),
            random: Arc::new(SplitMix::seeded(self.runs)),
            engine: Arc::clone(&self.engine),
            service_channel: self.service_channel.clone(),
            transport: self.transport.clone(),
            runtime: self.runtime.take(),
        };
        let status = baton_runtime::run(&app, process);
        self.runs += 1;
        let config = seen.lock().unwrap().take();
        Outcome {
            status,
            stdout: stdout.text(),
            stderr: stderr.text(),
            config,
        }
    }
}
