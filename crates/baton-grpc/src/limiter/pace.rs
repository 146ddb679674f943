//! Callers that take turns, with a time between two of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync;
use tokio::time::{Instant, sleep_until};

/// Lets callers pass in the order in which they came, one per interval.
#[derive(Debug)]
pub(super) struct Pace {
    state: Mutex<State>,
    /// Held by the caller whose turn is next.
    next: sync::Mutex<()>,
    changed: sync::Notify,
}

#[derive(Debug)]
struct State {
    interval: Duration,
    /// When the last caller was to pass.
    last: Option<Instant>,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            state: Mutex::new(State {
                interval,
                last: None,
            }),
            next: sync::Mutex::new(()),
            changed: sync::Notify::new(),
        }
    }

    /// Waits for a turn. Dropping the future gives it up.
    pub(super) async fn turn(&self) {
        let _next = self.next.lock().await;
        loop {
            let Err(at) = self.take(Instant::now()) else {
                return;
            };
            let changed = self.changed.notified();
            tokio::select! {
                () = sleep_until(at) => {}
                () = changed => {}
            }
        }
    }

    /// Takes a turn, or states when the next one is.
    fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut state = self.lock();
        let at = state.last.and_then(|last| last.checked_add(state.interval));
        match at {
            Some(at) if at > now => Err(at),
            // A timer is late by a little, which must not add up.
            Some(at) if now.duration_since(at) < state.interval => {
                state.last = Some(at);
                Ok(())
            }
            _ => {
                state.last = Some(now);
                Ok(())
            }
        }
    }

    /// Sets another interval, also for the caller that waits.
    pub(super) fn change(&self, interval: Duration) {
        self.lock().interval = interval;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
