//! The channel to a peer: one HTTP/2 connection, dialled when it is needed.
//!
//! It is hyper's client and not `tonic::transport::Channel`, which hides why a
//! connection broke from the calls on it, and whether a request was sent.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, watch};

use super::body::Body;
use super::failure::{Broken, Failure, Gone, Reach};
use super::greeting::Greeted;

/// How long a connection may take, handshakes included.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Largest list of headers. Texts of statuses and their details are in headers, and
/// those of Go connectors have no limit.
const MAX_HEADER_LIST_BYTES: u32 = 1024 * 1024;
/// What a peer may send of one answer, and of all, before it waits for this side: a
/// whole page of ours. With the 64 KiB that HTTP/2 begins with, each page would take
/// dozens of round trips.
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// Largest frame that a peer may send.
const MAX_FRAME_BYTES: u32 = 256 * 1024;
/// Pings while calls are under way, so that a peer that vanished is noticed before
/// the time limit of a call. A Go server closes a connection whose pings come more
/// often than every 5 minutes.
const PING_EVERY: Duration = Duration::from_mins(6);
/// How long a ping may take.
const PING_LIMIT: Duration = Duration::from_secs(20);
/// Canceled calls that are remembered, so that what still comes for them is ignored.
const MAX_CANCELED: usize = 1024;
/// How long a failed call waits for the error of its connection.
const END_LIMIT: Duration = Duration::from_millis(200);

type Connecting = Pin<Box<dyn Future<Output = Result<Connection, Broken>> + Send>>;
type Connect = Box<dyn Fn() -> Connecting + Send + Sync>;

/// How a connection ended: `None` while it lasts.
type End = Option<Result<(), Arc<hyper::Error>>>;

#[derive(Clone)]
struct Connection {
    sender: SendRequest<Body>,
    end: watch::Receiver<End>,
}

/// Connections to one peer, one at a time. Clones share it.
#[derive(Clone)]
pub struct Channel(Arc<Shared>);

/// Looks whether the peer is gone, after a call was broken off.
type Explain = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Option<Gone>> + Send>> + Send + Sync>;

struct Shared {
    connect: Connect,
    explain: Option<Explain>,
    /// Attempts to connect that ended.
    attempts: AtomicU64,
    last: Mutex<Option<Result<Connection, Broken>>>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// A channel over what `dial` returns. It dials at the first call, and again at the
/// first call after the connection ended, or after a call that got no answer in time.
pub fn channel<D, F, I>(dial: D) -> Channel
where
    D: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<I>> + Send + 'static,
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    channel_within(CONNECT_LIMIT, dial)
}

/// As [`channel`], where `dial` may take as long as `limit`.
pub fn channel_within<D, F, I>(limit: Duration, dial: D) -> Channel
where
    D: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<I>> + Send + 'static,
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connect = move || -> Connecting {
        let dialled = dial();
        Box::pin(async move {
            let dialled = tokio::time::timeout(limit, dialled).await;
            let io = dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let io = io.map_err(|error| unreachable(&error))?;
            shake_hands(io).await
        })
    };
    Channel(Arc::new(Shared {
        connect: Box::new(connect),
        explain: None,
        attempts: AtomicU64::new(0),
        last: Mutex::default(),
    }))
}

fn unreachable(error: &(dyn std::error::Error + 'static)) -> Broken {
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    if let Some(gone) = inner.and_then(|inner| inner.downcast_ref::<Gone>()) {
        return gone.clone().broken(Reach::NotSent);
    }
    let mut broken = Broken::new(baton_proto::Code::Unavailable, "cannot be reached");
    broken.cause = Some(baton_proto::causes::one_line(error));
    broken.reach = Reach::NotSent;
    broken
}

async fn shake_hands<I>(io: I) -> Result<Connection, Broken>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let shaken = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .max_concurrent_reset_streams(MAX_CANCELED)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_LIMIT)
        .handshake::<_, Body>(TokioIo::new(Greeted::new(io)))
        .await;
    let (sender, connection) = shaken.map_err(|error| unreachable(&error))?;
    let (ended, end) = watch::channel(None);
    // It ends with the connection, which ends with the last sender and its calls.
    tokio::spawn(async move {
        let result = connection.await;
        ended.send_replace(Some(result.map_err(Arc::new)));
    });
    Ok(Connection { sender, end })
}

impl Channel {
    /// The same channel, which asks `explain` why a call was broken off. It must not be
    /// in use.
    #[must_use]
    pub fn explained_by<F, R>(self, explain: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Option<Gone>> + Send + 'static,
    {
        // Without another owner nothing is lost; with one, its calls are explained as
        // before.
        match Arc::try_unwrap(self.0) {
            Ok(shared) => Self(Arc::new(Shared {
                explain: Some(Box::new(move || Box::pin(explain()))),
                ..shared
            })),
            Err(shared) => Self(shared),
        }
    }

    /// The broken call, with the reason for it if the peer is gone.
    pub(super) async fn explained(&self, broken: Broken) -> Broken {
        let Some(explain) = self.0.explain.as_ref().filter(|_| broken.instead.is_none()) else {
            return broken;
        };
        match explain().await {
            Some(gone) => gone.broken(broken.reach),
            None => broken,
        }
    }

    /// The connection, and whether it was used before. Calls that wait for the same
    /// attempt to connect share its outcome.
    async fn connection(&self) -> Result<(Connection, bool), Broken> {
        let before = self.attempts();
        let mut last = self.0.last.lock().await;
        match &*last {
            Some(Ok(connection)) if !connection.sender.is_closed() => {
                return Ok((connection.clone(), true));
            }
            Some(Err(broken)) if self.attempts() > before => {
                return Err(broken.clone());
            }
            _ => {}
        }
        let connected = (self.0.connect)().await;
        self.0.attempts.fetch_add(1, Ordering::AcqRel);
        let connected = last.insert(connected).as_ref();
        match connected {
            Ok(connection) => Ok((connection.clone(), false)),
            Err(broken) => Err(broken.clone()),
        }
    }

    /// How many attempts to connect have ended: for [`give_up`](Self::give_up).
    pub(super) fn attempts(&self) -> u64 {
        self.0.attempts.load(Ordering::Acquire)
    }

    /// Gives up the connection of a call that began after so many attempts, and got no
    /// answer in time: something on the way may have forgotten it without a sign. The
    /// next call dials; calls that are under way keep it.
    pub(super) fn give_up(&self, attempts: u64) {
        // While it is locked, a new connection is being made.
        if let Ok(mut last) = self.0.last.try_lock()
            && self.attempts() <= attempts.saturating_add(1)
        {
            *last = None;
        }
    }

    /// Sends a request; once more on a new connection if an old one ended before
    /// anything was sent.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut again = true;
        loop {
            let (Connection { mut sender, end }, is_old) = self.connection().await?;
            let mut error = match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let unsent = error.take_message();
            let is_unsent = unsent.is_some();
            if let Some(unsent) = unsent.filter(|_| is_old && again) {
                again = false;
                request = unsent;
                continue;
            }
            let ended = ended(end).await;
            let ended = ended.as_ref().and_then(|end| end.as_ref().err());
            let ended = ended.map(Arc::as_ref);
            let error = error.into_error();
            return Err(Failure::of_transport(&error, ended, is_unsent));
        }
    }
}

/// How the connection of a failed call ended, if it did.
async fn ended(mut end: watch::Receiver<End>) -> End {
    let ended = tokio::time::timeout(END_LIMIT, end.wait_for(Option::is_some)).await;
    ended.ok()?.ok()?.clone()
}
