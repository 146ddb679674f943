//! Which endpoints work, and for how long others have not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::limiter::BucketKey;

/// What a run has learned about its server.
#[derive(Debug, Default)]
pub(super) struct Health {
    proven: AtomicBool,
    failing: Mutex<BTreeMap<BucketKey, Failing>>,
}

#[derive(Debug, Clone)]
pub(super) struct Failing {
    /// The first failure after the last success.
    pub since: Instant,
    /// What the last failure was.
    pub last: String,
}

impl Health {
    /// Whether any request of the run has succeeded.
    pub(super) fn proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// A request succeeded.
    pub(super) fn succeeded(&self, key: &BucketKey) {
        self.proven.store(true, Ordering::Relaxed);
        self.answered(key);
    }

    /// The endpoint works: it gave an answer that no repetition would change.
    pub(super) fn answered(&self, key: &BucketKey) {
        self.lock().remove(key);
    }

    /// A try failed that may be repeated.
    pub(super) fn failed(&self, key: &BucketKey, now: Instant, last: String) {
        let mut failing = self.lock();
        let since = failing.get(key).map_or(now, |known| known.since);
        failing.insert(key.clone(), Failing { since, last });
    }

    /// The endpoint's row of failures, once it is as long as `limit`.
    pub(super) fn failing_for(
        &self,
        key: &BucketKey,
        now: Instant,
        limit: Duration,
    ) -> Option<Failing> {
        let failing = self.lock();
        let known = failing.get(key)?;
        (now.duration_since(known.since) >= limit).then(|| known.clone())
    }

    /// When the endpoint's row of failures will be as long as `limit`.
    pub(super) fn deadline(&self, key: &BucketKey, limit: Duration) -> Option<Instant> {
        self.lock().get(key).map(|known| known.since + limit)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BucketKey, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
