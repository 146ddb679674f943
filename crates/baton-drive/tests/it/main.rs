//! The program with connectors that do not work: what the user reads, and how soon.
//! Connectors that work are driven in the tests of `baton-csv`.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests run programs; a failing unwrap is a failing test"
)]
#![cfg(unix)]

#[allow(dead_code, reason = "another crate uses the rest")]
#[path = "../../../baton-otel/tests/it/collector.rs"]
mod collector;
mod traces;

use std::process::Command;
use std::time::{Duration, Instant};

struct Run {
    code: Option<i32>,
    stderr: String,
    took: Duration,
}

fn drive(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_baton-drive"))
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(variables.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    Run {
        code: output.status.code(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: began.elapsed(),
    }
}

fn command(command: &str) -> Run {
    drive(
        &["--connector-command", command],
        &[("BATON_LOG_LEVEL", "error")],
    )
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let run = command("baton-no-such-connector --flag");
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("cannot start the connector `baton-no-such-connector`"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_connector_that_ends_before_it_serves_is_reported_at_once_with_its_last_lines() {
    let run = command("sh -c 'echo wrong token >&2; exit 7'");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("the connector `sh` ended before it served (exit status: 7)"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("caused by: wrong token"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("sh: wrong token"),
        "as it comes, with a prefix: {}",
        run.stderr
    );
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
}

#[test]
fn lines_of_a_connector_pass_the_gate() {
    let run = command("sh -c 'printf \"\\033[31mred\\n\" >&2; exit 1'");
    assert!(!run.stderr.contains('\u{1b}'), "{:?}", run.stderr);
    assert!(run.stderr.contains("[31mred"), "{}", run.stderr);
}

#[test]
fn the_environment_has_no_mode_and_the_services_that_the_mode_needs() {
    let show = "sh -c 'env >&2; exit 1'";
    let modes = [
        ("BATON_LIST_TICKET_SCHEMAS", "true", Some("BATON_TICKETING")),
        (
            "BATON_CREATE_ACCOUNT_LOGIN",
            "ada",
            Some("BATON_PROVISIONING"),
        ),
        ("BATON_LIST_ACTION_SCHEMAS", "true", None),
    ];
    for (mode, value, service) in modes {
        let variables = [
            ("BATON_LOG_LEVEL", "error"),
            ("BATON_ORG", "kept"),
            (mode, value),
        ];
        let run = drive(&["--connector-command", show], &variables);
        let shown = |name: &str| {
            let begin = format!("sh: {name}=");
            let mut lines = run.stderr.lines();
            lines
                .find_map(|line| line.strip_prefix(&begin))
                .map(ToOwned::to_owned)
        };
        assert_eq!(
            shown("BATON_ORG").as_deref(),
            Some("kept"),
            "{}",
            run.stderr
        );
        assert_eq!(shown(mode), None, "{}", run.stderr);
        for name in ["BATON_TICKETING", "BATON_PROVISIONING"] {
            let expected = (service == Some(name)).then_some("true");
            assert_eq!(shown(name).as_deref(), expected, "{mode}: {}", run.stderr);
        }
    }
}

#[test]
fn wrong_settings_are_refused_before_anything_is_started() {
    let refused = |args: &[&str], text: &str| {
        let run = drive(args, &[]);
        assert!(run.stderr.contains(text), "{args:?}: {}", run.stderr);
        assert_ne!(run.code, Some(0));
    };
    refused(&[], "connector-command");
    refused(
        &[
            "--connector-command",
            "a",
            "--connector-addr",
            "127.0.0.1:1",
        ],
        "connector-addr",
    );
    refused(
        &["--connector-command", "sh -c 'x"],
        "a quote is not closed",
    );
    refused(
        &["--connector-addr", "nowhere"],
        "expected <host>:<port> or unix:<path>",
    );
    refused(
        &["--connector-addr", "connector.example:9000"],
        "is on another machine",
    );
    refused(
        &[
            "--connector-addr",
            "127.0.0.1:1",
            "--connector-tls-ca",
            "none.pem",
        ],
        "none.pem",
    );
    refused(
        &["--connector-command", "sh", "--connector-tls"],
        "connector-tls",
    );
}

#[test]
fn an_address_where_nothing_serves_is_named() {
    let run = drive(
        &["--connector-addr", "127.0.0.1:1"],
        &[("BATON_LOG_LEVEL", "error")],
    );
    assert_eq!(run.code, Some(14), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("the connector at 127.0.0.1:1 cannot be reached"),
        "{}",
        run.stderr
    );
}

/// Whether a process runs.
fn runs(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    // A zombie has ended.
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
#[cfg(target_os = "linux")]
fn a_connector_ends_with_a_program_that_is_killed() {
    for delay in [0, 20, 50, 90, 150, 300, 700] {
        let folder = tempfile::tempdir().unwrap();
        let id = folder.path().join("id");
        // It never serves, and reads its standard input as every connector does.
        let command = format!("sh -c 'echo $$ > {}; exec cat'", id.display());
        let mut drive = Command::new(env!("CARGO_BIN_EXE_baton-drive"))
            .args(["--connector-command", &command])
            .current_dir(folder.path())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        drive.kill().unwrap();
        drive.wait().unwrap();
        let began = Instant::now();
        while let Ok(process) = std::fs::read_to_string(&id)
            && runs(process.trim())
        {
            let waited = began.elapsed();
            assert!(
                waited < Duration::from_secs(20),
                "it runs {waited:?} after a kill at {delay} ms"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn capabilities_need_a_connector() {
    let run = drive(&["capabilities"], &[]);
    assert!(
        run.stderr
            .contains("give --connector-command or --connector-addr"),
        "{}",
        run.stderr
    );
}
