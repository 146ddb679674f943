//! One call, from its first message to its answer: deadline, end of the caller,
//! panics.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use baton_proto::{Code, panic_text};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
        deadline: Option<Instant>,
        headers: HeaderMap,
    ) -> Result<Answer, Status> {
        let handler = entry.handler.clone();
        let begin = move |context| (handler)(message, context);
        self.run(entry.kind, begin, deadline, headers).await
    }

    /// Serves a call whose messages come while it is served.
    pub(crate) async fn serve_stream(
        &self,
        stream: &ClientStream,
        messages: Messages<Incoming>,
        deadline: Option<Instant>,
        headers: HeaderMap,
    ) -> Result<Answer, Status> {
        let handler = stream.handler.clone();
        let begin = move |context| (handler)(messages, context);
        self.run(Kind::Read, begin, deadline, headers).await
    }

    async fn run<F>(
        &self,
        kind: Kind,
        begin: F,
        deadline: Option<Instant>,
        headers: HeaderMap,
    ) -> Result<Answer, Status>
    where
        F: FnOnce(Context) -> Answering + Send + 'static,
    {
        let stop = self.stop.child_token();
        // The caller of a write is gone when this future is dropped. A read is dropped
        // with it; its token does not end with the call, since what a connector began for
        // the whole sync may hold it.
        let _gone = (kind == Kind::Write).then(|| stop.clone().drop_guard());
        let context = Context {
            deadline,
            stop: stop.clone(),
            headers,
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
                }
            }
            Kind::Write => {
                let mut task = self.writes.spawn(work);
                tokio::select! {
                    biased;
                    ended = &mut task => ended.unwrap_or_else(|_| Err(stopping())),
                    () = passed(deadline) => Err(deadline_exceeded()),
                }
            }
        }
    }
}

pub(crate) fn stopping() -> Status {
    Status::new(Code::Unavailable, "the connector is stopping")
}

/// Waits for the deadline; for ever if there is none.
pub(crate) async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
