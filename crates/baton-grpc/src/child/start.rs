//! Starts a connector as a child process, and ends it.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use baton_proto::c1::ratelimit::v1::RateLimiterConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::credential::{Credential, Credentials};
use super::error::{ChildError, LastLines};
use super::first_line::FirstLine;
use super::lines::{ShowLine, Tail, read_stderr, read_stdout};
use super::tls::client_config;
use super::{ALPN, CHILD_COMMAND, LISTENER_NUMBER, LISTENER_VARIABLE};
use crate::buffered::buffered;

/// How long a child may take until it serves.
const TO_SERVE: Duration = Duration::from_secs(30);
/// How long a child may take to end once its standard input has ended: it brings
/// writes to their end for up to 25 s.
const TO_END: Duration = Duration::from_secs(30);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(20);
/// A broken connection can be the first sign of the child's end.
const END_AFTER_BREAK: Duration = Duration::from_millis(500);
/// How long a child that has ended may hold its streams open through processes of
/// its own.
const LAST_LINES: Duration = Duration::from_millis(500);

/// What is needed to start a child.
pub struct Launch {
    /// The program.
    pub program: OsString,
    /// Its arguments, without the last one.
    pub args: Vec<OsString>,
    /// Its whole environment, without what the protocol adds.
    pub env: Vec<(OsString, OsString)>,
    /// Its current folder; `None` for that of this process.
    pub cwd: Option<PathBuf>,
    /// The certificates of both sides.
    pub credentials: Credentials,
    /// The limiter that the child offers.
    pub limiter: Option<RateLimiterConfig>,
    /// The port of this side's session store.
    pub session_port: Option<u16>,
    /// Shows what it writes.
    pub show: ShowLine,
    /// How long it may take until it serves.
    pub to_serve: Duration,
    /// How long it may take to end.
    pub to_end: Duration,
}

impl std::fmt::Debug for Launch {
    /// Without arguments and environment, which hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("cwd", &self.cwd)
            .field("session_port", &self.session_port)
            .finish_non_exhaustive()
    }
}

impl Launch {
    /// A program without arguments and environment, whose lines are not shown.
    pub fn new(program: impl Into<OsString>, credentials: Credentials) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            credentials,
            limiter: None,
            session_port: None,
            show: Arc::new(|_| {}),
            to_serve: TO_SERVE,
            to_end: TO_END,
        }
    }

    /// Starts the child, and waits until it accepts a TLS connection. Must be called
    /// within the async runtime.
    ///
    /// # Errors
    ///
    /// The program cannot be started, ends, answers with another certificate, or is
    /// late.
    pub async fn start(self) -> Result<Child, ChildError> {
        let program = self.program.to_string_lossy().into_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(|source| ChildError::Listen { source })?;
        let address = listener
            .local_addr()
            .map_err(|source| ChildError::Listen { source })?;
        let line = FirstLine {
            credential: self.credentials.child.clone(),
            limiter: self.limiter.clone(),
            port: address.port(),
            session_port: self.session_port,
        };
        let dialer = Dialer::new(address.port(), &self.credentials.parent)?;
        let mut process = self.spawn(listener).map_err(|source| ChildError::Start {
            program: program.clone(),
            source,
        })?;
        let mut readers = JoinSet::new();
        let tail = Tail::default();
        if let Some(stderr) = process.stderr.take() {
            readers.spawn(read_stderr(stderr, Arc::clone(&self.show), tail.clone()));
        }
        if let Some(stdout) = process.stdout.take() {
            readers.spawn(read_stdout(stdout, Arc::clone(&self.show)));
        }
        let stdin = process.stdin.take();
        let (sender, ended) = watch::channel(None);
        let stop = CancellationToken::new();
        let keeper = Keeper {
            process,
            stdin,
            line: line.encode(),
            stop: stop.clone(),
            to_end: self.to_end,
            readers,
            tail,
        };
        tokio::spawn(keeper.keep(sender));
        let child = Child {
            program: program.into(),
            dialer,
            ended,
            _stop: stop.clone().drop_guard(),
            stop,
        };
        child.connect(self.to_serve).await?;
        Ok(child)
    }

    /// Starts the process. The listening socket is then only in the child, so that
    /// connections are refused when it is gone.
    fn spawn(&self, listener: TcpListener) -> io::Result<tokio::process::Child> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .arg(CHILD_COMMAND)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        pass(&mut command, listener)?;
        command.spawn()
    }
}

/// Passes the listening socket. The child gets a process group of its own: a
/// Ctrl-C is for the parent, which ends the child when it no longer needs it.
#[cfg(unix)]
fn pass(command: &mut Command, listener: TcpListener) -> io::Result<()> {
    use command_fds::{CommandFdExt as _, FdMapping};

    command
        .env(LISTENER_VARIABLE, LISTENER_NUMBER.to_string())
        .process_group(0)
        .fd_mappings(vec![FdMapping {
            parent_fd: listener.into(),
            child_fd: LISTENER_NUMBER,
        }])
        .map_err(io::Error::other)?;
    Ok(())
}

/// The child listens on the port itself.
#[cfg(not(unix))]
fn pass(_command: &mut Command, listener: TcpListener) -> io::Result<()> {
    drop(listener);
    Ok(())
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// The last lines that it wrote on standard error, if any.
    pub last_lines: Option<LastLines>,
}

/// Owns the process until it has ended.
struct Keeper {
    process: tokio::process::Child,
    stdin: Option<ChildStdin>,
    line: zeroize::Zeroizing<String>,
    stop: CancellationToken,
    to_end: Duration,
    readers: JoinSet<()>,
    tail: Tail,
}

impl Keeper {
    /// Writes the first line, keeps standard input open until the child is to end,
    /// and waits for its end.
    async fn keep(mut self, sender: watch::Sender<Option<Ended>>) {
        let stdin = self.stdin.take();
        let write = async {
            let mut stdin = stdin;
            if let Some(stdin) = &mut stdin {
                // A child that does not read has ended, or is late.
                let _ = stdin.write_all(self.line.as_bytes()).await;
            }
            // Standard input stays open as long as this future exists.
            std::future::pending::<()>().await;
        };
        let by_itself = tokio::select! {
            status = self.process.wait() => Some(status),
            () = self.stop.cancelled() => None,
            () = write => None,
        };
        let status = match by_itself {
            Some(status) => status,
            None => self.end().await,
        };
        let _ = timeout(LAST_LINES, async {
            while self.readers.join_next().await.is_some() {}
        })
        .await;
        if let Ok(status) = status {
            let last_lines = self.tail.lines();
            // Without a receiver there is no interest in it.
            let _ = sender.send(Some(Ended { status, last_lines }));
        }
    }

    /// Waits for the end of the process, and ends it where it takes too long.
    async fn end(&mut self) -> io::Result<ExitStatus> {
        if let Ok(status) = timeout(self.to_end, self.process.wait()).await {
            return status;
        }
        tracing::warn!("the connector did not end by itself and was killed");
        self.process.kill().await?;
        self.process.wait().await
    }
}

/// A connection to a child.
pub type Peer = TlsStream<BufReader<TcpStream>>;

/// Connects to the other process. Clones share the first connection.
#[derive(Clone)]
pub struct Dialer {
    address: SocketAddr,
    tls: TlsConnector,
    /// The connection that the start made.
    ready: Arc<Mutex<Option<Peer>>>,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Dialer {
    /// Connects to a port of this machine whose certificate is of the authority of
    /// `credential`, and shows that credential's own.
    ///
    /// # Errors
    ///
    /// A certificate or the key cannot be used.
    pub fn new(port: u16, credential: &Credential) -> Result<Self, ChildError> {
        Ok(Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            tls: TlsConnector::from(Arc::new(client_config(credential)?)),
            ready: Arc::default(),
        })
    }

    /// A connection over which HTTP/2 can be spoken.
    ///
    /// # Errors
    ///
    /// The child is gone, or has another certificate.
    pub async fn dial(&self) -> io::Result<Peer> {
        if let Some(peer) = self.take_ready() {
            return Ok(peer);
        }
        self.dial_new().await
    }

    /// Where the child listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn take_ready(&self) -> Option<Peer> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.take()
    }

    fn keep(&self, peer: Peer) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        *ready = Some(peer);
    }

    async fn dial_new(&self) -> io::Result<Peer> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let peer = self.tls.connect(name, buffered(stream)).await?;
        if peer.get_ref().1.alpn_protocol() != Some(ALPN) {
            let text = "the connector does not offer HTTP/2";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(peer)
    }
}

/// A connector that runs as a child process. When this value is dropped, the
/// child's standard input ends, and the child is killed if it does not end in time.
#[derive(Debug)]
pub struct Child {
    program: Arc<str>,
    dialer: Dialer,
    ended: watch::Receiver<Option<Ended>>,
    stop: CancellationToken,
    _stop: tokio_util::sync::DropGuard,
}

impl Child {
    /// Connects to it.
    pub fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// Waits until the child has ended by itself, and gives the error of that.
    pub async fn ended(&self) -> ChildError {
        let Some(Ended { status, last_lines }) = self.end_of_process().await else {
            // Its owner was dropped with the async runtime.
            return std::future::pending().await;
        };
        ChildError::Ended {
            program: self.program.to_string(),
            status,
            source: last_lines,
        }
    }

    /// Ends the child: its standard input ends, and it is killed if it does not end
    /// in time. `None` if its end cannot be observed.
    pub async fn end(self) -> Option<Ended> {
        self.stop.cancel();
        self.end_of_process().await
    }

    /// Completes when the process has ended, also after this value was dropped.
    pub fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            // Without a sender its owner was dropped, and the process killed.
            let _ = ended.wait_for(Option::is_some).await;
        }
    }

    async fn end_of_process(&self) -> Option<Ended> {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await.ok()?;
        ended.clone()
    }

    /// Waits until the child accepts a connection.
    async fn connect(&self, limit: Duration) -> Result<(), ChildError> {
        let until = Instant::now() + limit;
        let mut last = None;
        let connected = async {
            loop {
                match self.dialer.dial_new().await {
                    Ok(peer) => return Ok(peer),
                    // It does not speak TLS, or not with this parent.
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                    Err(error) => last = Some(error),
                }
                sleep(RETRY).await;
            }
        };
        let result = tokio::select! {
            biased;
            Some(ended) = self.end_of_process() => return Err(self.ended_early(ended)),
            result = tokio::time::timeout_at(until, connected) => result,
        };
        match result {
            Ok(Ok(peer)) => {
                self.dialer.keep(peer);
                Ok(())
            }
            Ok(Err(source)) => match timeout(END_AFTER_BREAK, self.end_of_process()).await {
                Ok(Some(ended)) => Err(self.ended_early(ended)),
                _ => Err(ChildError::Handshake {
                    program: self.program.to_string(),
                    source,
                }),
            },
            Err(_) => Err(ChildError::Late {
                program: self.program.to_string(),
                limit,
                source: last,
            }),
        }
    }

    fn ended_early(&self, ended: Ended) -> ChildError {
        ChildError::EndedEarly {
            program: self.program.to_string(),
            status: ended.status,
            source: ended.last_lines,
        }
    }
}
