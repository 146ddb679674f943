//! One sync over each transport: in this process, over gRPC in memory, and from a
//! connector that is a child process. Prints time and peak memory of each, and how
//! long a child takes until its first answer.
//!
//! Arguments: `rows` measures a million grants of 1.2 KB in pages of 2,500 into
//! format v3; `atlassian` a sync of 2,000 users and 100
//! groups from the simulator. Without arguments both.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
#![allow(clippy::print_stdout, clippy::print_stderr)] // a bench reports
#![allow(clippy::unwrap_used)] // and may end on anything unexpected

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use atlassian_sim::{OrganizationSpec, RateLimits, Simulator};
use baton_connector::http::{HttpParts, HttpSettings, ReqwestTransport, TransportSettings};
use baton_connector::resource::{
    EntitlementBuilder, GrantBuilder, ResourceBuilder, ResourceTypeBuilder,
};
use baton_connector::{
    Call, Connector, ConnectorBuilder, Page, ResourceSyncer, Result, Secret, SplitMix, SystemClock,
    TypeSpec, Types, v2,
};
use baton_grpc::child::{ChildLine, Launch, child_connector};
use baton_grpc::{
    ClientSettings, ConnectorSettings, Limiter, MemorySessions, RemoteConnector, Server, channel,
    connector_services,
};
use baton_runtime::{App, Built, Field, IntRules};
use baton_sync::{Event, Observer, SyncHost, SyncRequest, Workers};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs of each measurement; the median counts.
const RUNS: usize = 3;
/// Users of the made organization.
const USERS: usize = 50_000;
/// What makes a grant as large as the Go tools write it: 1.2 KB.
const PADDING: usize = 760;

const GROUPS: Field<i64> = Field::int("groups", "groups of the made organization")
    .default(400)
    .rules(IntRules::NONE);
const MEMBERS: Field<i64> = Field::int("members", "members of each group")
    .default(2_500)
    .rules(IntRules::NONE);

/// The variable that makes this program a connector, and its values.
const CONNECTOR: &str = "BENCH_CONNECTOR";
const MADE: &str = "made";
const ATLASSIAN: &str = "atlassian";
/// What a child writes before its peak memory.
const PEAK: &str = "peak memory in MB: ";

fn user(number: usize) -> v2::Resource {
    ResourceBuilder::new("user", format!("712020:{number:08}"))
        .display_name(format!("User Number {number}"))
        .build()
        .unwrap()
}

fn group(number: usize) -> v2::Resource {
    let group = ResourceBuilder::new("group", format!("group-{number:06}"))
        .display_name(format!("Group Number {number}"))
        .build()
        .unwrap();
    v2::Resource {
        description: "x".repeat(PADDING),
        ..group
    }
}

struct Users;
struct Groups {
    groups: usize,
    members: usize,
}

#[baton_connector::async_trait]
impl ResourceSyncer for Users {
    async fn list(
        &self,
        call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let first: usize = call.token().parse().unwrap_or(0);
        let end = USERS.min(first + 5_000);
        let next = if end < USERS {
            end.to_string()
        } else {
            String::new()
        };
        Ok(Page::new((first..end).map(user).collect(), next))
    }
}

#[baton_connector::async_trait]
impl ResourceSyncer for Groups {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::last((0..self.groups).map(group).collect()))
    }

    async fn entitlements(
        &self,
        _call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        Ok(Page::last(vec![
            EntitlementBuilder::assignment(resource, "member").build()?,
        ]))
    }

    async fn grants(&self, _call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        let entitlement = EntitlementBuilder::assignment(resource, "member").build()?;
        let id = resource.id.as_ref().unwrap();
        let number: usize = id.resource.trim_start_matches("group-").parse().unwrap();
        let grants = (0..self.members).map(|member| {
            let holder = user((number * 37 + member) % USERS);
            GrantBuilder::of(&entitlement, &holder).build()
        });
        Ok(Page::last(grants.collect::<Result<Vec<_>>>()?))
    }
}

fn made(groups: usize, members: usize) -> Arc<dyn Connector> {
    let kind = |id: &str| ResourceTypeBuilder::new(id, id).build().unwrap();
    let types = Types::new()
        .with(TypeSpec::new(kind("user"), |(): &()| Ok(Users)))
        .with(TypeSpec::new(kind("group"), move |(): &()| {
            Ok(Groups { groups, members })
        }));
    let builder = ConnectorBuilder::new().types(&types, &()).unwrap();
    Arc::new(builder.build().unwrap())
}

fn made_app() -> App {
    App::new(
        "made",
        "1",
        Box::new(|config, _| {
            let count = |field| usize::try_from(config.get(field)).unwrap();
            Ok(Built {
                connector: made(count(&GROUPS), count(&MEMBERS)),
                content_facts: BTreeMap::new(),
            })
        }),
    )
    .field(GROUPS)
    .field(MEMBERS)
    .without_http()
}

/// Peak memory of the process so far, in MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// Runs a connector program.
fn connector_program(app: &App) -> ExitCode {
    let code = baton_runtime::main(app);
    eprintln!("{PEAK}{:.1}", peak_mb());
    code
}

/// The connector over gRPC in this process.
fn in_memory(connector: Arc<dyn Connector>) -> Arc<dyn Connector> {
    let settings = ConnectorSettings {
        provisioning: false,
        ticketing: false,
        limiter: Limiter::default(),
        sessions: Arc::new(MemorySessions::new()),
        client_secret: None,
    };
    let server = Server::new(connector_services(connector, settings));
    let channel = channel(move || {
        let (near, far) = tokio::io::duplex(1 << 20);
        let server = server.clone();
        tokio::spawn(async move { server.serve(far).await });
        async move { Ok(near) }
    });
    Arc::new(RemoteConnector::new(channel, ClientSettings::new("memory")))
}

type Lines = Arc<Mutex<Vec<String>>>;

/// This program as a child that is a connector.
fn child(
    which: &'static str,
    args: Vec<String>,
    lines: &Lines,
    ending: &TaskTracker,
) -> Arc<dyn Connector> {
    let lines = Arc::clone(lines);
    let program = std::env::current_exe().unwrap();
    let launch = move |credentials| {
        let mut launch = Launch::new(program.clone(), credentials);
        launch.args = args.iter().map(Into::into).collect();
        launch.env = vec![
            ("BATON_LOG_LEVEL".into(), "error".into()),
            (CONNECTOR.into(), which.into()),
        ];
        let lines = Arc::clone(&lines);
        launch.show = Arc::new(move |line| {
            if let ChildLine::Stderr(line) = line {
                lines.lock().unwrap().push(line.to_owned());
            }
        });
        launch
    };
    let connector = child_connector("child", Arc::new(SystemClock), ending.clone(), None, launch);
    Arc::new(connector)
}

struct Quiet;

impl Observer for Quiet {
    fn event(&self, _event: &Event) {}
}

async fn sync(connector: Arc<dyn Connector>) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let host = SyncHost {
        clock: Arc::new(SystemClock),
        random: Arc::new(SplitMix::seeded(7)),
        cancel: CancellationToken::new(),
        observer: Arc::new(Quiet),
    };
    let mut request = SyncRequest::new(folder.path().join("sync.c1z"));
    request.format = Some(baton_c1z::Format::V3);
    request.workers = Workers::AtMost(8);
    let began = Instant::now();
    baton_sync::run(connector, request, host).await.unwrap();
    began.elapsed()
}

/// One measurement in a process of its own: `measure WHAT TRANSPORT`.
fn measure(what: &str, transport: &str, further: &[String]) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let lines = Lines::default();
        let ending = TaskTracker::new();
        let own = || match what {
            "atlassian" => atlassian(further),
            _ => made(400, 2_500),
        };
        let connector = match transport {
            "process" => own(),
            "memory" => in_memory(own()),
            _ if what == ATLASSIAN => child(ATLASSIAN, further.to_vec(), &lines, &ending),
            _ => child(MADE, Vec::new(), &lines, &ending),
        };
        let began = Instant::now();
        connector.metadata(&Call::alone()).await.unwrap();
        let first = began.elapsed();
        let took = sync(connector).await;
        ending.close();
        ending.wait().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let of_child = lines.lock().unwrap().iter().find_map(|line| {
            line.strip_prefix(PEAK)
                .and_then(|peak| peak.parse::<f64>().ok())
        });
        println!(
            "{} {} {} {}",
            took.as_secs_f64(),
            first.as_secs_f64() * 1000.0,
            peak_mb(),
            of_child.unwrap_or(0.0)
        );
    });
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The connector of Atlassian with the flags that a child gets.
fn atlassian(args: &[String]) -> Arc<dyn Connector> {
    let value = |flag: &str| {
        let at = args.iter().position(|arg| arg == flag).unwrap();
        args[at + 1].clone()
    };
    let settings = baton_atlassian::Settings {
        access_token: Secret::new(value("--access-token")),
        organization_id: value("--organization-id"),
        base_url: value("--base-url").parse().unwrap(),
        scim_token: Secret::new(String::new()),
        scim_base_url: None,
        go_compatible: false,
        request_plan: None,
        grants_follow: true,
        site: None,
    };
    let transport = ReqwestTransport::new(&TransportSettings::default()).unwrap();
    let parts = HttpParts::new(Arc::new(transport), 7);
    let built = baton_atlassian::connector(&settings, parts, HttpSettings::default());
    Arc::new(built.unwrap())
}

/// A number as the user reads it.
type Shown = fn(f64) -> String;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures one thing over each transport, and prints the medians.
fn compare(title: &str, what: &str, further: &[String]) {
    println!("{title} (medians of {RUNS} runs):");
    let mut in_process = (0.0, 0.0);
    for transport in ["process", "memory", "child"] {
        let mut all = vec![Vec::new(); 4];
        for _ in 0..RUNS {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["measure", what, transport])
                .args(further)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            let numbers: Vec<f64> = text
                .split_whitespace()
                .map(|n| n.parse().unwrap())
                .collect();
            assert_eq!(
                numbers.len(),
                4,
                "{text}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            for (column, number) in all.iter_mut().zip(numbers) {
                column.push(number);
            }
        }
        let columns: Vec<f64> = all.into_iter().map(median).collect();
        let [took, first, peak, of_child] = columns[..] else {
            return;
        };
        let memory = peak + of_child;
        if transport == "process" {
            in_process = (took, memory);
        }
        let seconds: Shown = |value| format!("{value:.2} s");
        println!(
            "  {transport:8} {:>8}  {:4.2} times  {memory:6.1} MB ({:+.1} MB), first answer {first:.0} ms",
            seconds(took),
            took / in_process.0,
            memory - in_process.1,
        );
    }
}

/// Serves an organization while `work` runs.
fn with_simulator(work: impl FnOnce(&[String])) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let organization = OrganizationSpec {
        users: 2_000,
        groups: 100,
        seed: 7,
        ..OrganizationSpec::default()
    };
    let config = atlassian_sim::Config {
        organization,
        limits: RateLimits::off(),
        ..atlassian_sim::Config::default()
    };
    let simulator = Simulator::new(config).unwrap();
    let server = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        simulator.serve(listener).unwrap()
    });
    let args = [
        "--access-token",
        simulator.access_token(),
        "--organization-id",
        simulator.organization_id(),
        "--base-url",
        &Simulator::base_url(server.address()),
    ];
    work(&words(&args));
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match std::env::var(CONNECTOR).as_deref() {
        Ok(MADE) => return connector_program(&made_app()),
        Ok(_) => return connector_program(&baton_atlassian::app()),
        Err(_) => {}
    }
    let wanted = args.first().map(String::as_str);
    if wanted == Some("measure") {
        measure(&args[1], &args[2], &args[3..]);
        return ExitCode::SUCCESS;
    }
    if wanted != Some("rows") {
        with_simulator(|args| {
            compare(
                "2,000 users and 100 groups of the simulator",
                "atlassian",
                args,
            );
        });
    }
    if wanted != Some("atlassian") {
        compare(
            "1,000,000 grants of 1.2 KB in pages of 2,500, into format v3",
            "rows",
            &[],
        );
    }
    ExitCode::SUCCESS
}
