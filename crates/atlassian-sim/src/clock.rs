//! The simulator's clock: a date at the start plus the time that has passed for tokio.
//!
//! Under tokio's paused time the clock stands still with everything else, so tests steer expiry, quotas and delays.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Where dates in answers, quotas, cursor and key expiry come from.
///
/// Create it inside the tokio runtime that serves the router when that runtime's time is paused; elsewhere it does not matter.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Timestamp,
    origin: Instant,
}

impl Clock {
    /// A clock that shows `base` now and advances with tokio's time.
    pub fn starting_at(base: Timestamp) -> Self {
        Self {
            base,
            origin: Instant::now(),
        }
    }

    /// A clock that starts at the machine's date and advances with tokio's time.
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// The simulated date and time.
    pub fn now(&self) -> Timestamp {
        self.base
            .saturating_add(self.elapsed())
            .unwrap_or(Timestamp::MAX)
    }

    /// Time passed since the clock was made.
    pub fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// `2026-11-01T10:11:12Z`.
pub(crate) fn iso_seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-11-01T10:11:12.013Z`.
pub(crate) fn iso_millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A timestamp from milliseconds since the epoch, clamped to what can be represented.
pub(crate) fn from_millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// Seconds since the epoch of 1 November 2026, 12:00 UTC: the date that all generated data is relative to.
pub(crate) const DATA_DATE_SECONDS: i64 = 1_793_534_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_date_is_what_its_comment_says() {
        assert_eq!(
            iso_seconds(from_millis(DATA_DATE_SECONDS * 1000)),
            "2026-11-01T12:00:00Z"
        );
        assert_eq!(
            iso_millis(from_millis(DATA_DATE_SECONDS * 1000 + 7)),
            "2026-11-01T12:00:00.007Z"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn clock_follows_paused_time() {
        let clock = Clock::starting_at(from_millis(0));
        assert_eq!(clock.now(), from_millis(0));
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), from_millis(90_000));
    }
}
