//! Service mode of a whole program, with the simulator of ConductorOne.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::http::{
    BodyStream, Transport, TransportError, TransportErrorKind, whole_body,
};
use baton_grpc::channel;
use baton_runtime::{Signal, Signals};
use bytes::Bytes;
use c1_sim::{Action, Call, ClientKey, Config, Fault, PlannedTask, Simulator};

use crate::stage::{Outcome, Sink, Stage};

const CLIENT_ID: &str = "sim@tenant.test/valet";
pub const SYNC: &str = r#"{"id": "S00000000000000000000000001", "syncFull": {}}"#;
pub const GRANT: &str = r#"{"id": "G00000000000000000000000001", "grant": {
    "entitlement": {"id": "group:g1:member", "resource": {"id": {"resourceType": "group", "resource": "g1"}}},
    "principal": {"id": {"resourceType": "user", "resource": "u1"}}}}"#;

/// Sends token requests to the simulator.
#[derive(Clone)]
struct TokenPath(Simulator);

impl std::fmt::Debug for TokenPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenPath")
    }
}

#[async_trait]
impl Transport for TokenPath {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        match self.0.token(request).await {
            Ok(response) => Ok(response.map(whole_body)),
            Err(broken) => {
                let text = broken.to_string();
                Err(TransportError::new(TransportErrorKind::Reset, text))
            }
        }
    }
}

pub struct World {
    pub stage: Stage,
    pub simulator: Simulator,
    secret: String,
}

impl World {
    pub fn new() -> Self {
        let key = ClientKey::from_seed([7; 32]).unwrap();
        // The clock of the stage stands still there.
        let date = "2026-01-02T03:04:05Z".parse().unwrap();
        let simulator = Simulator::new(Config::new(CLIENT_ID, &key, date).unwrap());
        let secret = key.client_secret();
        simulator.forbid("the client secret", secret.as_bytes());
        let mut stage = Stage::ready();
        stage.env.insert("BATON_HOST_ID".into(), "stage".into());
        let temp = stage.dir.path().to_owned();
        stage.env.insert("TMPDIR".into(), temp.into());
        stage.engine = Arc::new(|connector, request, host| {
            Box::pin(baton_sync::run(connector, request, host))
        });
        let path = simulator.clone();
        stage.transport = Some(Arc::new(TokenPath(path)));
        let path = simulator.clone();
        stage.service_channel = Some(channel(move || {
            let (client, server) = tokio::io::duplex(256 * 1024);
            let simulator = path.clone();
            tokio::spawn(async move { simulator.serve_stream(server).await });
            std::future::ready(Ok(client))
        }));
        Self {
            stage,
            simulator,
            secret,
        }
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    pub fn plan(&self, task: &str) {
        self.simulator.plan(PlannedTask::from_json(task).unwrap());
    }

    /// Runs the program beside a script, which must end it.
    pub fn run_beside(&mut self, flags: &[&str], script: impl FnOnce(&Live) + Send) -> Outcome {
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        self.stage.signals = Some(Signals::Given(receiver));
        let secret = format!("--client-secret={}", self.secret);
        let id = format!("--client-id={CLIENT_ID}");
        let mut args = vec![id.as_str(), secret.as_str()];
        args.extend(flags);
        let live = Live {
            simulator: self.simulator.clone(),
            stderr: self.stage.stderr.clone(),
            signals: sender,
        };
        std::thread::scope(|scope| {
            let script = scope.spawn(move || {
                let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| script(&live)));
                if done.is_err() {
                    live.signal(Signal::Terminate);
                    live.signal(Signal::Terminate);
                }
                (done, live)
            });
            let outcome = self.stage.run(&args);
            let (done, _live) = script.join().unwrap();
            assert!(done.is_ok(), "the script failed:\n{}", outcome.stderr);
            outcome
        })
    }

    /// Runs the program, and sends it the signals, each once `when` is true.
    pub fn run(&mut self, flags: &[&str], mut signals: Vec<(Signal, When)>) -> Outcome {
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        self.stage.signals = Some(Signals::Given(receiver));
        let secret = format!("--client-secret={}", self.secret);
        let id = format!("--client-id={CLIENT_ID}");
        let mut args = vec![id.as_str(), secret.as_str()];
        args.extend(flags);
        let simulator = self.simulator.clone();
        let ended = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::clone(&ended);
        let watcher = std::thread::spawn(move || {
            for (signal, when) in signals.drain(..) {
                for _ in 0..3_000 {
                    if when(&simulator) || has_ended.load(Ordering::Relaxed) {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                let _ = sender.blocking_send(signal);
            }
            sender
        });
        let outcome = self.stage.run(&args);
        ended.store(true, Ordering::Relaxed);
        drop(watcher.join().unwrap());
        outcome
    }
}

/// A program that runs.
pub struct Live {
    pub simulator: Simulator,
    pub stderr: Sink,
    signals: tokio::sync::mpsc::Sender<Signal>,
}

impl Live {
    /// Sends a signal; the program may have ended.
    pub fn signal(&self, signal: Signal) {
        let _ = self.signals.blocking_send(signal);
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if is_so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never: {what}");
    }

    pub fn until_logged(&self, text: &str) {
        self.until(text, |live| live.stderr.text().contains(text));
    }
}

pub type When = Box<dyn Fn(&Simulator) -> bool + Send>;

pub fn finished(count: usize) -> When {
    Box::new(move |simulator| simulator.finished().len() >= count)
}

fn polled(count: u64) -> When {
    Box::new(move |simulator| simulator.count(Call::GetTask) >= count)
}

#[test]
fn tasks_are_carried_out_until_a_signal() {
    let mut world = World::new();
    world.plan(SYNC);
    world.plan(GRANT);
    let outcome = world.run(&[], vec![(Signal::Terminate, finished(2))]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    let verdict = world.simulator.verdict_at_end();
    assert!(verdict.is_empty(), "{verdict:#?}");
    let sync = world
        .simulator
        .result_of("S00000000000000000000000001")
        .unwrap();
    assert!(sync.is_success(), "{sync:?}");
    assert_eq!(world.simulator.uploads().len(), 1);
    let grant = world
        .simulator
        .result_of("G00000000000000000000000001")
        .unwrap();
    let status = grant.request.status.unwrap();
    assert!(
        status.message.contains("provisioning is not enabled"),
        "{status:?}"
    );
    for line in [
        "the service accepted this program",
        "a task began",
        "a task is done",
        "a task failed",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains(&world.secret));
    let hello = world.simulator.hellos().remove(0).request;
    assert_eq!(hello.host_id, "stage");
    assert!(!world.stage.dir.path().join("sync.c1z").exists());
}

#[test]
fn a_debug_task_uploads_its_log_without_secrets() {
    let mut world = World::new();
    world.plan(&SYNC.replace("\"syncFull\"", "\"debug\": true, \"syncFull\""));
    let outcome = world.run(&[], vec![(Signal::Interrupt, finished(1))]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let uploads = world.simulator.uploads();
    assert_eq!(uploads.len(), 2);
    let log = String::from_utf8(uploads[1].bytes.clone()).unwrap();
    assert!(log.lines().count() > 1, "{log}");
    assert!(log.contains("\"level\":\"debug\""), "{log}");
    for line in log.lines() {
        assert!(line.starts_with("{\"level\":"), "{line}");
    }
    assert!(!log.contains(&world.secret));
    assert!(!outcome.stderr.contains("\"level\":\"debug\""));
}

#[test]
fn lines_of_a_task_carry_its_id_and_type_once() {
    let mut world = World::new();
    world.plan(SYNC);
    world.plan(GRANT);
    let flags = ["--log-level", "debug"];
    let outcome = world.run(&flags, vec![(Signal::Terminate, finished(2))]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let of = |message: &str| -> Vec<String> {
        let lines = outcome.stderr.lines();
        let message = format!("\"msg\":\"{message}\"");
        lines
            .filter(|line| line.contains(&message))
            .map(ToOwned::to_owned)
            .collect()
    };
    for (message, count) in [
        ("a task began", 2),
        ("a task is done", 1),
        ("a phase of the sync is done", 5),
    ] {
        let lines = of(message);
        assert!(lines.len() >= count, "{message}: {}", outcome.stderr);
        for line in lines {
            for field in ["task_id", "task_type"] {
                let field = format!("\"{field}\":");
                assert_eq!(line.matches(&field).count(), 1, "{line}");
            }
        }
    }
    let line = &of("the sync began")[0];
    for field in [
        r#""task_id":"S00000000000000000000000001""#,
        r#""task_type":"sync_full""#,
    ] {
        assert!(line.contains(field), "{line}");
    }
    assert_eq!(line.matches("\"sync_id\":").count(), 1, "{line}");
    for message in ["asking for tasks", "calling the service"] {
        for line in of(message) {
            assert!(!line.contains("task_id"), "{line}");
        }
    }
}

#[test]
fn sighup_reads_the_settings_again() {
    let mut world = World::new();
    let outcome = world.run(
        &[],
        vec![(Signal::Reload, polled(1)), (Signal::Terminate, polled(3))],
    );
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    for line in [
        "the client secret was read again and has not changed",
        "the settings of the connector were read again",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {}", outcome.stderr);
    }
}

#[test]
fn wrong_credentials_end_the_program_before_it_calls() {
    let secret = ClientKey::from_seed([7; 32]).unwrap().client_secret();
    let secret = format!("--client-secret={secret}");
    let cases: [(&[&str], &str); 7] = [
        (&["--client-id=x", &secret], "invalid client id"),
        (
            &["--client-id=a@b/c", "--client-secret=x"],
            "invalid client secret",
        ),
        (
            &["--client-id=a@b/c"],
            "if any flags in the group [client-id client-secret] are set they must all be set; \
             missing [client-secret]",
        ),
        (
            &["--client-id=a@b/c", &secret, "--task-concurrency=0"],
            "field task-concurrency: value must be greater than or equal to 1 but got 0",
        ),
        (
            &["--client-id=a@b/c", &secret, "--task-concurrency=101"],
            "field task-concurrency: value must be less than or equal to 100 but got 101",
        ),
        (
            &["--client-id=a@b c/d", &secret],
            "`b c` in the client id is not a host name",
        ),
        (
            &["--client-id=a@b/c", &secret, "--dry-run"],
            "--dry-run has no meaning for the tasks of a service",
        ),
    ];
    for (args, text) in cases {
        let outcome = Stage::ready().run(args);
        assert_eq!(outcome.status.code(), 2, "{args:?}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains(text),
            "{args:?}: {}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains(secret.split_once('=').unwrap().1));
    }
    let mut stage = Stage::ready();
    stage.env.insert("BATON_C1_API_HOST".into(), "".into());
    let outcome = stage.run(&["--client-id=a@b/c", &secret]);
    assert_eq!(outcome.status.code(), 2);
    assert!(
        outcome.stderr.contains("BATON_C1_API_HOST"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_refused_token_ends_the_program_with_16() {
    let mut world = World::new();
    world.secret = ClientKey::from_seed([8; 32]).unwrap().client_secret();
    let outcome = world.run(&[], vec![(Signal::Terminate, polled(1))]);
    assert_eq!(outcome.status.code(), 16, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("startup Hello failed"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome
            .stderr
            .contains("check --client-id and --client-secret"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains(&world.secret));
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    let mut world = World::new();
    let fault = Fault::nth(Call::GetTask, 1, Action::Hang);
    world.simulator.fault(fault).unwrap();
    let outcome = world.run(
        &[],
        vec![
            (Signal::Terminate, polled(1)),
            (Signal::Terminate, polled(1)),
        ],
    );
    assert!(
        outcome.stderr.contains("stopped at once"),
        "{}",
        outcome.stderr
    );
}
