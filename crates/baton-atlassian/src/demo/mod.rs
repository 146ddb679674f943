//! `demo`: the whole path on a made-up organization. The simulator listens on
//! a loopback port, and the sync goes through the ordinary code over HTTP. With
//! `--service`, the tasks come from a simulated ConductorOne on another port.

mod service;

use std::path::{Path, PathBuf};

use atlassian_sim::{
    AccessKey, Config as SimConfig, OrganizationSpec, RateLimits, ServerHandle, Simulator,
};
use baton_connector::Error;
use baton_connector::Secret;
use baton_connector::http::{Proxies, TransportSettings};
use baton_proto::Code;
use baton_runtime::{Built, CommandContext, ExitStatus, ExtraCommand, Field, Result, WrittenBy};
use tokio::net::TcpListener;

use crate::Settings;
use crate::program::{GO_COMPATIBLE, NAME, REQUEST_PLAN, build, modes};

/// Users of the demo organization; with its seed, this fixes all of it.
const USERS: u32 = 500;
const GROUPS: u32 = 40;
const SEED: u64 = 20_261_123;
/// The key that the server accepts; treated as any other, so not shown.
const KEY: &str = "dEm0-9f31c07be46a58d2";

const FILE: Field<PathBuf> = Field::path("file", "path of the sync file")
    .short('f')
    .must_name("the path of a sync file")
    .default("demo.c1z");

const SERVICE: Field<bool> = Field::bool(
    "service",
    "run as a service: a simulated ConductorOne asks for a sync, a grant and an action",
);

/// The subcommand.
pub(crate) fn command() -> ExtraCommand {
    ExtraCommand::new(
        "demo",
        "sync a made-up organization of 500 users, to see what this does",
        Box::new(|context| Box::pin(run(context))),
    )
    .field(FILE)
    .field(SERVICE)
    .field(REQUEST_PLAN)
    .field(GO_COMPATIBLE)
    .secret(KEY)
}

/// What the file names as its writer.
fn tool() -> String {
    format!("{NAME} demo")
}

async fn run(context: CommandContext) -> Result<ExitStatus> {
    let context = context.as_tool(tool()).brief();
    let shown = context.config().as_written(&FILE).display().to_string();
    let target = context.config().get(&FILE).to_owned();
    context.preflight(&target)?;
    refuse_foreign(&context, &target, &shown)?;

    let organization = Organization::start(&context).await?;
    let built = organization.connect(&context)?;
    let outcome = if context.config().get(&SERVICE) {
        service::run(&context, &organization.simulator, &built, &target)
            .await
            .map(|()| ExitStatus::Success)
    } else {
        sync(&context, built, &target).await
    };
    let member = organization.end().await;
    let status = outcome?;
    context.print_status("");
    next_steps(&context, &shown, &member);
    Ok(status)
}

/// Reads the organization once, and reports what that took.
async fn sync(context: &CommandContext, built: Built, target: &Path) -> Result<ExitStatus> {
    let synced = context.sync(built, target).await?;
    let stats = &synced.report.stats;
    let requests = synced.report.traffic.as_ref();
    context.print_status(&format!(
        "{} resources, {} entitlements and {} grants, found with {} requests",
        stats.resources,
        stats.entitlements,
        stats.grants,
        requests.map_or(0, |traffic| traffic.total().requests)
    ));
    Ok(synced.status)
}

/// The made-up organization, served on a loopback port.
struct Organization {
    simulator: Simulator,
    server: ServerHandle,
    base: String,
}

impl Organization {
    async fn start(context: &CommandContext) -> Result<Self> {
        let config = SimConfig {
            organization: OrganizationSpec {
                users: USERS,
                groups: GROUPS,
                seed: SEED,
                ..OrganizationSpec::default()
            },
            keys: vec![AccessKey::unscoped(KEY)],
            limits: RateLimits::off(),
            ..SimConfig::default()
        };
        let simulator = Simulator::new(config).map_err(|e| failed("make the organization", &e))?;
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|e| failed("listen on a loopback port", &e))?;
        let server = simulator
            .serve(listener)
            .map_err(|e| failed("serve the organization", &e))?;
        let base = Simulator::base_url(server.address());
        context.print_status(&format!(
            "a made-up Atlassian organization of {USERS} users is served at {base}"
        ));
        Ok(Self {
            simulator,
            server,
            base,
        })
    }

    /// A connector that reads it.
    fn connect(&self, context: &CommandContext) -> Result<Built> {
        let mut settings = Settings::new(
            Secret::new(self.simulator.access_token()),
            self.simulator.organization_id(),
            &self.base,
        )
        .map_err(|e| failed("use the organization", &e))?;
        modes(&mut settings, context.config())?;
        let transport = TransportSettings {
            // The organization is on this machine: no proxy can reach it.
            proxies: Proxies::None,
            ..TransportSettings::default()
        };
        let mut built = build(
            &settings,
            context.config(),
            context.connector_env(),
            &transport,
        )?;
        // The port changes from run to run, the organization does not.
        built.content_facts.insert("base-url".to_owned(), tool());
        Ok(built)
    }

    /// Ends the server; a user to look at.
    async fn end(self) -> String {
        let member = a_member(&self.simulator);
        // The answers are all there: what a failing server shutdown would lose is nothing.
        let _ = self.server.shutdown().await;
        member
    }
}

/// A user that is in a group, and so has access to something.
fn a_member(simulator: &Simulator) -> String {
    let first = simulator.truth().memberships.into_iter().next();
    first.map(|member| member.account_id).unwrap_or_default()
}

/// Commands that work when they are pasted.
fn next_steps(context: &CommandContext, shown: &str, member: &str) {
    let Some(baton) = context.sibling_command("baton", "baton-cli") else {
        context.print_status("next: install the program `baton` to look at the file");
        return;
    };
    context.print_status("next, look at it:");
    // A name like a flag needs a folder in front.
    let file = if shown.starts_with('-') {
        format!("./{shown}")
    } else {
        shown.to_owned()
    };
    let file = CommandContext::shell_word(&file);
    let member = CommandContext::shell_word(member);
    for command in [
        "stats".to_owned(),
        "resources -t group".to_owned(),
        "grants".to_owned(),
        format!("access -t user -r {member}"),
    ] {
        context.print_status(&format!("  {baton} {command} -f {file}"));
    }
}

/// An existing file is replaced only if a demo wrote it.
fn refuse_foreign(context: &CommandContext, target: &Path, shown: &str) -> Result<()> {
    match context.written_by(target)? {
        WrittenBy::NoFile => Ok(()),
        WrittenBy::Tool(name) if name == tool() => Ok(()),
        _ => Err(Error::stated(
            Code::FailedPrecondition,
            format!("{shown} was not written by a demo, so it is not replaced"),
        )
        .with_hint("pass --file with another path")
        .into()),
    }
}

fn failed(what: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::stated(Code::Internal, format!("cannot {what}: {cause}"))
}
