//! Whether answers take longer than they must, from their latencies alone.
//!
//! Latencies are averaged over a round: the requests that were under way when
//! it began. The fastest round is what an answer must take. A round that took
//! much longer shows requests that only queue, wherever that is: at the server,
//! on the way, or in this process. A fastest round that was not seen again for
//! a long time is measured again, with few requests in flight.

use std::time::Duration;

use super::adaptive::Observation;

/// Answers that take so many times as long as they must are slow.
const SLOW: f64 = 2.0;
/// So much longer is never slow: it may be anything.
const SLACK: Duration = Duration::from_millis(20);
/// A round that takes at most so many times as long as the fastest one shows
/// that the fastest one still holds.
const NEAR: f64 = 1.25;
/// After so many rounds without such a one it is measured again.
const MOST_ROUNDS: u32 = 256;

/// What an answer shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trend {
    /// Nothing, or nothing yet.
    Steady,
    /// A round has ended that took `excess` times what is borne, above 1.
    Rising { excess: f64 },
    /// The least time of an answer is no longer known.
    Stale,
}

#[derive(Debug, Default)]
pub(super) struct Latency {
    /// Average seconds of the fastest round.
    least_s: Option<f64>,
    /// Rounds since it was seen.
    age: u32,
    /// This round holds requests from before the new measurement.
    draining: bool,
    sum_s: f64,
    answers: u32,
    /// The round ends with the first answer to a later request.
    ends_after: u64,
}

impl Latency {
    /// Takes note of an answer.
    pub(super) fn note(&mut self, seen: Observation) -> Trend {
        let mut trend = Trend::Steady;
        if seen.number > self.ends_after {
            trend = self.end_round();
            self.ends_after = seen.sent;
        }
        self.sum_s += seen.took.as_secs_f64();
        self.answers += 1;
        trend
    }

    /// Requests from before a new measurement are still under way, so it is
    /// no time for more.
    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    fn end_round(&mut self) -> Trend {
        if self.answers == 0 {
            return Trend::Steady;
        }
        let average = self.sum_s / f64::from(self.answers);
        (self.sum_s, self.answers) = (0.0, 0);
        if std::mem::take(&mut self.draining) {
            return Trend::Steady;
        }
        let Some(least) = self.least_s else {
            self.least_s = Some(average);
            return Trend::Steady;
        };
        self.least_s = Some(least.min(average));
        self.age = if average <= least * NEAR {
            0
        } else {
            self.age + 1
        };
        if self.age >= MOST_ROUNDS {
            *self = Self {
                draining: true,
                ends_after: self.ends_after,
                ..Self::default()
            };
            return Trend::Stale;
        }
        let borne = least * SLOW + SLACK.as_secs_f64();
        if average > borne {
            return Trend::Rising {
                excess: average / borne,
            };
        }
        Trend::Steady
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// What the answers of a round of ten show, each of which took so long;
    /// a round is judged when the next one begins.
    fn trends(rounds_ms: &[u64]) -> Vec<bool> {
        let mut latency = Latency::default();
        let mut number = 0;
        let mut rising = Vec::new();
        for ms in rounds_ms {
            let sent = number + 10;
            let mut any = false;
            while number < sent {
                number += 1;
                let trend = latency.note(Observation {
                    number,
                    sent,
                    under_way: 10,
                    now: Instant::now(),
                    took: Duration::from_millis(*ms),
                });
                any |= trend != Trend::Steady;
            }
            rising.push(any);
        }
        rising
    }

    #[test]
    fn only_rounds_that_take_twice_as_long_and_more_are_slow() {
        assert_eq!(
            trends(&[40, 90, 99, 101, 40]),
            [false, false, false, false, true]
        );
        assert_eq!(
            trends(&[1, 20, 21, 30, 1]),
            [false, false, false, false, true]
        );
    }

    #[test]
    fn what_was_fast_long_ago_is_measured_anew() {
        let mut rounds = vec![10; 2];
        rounds.extend([200; 300]);
        let rising = trends(&rounds);
        let anew = rounds.len() - 300 + 256 + 1;
        assert!(rising[3..anew].iter().all(|rising| *rising));
        assert!(rising[anew..].iter().all(|rising| !rising));
    }

    #[test]
    fn what_is_still_as_fast_is_never_measured_anew() {
        let rounds: Vec<u64> = (0..1000)
            .map(|n| if n % 100 == 0 { 40 } else { 60 })
            .collect();
        assert!(trends(&rounds).iter().all(|rising| !rising));
    }

    #[test]
    fn one_slow_answer_is_no_slow_round() {
        let mut latency = Latency::default();
        for number in 1..=40 {
            let trend = latency.note(Observation {
                number,
                sent: number.div_ceil(10) * 10,
                under_way: 10,
                now: Instant::now(),
                took: Duration::from_millis(if number == 15 { 400 } else { 40 }),
            });
            assert_eq!(trend, Trend::Steady, "{number}");
        }
    }
}
