//! How long the periods of an announced quota are, from their resets alone.

use std::time::Duration;

use tokio::time::Instant;

use super::rate_headers::MAX_PLAUSIBLE_RESET;

/// Periods up to this length are spread evenly from the beginning: announced
/// in whole seconds, their resets say little.
pub(super) const SHORT_PERIOD: Duration = Duration::from_secs(2);

/// Resets are announced in whole seconds, so the same one wobbles.
pub(super) const WOBBLE: Duration = Duration::from_secs(2);

/// What resets have shown of the length of a period.
#[derive(Debug, Default)]
pub(super) struct Period {
    first_seen: Option<Instant>,
    last_seen: Option<Instant>,
    longest_ahead: Duration,
    shortest_ahead: Duration,
    last_reset: Option<Instant>,
    between_resets: Option<Duration>,
}

impl Period {
    /// A reset `ahead` of now was announced.
    pub(super) fn learn(&mut self, now: Instant, ahead: Duration) {
        self.longest_ahead = self.longest_ahead.max(ahead);
        self.shortest_ahead = match self.first_seen {
            Some(_) => self.shortest_ahead.min(ahead),
            None => ahead,
        };
        self.first_seen.get_or_insert(now);
        self.last_seen = Some(now);
        let resets_at = now + ahead;
        if let Some(last) = self.last_reset {
            let between = resets_at.saturating_duration_since(last);
            if between <= WOBBLE {
                return;
            }
            if between <= MAX_PLAUSIBLE_RESET {
                let least = self
                    .between_resets
                    .map_or(between, |known| known.min(between));
                self.between_resets = Some(least);
            }
        }
        self.last_reset = Some(resets_at);
    }

    /// Resets are always as near as they are in a quota per second. The end
    /// of a longer period looks the same, so it takes more than that long to
    /// know.
    pub(super) fn is_short(&self) -> bool {
        let (Some(first), Some(last)) = (self.first_seen, self.last_seen) else {
            return false;
        };
        !self.longest_ahead.is_zero()
            && self.longest_ahead <= SHORT_PERIOD
            && last - first > SHORT_PERIOD
    }

    /// The length, and whether it is all of it; `None` when no reset was
    /// seen. A part is what the longest look ahead has shown.
    pub(super) fn length(&self) -> Option<(Duration, bool)> {
        if self.longest_ahead.is_zero() {
            return None;
        }
        if self.is_short() {
            return Some((Duration::from_secs(1), true));
        }
        let Some(between) = self.between_resets else {
            return Some((self.longest_ahead, false));
        };
        let moving = between + WOBBLE < self.longest_ahead;
        let whole = if moving {
            // The reset moves on with each answer. If it always looks equally
            // far ahead, that is the whole period.
            self.shortest_ahead + WOBBLE >= self.longest_ahead
        } else {
            // Had whole periods been skipped between the two resets, then
            // nothing was seen from further away than half of the distance.
            self.longest_ahead * 2 > between + WOBBLE
        };
        Some(if whole {
            (between.max(self.longest_ahead), true)
        } else {
            (self.longest_ahead, false)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known after answers at these seconds, in fixed periods.
    fn fixed(period_s: u64, seconds: &[u64]) -> Option<(u64, bool)> {
        let start = Instant::now();
        let mut period = Period::default();
        for second in seconds {
            let ahead = period_s - second % period_s;
            period.learn(
                start + Duration::from_secs(*second),
                Duration::from_secs(ahead),
            );
        }
        let (length, whole) = period.length()?;
        Some((length.as_secs(), whole))
    }

    #[test]
    fn a_period_is_whole_once_two_neighbouring_resets_were_seen() {
        assert_eq!(fixed(60, &[]), None);
        assert_eq!(fixed(60, &[35]), Some((25, false)));
        assert_eq!(fixed(60, &[35, 50, 59]), Some((25, false)));
        assert_eq!(fixed(60, &[35, 50, 59, 61]), Some((60, true)));
        assert_eq!(fixed(60, &[1, 59, 80]), Some((60, true)));
        assert_eq!(fixed(3600, &[3000, 3700]), Some((3600, true)));
    }

    #[test]
    fn skipped_periods_are_not_taken_for_long_ones() {
        assert_eq!(fixed(60, &[35, 5 * 60 + 30]), Some((30, false)));
        assert_eq!(fixed(60, &[35, 5 * 60 + 30, 6 * 60]), Some((60, true)));
    }

    #[test]
    fn the_end_of_a_long_period_is_no_short_one() {
        assert_eq!(fixed(60, &[58, 59]), Some((2, false)));
        let start = Instant::now();
        let mut period = Period::default();
        period.learn(start, Duration::from_secs(1));
        assert!(!period.is_short());
        period.learn(start + Duration::from_secs(3), Duration::from_secs(1));
        assert!(period.is_short());
        assert_eq!(period.length(), Some((Duration::from_secs(1), true)));
        period.learn(start + Duration::from_secs(4), Duration::from_mins(1));
        assert!(!period.is_short());
    }

    #[test]
    fn resets_that_move_on_show_the_period_if_they_stay_equally_far() {
        let start = Instant::now();
        let (mut sliding, mut filling) = (Period::default(), Period::default());
        for second in 0..10 {
            let now = start + Duration::from_secs(second);
            sliding.learn(now, Duration::from_mins(1));
            filling.learn(now, Duration::from_secs(5 * second + 1));
        }
        assert_eq!(sliding.length(), Some((Duration::from_mins(1), true)));
        assert_eq!(filling.length(), Some((Duration::from_secs(46), false)));
    }
}
