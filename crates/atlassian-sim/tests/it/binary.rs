//! The program: its line, its errors, its end.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atlassian-sim"));
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
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

#[test]
fn wrong_arguments_are_explained() {
    for (args, code, words) in [
        (
            &["--users", "0", "--port", "0"][..],
            1,
            "`users` is 0, but must be between 1 and 2000000",
        ),
        (&["--users", "many"], 2, "--users"),
        (&["--rate-limit", "fast"], 2, "rate limit `fast`"),
        (&["--consistency", "31s"], 2, "`31s` is longer than 30s"),
        (&["--consistency", "5"], 2, "for example `40ms`"),
        (
            &["--not-enabled", "POST v2/nothing", "--port", "0"],
            1,
            "no endpoint with name `POST v2/nothing`",
        ),
        (&["--scim-account-id", "soon"], 2, "for example `40ms`"),
        (
            &["--scim-unverified-domains", "maybe"],
            2,
            "possible values: refused, outside",
        ),
        (&["--latency", "40"], 2, "for example `40ms`"),
        (
            &["--fault", "v2/nothing=500"],
            2,
            "there is no endpoint `v2/nothing`",
        ),
        (
            &["--budget", "GET v1/nothing=3"],
            2,
            "budget `GET v1/nothing=3`",
        ),
        (
            &["--fault", "v2/users=explode"],
            2,
            "there is no action `explode`",
        ),
    ] {
        let (status, stdout, stderr) = ends(args);
        assert_eq!(status, Some(code), "{args:?}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(words),
            "{args:?}: {stderr}"
        );
        assert_eq!(stdout, "");
    }
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (status, _, stderr) = ends(&["--users", "5", "--port", &port]);
    assert_eq!(status, Some(1));
    assert!(
        stderr.starts_with(&format!("error: cannot listen on 127.0.0.1:{port}\n")),
        "{stderr}"
    );
    assert!(
        stderr.ends_with("hint: pass --port 0 to take any free port\n"),
        "{stderr}"
    );
}

#[test]
fn help_explains_the_fault_rules() {
    let (status, stdout, _) = ends(&["--help"]);
    assert_eq!(status, Some(0));
    assert!(stdout.contains(atlassian_sim::FAULT_GRAMMAR));
}

// Interrupting a process needs a signal, which only Unix has.
#[cfg(unix)]
#[test]
fn it_prints_the_sync_command_and_ends_with_ctrl_c() {
    let args = [
        "--users",
        "20",
        "--groups",
        "3",
        "--seed",
        "7",
        "--port",
        "0",
        "--latency",
        "1ms",
        "--rate-limit",
        "100/s",
    ];
    let mut child = program(&args).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let [
        program,
        "--access-token",
        token,
        "--organization-id",
        organization,
        "--base-url",
        url,
    ] = words[..]
    else {
        panic!("{line}");
    };
    assert_eq!(program, "baton-atlassian");
    let spec = atlassian_sim::OrganizationSpec {
        users: 20,
        groups: 3,
        seed: 7,
        ..atlassian_sim::OrganizationSpec::default()
    };
    let same = atlassian_sim::Simulator::new(atlassian_sim::Config {
        organization: spec,
        ..atlassian_sim::Config::default()
    })
    .unwrap();
    assert_eq!(
        (token, organization),
        (same.access_token(), same.organization_id())
    );
    let address = url
        .strip_prefix("http://")
        .and_then(|u| u.strip_suffix("/admin"))
        .unwrap();
    assert!(std::net::TcpStream::connect(address).is_ok());
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    stdout.read_line(&mut rest).unwrap();
    assert_eq!(rest, "", "one line only");
}

// Interrupting a process needs a signal, which only Unix has.
#[cfg(unix)]
#[test]
fn a_request_to_revoke_all_tokens_makes_the_end_an_error() {
    use std::io::{Read as _, Write as _};
    let args = ["--users", "20", "--groups", "3", "--port", "0"];
    let mut child = program(&args).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (token, organization) = (words[2], words[4]);
    let address = words[6].strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address.strip_suffix("/admin").unwrap()).unwrap();
    let request = format!(
        "DELETE /admin/api-access/v1/orgs/{organization}/api-tokens HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(
        stderr,
        "error: requests to revoke the API tokens of all users: 1; a client must never send one\n"
    );
}

#[test]
fn arguments_are_quoted_without_control_characters() {
    let hostile = "\u{1b}[2Jx\r\nerror: forged\u{7f}\u{9b}1m\u{202e}\u{2066}";
    for args in [
        vec![hostile],
        vec!["--users", hostile],
        vec!["--fault", hostile],
        vec!["--budget", hostile],
        vec!["--rate-limit", hostile],
        vec!["--latency", hostile],
        vec!["--port", hostile],
        vec![&format!("--{hostile}")],
    ] {
        let (status, stdout, stderr) = ends(&args);
        assert!(matches!(status, Some(1 | 2)), "{args:?}: {stderr}");
        assert_eq!(stdout, "");
        assert!(stderr.starts_with("error: "), "{args:?}: {stderr}");
        let bad = stderr
            .chars()
            .find(|c| *c != '\n' && baton_term::is_forbidden(*c));
        assert_eq!(bad, None, "{args:?}: {stderr}");
        assert!(!stderr.contains("\nerror: forged"), "{args:?}: {stderr}");
    }
}

#[cfg(unix)]
#[test]
fn what_could_not_be_shown_is_no_success_unless_its_reader_left() {
    let binary = env!("CARGO_BIN_EXE_atlassian-sim");
    for (args, closes) in [("--help", true), ("--version", true), ("--port 0", false)] {
        for (stream, status) in [
            (">/dev/full", 1),
            (">&-", 1),
            ("1</dev/null", 1),
            ("2>&-", 0),
            ("2>/dev/full", 0),
        ] {
            // A server that could write its line does not end by itself.
            if status == 0 && !closes {
                continue;
            }
            let line = format!("exec {binary} {args} {stream}");
            let ran = Command::new("sh").args(["-c", &line]).output().unwrap();
            let stderr = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(status), "{line}: {stderr}");
            let error = "error: cannot write to standard output\n";
            assert_eq!(stderr.contains(error), status == 1, "{line}: {stderr}");
        }
    }
    let (_, whole, _) = ends(&["--help"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = program(&["--help"]).stdout(writer).output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
    assert!(whole.len() > 500 && ran.stderr.is_empty());
}
