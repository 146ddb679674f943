//! When a failed request is repeated, and after how long (DESIGN decision 6).
//!
//! Pure decisions: no sleeping and no state here, so the whole policy is a
//! table of cases for its tests.

use std::time::Duration;

use super::rate_headers::RateHeaders;
use crate::clock::Random;
use crate::traffic::WaitReason;
use crate::transport_error::TransportErrorKind;

/// Limits of repetition. The defaults are the product's promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries of a request while no request of the run has succeeded yet.
    pub first_tries: u32,
    /// No such try starts later than this after the first one.
    pub first_window: Duration,
    /// Tries of a request once the server has proven to be there.
    pub tries: u32,
    /// Bound of the first pause; it doubles with each try.
    pub base_delay: Duration,
    /// Bound of the bound.
    pub max_delay: Duration,
    /// A longer stated wait is cut to this, and the server asked again.
    pub longest_stated_wait: Duration,
    /// The wait after a 429 whose own is absent, past or unreadable.
    pub unstated_refusal_wait: Duration,
    /// The wait after a 429 that asks for no wait.
    pub shortest_stated_wait: Duration,
    /// After so long without one success of an endpoint the run ends.
    pub give_up_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first_tries: 3,
            first_window: Duration::from_secs(5),
            tries: 5,
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            longest_stated_wait: Duration::from_mins(15),
            unstated_refusal_wait: Duration::from_mins(1),
            shortest_stated_wait: Duration::from_secs(1),
            give_up_after: Duration::from_mins(30),
        }
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttemptState {
    /// Some request of the run has succeeded.
    pub proven: bool,
    /// A repetition does no harm.
    pub idempotent: bool,
    /// Tries that count, the failed one included.
    pub tries: u32,
    /// Time since the first try.
    pub elapsed: Duration,
    /// The one immediate resend was used.
    pub resent: bool,
}

/// What ended a try.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failure {
    Transport(TransportErrorKind),
    Status(u16),
}

/// What to do about a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Report the failure.
    GiveUp,
    /// Repeat at once; this was no try.
    ResendNow,
    /// The server asked for this wait; it is no try.
    Stated(Duration, WaitReason),
    /// Repeat after this pause.
    Pause(Duration),
}

impl RetryPolicy {
    pub(super) fn next(
        &self,
        state: AttemptState,
        failure: Failure,
        announced: &RateHeaders,
        random: &dyn Random,
    ) -> Next {
        match failure {
            Failure::Status(429) => {
                let wait = announced
                    .refusal_wait()
                    .unwrap_or(self.unstated_refusal_wait);
                return Next::Stated(self.bounded(wait), WaitReason::RateLimited);
            }
            Failure::Status(status) if state.idempotent && may_pass(status) => {
                if let Some(wait) = announced.retry_after.ahead() {
                    return Next::Stated(self.bounded(wait), WaitReason::ServerBusy);
                }
            }
            Failure::Transport(TransportErrorKind::Reset) if state.idempotent && !state.resent => {
                return Next::ResendNow;
            }
            Failure::Transport(kind)
                if kind.may_pass() && (state.idempotent || kind.never_sent()) => {}
            _ => return Next::GiveUp,
        }
        let delay = self.jittered(state.tries, random);
        let exhausted = if state.proven {
            state.tries >= self.tries
        } else {
            state.tries >= self.first_tries || state.elapsed + delay >= self.first_window
        };
        if exhausted {
            Next::GiveUp
        } else {
            Next::Pause(delay)
        }
    }

    fn bounded(&self, wait: Duration) -> Duration {
        wait.min(self.longest_stated_wait)
            .max(self.shortest_stated_wait)
    }

    /// Full jitter: anything between nothing and the bound.
    fn jittered(&self, tries: u32, random: &dyn Random) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let bound = self.base_delay.saturating_mul(doubled).min(self.max_delay);
        let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(random.next_u64() % (bound_us + 1))
    }
}

/// Statuses that a repetition may turn into a success.
fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 500 | 502..=599)
}

#[cfg(test)]
mod tests {
    use super::super::rate_headers::AnnouncedWait;
    use super::*;

    #[derive(Debug)]
    struct Highest;

    impl Random for Highest {
        fn next_u64(&self) -> u64 {
            // One less than a multiple of every bound + 1 would be ideal; the
            // bounds below are checked as upper limits instead.
            u64::MAX
        }
    }

    fn state() -> AttemptState {
        AttemptState {
            proven: true,
            idempotent: true,
            tries: 1,
            elapsed: Duration::ZERO,
            resent: false,
        }
    }

    fn next(state: AttemptState, failure: Failure) -> Next {
        next_with(state, failure, RateHeaders::default())
    }

    fn next_with(state: AttemptState, failure: Failure, announced: RateHeaders) -> Next {
        RetryPolicy::default().next(state, failure, &announced, &Highest)
    }

    fn refused(retry_after: AnnouncedWait) -> Next {
        let announced = RateHeaders {
            retry_after,
            ..RateHeaders::default()
        };
        next_with(state(), Failure::Status(429), announced)
    }

    #[test]
    fn client_errors_are_never_repeated() {
        for status in [301, 400, 401, 403, 404, 405, 409, 410, 415, 422, 501] {
            assert_eq!(next(state(), Failure::Status(status)), Next::GiveUp);
        }
    }

    #[test]
    fn an_unknown_host_and_a_tls_failure_are_never_repeated() {
        for kind in [
            TransportErrorKind::UnknownHost,
            TransportErrorKind::Tls,
            TransportErrorKind::ProxyAuth,
        ] {
            assert_eq!(next(state(), Failure::Transport(kind)), Next::GiveUp);
        }
    }

    #[test]
    fn what_may_have_happened_is_not_repeated() {
        let write = AttemptState {
            idempotent: false,
            ..state()
        };
        for failure in [
            Failure::Status(500),
            Failure::Status(503),
            Failure::Transport(TransportErrorKind::Reset),
            Failure::Transport(TransportErrorKind::Timeout),
            Failure::Transport(TransportErrorKind::Truncated),
        ] {
            assert_eq!(next(write, failure), Next::GiveUp, "{failure:?}");
        }
        let refused = Failure::Transport(TransportErrorKind::Refused);
        assert!(matches!(next(write, refused), Next::Pause(_)));
        let limited = Failure::Status(429);
        assert!(matches!(next(write, limited), Next::Stated(..)));
    }

    #[test]
    fn a_proven_server_gets_five_tries_with_doubling_bounds() {
        let mut bounds = Vec::new();
        for tries in 1..=4 {
            let state = AttemptState {
                tries,
                elapsed: Duration::from_mins(10),
                ..state()
            };
            match next(state, Failure::Status(503)) {
                Next::Pause(delay) => bounds.push(delay),
                other => panic!("{other:?}"),
            }
        }
        for (delay, bound_ms) in bounds.iter().zip([500, 1000, 2000, 4000]) {
            assert!(*delay <= Duration::from_millis(bound_ms));
        }
        let last = AttemptState {
            tries: 5,
            ..state()
        };
        assert_eq!(next(last, Failure::Status(503)), Next::GiveUp);
        let policy = RetryPolicy::default();
        assert!(policy.jittered(60, &Highest) <= policy.max_delay);
    }

    #[test]
    fn an_unproven_server_gets_three_tries_within_five_seconds() {
        let first = AttemptState {
            proven: false,
            tries: 2,
            ..state()
        };
        assert!(matches!(next(first, Failure::Status(500)), Next::Pause(_)));
        let third = AttemptState { tries: 3, ..first };
        assert_eq!(next(third, Failure::Status(500)), Next::GiveUp);
        let late = AttemptState {
            elapsed: Duration::from_secs(5),
            ..first
        };
        assert_eq!(next(late, Failure::Status(500)), Next::GiveUp);
    }

    #[test]
    fn a_lost_connection_is_resent_at_once_but_only_once() {
        let reset = Failure::Transport(TransportErrorKind::Reset);
        assert_eq!(next(state(), reset), Next::ResendNow);
        let again = AttemptState {
            resent: true,
            ..state()
        };
        assert!(matches!(next(again, reset), Next::Pause(_)));
    }

    #[test]
    fn refusals_wait_as_stated_within_reason_and_are_no_tries() {
        let limited = |wait_s| Next::Stated(Duration::from_secs(wait_s), WaitReason::RateLimited);
        assert_eq!(
            refused(AnnouncedWait::In(Duration::from_secs(7))),
            limited(7)
        );
        assert_eq!(
            refused(AnnouncedWait::In(Duration::from_hours(24))),
            limited(900)
        );
        assert_eq!(refused(AnnouncedWait::In(Duration::ZERO)), limited(1));
        assert_eq!(refused(AnnouncedWait::Absent), limited(60));
        assert_eq!(refused(AnnouncedWait::Past), limited(60));
        assert_eq!(refused(AnnouncedWait::Unreadable), limited(60));
        let tired = AttemptState {
            tries: 500,
            proven: false,
            ..state()
        };
        assert_eq!(next(tired, Failure::Status(429)), limited(60));
    }

    #[test]
    fn a_busy_server_is_obeyed_but_an_unreadable_wait_is_an_ordinary_try() {
        let announced = |retry_after| RateHeaders {
            retry_after,
            ..RateHeaders::default()
        };
        let busy = Failure::Status(503);
        let wait = AnnouncedWait::In(Duration::from_secs(20));
        assert_eq!(
            next_with(state(), busy, announced(wait)),
            Next::Stated(Duration::from_secs(20), WaitReason::ServerBusy)
        );
        let garbled = announced(AnnouncedWait::Unreadable);
        assert!(matches!(next_with(state(), busy, garbled), Next::Pause(_)));
    }
}
