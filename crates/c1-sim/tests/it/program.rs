//! The program: its line, its errors, its verdict.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_c1-sim"));
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ends(args: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = program(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Starts it; gives the line that it prints.
fn started(args: &[&str]) -> (Child, String, BufReader<std::process::ChildStdout>) {
    let mut child = program(args).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    (child, line, stdout)
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn help_names_every_call_and_action() {
    let (code, help, _) = ends(&["--help"]);
    assert_eq!(code, Some(0));
    for call in c1_sim::Call::ALL {
        assert!(
            call == c1_sim::Call::StartDebugging || help.contains(call.name()),
            "{call}"
        );
    }
    for word in [
        "lose-answer",
        "status-after",
        "cancel-at-heartbeat",
        "--key-file",
        "--until-finished",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn what_cannot_be_used_is_explained() {
    let script = file("tasks:\n  - {taks: {}}\n");
    let script = script.path().to_str().unwrap();
    let key = file("not a secret");
    let key = key.path().to_str().unwrap();
    for (args, code, words) in [
        (&["--listen", "nowhere"][..], 2, "--listen"),
        (
            &["--script", "/no/such/file"],
            1,
            "cannot read /no/such/file",
        ),
        (&["--script", script], 1, "taks"),
        (&["--script", script], 1, "line 2"),
        (&["--key-file", key], 1, "invalid client secret"),
        (&["--host-name", "ä"], 1, "certificate"),
    ] {
        let (ended, stdout, stderr) = ends(args);
        assert_eq!(
            (ended, stdout.as_str()),
            (Some(code), ""),
            "{args:?}: {stderr}"
        );
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
}

#[cfg(unix)]
#[test]
fn it_prints_the_command_and_ends_with_a_verdict() {
    let secret = crate::client::key().client_secret();
    let key = file(&secret);
    let key = key.path().to_str().unwrap();
    let (mut child, line, mut rest) = started(&["--key-file", key, "--command", "my-connector -v"]);
    let words: Vec<&str> = line.split_whitespace().collect();
    let authority = words[0].strip_prefix("SSL_CERT_FILE=").unwrap();
    let pem = std::fs::read_to_string(authority).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert!(
        words[1].starts_with("BATON_CLIENT_ID=c1-sim@localhost:"),
        "{line}"
    );
    assert!(words[1].ends_with("/valet"));
    assert_eq!(words[2], format!("BATON_CLIENT_SECRET={secret}"));
    assert_eq!(words[3..], ["my-connector", "-v"]);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut verdict = String::new();
    rest.read_to_string(&mut verdict).unwrap();
    assert_eq!(verdict, "");
    assert!(
        !std::path::Path::new(authority).exists(),
        "the file is removed"
    );
}

#[cfg(unix)]
#[test]
fn a_complaint_is_printed_and_ends_with_1() {
    let (mut child, line, mut rest) = started(&[]);
    let address = line.split(['@', '/']).nth_back(1).unwrap();
    let address = address.replace("localhost", "127.0.0.1");
    // A form that is not one, over TLS.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let authority = line.split_whitespace().next().unwrap();
    let authority = std::fs::read_to_string(&authority["SSL_CERT_FILE=".len()..]).unwrap();
    let status = runtime.block_on(crate::socket::post_nothing(
        address.parse().unwrap(),
        &authority,
    ));
    assert_eq!(status, 400);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut verdict = String::new();
    rest.read_to_string(&mut verdict).unwrap();
    let lines: Vec<&str> = verdict.lines().collect();
    assert_eq!(
        lines[0],
        "Token 1: the user agent does not begin with `baton-c1-credential-provider`"
    );
    assert_eq!(lines.len(), 2);
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(
        log.contains(": Token 1: 400 the content type is ``"),
        "{log}"
    );
    assert!(
        log.ends_with("0 tasks handed out, 0 finished, 2 complaints\n"),
        "{log}"
    );
}
