//! Probes of a program in service mode, and the command that sends them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use baton_connector::{
    Call as ConnectorCall, Connector, ConnectorBuilder, Error, Types, Validator,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_runtime::{Field, Signal};
use c1_sim::{Action, Call, Fault};

use crate::service_mode::{Live, World};
use crate::stage::{Outcome, Stage};

pub const SERVED: &[&str] = &["--health-check", "--health-check-port=0"];

/// What the connector does with a check of its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    Succeed,
    Fail,
    Hang,
    Panic,
}

#[async_trait]
impl Validator for Checks {
    async fn validate(&self, _: &ConnectorCall) -> baton_connector::Result<Vec<prost_types::Any>> {
        match self {
            Self::Succeed => Ok(Vec::new()),
            Self::Fail => {
                let text = format!("the key hunter2 is refused{}", "!".repeat(9_000));
                Err(Error::stated(Code::PermissionDenied, text))
            }
            Self::Hang => std::future::pending().await,
            Self::Panic => panic!("the connector is broken"),
        }
    }
}

fn connector(validator: Arc<dyn Validator>) -> Arc<dyn Connector> {
    let connector = ConnectorBuilder::new()
        .metadata(v2::ConnectorMetadata {
            display_name: "Toy".to_owned(),
            ..v2::ConnectorMetadata::default()
        })
        .validate_with(validator)
        .types(&Types::<()>::new(), &())
        .unwrap();
    Arc::new(connector.build().unwrap())
}

/// A world whose connectors, one after another, check their credentials like this.
fn world(checks: &'static [Checks]) -> World {
    let mut world = World::new();
    world.stage.types = None;
    let made = AtomicU32::new(0);
    world.stage.connect = Arc::new(move || {
        let at = made.fetch_add(1, Ordering::Relaxed) as usize;
        connector(Arc::new(checks[at.min(checks.len() - 1)]))
    });
    world
}

impl Live {
    /// The port that the program listens on.
    pub fn port(&self) -> u16 {
        let listening = "\"msg\":\"serving health checks\",\"address\":\"127.0.0.1:";
        self.until_logged(listening);
        let log = self.stderr.text();
        let (_, rest) = log.split_once(listening).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    }

    fn until_polled(&self, count: u64) {
        self.until("polls", |live| live.simulator.count(Call::GetTask) >= count);
    }
}

/// Sends a request, and returns status and body; `None` if nothing answers in time.
fn ask(port: u16, path: &str, limit: Duration) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(limit)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[track_caller]
fn assert_probe(port: u16, path: &str, status: u16, text: &str) {
    let answer = ask(port, path, Duration::from_secs(20)).expect("an answer");
    assert_eq!(answer.0, status, "{path}: {answer:?}");
    assert!(answer.1.contains(text), "{path}: {answer:?}");
}

#[test]
fn probes_follow_the_service_from_before_hello_to_its_end() {
    let mut world = world(&[Checks::Succeed]);
    let later = Fault::nth(Call::Hello, 1, Action::Hang);
    world.simulator.fault(later).unwrap();
    // The last poll takes as long as a stop waits for it.
    let hang = Fault::nth(Call::GetTask, 3, Action::Hang);
    world.simulator.fault(hang).unwrap();
    let mut used = 0;
    let outcome = world.run_beside(SERVED, |live| {
        let port = live.port();
        used = port;
        live.until("a call", |live| live.simulator.count(Call::Hello) > 0);
        assert_probe(
            port,
            "/live",
            200,
            r#"{"status":"alive","timestamp":"2026-01-02T03:04:05Z"}"#,
        );
        assert_probe(
            port,
            "/ready",
            503,
            "ConductorOne has not yet accepted this program",
        );
        assert_probe(port, "/ready", 503, r#"{"status":"not_ready","timestamp""#);
        assert_probe(port, "/health", 200, r#""status":"healthy""#);
        live.simulator.break_connections();
        live.until_polled(3);
        assert_probe(port, "/ready", 200, r#""status":"ready""#);
        live.signal(Signal::Terminate);
        live.until("a stop", |_| {
            ask(port, "/ready", Duration::from_secs(5)).is_none_or(|(status, _)| status != 200)
        });
        assert_probe(port, "/ready", 503, "the program is stopping");
        assert_probe(port, "/live", 200, "alive");
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert!(TcpStream::connect(("127.0.0.1", used)).is_err());
}

#[test]
fn a_failing_check_is_shown_without_secrets_and_cut() {
    let outcome = world(&[Checks::Fail]).run_beside(SERVED, |live| {
        let port = live.port();
        live.until_polled(1);
        let (status, body) = ask(port, "/health", Duration::from_secs(20)).unwrap();
        assert_eq!(status, 503);
        let text = r#""details":{"error":"connector validation failed","validation_error":"rpc error: code = PermissionDenied desc = validate failed: "#;
        assert!(body.contains(text), "{body}");
        assert!(body.contains("the key [secret] is refused!!"), "{body}");
        assert!(!body.contains("hunter2"), "{body}");
        assert!(body.len() < 2_400, "{}", body.len());
        assert_probe(port, "/ready", 200, "ready");
        assert_probe(port, "/live", 200, "alive");
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    let warned = "the check of the connector failed";
    assert_eq!(
        outcome.stderr.matches(warned).count(),
        1,
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_panic_of_the_connector_is_an_answer() {
    let outcome = world(&[Checks::Panic]).run_beside(SERVED, |live| {
        let port = live.port();
        for _ in 0..2 {
            assert_probe(port, "/health", 503, "rpc error: code = Internal");
        }
        assert_probe(port, "/live", 200, "alive");
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
}

#[test]
fn a_check_that_hangs_delays_neither_other_probes_nor_the_end() {
    let began = Instant::now();
    let outcome = world(&[Checks::Hang]).run_beside(SERVED, |live| {
        let port = live.port();
        assert_eq!(ask(port, "/health", Duration::from_millis(500)), None);
        assert_probe(port, "/live", 200, "alive");
        let waiting = std::thread::spawn(move || ask(port, "/health", Duration::from_secs(20)));
        std::thread::sleep(Duration::from_millis(200));
        live.signal(Signal::Terminate);
        // It gets an answer, or the end of its connection.
        let answer = waiting.join().unwrap();
        assert!(answer.is_none_or(|(status, _)| status == 503));
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn settings_that_are_read_again_are_checked_again_at_once() {
    let checks = &[Checks::Succeed, Checks::Fail];
    let outcome = world(checks).run_beside(SERVED, |live| {
        let port = live.port();
        live.until_polled(1);
        assert_probe(port, "/health", 200, "healthy");
        live.signal(Signal::Reload);
        live.until("the new connector", |_| {
            ask(port, "/health", Duration::from_secs(5)).is_some_and(|(status, _)| status == 503)
        });
        assert_probe(port, "/ready", 200, "ready");
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
}

#[test]
fn without_the_switch_nothing_listens() {
    let mut world = world(&[Checks::Succeed]);
    let outcome = world.run_beside(&[], |live| {
        live.until_polled(1);
        live.signal(Signal::Terminate);
    });
    assert!(!outcome.stderr.contains("serving health checks"));
}

/// Runs a service that must not begin.
#[track_caller]
fn refused(flags: &[&str]) -> Outcome {
    let mut world = world(&[Checks::Succeed]);
    let outcome = world.run_beside(flags, |_| {});
    assert_eq!(outcome.status.code(), 2, "{flags:?}: {}", outcome.stderr);
    assert_eq!(world.simulator.count(Call::Hello), 0, "{flags:?}");
    outcome
}

#[test]
fn a_port_or_an_address_that_cannot_be_used_ends_the_program_before_it_calls() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let flag = format!("--health-check-port={port}");
    let outcome = refused(&["--health-check", &flag]);
    let text = format!("failed to start health check server: cannot listen on 127.0.0.1:{port}");
    assert_eq!(outcome.error(), text);
    assert!(
        outcome
            .stderr
            .contains("pass another one with --health-check-port"),
        "{}",
        outcome.stderr
    );
    let outcome = refused(&["--health-check", "--health-check-bind-address=192.0.2.1"]);
    assert!(
        outcome.stderr.contains("--health-check-bind-address"),
        "{}",
        outcome.stderr
    );
    for (flag, text) in [
        (
            "--health-check-port=65536",
            "must be less than or equal to 65535 but got 65536",
        ),
        (
            "--health-check-port=-1",
            "must be greater than or equal to 0 but got -1",
        ),
        (
            "--health-check-bind-address=",
            "health-check-bind-address: an address is expected",
        ),
    ] {
        let outcome = refused(&["--health-check", flag]);
        assert!(outcome.stderr.contains(text), "{flag}: {}", outcome.stderr);
    }
}

#[test]
fn flags_of_the_server_need_the_server() {
    for flag in [
        "--health-check-port=8081",
        "--health-check-bind-address=0.0.0.0",
    ] {
        let name = flag.split('=').next().unwrap();
        let error = format!("{name} has no effect without --health-check");
        assert_eq!(refused(&[flag]).error(), error);
        let outcome = Stage::ready().run(&[flag]);
        assert_eq!(outcome.error(), error);
        assert_eq!(outcome.status.code(), 2);
    }
    let outcome = Stage::ready().run(&["--health-check"]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let text = "--health-check concerns services only: this run has no health check endpoint";
    assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
}

#[test]
fn the_command_asks_a_running_service() {
    world(&[Checks::Fail]).run_beside(SERVED, |live| {
        let port = live.port();
        live.until_polled(1);
        let flag = format!("--health-check-port={port}");
        for (endpoint, code, text) in [
            ("health", 2, "error: health check returned status 503\n"),
            ("ready", 0, ""),
            ("live", 0, ""),
        ] {
            // It needs none of the connector's settings.
            let outcome =
                Stage::new().run(&["health-check", &flag, "--endpoint", endpoint, "word"]);
            assert_eq!(
                outcome.status.code(),
                code,
                "{endpoint}: {}",
                outcome.stderr
            );
            assert_eq!(outcome.stdout, "");
            assert_eq!(outcome.stderr, text);
        }
        // The address of the server as variables, and the names of its own flags for others.
        let mut stage = Stage::new()
            .env("BATON_HEALTH_CHECK_PORT", &port.to_string())
            .env("BATON_HEALTH_CHECK_BIND_ADDRESS", "0.0.0.0")
            .env("BATON_ENDPOINT", "https://app.example")
            .env("HTTP_PROXY", "http://192.0.2.1:3128")
            .file(".baton.yaml", "timeout: soon\n")
            .field(Field::string("endpoint", "address of the application"));
        let outcome = stage.run(&["health-check", "--endpoint=ready", "--timeout=0"]);
        assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
        let by_name = [
            "health-check",
            &flag,
            "--endpoint=live",
            "--health-check-bind-address=localhost",
        ];
        let outcome = Stage::new().run(&by_name);
        assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
        live.signal(Signal::Terminate);
    });
}

#[test]
fn the_command_states_why_it_has_no_answer() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let flag = format!("--health-check-port={port}");
    // Connections are accepted by the system, and never answered.
    let outcome = Stage::new().run(&["health-check", &flag, "--timeout=1"]);
    assert_eq!(outcome.status.code(), 4, "{}", outcome.stderr);
    let url = format!("http://127.0.0.1:{port}/health");
    assert_eq!(
        outcome.error(),
        format!("health check failed: Get \"{url}\": no answer within 1.0 s")
    );
    drop(free);
    let outcome = Stage::new().run(&["health-check", &flag]);
    assert_eq!(outcome.status.code(), 14, "{}", outcome.stderr);
    assert_eq!(
        outcome.error(),
        format!("health check failed: Get \"{url}\"")
    );
    for text in ["Connection refused", "runs with --health-check"] {
        assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
    }
    for (args, text) in [
        (
            ["--endpoint=foo", ""],
            "invalid endpoint: foo (valid: health, ready, live)",
        ),
        (
            ["--health-check-port=0", ""],
            "greater than or equal to 1 but got 0",
        ),
        (
            ["--timeout=-1", ""],
            "greater than or equal to 0 but got -1",
        ),
        (["--api-token=x", ""], "unknown flag: --api-token"),
    ] {
        let outcome = Stage::new().run(&["health-check", args[0]]);
        assert_eq!(outcome.status.code(), 2, "{args:?}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains(text),
            "{args:?}: {}",
            outcome.stderr
        );
    }
}
