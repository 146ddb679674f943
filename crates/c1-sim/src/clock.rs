//! The clock of the simulator: a date at its start, and the time that has passed for
//! tokio. A clock can be set wrong.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Where the simulator reads its date. In paused time it stands still.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Timestamp,
    origin: Instant,
}

impl Clock {
    /// A clock that shows `base` now and advances with tokio's time. Create it inside
    /// the runtime if that runtime's time is paused.
    pub fn starting_at(base: Timestamp) -> Self {
        Self {
            base,
            origin: Instant::now(),
        }
    }

    /// The date.
    pub fn now(&self) -> Timestamp {
        let now = self.base.saturating_add(self.elapsed());
        now.unwrap_or(Timestamp::MAX)
    }

    /// The time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The same clock with another date: from now on it shows `date`.
    #[must_use]
    pub fn set_to(&self, date: Timestamp) -> Self {
        // The elapsed time keeps counting from the same origin.
        let base = date.saturating_sub(self.elapsed());
        Self {
            base: base.unwrap_or(Timestamp::MIN),
            origin: self.origin,
        }
    }
}

/// The form of a date in HTTP.
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_advances_with_tokio_and_can_be_set() {
        let start: Timestamp = "2026-12-01T10:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(start);
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now().as_second() - start.as_second(), 90);
        let wrong = clock.set_to("2026-12-01T12:00:00Z".parse().unwrap());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(http_date(wrong.now()), "Tue, 01 Dec 2026 12:00:05 GMT");
        assert_eq!(wrong.elapsed().as_secs(), 95);
    }
}
