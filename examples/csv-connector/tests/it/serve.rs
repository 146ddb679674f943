//! The command `serve`.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use baton_grpc::methods::connector_v2::{
    connector_service, grant_manager_service, resources_service,
};
use baton_proto::c1::connector::v2;
use baton_testkit::{Calls, Failed};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};

use crate::harness::{Harness, resource};

const PATIENCE: Duration = Duration::from_mins(1);

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton-csv"));
    command
        .args(["serve", "--folder", "tables"])
        .args(args)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A server that listens.
struct Served {
    child: Child,
    stderr: BufReader<tokio::process::ChildStderr>,
    /// What is behind `listening on`.
    at: String,
    /// The lines before.
    before: Vec<String>,
}

impl Served {
    async fn start(folder: &Path, args: &[&str]) -> Self {
        let mut child = command(folder, args).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut before = Vec::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, stderr.read_line(&mut line));
            assert!(read.await.unwrap().unwrap() > 0, "{before:?}");
            if let Some(at) = line.trim_end().strip_prefix("listening on ") {
                let at = at.to_owned();
                return Self {
                    child,
                    stderr,
                    at,
                    before,
                };
            }
            before.push(line);
        }
    }

    async fn tcp(&self) -> Calls {
        let address = self.at.split(' ').next().unwrap();
        Calls::over(TcpStream::connect(address).await.unwrap()).await
    }

    /// Ends it with a signal: exit code, and what it wrote since it listens.
    async fn end(mut self, signal: rustix::process::Signal) -> (Option<i32>, String) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), signal).unwrap();
        let mut text = String::new();
        let ended = async {
            self.stderr.read_to_string(&mut text).await.unwrap();
            self.child.wait().await.unwrap()
        };
        let status = tokio::time::timeout(PATIENCE, ended).await.expect("an end");
        (status.code(), text)
    }
}

/// The output of a server that does not start.
async fn refused(folder: &Path, args: &[&str]) -> String {
    let output = tokio::time::timeout(PATIENCE, command(folder, args).output());
    let Output {
        status,
        stdout,
        stderr,
    } = output.await.expect("an end").unwrap();
    assert_eq!(stdout, b"");
    assert!(!status.success());
    String::from_utf8(stderr).unwrap()
}

async fn users(calls: &mut Calls) -> usize {
    let request = v2::ResourcesServiceListResourcesRequest {
        resource_type_id: "user".to_owned(),
        ..Default::default()
    };
    let answer = calls
        .call(resources_service::LIST_RESOURCES, &request)
        .await;
    answer.unwrap().list.len()
}

#[tokio::test]
async fn a_port_is_served_until_a_signal() {
    let harness = Harness::new();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let served = Served::start(harness.dir.path(), &["--listen", "127.0.0.1:0"]).await;
        assert!(served.at.ends_with(" without TLS"), "{}", served.at);
        let mut calls = served.tcp().await;
        assert!(users(&mut calls).await > 0);
        let metadata = calls.ask(connector_service::GET_METADATA).await;
        assert!(metadata.unwrap().metadata.unwrap().capabilities.is_some());
        let grant = v2::GrantManagerServiceGrantRequest {
            entitlement: Some(v2::Entitlement {
                id: "group:g1:member".to_owned(),
                resource: Some(resource("group", "g1")),
                ..Default::default()
            }),
            principal: Some(resource("user", "u1")),
            ..Default::default()
        };
        let failed = calls.call(grant_manager_service::GRANT, &grant).await;
        let text = "provisioning is not enabled".to_owned();
        assert_eq!(failed.unwrap_err(), Failed { code: 9, text });
        let (code, text) = served.end(signal).await;
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("a second signal stops at once"), "{text}");
    }
}

#[tokio::test]
async fn a_socket_file_is_private_and_is_removed_at_the_end() {
    use std::os::unix::fs::PermissionsExt as _;

    let harness = Harness::new();
    let folder = harness.dir.path();
    let path = folder.join("s.sock");
    let served = Served::start(folder, &["--listen", "unix:s.sock"]).await;
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut calls = Calls::over(UnixStream::connect(&path).await.unwrap()).await;
    assert!(users(&mut calls).await > 0);
    let text = refused(folder, &["--listen", "unix:s.sock"]).await;
    assert!(text.contains("another process answers there"), "{text}");
    assert!(users(&mut calls).await > 0);
    let (code, _) = served.end(rustix::process::Signal::TERM).await;
    assert_eq!(code, Some(0));
    assert!(!path.exists());
    // A killed server leaves the file, which the next one replaces.
    let served = Served::start(folder, &["--listen", "unix:s.sock"]).await;
    let (code, _) = served.end(rustix::process::Signal::KILL).await;
    assert_eq!(code, None);
    assert!(path.exists());
    let served = Served::start(folder, &["--listen", "unix:s.sock"]).await;
    let mut calls = Calls::over(UnixStream::connect(&path).await.unwrap()).await;
    assert!(users(&mut calls).await > 0);
    served.end(rustix::process::Signal::TERM).await;
    assert!(!path.exists());
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
}

#[tokio::test]
async fn other_machines_are_not_served_by_accident() {
    let harness = Harness::new();
    let folder = harness.dir.path();
    let text = refused(folder, &["--listen", "0.0.0.0:0"]).await;
    assert!(
        text.contains("error: refused to listen on 0.0.0.0:0"),
        "{text}"
    );
    assert!(
        text.contains("hint: to accept calls of every machine, pass --insecure"),
        "{text}"
    );
    let served = Served::start(folder, &["--listen", "0.0.0.0:0", "--insecure"]).await;
    let before = served.before.join("");
    assert!(
        before.contains("every machine that reaches this address"),
        "{before}"
    );
    served.end(rustix::process::Signal::TERM).await;
    let served = Served::start(folder, &["--listen", "127.0.0.1:0", "--insecure"]).await;
    let before = served.before.join("");
    assert!(before.contains("--insecure has no effect"), "{before}");
    served.end(rustix::process::Signal::TERM).await;
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_the_remedy() {
    let harness = Harness::new();
    let folder = harness.dir.path();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    fs::write(folder.join("cert.pem"), "nothing").unwrap();
    for (args, expected) in [
        (
            &["--listen", &taken][..],
            "stop the program that uses the port",
        ),
        (
            &["--listen", "host:1"],
            "expected <ip address>:<port> or unix:<path>",
        ),
        (
            &["--listen", "192.0.2.1:1", "--insecure"],
            "pass an address of this machine",
        ),
        (
            &["--listen", "unix:tables/users.csv"],
            "the file exists and is not a socket",
        ),
        (&["--listen", "unix:missing/s.sock"], "create the folder"),
        (&["--tls-cert", "cert.pem"], "tls-key"),
        (&["--tls-client-ca", "cert.pem"], "tls-cert"),
        (
            &["--tls-cert", "cert.pem", "--tls-key", "none.pem"],
            "cannot read the key file ",
        ),
        (
            &["--tls-cert", "cert.pem", "--tls-key", "cert.pem"],
            "holds no certificate",
        ),
        (&["--dry-run"], "--dry-run"),
    ] {
        let text = refused(folder, args).await;
        assert!(text.contains(expected), "{args:?}: {text}");
    }
}

#[tokio::test]
async fn health_and_reflection_are_served() {
    let harness = Harness::new();
    let served = Served::start(harness.dir.path(), &["--listen", "127.0.0.1:0"]).await;
    let mut calls = served.tcp().await;
    // Field 1 of the answer is the status; 1 is SERVING.
    for service in ["", "c1.connector.v2.ConnectorService"] {
        let length = u8::try_from(service.len()).unwrap();
        let request = match length {
            0 => Vec::new(),
            length => [&[0x0a, length], service.as_bytes()].concat(),
        };
        let answer = calls
            .call_path("/grpc.health.v1.Health/Check", &request)
            .await;
        assert_eq!(answer.unwrap(), [0x08, 1], "{service}");
    }
    let failed = calls
        .call_path("/grpc.health.v1.Health/Check", &[0x0a, 1, b'x'])
        .await;
    assert_eq!(failed.unwrap_err().code, 5);
    for version in ["v1", "v1alpha"] {
        // Field 7: list the services.
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let answer = calls.call_path(&path, &[0x3a, 0]).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        for service in ["c1.connector.v2.GrantsService", "grpc.health.v1.Health"] {
            assert!(text.contains(service), "{version}: {text}");
        }
    }
    let (code, _) = served.end(rustix::process::Signal::TERM).await;
    assert_eq!(code, Some(0));
}
