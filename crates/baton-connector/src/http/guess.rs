//! The pace towards a server that announces no limit: additive increase,
//! multiplicative decrease.
//!
//! Until the first refusal only the number of requests in flight is bounded,
//! and grows with the answers. A refusal shows a rate that was too high: what
//! was answered per second since the refusal before, pauses included. From
//! then on requests keep below it, and the rate grows slowly again.

use tokio::time::Instant;

use std::time::Duration;

/// Up to so many requests in flight the number doubles with each round.
const QUICK_UP_TO: f64 = 8.0;
/// Above, it takes so many answers for one more.
const ANSWERS_PER_STEP: f64 = 64.0;
/// Far above every cap on requests in flight.
const WIDEST: f64 = 4096.0;
/// A refusal cuts the rate to this part of what was answered.
const KEPT: f64 = 0.85;
/// An answer raises the rate by this part of the rate of the last refusal.
const RAISE: f64 = 0.002;
/// Requests per second that are always tried.
const LEAST_RATE: f64 = 0.1;

#[derive(Debug)]
pub(super) struct Guess {
    width: f64,
    quick_up_to: f64,
    rate: Option<Rate>,
    answered: u32,
    since: Option<Instant>,
    /// Refusals of requests up to this number belong to the last one.
    told_up_to: u64,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    now: f64,
    at_refusal: f64,
}

impl Default for Guess {
    fn default() -> Self {
        Self {
            width: 1.0,
            quick_up_to: QUICK_UP_TO,
            rate: None,
            answered: 0,
            since: None,
            told_up_to: 0,
        }
    }
}

impl Guess {
    /// Requests that may be in flight.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and the widest"
    )]
    pub(super) fn width(&self) -> u64 {
        self.width as u64
    }

    pub(super) fn spacing(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(1.0 / rate.now.max(LEAST_RATE))
        })
    }

    pub(super) fn answered(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.answered = self.answered.saturating_add(1);
        let step = if self.width < self.quick_up_to {
            1.0
        } else {
            1.0 / ANSWERS_PER_STEP
        };
        self.width = (self.width + step).min(WIDEST);
        if let Some(rate) = &mut self.rate {
            rate.now += rate.at_refusal * RAISE;
        }
    }

    /// Request `number` was refused; so far `sent` were admitted.
    pub(super) fn refused(&mut self, number: u64, sent: u64, now: Instant) {
        if number <= self.told_up_to {
            return;
        }
        self.told_up_to = sent;
        self.width = (self.width / 2.0).max(1.0);
        self.quick_up_to = self.width;
        if self.answered == 0 {
            // Nothing was learned about a rate: the stated wait has to do.
            return;
        }
        let elapsed = self
            .since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let seconds = elapsed.as_secs_f64().max(0.001);
        let answered = f64::from(self.answered) / seconds;
        let reached = self.rate.map_or(answered, |rate| rate.now.min(answered));
        let cut = (reached * KEPT).max(LEAST_RATE);
        self.rate = Some(Rate {
            now: cut,
            at_refusal: cut,
        });
        self.answered = 0;
        self.since = Some(now);
    }
}
