//! One call, from its first message to its answer: deadline, end of the caller,
//! panics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use baton_connector::ChangeSettings;
use baton_proto::{Code, panic_text};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::frame::Messages;
use super::router::{Answer, Answering, ClientStream, Context, Entry, Kind};
use crate::Status;

/// What all calls of a server share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
    /// Calls that are brought to their end.
    pub(crate) writes: TaskTracker,
}

/// How long a caller waits, and how the changes of its call are made.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// When it stops waiting; `None` if it waits until the end.
    pub deadline: Option<Instant>,
    /// Asks the call to end: a read is dropped, a write ends what it has begun and then
    /// answers.
    pub cancel: CancellationToken,
    /// How changes are made, and who records them.
    pub changes: ChangeSettings,
}

impl CallOptions {
    /// Those of a caller in another process.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            ..Self::default()
        }
    }
}

/// A shorter time has passed when a request arrives.
const SHORTEST: Duration = Duration::from_micros(1);

/// The end of the time that the caller waits.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    // A time too far to be counted is none.
    let timeout = timeout?;
    let left = if timeout < SHORTEST {
        Duration::ZERO
    } else {
        timeout
    };
    Instant::now().checked_add(left)
}

pub(crate) fn deadline_exceeded() -> Status {
    Status::new(Code::DeadlineExceeded, "context deadline exceeded")
}

impl Calls {
    /// Serves a call whose message has come.
    pub(crate) async fn serve(
        &self,
        entry: &Entry,
        message: Bytes,
        headers: HeaderMap,
        options: CallOptions,
    ) -> Result<Answer, Status> {
        let handler = entry.handler.clone();
        let begin = move |context| (handler)(message, context);
        self.run(entry.kind, begin, headers, options).await
    }

    /// Serves a call whose messages come while it is served.
    pub(crate) async fn serve_stream(
        &self,
        stream: &ClientStream,
        messages: Messages<Incoming>,
        headers: HeaderMap,
        options: CallOptions,
    ) -> Result<Answer, Status> {
        let handler = stream.handler.clone();
        let begin = move |context| (handler)(messages, context);
        self.run(Kind::Read, begin, headers, options).await
    }

    async fn run<F>(
        &self,
        kind: Kind,
        begin: F,
        headers: HeaderMap,
        options: CallOptions,
    ) -> Result<Answer, Status>
    where
        F: FnOnce(Context) -> Answering + Send + 'static,
    {
        let CallOptions {
            deadline,
            cancel,
            changes,
        } = options;
        let stop = self.stop.child_token();
        // The caller of a write is gone when this future is dropped. A read is dropped
        // with it; its token does not end with the call, since what a connector began for
        // the whole sync may hold it.
        let _gone = (kind == Kind::Write).then(|| stop.clone().drop_guard());
        let context = Context {
            deadline,
            stop: stop.clone(),
            headers,
            changes,
        };
        let work = async move { begin(context).await };
        let work = async {
            match AssertUnwindSafe(work).catch_unwind().await {
                Ok(answer) => answer,
                Err(panic) => {
                    tracing::error!(panic = panic_text(&*panic), "gRPC handler panic");
                    Err(Status::new(Code::Internal, "Internal Server Error"))
                }
            }
        };
        match kind {
            Kind::Read => {
                tokio::select! {
                    biased;
                    answer = work => answer,
                    () = passed(deadline) => Err(deadline_exceeded()),
                    () = self.stop.cancelled() => Err(stopping()),
                    () = cancel.cancelled() => Err(cancelled()),
                }
            }
            Kind::Write => {
                let mut task = self.writes.spawn(work.in_current_span());
                let asked = async {
                    cancel.cancelled().await;
                    stop.cancel();
                    std::future::pending::<Infallible>().await
                };
                tokio::select! {
                    biased;
                    ended = &mut task => ended.unwrap_or_else(|_| Err(stopping())),
                    () = passed(deadline) => Err(deadline_exceeded()),
                    never = asked => match never {},
                }
            }
        }
    }
}

pub(crate) fn stopping() -> Status {
    Status::new(Code::Unavailable, "the connector is stopping")
}

pub(crate) fn cancelled() -> Status {
    Status::new(Code::Canceled, "context canceled")
}

/// Waits for the deadline; for ever if there is none.
pub(crate) async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
