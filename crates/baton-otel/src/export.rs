//! Exports: batches of rows, with retries, one kind of data at a time.

use std::sync::Arc;
use std::time::Duration;

use baton_grpc::{CallError, Method};
use baton_proto::Code;
use http::HeaderMap;
use prost::Message;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use crate::collector::Collector;
use crate::complaints::Complaints;
use crate::queue::Taker;

/// Rows of one request at most.
const MAX_ROWS: usize = 512;
/// A request with so many bytes gets no more rows. A collector accepts 4 MiB.
const FULL_BYTES: usize = 2 << 20;
/// How long the collector may take for an answer.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a request is sent that the collector may accept later.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A kind of data whose rows are exported in batches.
pub(crate) trait Signal: Send + Sync + 'static {
    type Row: Message + Send + 'static;
    type Request: Message + Send + Sync;
    type Response: Message + Default + Send;

    const METHOD: Method<Self::Request, Self::Response>;
    /// Its name in messages.
    const WHAT: &'static str;
    /// How long a row waits for others.
    const EVERY: Duration;

    fn request(&self, rows: &[Self::Row]) -> Self::Request;

    /// How many rows the collector did not accept, and why.
    fn rejected(response: Self::Response) -> Option<(i64, String)>;
}

/// Calls of the collector.
#[derive(Debug, Clone)]
pub(crate) struct Exports {
    pub(crate) collector: Collector,
    pub(crate) complaints: Arc<Complaints>,
}

impl Exports {
    /// Sends one request. What the call logs is not logged: it would be exported, too.
    pub(crate) async fn once<Q, A>(&self, method: Method<Q, A>, request: &Q) -> Result<A, CallError>
    where
        Q: Message,
        A: Message + Default,
    {
        let headers = HeaderMap::new();
        let caller = &self.collector.caller;
        let call = caller.unary(method, request, &headers, LIMIT);
        call.with_subscriber(NoSubscriber::default()).await
    }

    pub(crate) fn complain(&self, what: &'static str, lost: u64, reason: &str) {
        let name = &self.collector.name;
        self.complaints.note(name, what, lost, reason);
    }

    /// Exports the rows of a queue until `stop`, and then those that still wait, each
    /// batch once.
    pub(crate) async fn run<S: Signal>(
        self,
        signal: S,
        mut queue: Taker<S::Row>,
        stop: CancellationToken,
    ) {
        loop {
            let (rows, at_end) = fill::<S>(&mut queue, &stop).await;
            if !rows.is_empty() {
                let count = rows.len() as u64;
                let request = signal.request(&rows);
                drop(rows);
                match self.send::<S>(&request, &stop).await {
                    Ok(0) => {}
                    Ok(refused) => queue.fill.lose(refused.min(count)),
                    Err(()) => queue.fill.lose(count),
                }
            }
            match queue.fill.take_lost() {
                0 => {}
                lost => self.complain(S::WHAT, lost, "the collector does not take them in time"),
            }
            if at_end {
                return;
            }
        }
    }

    /// Sends a request, again if the collector may accept it later. How many rows were
    /// refused.
    async fn send<S: Signal>(
        &self,
        request: &S::Request,
        stop: &CancellationToken,
    ) -> Result<u64, ()> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let error = match self.once(S::METHOD, request).await {
                Ok(response) => {
                    let Some((refused, reason)) = S::rejected(response) else {
                        return Ok(0);
                    };
                    if refused > 0 {
                        self.complain(S::WHAT, 0, &reason);
                    }
                    return Ok(u64::try_from(refused).unwrap_or(0));
                }
                Err(error) => error,
            };
            let last = attempt == ATTEMPTS || stop.is_cancelled() || !may_pass(error.code());
            self.complain(S::WHAT, 0, &error.status.to_string());
            if last {
                break;
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = stop.cancelled() => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(())
    }
}

/// Whether a request that failed so may be accepted later, as the specification of OTLP
/// lists.
const fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Canceled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
            | Code::ResourceExhausted
    )
}

/// The next batch, and whether the queue is at its end.
async fn fill<S: Signal>(
    queue: &mut Taker<S::Row>,
    stop: &CancellationToken,
) -> (Vec<S::Row>, bool) {
    let mut rows = Vec::new();
    let mut size = 0_usize;
    let mut end: Option<Instant> = None;
    while rows.len() < MAX_ROWS && size < FULL_BYTES {
        if stop.is_cancelled() {
            queue.close();
        }
        let taken = tokio::select! {
            biased;
            () = stop.cancelled(), if !stop.is_cancelled() => continue,
            taken = next(queue, end) => taken,
        };
        match taken {
            Next::Row(row, bytes) => {
                end = end.or_else(|| Some(Instant::now() + S::EVERY));
                size = size.saturating_add(bytes);
                rows.push(row);
            }
            Next::Late => break,
            Next::End => return (rows, true),
        }
    }
    (rows, false)
}

enum Next<T> {
    Row(T, usize),
    /// No further row came in time.
    Late,
    End,
}

async fn next<T>(queue: &mut Taker<T>, end: Option<Instant>) -> Next<T> {
    let taken = match end {
        None => Ok(queue.take().await),
        Some(end) => timeout_at(end, queue.take()).await,
    };
    match taken {
        Ok(Some((row, bytes))) => Next::Row(row, bytes),
        Ok(None) => Next::End,
        Err(_) => Next::Late,
    }
}
