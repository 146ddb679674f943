//! The program over a scripted forge, and the part of the guide that builds it.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod forge;

use std::fs;
use std::path::Path;

use baton_testkit::{ExitStatus, Harness, Outcome, Phase, Reply, Script};

use forge::{TEAM_2, forge, harness};

const GRANTS: [&str; 7] = [
    "repo:1:read:team:1",
    "repo:1:read:user:1",
    "repo:1:read:user:2",
    "repo:1:write:user:3",
    "team:1:member:user:1",
    "team:1:member:user:2",
    "team:2:member:user:3",
];

fn run(script: &Script) -> Outcome {
    harness(script).run(&[])
}

#[test]
fn a_sync_follows_links_and_numbers_and_expands_teams() {
    let script = forge();
    let outcome = run(&script);
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stderr);
    let file = outcome.file();
    assert_eq!(file.grants(), GRANTS);
    assert_eq!(
        file.resources(),
        ["repo:1", "team:1", "team:2", "user:1", "user:2", "user:3"]
    );
    assert_eq!(file.entitlements().len(), 2 + 3);
    assert_eq!(script.unexpected(), [""; 0]);
    let key = script.seen()[0].headers()["authorization"].clone();
    assert_eq!(key, "token s3cr3t");
}

#[test]
fn a_rate_limit_is_waited_for() {
    let limited = Reply::status(429, "{}").header("retry-after", "120");
    let script = forge().get("/teams", [limited, Reply::json(forge::TEAMS)]);
    let outcome = run(&script);
    assert_eq!(outcome.file().grants(), GRANTS);
    let traffic = outcome.report.unwrap().traffic.unwrap();
    assert_eq!(traffic.total().rate_limited, 1);
}

#[test]
fn a_team_that_is_deleted_meanwhile_is_left_out_and_the_sync_is_complete() {
    let gone = Reply::status(404, r#"{"code":"team_not_found","message":"no such team"}"#);
    let outcome = run(&forge().get(TEAM_2, [gone]));
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stderr);
    assert_eq!(outcome.report.as_ref().unwrap().vanished, 1);
    assert_eq!(outcome.file().grants(), GRANTS[..6]);
}

#[test]
fn a_404_that_does_not_say_so_ends_the_sync_with_a_hint() {
    let odd = Reply::status(404, r#"{"code":"no_route","message":"?"}"#);
    let outcome = run(&forge().get(TEAM_2, [odd]));
    assert_eq!(outcome.status.code(), 5, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("declare `no_route`"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn what_the_token_may_not_read_makes_the_result_partial() {
    let outcome = run(&forge().get(TEAM_2, [Reply::status(403, r#"{"code":"scope"}"#)]));
    assert_eq!(outcome.status, ExitStatus::Partial, "{}", outcome.stderr);
    assert!(outcome.file().path().ends_with("sync.partial.c1z"));
    assert_eq!(outcome.file().grants(), GRANTS[..6]);
}

#[test]
fn a_wrong_token_ends_the_run_before_anything_is_written() {
    let refused = Reply::status(401, r#"{"code":"token","message":"bad token"}"#);
    let script = forge().get("/user", [refused]);
    for command in [&[][..], &["validate"]] {
        let mut harness = harness(&script);
        let outcome = harness.run(command);
        assert_eq!(outcome.status.code(), 16, "{}", outcome.stderr);
        assert!(outcome.error().contains("bad token") || outcome.stderr.contains("bad token"));
        assert_eq!(fs::read_dir(harness.folder()).unwrap().count(), 0);
    }
}

#[test]
fn an_interrupted_sync_is_resumed() {
    let script = forge();
    let mut harness: Harness = harness(&script);
    let outcome = harness.interrupt_after(Phase::Grants, 1).run(&[]);
    assert_eq!(outcome.status, ExitStatus::Terminated, "{}", outcome.stderr);
    let outcome = harness.run(&[]);
    assert!(outcome.report.as_ref().unwrap().resumed);
    assert_eq!(outcome.file().grants(), GRANTS);
}

#[test]
fn the_connector_passes_its_own_test() {
    let outcome = harness(&forge()).run(&["selftest"]);
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("pass  page tokens"),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stderr.contains("requests more"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_connector_has_at_most_300_lines_and_each_function_is_in_the_guide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(root.join("../../docs/write-a-connector.md")).unwrap();
    let mut lines = 0;
    for file in ["lib.rs", "main.rs", "api.rs", "syncers.rs"] {
        let source = fs::read_to_string(root.join("src").join(file)).unwrap();
        lines += source.lines().count();
        for line in source
            .lines()
            .filter(|line| line.contains("fn ") && file != "main.rs")
        {
            assert!(
                guide.contains(line),
                "the guide leaves out `{}`",
                line.trim()
            );
        }
    }
    assert!(lines <= 300, "{lines} lines");
}
