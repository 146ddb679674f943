//! A double of the parent process of the Go SDK, for tests of programs that it starts.
//!
//! It is written from the specification, not with the code under test: it makes
//! certificates in Go's forms, passes the listening socket as descriptor 3, and writes
//! one line.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod authority;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_grpc::{Server, SyncStores, session_service};
use baton_proto::c1::connector_wrapper::v1::ServerConfig;
use command_fds::{CommandFdExt as _, FdMapping};
use prost::Message as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use self::authority::{Authority, Form};
use crate::calls::Calls;

const VARIABLE: &str = "BATON_CONNECTOR_SERVICE_LISTENER_FD";
/// A busy machine starts a program slowly.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is descriptor 3 in the child.
#[derive(Debug)]
pub enum Passed {
    /// The socket of the parent.
    Listener,
    /// Another file.
    File(OwnedFd),
    /// The descriptor is closed.
    Nothing,
}

/// How a child is started; as Go does, unless it is changed.
pub struct Start {
    /// The program to start.
    pub program: PathBuf,
    /// Its arguments; the name of the command follows them.
    pub args: Vec<String>,
    /// Makes the certificates of both sides.
    pub authority: Authority,
    /// Descriptor 3.
    pub passed: Passed,
    /// Value of the variable that names the descriptor.
    pub variable: Option<&'static str>,
    /// Stores that are served at the session port; without them no port is given.
    pub sessions: Option<SyncStores>,
    /// In place of the right line.
    pub line: Option<Vec<u8>>,
    /// In place of the right port.
    pub port: Option<u16>,
}

impl Start {
    /// `program` is usually `env!("CARGO_BIN_EXE_…")` of the test's own package.
    pub fn new(program: &str, args: &[&str]) -> Self {
        Self {
            program: program.into(),
            args: args.iter().map(ToString::to_string).collect(),
            authority: Authority::new(Form::Go),
            passed: Passed::Listener,
            variable: Some("3"),
            sessions: None,
            line: None,
            port: None,
        }
    }

    /// The line that a parent without a session store writes for this port.
    pub fn line_for(&self, port: u16) -> Vec<u8> {
        self.line(port, 0)
    }

    fn line(&self, port: u16, session_port: u16) -> Vec<u8> {
        let config = ServerConfig {
            credential: Some(self.authority.credential()),
            listen_port: port.into(),
            session_store_listen_port: session_port.into(),
            ..ServerConfig::default()
        };
        (STANDARD.encode(config.encode_to_vec()) + "\n").into_bytes()
    }

    /// Starts the program in `folder`.
    pub async fn spawn(self, folder: &Path) -> Parent {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let session_port = match &self.sessions {
            None => 0,
            Some(stores) => serve_sessions(stores, &self.authority).await,
        };
        let line = match &self.line {
            Some(line) => line.clone(),
            None => self.line(self.port.unwrap_or(address.port()), session_port),
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .arg("_connector-service")
            .current_dir(folder)
            .env_clear()
            .envs(self.variable.map(|value| (VARIABLE, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let passed = match self.passed {
            Passed::Listener => Some(listener.into()),
            Passed::File(file) => Some(file),
            Passed::Nothing => None,
        };
        let mapping = passed.map(|parent_fd| FdMapping {
            parent_fd,
            child_fd: 3,
        });
        command.fd_mappings(mapping.into_iter().collect()).unwrap();
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut stdin = child.stdin.take().unwrap();
        // A child that refuses the beginning does not read the rest.
        let _ = stdin.write_all(&line).await;
        Parent {
            child,
            stdin: Some(stdin),
            address,
            authority: self.authority,
        }
    }
}

/// Serves the stores at a port of this machine, until the test ends.
async fn serve_sessions(stores: &SyncStores, authority: &Authority) -> u16 {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(authority.session_server()));
    let server = Server::new(session_service(stores));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.expect("a handshake");
                server.serve(stream).await;
            });
        }
    });
    port
}

/// A parent with its child. The child is killed when this is dropped.
pub struct Parent {
    /// The process.
    pub child: Child,
    /// Open as long as the child is to serve.
    pub stdin: Option<ChildStdin>,
    /// Where the child serves.
    pub address: SocketAddr,
    /// Made the certificates of both sides.
    pub authority: Authority,
}

impl Parent {
    /// A TLS connection with the given client.
    pub async fn connect(&self, client: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(Arc::new(client));
        let connected = tokio::time::timeout(PATIENCE, connector.connect(name, stream));
        connected.await.expect("a handshake")
    }

    /// A connection as Go's parent makes it.
    pub async fn calls(&self) -> Calls {
        let client = self.authority.client(Some(&self.authority));
        Calls::over(self.connect(client).await.unwrap()).await
    }

    /// Ends the child as Go's parent does, and gives what it left.
    pub async fn end(mut self) -> Output {
        drop(self.stdin.take());
        self.output().await
    }

    /// Waits for the end of the child.
    pub async fn output(self) -> Output {
        let _stays_open = self.stdin;
        let output = tokio::time::timeout(PATIENCE, self.child.wait_with_output());
        output.await.expect("the child ends").unwrap()
    }
}
