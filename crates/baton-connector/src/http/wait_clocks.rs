//! How long requests were kept waiting, and for what: each moment once per
//! reason, however many requests waited in it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::traffic::{WaitReason, Waited};

/// The clocks of all reasons.
#[derive(Debug, Default)]
pub(super) struct WaitClocks {
    by_reason: BTreeMap<WaitReason, Clock>,
    any: Clock,
}

/// Runs while at least one request waits.
#[derive(Debug, Default)]
struct Clock {
    waiting: u32,
    since: Option<Instant>,
    total: Duration,
}

impl Clock {
    fn begin(&mut self, now: Instant) {
        self.waiting += 1;
        self.since.get_or_insert(now);
    }

    fn end(&mut self, now: Instant) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0
            && let Some(since) = self.since.take()
        {
            self.total += now.saturating_duration_since(since);
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        let running = self
            .since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        u64::try_from((self.total + running).as_millis()).unwrap_or(u64::MAX)
    }
}

impl WaitClocks {
    pub(super) fn begin(&mut self, reason: WaitReason, now: Instant) {
        self.by_reason.entry(reason).or_default().begin(now);
        self.any.begin(now);
    }

    pub(super) fn end(&mut self, reason: WaitReason, now: Instant) {
        self.by_reason.entry(reason).or_default().end(now);
        self.any.end(now);
    }

    pub(super) fn read(&self, now: Instant) -> Waited {
        let by_reason = self.by_reason.iter();
        Waited {
            total_ms: self.any.millis(now),
            by_reason: by_reason
                .map(|(reason, clock)| (*reason, clock.millis(now)))
                .filter(|(_, ms)| *ms > 0)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_counts_once_per_reason_and_once_in_all() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clocks = WaitClocks::default();
        clocks.begin(WaitReason::Paced, at(0));
        clocks.begin(WaitReason::Paced, at(1));
        clocks.end(WaitReason::Paced, at(2));
        clocks.begin(WaitReason::Retry, at(3));
        clocks.end(WaitReason::Paced, at(4));
        clocks.end(WaitReason::Retry, at(6));
        clocks.begin(WaitReason::Paced, at(10));
        let read = clocks.read(at(12));
        assert_eq!(read.total_ms, 8_000);
        let by_reason: Vec<_> = read.by_reason.into_iter().collect();
        assert_eq!(
            by_reason,
            [(WaitReason::Retry, 3_000), (WaitReason::Paced, 6_000)]
        );
    }
}
