//! A server of probes whose states a test sets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_ops::{Health, Limits, ProbeError, Probes, Server, get};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// 2026-01-02T03:04:05.678Z.
const NOW: Duration = Duration::from_millis(1_767_323_045_678);
/// No answer takes longer.
const LONGEST: Duration = Duration::from_secs(20);

/// What the check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checks {
    Succeed,
    FailWith(String),
    Hang,
    Panic,
}

pub struct Stage {
    pub address: SocketAddr,
    pub ready: Arc<AtomicBool>,
    pub checks: Arc<AtomicU32>,
    pub stop: CancellationToken,
    pub served: JoinHandle<()>,
}

impl Stage {
    pub async fn new(checks: Checks) -> Self {
        Self::with(checks, Limits::default()).await
    }

    pub async fn with(does: Checks, limits: Limits) -> Self {
        let ready = Arc::new(AtomicBool::new(false));
        let checks = Arc::new(AtomicU32::new(0));
        let (is_ready, count) = (Arc::clone(&ready), Arc::clone(&checks));
        let probes = Probes {
            now: Arc::new(|| UNIX_EPOCH + NOW),
            ready: Arc::new(move || {
                let accepted = is_ready.load(Ordering::Relaxed);
                let reason = "the service has not accepted this program";
                accepted.then_some(()).ok_or_else(|| reason.to_owned())
            }),
            health: Health::new(Arc::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
                let does = does.clone();
                Box::pin(async move {
                    match does {
                        Checks::Succeed => Ok(()),
                        Checks::FailWith(text) => Err(text),
                        Checks::Hang => std::future::pending().await,
                        Checks::Panic => panic!("a panic of the test"),
                    }
                })
            })),
        };
        let pages = probes
            .pages()
            .with_text("/more", "text/x-more; v=1", || "more\n".to_owned())
            .with_chosen_text("/chosen", |accept| match accept {
                "a/b;q=1,c/d" => ("c/d", "both\n".to_owned()),
                other => ("text/plain", format!("{other:?}\n")),
            })
            .with_text("/panic", "text/plain", || panic!("a panic of the test"));
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()])
            .await
            .unwrap();
        let address = server.address();
        let stop = CancellationToken::new();
        let served = tokio::spawn(server.serve(pages, limits, stop.clone()));
        Self {
            address,
            ready,
            checks,
            stop,
            served,
        }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads to the end.
    pub async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// As [`Stage::send`]; the server may close before it has read all.
    pub async fn send_as_far_as_it_reads(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        let _ = stream.write_all(bytes).await;
        read_to_end(&mut stream).await
    }

    /// Status line, headers without the date, and body.
    pub async fn ask(&self, method: &str, path: &str) -> (String, Vec<String>, String) {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = self.send(request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines().map(ToOwned::to_owned);
        let status = lines.next().unwrap();
        let headers = lines.filter(|line| !line.starts_with("date: ")).collect();
        (status, headers, body.to_owned())
    }

    /// Stops the server, and returns how long that took.
    pub async fn end(self) -> Duration {
        let began = SystemTime::now();
        self.stop.cancel();
        timeout(LONGEST, self.served).await.unwrap().unwrap();
        began.elapsed().unwrap()
    }
}

/// What the other end sends until it closes; a reset is an end, too.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(LONGEST, stream.read_to_end(&mut answer))
        .await
        .expect("the server neither answered nor closed");
    String::from_utf8(answer).unwrap()
}

/// The status that a port of this machine answers.
pub async fn status_of(port: u16, path: &str) -> Result<http::StatusCode, ProbeError> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    get(&[address], &address.to_string(), path).await
}
