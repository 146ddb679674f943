//! The pace towards a server that announces no limit, as TCP finds its own.
//!
//! Slow start: the number of requests in flight doubles with each round trip,
//! until a refusal or until answers take longer ([`Latency`]). From then on it
//! grows by one per round trip, and falls by a factor.
//!
//! A refusal also shows a rate that was too high. What was answered per second
//! since the refusal before, pauses included, is the measure; at the first one
//! the wait that the server states counts too, since it ends the period that
//! was overdrawn. From then on requests keep below that rate, and it grows
//! slowly at first, and faster the longer nothing is refused: an estimate that
//! was far too low must not last. A refusal that does not say when it ends
//! costs a minute, so after one the rate grows ten times slower. Where most
//! requests that were sent after the refused one are answered, the refusal was
//! no limit, and shows no rate.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::latency::{Latency, Trend};

/// Far above every cap on requests in flight.
const WIDEST: f64 = 4096.0;
/// In slow start no more than so many times the requests in use may be in
/// flight: what was never tried is not known.
const AHEAD: f64 = 2.0;
/// Slower answers do not bring the number in flight below this; what a fast
/// first answer promised may be too much for all others.
const LEAST_BY_LATENCY: f64 = 16.0;
/// Requests in flight while it is measured what an answer must take.
const TO_MEASURE: f64 = 4.0;
/// Requests in flight right after a refusal that does not say when it ends.
const AFTER_BARE_REFUSAL: f64 = 4.0;
/// A refusal cuts the rate to this part of what was answered.
const KEPT: f64 = 0.85;
/// An answer raises the rate by this part of the rate of the last refusal.
const RAISE: f64 = 0.002;
/// The same after a refusal that did not say when it ends.
const RAISE_AFTER_BARE: f64 = 0.0002;
/// After so long without a refusal the rate grows twice as fast, then five
/// times, and so on with the square of the time.
const CALM_PERIOD: Duration = Duration::from_secs(20);
/// Requests per second that are always tried.
const LEAST_RATE: f64 = 0.1;
/// What was answered within this time is the first measure of a rate where
/// the server states no wait.
const WINDOW: Duration = Duration::from_secs(1);
/// Answers of the window that are remembered.
const MOST_RECENT: usize = 8192;

#[derive(Debug)]
pub(super) struct AdaptivePace {
    width: f64,
    /// Slow start ends at this width.
    slow_up_to: f64,
    latency: Latency,
    /// The most requests under way in this round trip and in the last one.
    most_under_way: [u64; 2],
    /// The round trip ends with the answer to a later request.
    round_ends_after: u64,
    rate: Option<Rate>,
    answered: u32,
    since: Option<Instant>,
    /// When the latest answers came, until the first refusal.
    recent: VecDeque<Instant>,
    /// Refusals of requests up to this number belong to the last one.
    covered_up_to: u64,
    /// What became of the requests that were under way at the last refusal.
    batch: Option<RefusedBatch>,
    /// The first answer after the last refusal.
    resumed: Option<Instant>,
}

/// Requests from a refused one up to the last one that was sent before the
/// refusal was known.
#[derive(Debug, Clone, Copy)]
struct RefusedBatch {
    first: u64,
    refused: u32,
    answered: u32,
    /// The rate was known before.
    rate_known: bool,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    now: f64,
    at_refusal: f64,
    raise: f64,
}

/// An answer as the bucket sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    /// Number of the request.
    pub number: u64,
    /// Requests admitted so far.
    pub sent: u64,
    /// Requests under way, this one included.
    pub under_way: u64,
    /// When the answer came.
    pub now: Instant,
    /// How long it took.
    pub took: Duration,
}

impl Default for AdaptivePace {
    fn default() -> Self {
        Self {
            width: 1.0,
            slow_up_to: WIDEST,
            latency: Latency::default(),
            most_under_way: [0; 2],
            round_ends_after: 0,
            rate: None,
            answered: 0,
            since: None,
            recent: VecDeque::new(),
            covered_up_to: 0,
            batch: None,
            resumed: None,
        }
    }
}

impl AdaptivePace {
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

    /// The rate that requests keep below, in requests per minute, once a
    /// refusal has shown one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and for people"
    )]
    pub(super) fn per_minute(&self) -> Option<u64> {
        let rate = self.rate?;
        Some((rate.now.max(LEAST_RATE) * 60.0).round() as u64)
    }

    pub(super) fn answered(&mut self, seen: Observation) {
        self.since.get_or_insert(seen.now);
        self.answered = self.answered.saturating_add(1);
        self.note_batch(seen.number);
        if seen.number > self.covered_up_to {
            self.resumed.get_or_insert(seen.now);
        }
        if let Some(rate) = &mut self.rate {
            let calm = self.resumed.map_or(Duration::ZERO, |resumed| {
                seen.now.saturating_duration_since(resumed)
            });
            let calm = calm.as_secs_f64() / CALM_PERIOD.as_secs_f64();
            rate.now += rate.at_refusal * rate.raise * (1.0 + calm * calm);
        } else {
            self.recent.push_back(seen.now);
            while self.recent.len() > MOST_RECENT
                || self
                    .recent
                    .front()
                    .is_some_and(|at| seen.now.saturating_duration_since(*at) > WINDOW)
            {
                self.recent.pop_front();
            }
        }
        self.note_use(seen);
        match self.latency.note(seen) {
            Trend::Rising { excess } if self.width > LEAST_BY_LATENCY => {
                let less = self.used() / excess.clamp(1.0, 2.0);
                self.width = less.max(LEAST_BY_LATENCY).min(self.width);
                self.slow_up_to = 0.0;
                return;
            }
            Trend::Stale if self.width > LEAST_BY_LATENCY => {
                // Quickly back to where it was, as far as that is still right.
                self.slow_up_to = self.used();
                self.width = TO_MEASURE;
                return;
            }
            _ => {}
        }
        if self.latency.is_draining() {
            return;
        }
        let step = if self.width < self.slow_up_to {
            1.0
        } else {
            1.0 / self.width.max(1.0)
        };
        if self.width < self.most_used() * AHEAD {
            self.width = (self.width + step).min(WIDEST);
        }
    }

    /// A request was refused; `stated` is the wait that the server asked for.
    pub(super) fn refused(&mut self, seen: Observation, stated: Option<Duration>) {
        if seen.number <= self.covered_up_to {
            if let Some(batch) = &mut self.batch {
                batch.refused += 1;
            }
            return;
        }
        self.covered_up_to = seen.sent;
        self.batch = Some(RefusedBatch {
            first: seen.number,
            refused: 1,
            answered: 0,
            rate_known: self.rate.is_some(),
        });
        self.resumed = None;
        self.note_use(seen);
        self.slow_up_to = 0.0;
        self.width = (self.used() / 2.0).max(1.0);
        if stated.is_none() {
            self.width = self.width.min(AFTER_BARE_REFUSAL);
        }
        if self.answered == 0 {
            // Nothing was learned about a rate: the stated wait has to do.
            return;
        }
        let reached = self.reached(seen.now, stated);
        let cut = (reached * KEPT).max(LEAST_RATE);
        self.rate = Some(Rate {
            now: cut,
            at_refusal: cut,
            raise: stated.map_or(RAISE_AFTER_BARE, |_| RAISE),
        });
        self.answered = 0;
        self.since = Some(seen.now);
        self.recent = VecDeque::new();
    }

    /// Counts an answer to a request of the last batch; once it is over, a
    /// rate that it does not show is forgotten.
    fn note_batch(&mut self, number: u64) {
        let Some(batch) = &mut self.batch else {
            return;
        };
        if number <= self.covered_up_to {
            batch.answered += u32::from(number > batch.first);
            return;
        }
        if batch.answered > batch.refused && !batch.rate_known {
            self.rate = None;
        }
        self.batch = None;
    }

    /// Takes note of how many requests are under way. Answers come in bursts,
    /// so what counts is the most of a round trip and of the one before.
    fn note_use(&mut self, seen: Observation) {
        if seen.number > self.round_ends_after {
            self.round_ends_after = seen.sent;
            self.most_under_way = [0, self.most_under_way[0]];
        }
        let most = &mut self.most_under_way[0];
        *most = (*most).max(seen.under_way);
    }

    /// The most requests that were under way lately.
    fn most_used(&self) -> f64 {
        let [now, before] = self.most_under_way;
        f64::from(u32::try_from(now.max(before)).unwrap_or(u32::MAX)).max(1.0)
    }

    /// The part of the width that was really in use.
    fn used(&self) -> f64 {
        self.width.min(self.most_used())
    }

    /// The rate that was too high, in requests per second.
    fn reached(&self, now: Instant, stated: Option<Duration>) -> f64 {
        let elapsed = self
            .since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let per_second =
            |elapsed: Duration| f64::from(self.answered) / elapsed.as_secs_f64().max(0.001);
        match (self.rate, stated) {
            (Some(rate), _) => rate.now.min(per_second(elapsed)),
            (None, Some(wait)) => per_second(elapsed.saturating_add(wait)),
            (None, None) => {
                let answers = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
                f64::from(answers) / WINDOW.as_secs_f64()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Answers all that may be in flight, round by round.
    struct Server {
        pace: AdaptivePace,
        now: Instant,
        sent: u64,
    }

    impl Server {
        fn new() -> Self {
            Self {
                pace: AdaptivePace::default(),
                now: Instant::now(),
                sent: 0,
            }
        }

        /// One round trip that takes `took` with `cap` in flight at most;
        /// gives the requests that were in flight.
        fn round(&mut self, cap: u64, took: Duration) -> u64 {
            let width = self.pace.width().min(cap);
            let first = self.sent + 1;
            self.sent += width;
            self.now += took;
            for number in first..=self.sent {
                let seen = self.seen(number, width, took);
                self.pace.answered(seen);
            }
            width
        }

        fn seen(&self, number: u64, under_way: u64, took: Duration) -> Observation {
            Observation {
                number,
                sent: self.sent,
                under_way,
                now: self.now,
                took,
            }
        }

        fn refuse(&mut self, under_way: u64, stated: Option<Duration>) {
            self.sent += 1;
            let seen = self.seen(self.sent, under_way, Duration::ZERO);
            self.pace.refused(seen, stated);
        }
    }

    const FAST: Duration = Duration::from_millis(40);

    #[test]
    fn requests_in_flight_double_with_each_round_trip() {
        let mut server = Server::new();
        let rounds: Vec<u64> = (0..9).map(|_| server.round(64, FAST)).collect();
        assert_eq!(rounds, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
        // What the cap does not let through was not tried.
        assert_eq!(server.pace.width(), 128);
    }

    #[test]
    fn a_refusal_halves_what_was_in_flight_and_ends_the_doubling() {
        let mut server = Server::new();
        while server.round(64, FAST) < 64 {}
        server.refuse(64, Some(Duration::from_secs(1)));
        assert_eq!(server.pace.width(), 32);
        assert_eq!(server.round(64, FAST), 32);
        assert_eq!(server.round(64, FAST), 32, "not quite one more per round");
        assert!((33..36).contains(&server.pace.width()));
    }

    #[test]
    fn one_refusal_among_answers_shows_no_rate() {
        for stated in [Some(Duration::from_mins(15)), None] {
            let mut server = Server::new();
            while server.round(64, FAST) < 16 {}
            let refused = server.seen(server.sent + 1, 16, FAST);
            server.sent += 16;
            let refused = Observation {
                sent: server.sent,
                ..refused
            };
            server.pace.refused(refused, stated);
            assert!(server.pace.per_minute().is_some());
            for number in refused.number + 1..=server.sent {
                server.pace.answered(server.seen(number, 8, FAST));
            }
            // The request that goes alone after the wait.
            server.round(1, FAST);
            assert_eq!(server.pace.per_minute(), None, "{stated:?}");
        }
    }

    #[test]
    fn a_rate_that_was_far_too_low_does_not_last() {
        let mut server = Server::new();
        server.round(1, FAST);
        server.refuse(1, Some(Duration::from_mins(15)));
        let began = server.now;
        let lowest = server.pace.per_minute().unwrap();
        assert!(lowest <= 6, "{lowest}");
        while server.pace.per_minute().unwrap() < 6_000 {
            let spacing = server.pace.spacing();
            server.round(1, spacing);
        }
        let took = server.now - began;
        assert!(took < Duration::from_mins(20), "{took:?}");
    }

    #[test]
    fn refusals_of_one_moment_count_once() {
        let mut server = Server::new();
        while server.round(64, FAST) < 64 {}
        let first = server.sent + 1;
        server.sent += 64;
        let all: Vec<Observation> = (first..=server.sent)
            .map(|number| server.seen(number, 64, FAST))
            .collect();
        for seen in all {
            server.pace.refused(seen, Some(Duration::from_secs(1)));
        }
        assert_eq!(server.pace.width(), 32);
    }

    #[test]
    fn the_wait_that_a_server_states_belongs_to_the_period() {
        let mut server = Server::new();
        while server.sent < 480 {
            server.round(60, FAST);
        }
        let answered = f64::from(u32::try_from(server.sent).unwrap());
        let elapsed = server.now - server.pace.since.unwrap();
        server.refuse(60, Some(Duration::from_mins(1).saturating_sub(elapsed)));
        let per_minute = server.pace.per_minute().unwrap();
        let expected = answered * KEPT;
        assert!((expected - f64::from(u32::try_from(per_minute).unwrap())).abs() <= 1.0);
    }

    #[test]
    fn slower_answers_end_the_doubling_and_the_width_settles() {
        let mut server = Server::new();
        // Sixteen are served at once, all others queue.
        let queued = |width: u64| FAST * u32::try_from(width.max(16)).unwrap() / 16;
        let mut widths = Vec::new();
        for _ in 0..1000 {
            let width = server.pace.width().min(512);
            widths.push(server.round(512, queued(width)));
        }
        let highest = widths.iter().max().unwrap();
        assert!(*highest <= 128, "{widths:?}");
        // Never below what the server can do, nor far above it.
        // A few rounds in a hundred measure with fewer.
        let settled = &widths[20..];
        assert!(settled.iter().all(|w| (4..=48).contains(w)), "{widths:?}");
        let full = settled.iter().filter(|w| **w >= 16).count();
        assert!(full * 100 >= settled.len() * 97, "{widths:?}");
    }

    #[test]
    fn slower_answers_never_stop_a_run() {
        let mut server = Server::new();
        server.round(64, Duration::from_millis(1));
        for _ in 0..40 {
            server.round(64, Duration::from_secs(1));
        }
        assert!(server.pace.width() >= 16, "{}", server.pace.width());
    }
}
