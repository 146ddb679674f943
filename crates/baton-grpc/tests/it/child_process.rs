//! Children that are not connectors: what a parent makes of them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use baton_grpc::child::{ChildError, ChildLine, Credentials, Launch};
use baton_proto::Code;

/// A shell that runs `script` as the child; what it writes is kept.
fn shell(script: &str) -> (Launch, Arc<Mutex<Vec<String>>>) {
    let credentials = Credentials::issue(SystemTime::now()).unwrap();
    let mut launch = Launch::new("/bin/sh", credentials);
    launch.args = vec!["-c".into(), script.into(), "sh".into(), "--flag".into()];
    launch.to_serve = Duration::from_secs(20);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    launch.show = Arc::new(move |line| {
        kept.lock().unwrap().push(match line {
            ChildLine::Stdout(line) => format!("out: {line}"),
            ChildLine::Stderr(line) => format!("err: {line}"),
        });
    });
    (launch, lines)
}

fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let credentials = Credentials::issue(SystemTime::now()).unwrap();
    let error = Launch::new("/does/not/exist", credentials)
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, ChildError::Start { .. }), "{error:?}");
    assert!(error.to_string().contains("/does/not/exist"), "{error}");
}

#[tokio::test]
async fn the_death_of_a_child_before_it_serves_is_an_error_at_once_with_its_last_lines() {
    let (launch, lines) = shell("echo one >&2; echo result; echo 'bad key' >&2; exit 3");
    let begin = Instant::now();
    let error = launch.start().await.unwrap_err();
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().contains("(exit status: 3)"), "{error}");
    let ChildError::EndedEarly { source, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(source.unwrap().0, ["one", "bad key"]);
    let lines = lines.lock().unwrap();
    assert!(lines.contains(&"err: bad key".to_owned()), "{lines:?}");
    assert!(lines.contains(&"out: result".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn a_child_that_dies_without_a_word_is_an_error_too() {
    let (launch, _) = shell("kill -9 $$");
    let error = launch.start().await.unwrap_err();
    assert!(error.to_string().contains("signal: 9"), "{error}");
    let ChildError::EndedEarly { source, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(source, None);
}

#[tokio::test]
async fn a_child_that_never_connects_ends_and_is_killed() {
    // It ignores the end of its standard input.
    let (mut launch, lines) = shell("echo $$ >&2; while :; do sleep 0.1; done");
    launch.to_serve = Duration::from_millis(300);
    launch.to_end = Duration::from_millis(300);
    let error = launch.start().await.unwrap_err();
    assert!(matches!(error, ChildError::Late { .. }), "{error:?}");
    assert_eq!(error.code(), Code::DeadlineExceeded);
    let pid = lines.lock().unwrap()[0]
        .trim_start_matches("err: ")
        .to_owned();
    for _ in 0..100 {
        if !is_running(&pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("process {pid} is still running");
}

#[tokio::test]
async fn a_child_gets_arguments_variable_socket_and_line() {
    let (mut launch, lines) = shell(
        "read line; echo \"${#line} $@ $BATON_CONNECTOR_SERVICE_LISTENER_FD $OWN\" >&2; \
         readlink /proc/self/fd/3 >&2; \
         for fd in /proc/self/fd/*; do readlink \"$fd\"; done | grep -c socket: >&2; exit 1",
    );
    launch.env = vec![
        ("OWN".into(), "value".into()),
        ("PATH".into(), "/usr/bin:/bin".into()),
    ];
    launch.start().await.unwrap_err();
    let lines = lines.lock().unwrap();
    let mut words = lines[0].split(' ');
    assert_eq!(words.next(), Some("err:"));
    let length: usize = words.next().unwrap().parse().unwrap();
    assert!(length > 1_000 && length.is_multiple_of(4), "{length}");
    let rest: Vec<_> = words.collect();
    assert_eq!(rest, ["--flag", "_connector-service", "3", "value"]);
    assert!(lines[1].starts_with("err: socket:"), "{lines:?}");
    // It has no other socket of this process.
    assert_eq!(lines[2], "err: 1", "{lines:?}");
}

#[tokio::test]
async fn dropping_the_attempt_ends_the_child() {
    let (launch, lines) = shell("echo $$ >&2; cat >/dev/null; exit 0");
    let attempt = tokio::time::timeout(Duration::from_millis(500), launch.start()).await;
    assert!(attempt.is_err());
    let pid = lines.lock().unwrap()[0]
        .trim_start_matches("err: ")
        .to_owned();
    for _ in 0..100 {
        if !is_running(&pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("process {pid} is still running");
}
