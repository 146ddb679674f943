//! Counts requests and shows waits while they last.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::exchange::{Answer, ExchangeError};
use super::wait_clocks::WaitClocks;
use crate::traffic::{ActiveWait, EndpointTraffic, TrafficSnapshot, WaitReason};
use crate::transport_error::TransportErrorKind;

/// Waits that end so close to each other have one cause.
const SAME_END: Duration = Duration::from_secs(1);

/// A request begins or ends to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The endpoint template.
    pub endpoint: &'static str,
    /// Why it waits.
    pub reason: WaitReason,
    /// How long the wait is meant to be; at its end, how long it was.
    pub duration: Duration,
}

/// How one try of a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeOutcome {
    /// The server answered with this status.
    Status(u16),
    /// The answer was larger than the client reads.
    TooLarge,
    /// There was no whole answer.
    Failed(TransportErrorKind),
}

impl ExchangeOutcome {
    fn of(result: &Result<Answer, ExchangeError>) -> Self {
        match result {
            Ok(answer) => Self::Status(answer.status),
            Err(ExchangeError::TooLarge { .. }) => Self::TooLarge,
            Err(ExchangeError::Transport(error)) => Self::Failed(error.kind),
        }
    }
}

/// One try of a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchanged {
    /// The endpoint template.
    pub endpoint: &'static str,
    /// How it ended.
    pub outcome: ExchangeOutcome,
    /// From the first byte sent to the last byte received.
    pub took: Duration,
    /// An earlier try of the same request came before it.
    pub repeated: bool,
}

/// Is notified of requests and waits as they happen. Calls must be quick:
/// requests wait for them.
pub trait HttpObserver: Send + Sync + fmt::Debug {
    /// A request begins to wait.
    fn wait_begins(&self, wait: &Wait) {
        let _ = wait;
    }

    /// A request continues, or was given up while it waited.
    fn wait_ends(&self, wait: &Wait) {
        let _ = wait;
    }

    /// A request has waited. Unlike the calls above, this one comes for each wait,
    /// however short.
    fn waited(&self, wait: &Wait) {
        let _ = wait;
    }

    /// A try of a request has ended. A try that is given up on the wire is not
    /// reported.
    fn exchanged(&self, exchanged: &Exchanged) {
        let _ = exchanged;
    }
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl HttpObserver for NoObserver {}

/// The counters of one client.
#[derive(Debug)]
pub(super) struct Meter {
    state: Mutex<State>,
    observer: Arc<dyn HttpObserver>,
}

#[derive(Debug, Default)]
struct State {
    endpoints: BTreeMap<&'static str, EndpointTraffic>,
    waits: BTreeMap<u64, (Wait, Instant)>,
    next_wait: u64,
    clocks: WaitClocks,
}

impl Meter {
    pub(super) fn new(observer: Arc<dyn HttpObserver>) -> Self {
        Self {
            state: Mutex::default(),
            observer,
        }
    }

    pub(super) fn sent(&self, endpoint: &'static str, repeated: bool) {
        let mut state = self.lock();
        let counters = state.endpoints.entry(endpoint).or_default();
        counters.requests += 1;
        counters.retries += u64::from(repeated);
    }

    /// A try that was [sent](Meter::sent) has ended.
    pub(super) fn exchanged(
        &self,
        endpoint: &'static str,
        repeated: bool,
        took: Duration,
        result: &Result<Answer, ExchangeError>,
    ) {
        self.observer.exchanged(&Exchanged {
            endpoint,
            outcome: ExchangeOutcome::of(result),
            took,
            repeated,
        });
    }

    pub(super) fn rate_limited(&self, endpoint: &'static str) {
        self.lock()
            .endpoints
            .entry(endpoint)
            .or_default()
            .rate_limited += 1;
    }

    /// Whether another request already waits for the same thing, and about as
    /// long: one line in the log is enough for a crowd.
    pub(super) fn is_known(&self, wait: &Wait) -> bool {
        let ends = Instant::now() + wait.duration;
        self.lock().waits.values().any(|(known, until)| {
            known.endpoint == wait.endpoint
                && known.reason == wait.reason
                && *until + SAME_END >= ends
        })
    }

    /// Shows a wait until the guard is dropped.
    pub(super) fn waiting(self: &Arc<Self>, wait: Wait) -> WaitGuard {
        let guard = self.begin(wait, true);
        self.observer.wait_begins(&wait);
        guard
    }

    /// Counts the usual distance between requests as a wait of the run, but
    /// shows it to no observer.
    pub(super) fn waiting_quietly(self: &Arc<Self>, wait: Wait) -> WaitGuard {
        self.begin(wait, false)
    }

    fn begin(self: &Arc<Self>, wait: Wait, shown: bool) -> WaitGuard {
        let began = Instant::now();
        let mut state = self.lock();
        let id = state.next_wait;
        state.next_wait += 1;
        state.waits.insert(id, (wait, began + wait.duration));
        state.clocks.begin(wait.reason, began);
        WaitGuard {
            meter: Arc::clone(self),
            id,
            wait,
            began,
            shown,
        }
    }

    pub(super) fn snapshot(&self, in_flight: usize) -> TrafficSnapshot {
        let now = Instant::now();
        let state = self.lock();
        let mut waiting: BTreeMap<(&str, WaitReason), ActiveWait> = BTreeMap::new();
        for (wait, until) in state.waits.values() {
            let entry = waiting
                .entry((wait.endpoint, wait.reason))
                .or_insert_with(|| ActiveWait {
                    endpoint: wait.endpoint.to_owned(),
                    reason: wait.reason,
                    left_ms: 0,
                    requests: 0,
                });
            entry.requests += 1;
            entry.left_ms = entry.left_ms.max(millis(until.duration_since(now)));
        }
        TrafficSnapshot {
            endpoints: state
                .endpoints
                .iter()
                .map(|(endpoint, counters)| ((*endpoint).to_owned(), *counters))
                .collect(),
            waiting: waiting.into_values().collect(),
            in_flight,
            throttles: Vec::new(),
            waited: state.clocks.read(now),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Counters stay usable whatever happened to a thread that held them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait under way; ends when dropped, also by cancellation.
#[must_use]
pub(super) struct WaitGuard {
    meter: Arc<Meter>,
    id: u64,
    wait: Wait,
    began: Instant,
    /// To the observer, and in the counters of the endpoint.
    shown: bool,
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        let waited = self.began.elapsed();
        {
            let mut state = self.meter.lock();
            state.waits.remove(&self.id);
            state.clocks.end(self.wait.reason, self.began + waited);
            if self.shown {
                let counters = state.endpoints.entry(self.wait.endpoint).or_default();
                counters.wait_ms += millis(waited);
            }
        }
        let wait = Wait {
            duration: waited,
            ..self.wait
        };
        self.meter.observer.waited(&wait);
        if self.shown {
            self.meter.observer.wait_ends(&wait);
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_known_while_another_is_about_as_long() {
        let meter = Arc::new(Meter::new(Arc::new(NoObserver)));
        let wait = |endpoint, reason, seconds| Wait {
            endpoint,
            reason,
            duration: Duration::from_secs(seconds),
        };
        let spent = wait("/a", WaitReason::QuotaSpent, 30);
        assert!(!meter.is_known(&spent));
        let guard = meter.waiting(spent);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(meter.is_known(&wait("/a", WaitReason::QuotaSpent, 20)));
        assert!(!meter.is_known(&wait("/a", WaitReason::QuotaSpent, 30)));
        assert!(!meter.is_known(&wait("/a", WaitReason::RateLimited, 20)));
        assert!(!meter.is_known(&wait("/b", WaitReason::QuotaSpent, 20)));
        drop(guard);
        assert!(!meter.is_known(&wait("/a", WaitReason::QuotaSpent, 20)));
    }
}
