//! The program as the child of an engine of the Go SDK.

use std::fs;
use std::time::{Duration, Instant};

use baton_grpc::methods::connector_v2::{
    connector_service, event_service, grant_manager_service, grants_service,
    resource_types_service, resources_service, tickets_service,
};
use baton_grpc::methods::ratelimit_v1::rate_limiter_service;
use baton_proto::c1::connector::v2;
use baton_proto::c1::ratelimit::v1::DoRequest;
use baton_testkit::go_parent::{Authority, Form, Parent, Passed, Start};
use baton_testkit::{Calls, Failed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Harness, resource};

const SYNC: &str = "2ZBGVGX3KOrpvGXZXbmPF7hpTTA";

/// The program, which reads the tables of the folder that it is started in.
fn child(args: &[&str]) -> Start {
    let args = [&["--folder", "tables"], args].concat();
    Start::new(env!("CARGO_BIN_EXE_baton-csv"), &args)
}

/// The program as a child that serves.
pub(crate) async fn start(harness: &Harness, args: &[&str]) -> Parent {
    child(args).spawn(harness.dir.path()).await
}

/// What the child left when it could not serve: its last line, and its exit code.
async fn refused(start: Start) -> (String, Option<i32>) {
    let harness = Harness::new();
    let parent = start.spawn(harness.dir.path()).await;
    let output = parent.output().await;
    assert_eq!(output.stdout, b"");
    let text = String::from_utf8(output.stderr).unwrap();
    let error = text.lines().find(|line| line.starts_with("error: "));
    let error = error.unwrap_or_else(|| panic!("{text}")).to_owned();
    (error, output.status.code())
}

async fn list(calls: &mut Calls, type_id: &str) -> Vec<v2::Resource> {
    let request = v2::ResourcesServiceListResourcesRequest {
        resource_type_id: type_id.to_owned(),
        active_sync_id: SYNC.to_owned(),
        ..Default::default()
    };
    let answer = calls
        .call(resources_service::LIST_RESOURCES, &request)
        .await;
    answer.unwrap().list
}

#[tokio::test]
async fn a_go_parent_drives_a_sync_and_the_child_ends_with_it() {
    let harness = Harness::new();
    let parent = start(&harness, &[]).await;
    let mut calls = parent.calls().await;
    // Go wraps each call.
    let asked = calls
        .call(rate_limiter_service::DO, &DoRequest::default())
        .await;
    asked.unwrap();
    let validated = calls.ask(connector_service::VALIDATE).await;
    assert!(!validated.unwrap().sdk_version.is_empty());
    let types = calls.ask(resource_types_service::LIST_RESOURCE_TYPES).await;
    let types: Vec<_> = types.unwrap().list.into_iter().map(|row| row.id).collect();
    assert!(types.contains(&"user".to_owned()), "{types:?}");
    assert!(!list(&mut calls, "user").await.is_empty());
    let group = list(&mut calls, "group").await.remove(0);
    let request = v2::GrantsServiceListGrantsRequest {
        resource: Some(group),
        active_sync_id: SYNC.to_owned(),
        ..Default::default()
    };
    let grants = calls.call(grants_service::LIST_GRANTS, &request).await;
    assert!(!grants.unwrap().list.is_empty());
    let cleanup = v2::ConnectorServiceCleanupRequest {
        active_sync_id: SYNC.to_owned(),
        ..Default::default()
    };
    calls
        .call(connector_service::CLEANUP, &cleanup)
        .await
        .unwrap();
    let closed = Instant::now();
    let output = parent.end().await;
    // 100 ms on a machine that does nothing else.
    assert!(
        closed.elapsed() < Duration::from_secs(2),
        "{:?}",
        closed.elapsed()
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"");
}

#[tokio::test]
async fn calls_that_change_something_are_refused_unless_the_parent_asks_for_them() {
    let request = v2::GrantManagerServiceGrantRequest {
        entitlement: Some(v2::Entitlement {
            id: "group:g1:member".to_owned(),
            resource: Some(resource("group", "g1")),
            ..Default::default()
        }),
        principal: Some(resource("user", "u1")),
        ..Default::default()
    };
    for (args, expected) in [
        (&[][..], "provisioning is not enabled"),
        (
            &["--dry-run", "--provisioning"],
            "provisioning is not enabled",
        ),
        (&["--ticketing"], "provisioning is not enabled"),
    ] {
        let harness = Harness::new();
        let parent = start(&harness, args).await;
        let mut calls = parent.calls().await;
        let failed = calls.call(grant_manager_service::GRANT, &request).await;
        let text = expected.to_owned();
        assert_eq!(failed.unwrap_err(), Failed { code: 9, text }, "{args:?}");
        parent.end().await;
    }
    let harness = Harness::new();
    let parent = start(&harness, &["--delete-resource-type", "user"]).await;
    let mut calls = parent.calls().await;
    let failed = calls.call(grant_manager_service::GRANT, &request).await;
    let text = failed.unwrap_err().text;
    assert!(!text.contains("not enabled"), "{text}");
    let tickets = calls.ask(tickets_service::LIST_TICKET_SCHEMAS).await;
    let text = "ticketing is not enabled".to_owned();
    assert_eq!(tickets.unwrap_err(), Failed { code: 2, text });
    parent.end().await;
    let harness = Harness::new();
    let parent = start(&harness, &["--list-ticket-schemas"]).await;
    let mut calls = parent.calls().await;
    calls
        .ask(tickets_service::LIST_TICKET_SCHEMAS)
        .await
        .unwrap();
    let feeds = calls.ask(event_service::LIST_EVENT_FEEDS).await;
    feeds.unwrap();
    parent.end().await;
}

#[tokio::test]
async fn flags_and_variables_of_modes_are_accepted_and_no_file_of_theirs_is_touched() {
    let harness = Harness::new();
    let before: Vec<_> = names(&harness);
    let parent = start(
        &harness,
        &[
            "-f",
            "access.c1z",
            "--log-path",
            "child.log",
            "--log-level",
            "debug",
            "--c1z-temp-dir",
            "/does/not/exist",
            "--external-resource-c1z",
            "missing.c1z",
            "--audit-log",
            "audit.jsonl",
            "--credentials-out",
            "secrets.json",
            "--event-feed-cursor-file",
            "cursor",
            "--grant-entitlement",
            "x",
            "--grant-principal",
            "y",
            "--grant-principal-type",
            "user",
            "--workers",
            "3",
            "--invoke-action",
            "a",
            "--invoke-action-args",
            "{}",
            "--storage-engine",
            "pebble",
            "--sync-resources",
            "not-a-bid",
            "--output",
            "json",
        ],
    )
    .await;
    let mut calls = parent.calls().await;
    assert!(!list(&mut calls, "user").await.is_empty());
    let output = parent.end().await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("serving the connector"), "{log}");
    assert_eq!(names(&harness), before);
}

fn names(harness: &Harness) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(&harness.dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_line_that_cannot_be_used_ends_the_child_with_the_reason() {
    let good = child(&[]).line_for(1);
    let cut = &good[..good.len() / 2 / 4 * 4];
    for (line, expected) in [
        (b"\n".to_vec(), "unexpected empty input"),
        (b"abc!\n".to_vec(), "illegal base64 data at input byte 3"),
        (
            b"x".repeat(10 << 20),
            "failed to read stdin: the first line is longer than 1 MiB",
        ),
        (
            [cut, b"\n"].concat(),
            "cannot decode the server configuration",
        ),
        (b"AAAA\n".to_vec(), "cannot decode the server configuration"),
        (
            b"GAE=\n".to_vec(),
            "cannot use the TLS credential of the parent",
        ),
    ] {
        let mut start = child(&[]);
        start.line = Some(line);
        let (error, code) = refused(start).await;
        assert!(error.starts_with(&format!("error: {expected}")), "{error}");
        assert_eq!(code, Some(2), "{expected}");
    }
}

#[tokio::test]
async fn the_end_of_input_without_a_line_ends_the_child() {
    let harness = Harness::new();
    let mut start = child(&[]);
    start.line = Some(Vec::new());
    let output = start.spawn(harness.dir.path()).await.end().await;
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("error: unexpected empty input"), "{text}");
}

#[tokio::test]
async fn a_wrong_setting_is_reported_before_the_line_is_read() {
    let mut start = child(&["--workers", "many"]);
    start.line = Some(Vec::new());
    let (error, _) = refused(start).await;
    assert!(error.contains("--workers"), "{error}");
    let mut start = child(&[]);
    start.args.clear();
    start.line = Some(Vec::new());
    let (error, _) = refused(start).await;
    assert_eq!(error, r#"error: required flag(s) "folder" not set"#);
}

#[tokio::test]
async fn a_socket_that_was_not_passed_or_is_another_file_is_refused() {
    let mut start = child(&[]);
    start.variable = None;
    let (error, _) = refused(start).await;
    assert_eq!(error, "error: missing required listener fd");
    for (variable, expected) in [
        ("", "missing required listener fd"),
        (
            "x",
            r#"invalid listener fd: strconv.Atoi: parsing "x": invalid syntax"#,
        ),
        ("-1", "invalid listener fd: must be non-negative"),
        ("1", "invalid listener fd: 1 is a standard stream"),
        (
            "200",
            "invalid listener fd: Bad file descriptor (os error 9)",
        ),
    ] {
        let mut start = child(&[]);
        start.variable = Some(variable);
        let (error, _) = refused(start).await;
        assert_eq!(error, format!("error: {expected}"));
    }
    let mut start = child(&[]);
    start.passed = Passed::Nothing;
    let (error, _) = refused(start).await;
    assert!(
        error.starts_with("error: invalid listener fd: Bad file"),
        "{error}"
    );
    let mut start = child(&[]);
    start.passed = Passed::File(fs::File::open("/dev/null").unwrap().into());
    let (error, _) = refused(start).await;
    assert!(
        error.starts_with("error: invalid listener fd: Socket operation"),
        "{error}"
    );
    let (end, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut start = child(&[]);
    start.passed = Passed::File(end.into());
    let (error, _) = refused(start).await;
    assert_eq!(
        error,
        "error: invalid listener fd: the socket does not listen"
    );
    let mut start = child(&[]);
    start.port = Some(1);
    let (error, _) = refused(start).await;
    assert!(
        error.starts_with("error: listen port mismatch: "),
        "{error}"
    );
    assert!(error.ends_with(" != 1"), "{error}");
}

#[tokio::test]
async fn certificates_of_other_forms_are_accepted() {
    let harness = Harness::new();
    let mut start = child(&[]);
    start.authority = Authority::new(Form::Plain);
    let parent = start.spawn(harness.dir.path()).await;
    assert!(!list(&mut parent.calls().await, "user").await.is_empty());
    parent.end().await;
}

#[tokio::test]
async fn other_peers_are_refused_and_do_not_disturb_the_parent() {
    let harness = Harness::new();
    let parent = start(&harness, &[]).await;
    let mut first = parent.calls().await;
    let other = Authority::new(Form::Go);
    for own in [None, Some(&other)] {
        // With TLS 1.3 the refusal comes after the client's part of the handshake.
        let refused = match parent.connect(parent.authority.client(own)).await {
            Ok(mut stream) => stream.read_to_end(&mut Vec::new()).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
    for text in [
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut plain = TcpStream::connect(parent.address).await.unwrap();
        plain.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    // Garbage after the handshake ends that connection only.
    let client = parent.authority.client(Some(&parent.authority));
    let mut garbage = parent.connect(client).await.unwrap();
    garbage.write_all(&[0xff; 100]).await.unwrap();
    let _ = garbage.read_to_end(&mut Vec::new()).await;
    // Two clients at once.
    let mut second = parent.calls().await;
    let (one, two) = tokio::join!(list(&mut first, "user"), list(&mut second, "group"));
    assert!(!one.is_empty() && !two.is_empty());
    let output = parent.end().await;
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let harness = Harness::new();
    let mut start = child(&[]);
    start.authority = Authority::new(Form::Expired);
    let parent = start.spawn(harness.dir.path()).await;
    let client = parent.authority.client(Some(&parent.authority));
    let refused = match parent.connect(client).await {
        Ok(mut stream) => stream.read_to_end(&mut Vec::new()).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(refused.to_string().contains("xpired"), "{refused}");
    parent.end().await;
}

#[tokio::test]
async fn what_follows_the_line_is_dropped_until_the_end() {
    let harness = Harness::new();
    let mut parent = start(&harness, &[]).await;
    let mut calls = parent.calls().await;
    let stdin = parent.stdin.as_mut().unwrap();
    stdin.write_all(&b"more\n".repeat(100_000)).await.unwrap();
    assert!(!list(&mut calls, "user").await.is_empty());
    let output = parent.end().await;
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn sigterm_ends_the_child_without_the_end_of_its_input() {
    let harness = Harness::new();
    let parent = start(&harness, &[]).await;
    let mut calls = parent.calls().await;
    assert!(!list(&mut calls, "user").await.is_empty());
    signal(&parent.child, rustix::process::Signal::TERM);
    let output = parent.output().await;
    assert_eq!(output.status.code(), Some(0));
}

fn signal(child: &tokio::process::Child, signal: rustix::process::Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
}

#[tokio::test]
async fn a_parent_that_is_gone_at_any_time_leaves_no_child() {
    // When the parent dies, its end of the pipe closes, whatever it was doing.
    for wait in (0..40).map(|step| Duration::from_millis(step * step / 4)) {
        let harness = Harness::new();
        let mut parent = start(&harness, &[]).await;
        tokio::time::sleep(wait).await;
        let call = if wait.as_millis() % 2 == 0 {
            let client = parent.authority.client(Some(&parent.authority));
            parent.connect(client).await.ok()
        } else {
            None
        };
        drop(parent.stdin.take());
        let output = parent.output().await;
        drop(call);
        assert_eq!(output.status.code(), Some(0), "after {wait:?}: {output:?}");
        assert_eq!(names(&harness), ["tables"]);
    }
}
