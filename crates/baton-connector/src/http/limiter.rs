//! When a request may start: one bucket per credential and endpoint template.
//!
//! A bucket knows what the server said: a pause that it asked for, and how
//! many requests of the announced quota are left till its reset. Requests
//! that are under way count as used. The limiter only answers questions;
//! whoever asks does the sleeping, so a smarter control fits behind
//! the same three calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::announce::Announced;
use crate::traffic::WaitReason;

/// Announced resets further away than this are asked about again then.
const LONGEST_QUOTA_WAIT: Duration = Duration::from_mins(15);

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
    /// Now; it counts as under way until it is answered or abandoned.
    Go,
    /// Not before this; then ask again.
    NotBefore(Instant, WaitReason),
}

/// The buckets of one client.
#[derive(Debug, Default)]
pub struct Limiter {
    buckets: Mutex<BTreeMap<BucketKey, Bucket>>,
}

#[derive(Debug, Default)]
struct Bucket {
    under_way: u64,
    pause: Option<(Instant, WaitReason)>,
    quota: Option<Quota>,
}

#[derive(Debug)]
struct Quota {
    remaining: u64,
    resets_at: Instant,
}

impl Limiter {
    /// Asks for one request to start.
    pub fn admit(&self, key: &BucketKey, now: Instant) -> Admission {
        let mut buckets = self.lock();
        let bucket = buckets.entry(key.clone()).or_default();
        bucket.forget_past(now);
        if let Some((until, reason)) = bucket.pause {
            return Admission::NotBefore(until, reason);
        }
        if let Some(quota) = &mut bucket.quota {
            if quota.remaining == 0 {
                return Admission::NotBefore(quota.resets_at, WaitReason::QuotaSpent);
            }
            quota.remaining -= 1;
        }
        bucket.under_way += 1;
        Admission::Go
    }

    /// An admitted request is over, with or without an answer.
    pub fn finished(&self, key: &BucketKey) {
        if let Some(bucket) = self.lock().get_mut(key) {
            bucket.under_way = bucket.under_way.saturating_sub(1);
        }
    }

    /// Learns from the headers of an answer. Call it after
    /// [`Limiter::finished`] of the same request.
    pub fn learn(&self, key: &BucketKey, now: Instant, announced: &Announced) {
        let reset = announced.reset.ahead().or(announced.retry_after.ahead());
        let (Some(remaining), Some(reset)) = (announced.remaining, reset) else {
            return;
        };
        if reset.is_zero() {
            return;
        }
        let mut buckets = self.lock();
        let bucket = buckets.entry(key.clone()).or_default();
        // The server had not seen those under way when it counted.
        let remaining = remaining.saturating_sub(bucket.under_way);
        let resets_at = now + reset.min(LONGEST_QUOTA_WAIT);
        bucket.forget_past(now);
        bucket.quota = Some(match bucket.quota.take() {
            // Answers overtake each other: within a period the lower counts.
            Some(known) if same_period(known.resets_at, resets_at) => Quota {
                remaining: known.remaining.min(remaining),
                resets_at: known.resets_at.max(resets_at),
            },
            _ => Quota {
                remaining,
                resets_at,
            },
        });
    }

    /// Keeps requests of the bucket from starting before `until`.
    pub fn pause(&self, key: &BucketKey, until: Instant, reason: WaitReason) {
        let mut buckets = self.lock();
        let bucket = buckets.entry(key.clone()).or_default();
        if bucket.pause.is_none_or(|(known, _)| known < until) {
            bucket.pause = Some((until, reason));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BucketKey, Bucket>> {
        // Nothing in here can panic halfway through a change.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn forget_past(&mut self, now: Instant) {
        self.pause = self.pause.filter(|(until, _)| *until > now);
        self.quota = self.quota.take().filter(|quota| quota.resets_at > now);
    }
}

/// Resets are announced in whole seconds, so the same one wobbles.
fn same_period(a: Instant, b: Instant) -> bool {
    const WOBBLE: Duration = Duration::from_secs(2);
    a.max(b) - a.min(b) <= WOBBLE
}

#[cfg(test)]
mod tests {
    use super::super::announce::Stated;
    use super::*;

    fn key(endpoint: &'static str) -> BucketKey {
        BucketKey {
            credential: "key".into(),
            endpoint,
        }
    }

    fn left(remaining: u64, reset_s: u64) -> Announced {
        Announced {
            remaining: Some(remaining),
            reset: Stated::In(Duration::from_secs(reset_s)),
            ..Announced::default()
        }
    }

    #[test]
    fn a_pause_holds_one_bucket_and_not_its_neighbour() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let until = now + Duration::from_secs(9);
        limiter.pause(&key("/a"), until, WaitReason::RateLimited);
        limiter.pause(
            &key("/a"),
            now + Duration::from_secs(1),
            WaitReason::ServerBusy,
        );
        assert_eq!(
            limiter.admit(&key("/a"), now),
            Admission::NotBefore(until, WaitReason::RateLimited)
        );
        assert_eq!(limiter.admit(&key("/b"), now), Admission::Go);
        assert_eq!(limiter.admit(&key("/a"), until), Admission::Go);
    }

    #[test]
    fn a_spent_quota_waits_for_its_reset() {
        let (limiter, now, key) = (Limiter::default(), Instant::now(), key("/a"));
        limiter.learn(&key, now, &left(2, 30));
        assert_eq!(limiter.admit(&key, now), Admission::Go);
        assert_eq!(limiter.admit(&key, now), Admission::Go);
        let reset = now + Duration::from_secs(30);
        assert_eq!(
            limiter.admit(&key, now),
            Admission::NotBefore(reset, WaitReason::QuotaSpent)
        );
        assert_eq!(limiter.admit(&key, reset), Admission::Go);
    }

    #[test]
    fn requests_under_way_count_as_used() {
        let (limiter, now, key) = (Limiter::default(), Instant::now(), key("/a"));
        for _ in 0..4 {
            assert_eq!(limiter.admit(&key, now), Admission::Go);
        }
        limiter.finished(&key);
        limiter.learn(&key, now, &left(4, 30));
        assert_eq!(limiter.admit(&key, now), Admission::Go);
        assert!(matches!(limiter.admit(&key, now), Admission::NotBefore(..)));
    }

    #[test]
    fn an_older_answer_does_not_refill_the_quota() {
        let (limiter, now, key) = (Limiter::default(), Instant::now(), key("/a"));
        limiter.learn(&key, now, &left(0, 30));
        limiter.learn(&key, now, &left(5, 31));
        assert!(matches!(limiter.admit(&key, now), Admission::NotBefore(..)));
        limiter.learn(&key, now, &left(5, 90));
        assert_eq!(limiter.admit(&key, now), Admission::Go);
    }

    #[test]
    fn absurd_resets_are_cut_and_unreadable_ones_ignored() {
        let (limiter, now, key) = (Limiter::default(), Instant::now(), key("/a"));
        let garbled = Announced {
            remaining: Some(0),
            reset: Stated::Unreadable,
            ..Announced::default()
        };
        limiter.learn(&key, now, &garbled);
        assert_eq!(limiter.admit(&key, now), Admission::Go);
        limiter.learn(&key, now, &left(0, u64::MAX));
        assert_eq!(
            limiter.admit(&key, now),
            Admission::NotBefore(now + LONGEST_QUOTA_WAIT, WaitReason::QuotaSpent)
        );
    }
}
