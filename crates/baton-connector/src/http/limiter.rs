//! When a request may start: one bucket per credential and endpoint template,
//! and a cap over all of them.
//!
//! The limiter only answers questions and learns from answers; the caller
//! sleeps. What a bucket makes of announcements is in `bucket`,
//! what it does without any in `adaptive`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::bucket::{Bucket, next_slot};
use super::rate_headers::RateHeaders;
use super::settings::RateSettings;
use crate::traffic::{AnnouncedLimit, Throttle, ThrottledBy, WaitReason};

/// Which requests share a limit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketKey {
    /// Name of the credential; empty without one.
    pub credential: Arc<str>,
    /// The endpoint template.
    pub endpoint: &'static str,
}

/// Whether a request may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Now, as the bucket's request of this number; it counts as under way
    /// until it is answered or abandoned.
    Go(u64),
    /// Not before this; then ask again.
    NotBefore(Instant, WaitReason),
    /// Not before one of the bucket's requests under way is over.
    AfterAnAnswer,
}

/// An answer, as far as the limiter learns from it.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// The number of the request in its bucket.
    pub number: u64,
    /// When it came.
    pub now: Instant,
    /// Its status.
    pub status: u16,
    /// Time from sending the request to the last byte of the answer.
    pub took: Duration,
}

/// The buckets of one client.
#[derive(Debug)]
pub struct Limiter {
    settings: RateSettings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<BucketKey, Entry>,
    next_at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Entry {
    bucket: Bucket,
    over: Arc<Notify>,
}

impl Limiter {
    /// No request was sent yet.
    pub fn new(settings: RateSettings) -> Self {
        Self {
            settings,
            state: Mutex::default(),
        }
    }

    /// Wakes all who wait for a request of the bucket to be over. Ask for it
    /// before [`Limiter::admit`], so that none is missed.
    pub fn over(&self, key: &BucketKey) -> Arc<Notify> {
        let mut state = self.lock();
        Arc::clone(&state.buckets.entry(key.clone()).or_default().over)
    }

    /// Asks for one request to start.
    pub fn admit(&self, key: &BucketKey, now: Instant) -> Admission {
        let mut state = self.lock();
        let State { buckets, next_at } = &mut *state;
        if let Some(at) = next_at.filter(|at| *at > now) {
            return Admission::NotBefore(at, WaitReason::Capped);
        }
        let bucket = &mut buckets.entry(key.clone()).or_default().bucket;
        let admission = bucket.admit(now, self.settings.share());
        if let (Admission::Go(_), Some(most)) = (admission, self.settings.max_per_second()) {
            let spacing = Duration::from_secs(1) / most.get();
            *next_at = Some(next_slot(*next_at, now, spacing));
        }
        admission
    }

    /// An admitted request is over, with or without an answer.
    pub fn finished(&self, key: &BucketKey) {
        if let Some(entry) = self.lock().buckets.get_mut(key) {
            entry.bucket.finished();
            entry.over.notify_waiters();
        }
    }

    /// Learns from the answer to a request. Call it before
    /// [`Limiter::finished`] of the same request, so that a request that this
    /// wakes finds it known.
    pub fn learn(&self, key: &BucketKey, answer: Answered, headers: &RateHeaders) {
        let mut state = self.lock();
        let entry = state.buckets.entry(key.clone()).or_default();
        entry.bucket.learn(answer, headers);
    }

    /// Keeps requests of the bucket from starting before `until`.
    pub fn pause(&self, key: &BucketKey, until: Instant, reason: WaitReason) {
        let mut state = self.lock();
        let entry = state.buckets.entry(key.clone()).or_default();
        entry.bucket.pause(until, reason);
    }

    /// What the server announced, by endpoint template.
    pub fn announced(&self) -> Vec<(&'static str, AnnouncedLimit)> {
        let state = self.lock();
        let known = state.buckets.iter();
        known
            .filter_map(|(key, entry)| Some((key.endpoint, entry.bucket.announced_limit()?)))
            .collect()
    }

    /// What keeps requests back, by endpoint template.
    pub fn throttles(&self, now: Instant) -> Vec<Throttle> {
        let state = self.lock();
        let share = self.settings.share();
        let own = self.settings.max_per_second();
        let mut throttles: Vec<Throttle> = Vec::new();
        for (key, entry) in &state.buckets {
            let by = entry.bucket.throttled_by(now, share);
            let own = own.map(|most| ThrottledBy::OwnCap {
                per_second: most.get(),
            });
            throttles.extend(by.into_iter().chain(own).map(|by| Throttle {
                endpoint: key.endpoint.to_owned(),
                by,
            }));
        }
        throttles
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
