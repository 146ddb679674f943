//! Request quotas: fixed one-minute windows per key and endpoint, or a token bucket per endpoint.
//!
//! Pure arithmetic over times that the caller passes in; headers are made elsewhere from the [`Decision`]. All of it in
//! whole numbers, so that a test knows the result.

use std::collections::HashMap;
use std::str::FromStr;

use jiff::Timestamp;

use crate::endpoint;
use crate::error::Error;

/// Length of a fixed window.
pub(crate) const WINDOW_SECONDS: i64 = 60;
/// Units of a bucket that make one request.
const UNITS_PER_REQUEST: u64 = 1_000_000;

/// How requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// No limits, and no headers.
    Off,
    /// Fixed one-minute windows, aligned to the clock's minute. `None`: each endpoint's own budget (500 reads, 10 for
    /// events, 100 for the event stream).
    Windows(Option<u32>),
    /// A token bucket per endpoint: refilled evenly, holding at most one second's worth.
    Bucket {
        /// Requests per second, at least 1.
        per_second: u32,
    },
}

/// Request quotas and how answers show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// How requests are counted.
    pub policy: Policy,
    /// Budgets per minute for single endpoints, by name (`GET v2/users`); they win over the policy unless it is off.
    pub budgets: Vec<(String, u32)>,
    /// Whether answers carry `X-RateLimit-*`.
    pub headers: bool,
    /// `X-RateLimit-Reset` as `2026-11-23T20:31Z`.
    pub reset_without_seconds: bool,
    /// A 429 carries neither `X-RateLimit-*` nor `Retry-After`.
    pub bare_refusals: bool,
}

impl RateLimits {
    /// No quotas and no headers.
    pub fn off() -> Self {
        Self::with(Policy::Off)
    }

    /// A token bucket per endpoint.
    pub fn per_second(requests: u32) -> Self {
        Self::with(Policy::Bucket {
            per_second: requests.max(1),
        })
    }

    /// The same one-minute budget for every endpoint.
    pub fn per_minute(requests: u32) -> Self {
        Self::with(Policy::Windows(Some(requests)))
    }

    fn with(policy: Policy) -> Self {
        Self {
            policy,
            budgets: Vec::new(),
            headers: true,
            reset_without_seconds: false,
            bare_refusals: false,
        }
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self::with(Policy::Windows(None))
    }
}

/// `off`, `default`, `100/s` (token bucket) or `500/m` (fixed windows).
impl FromStr for RateLimits {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "off" => return Ok(Self::off()),
            "default" => return Ok(Self::default()),
            _ => {}
        }
        let wrong = || Error::RateLimitSyntax(text.to_owned());
        let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
        let number: u32 = number.parse().map_err(|_| wrong())?;
        match unit {
            _ if number == 0 => Err(wrong()),
            "s" => Ok(Self::per_second(number)),
            "m" => Ok(Self::per_minute(number)),
            _ => Err(wrong()),
        }
    }
}

/// Parses a single endpoint's budget per minute: `GET v1/events=10`.
pub fn parse_budget(text: &str) -> Result<(String, u32), Error> {
    let parsed = text.rsplit_once('=').and_then(|(name, number)| {
        let known = endpoint::all().find(|e| e.name == name.trim())?;
        Some((known.name.to_owned(), number.parse().ok()?))
    });
    parsed.ok_or_else(|| Error::BudgetSyntax(text.to_owned()))
}

/// The quota's decision about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub allowed: bool,
    pub limit: u32,
    pub remaining: u32,
    pub reset: Timestamp,
    /// Whole seconds until a request can pass, at least 1; only of use when refused.
    pub retry_after_seconds: i64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Window { minute: i64, used: u32 },
    Bucket { level: u64, at_micros: i64 },
}

/// Which key asks for which endpoint; requests with unknown keys share a quota.
type Asker = (Option<usize>, &'static str);

#[derive(Debug)]
pub(crate) struct RateLimiter {
    policy: Policy,
    budgets: Vec<(String, u32)>,
    states: HashMap<Asker, State>,
}

impl RateLimiter {
    pub(crate) fn new(limits: &RateLimits) -> Self {
        Self {
            policy: limits.policy,
            budgets: limits.budgets.clone(),
            states: HashMap::new(),
        }
    }

    /// Counts a request; `own_budget` is the endpoint's per minute. `None`: there are no quotas.
    pub(crate) fn count(
        &mut self,
        asker: Asker,
        own_budget: u32,
        now: Timestamp,
    ) -> Option<Decision> {
        let set = self
            .budgets
            .iter()
            .find(|(name, _)| name == asker.1)
            .map(|(_, b)| *b);
        match (self.policy, set) {
            (Policy::Off, _) => None,
            (_, Some(budget)) | (Policy::Windows(Some(budget)), None) => {
                Some(self.window(asker, budget, now))
            }
            (Policy::Windows(None), None) => Some(self.window(asker, own_budget, now)),
            (Policy::Bucket { per_second }, None) => {
                Some(self.bucket(asker, per_second.max(1), now))
            }
        }
    }

    fn window(&mut self, asker: Asker, budget: u32, now: Timestamp) -> Decision {
        let second = now.as_second();
        let minute = second.div_euclid(WINDOW_SECONDS);
        let used = match self.states.get(&asker) {
            Some(State::Window { minute: m, used }) if *m == minute => *used,
            _ => 0,
        };
        let allowed = used < budget;
        let used = used.saturating_add(u32::from(allowed));
        self.states.insert(asker, State::Window { minute, used });
        let reset = (minute + 1) * WINDOW_SECONDS;
        Decision {
            allowed,
            limit: budget,
            remaining: budget - used.min(budget),
            reset: Timestamp::from_second(reset).unwrap_or(now),
            // A fraction of the current second has passed already: waiting whole seconds from it is never too short.
            retry_after_seconds: (reset - second).max(1),
        }
    }

    fn bucket(&mut self, asker: Asker, per_second: u32, now: Timestamp) -> Decision {
        let capacity = u64::from(per_second) * UNITS_PER_REQUEST;
        let now_micros = now.as_microsecond();
        let level = match self.states.get(&asker) {
            Some(State::Bucket { level, at_micros }) => {
                let passed = u64::try_from(now_micros.saturating_sub(*at_micros)).unwrap_or(0);
                level
                    .saturating_add(passed.saturating_mul(u64::from(per_second)))
                    .min(capacity)
            }
            _ => capacity,
        };
        let allowed = level >= UNITS_PER_REQUEST;
        let level = if allowed {
            level - UNITS_PER_REQUEST
        } else {
            level
        };
        self.states.insert(
            asker,
            State::Bucket {
                level,
                at_micros: now_micros,
            },
        );
        let full_in_micros = (capacity - level).div_ceil(u64::from(per_second));
        let next_in_micros = UNITS_PER_REQUEST
            .saturating_sub(level)
            .div_ceil(u64::from(per_second));
        let full_at = now_micros.saturating_add(i64::try_from(full_in_micros).unwrap_or(0));
        let reset_second =
            full_at.div_euclid(1_000_000) + i64::from(full_at.rem_euclid(1_000_000) > 0);
        Decision {
            allowed,
            limit: per_second,
            remaining: u32::try_from(level / UNITS_PER_REQUEST).unwrap_or(u32::MAX),
            reset: Timestamp::from_second(reset_second).unwrap_or(now),
            retry_after_seconds: i64::try_from(next_in_micros.div_ceil(1_000_000))
                .unwrap_or(1)
                .max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        crate::clock::from_millis(millis)
    }

    const A: Asker = (Some(0), "GET v2/users");
    const B: Asker = (Some(0), "GET v2/groups");

    #[test]
    fn window_refuses_over_budget_until_the_next_minute() {
        let mut limiter = RateLimiter::new(&RateLimits::per_minute(2));
        assert_eq!(
            limiter
                .count(A, 500, at(59_000))
                .map(|d| (d.allowed, d.remaining)),
            Some((true, 1))
        );
        assert_eq!(
            limiter
                .count(A, 500, at(59_100))
                .map(|d| (d.allowed, d.remaining)),
            Some((true, 0))
        );
        let refused = limiter.count(A, 500, at(59_200)).unwrap();
        assert!(!refused.allowed);
        assert_eq!(refused.reset, at(60_000));
        assert_eq!(refused.retry_after_seconds, 1);
        assert!(
            limiter.count(B, 500, at(59_300)).unwrap().allowed,
            "other endpoints have their own budget"
        );
        assert!(
            limiter.count((None, A.1), 500, at(59_300)).unwrap().allowed,
            "other keys have their own budget"
        );
        assert!(limiter.count(A, 500, at(60_000)).unwrap().allowed);
    }

    #[test]
    fn bucket_lets_a_second_of_requests_pass_and_then_one_by_one() {
        let mut limiter = RateLimiter::new(&RateLimits::per_second(10));
        for n in 0..10 {
            assert_eq!(
                limiter
                    .count(A, 500, at(0))
                    .map(|d| (d.allowed, d.remaining)),
                Some((true, 9 - n))
            );
        }
        let refused = limiter.count(A, 500, at(50)).unwrap();
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after_seconds, 1);
        assert_eq!(refused.reset, at(1000));
        assert!(limiter.count(A, 500, at(100)).unwrap().allowed);
        assert!(!limiter.count(A, 500, at(199)).unwrap().allowed);
        assert!(limiter.count(A, 500, at(200)).unwrap().allowed);
    }

    #[test]
    fn off_counts_nothing_and_single_budgets_win() {
        assert_eq!(
            RateLimiter::new(&RateLimits::off()).count(A, 1, at(0)),
            None
        );
        let limits = RateLimits {
            budgets: vec![("GET v2/users".to_owned(), 1)],
            ..RateLimits::default()
        };
        let mut limiter = RateLimiter::new(&limits);
        assert!(limiter.count(A, 500, at(0)).unwrap().allowed);
        assert!(!limiter.count(A, 500, at(0)).unwrap().allowed);
        assert_eq!(limiter.count(B, 500, at(0)).unwrap().limit, 500);
    }

    #[test]
    fn broken_rates_are_refused() {
        for text in ["", "100", "0/s", "-1/s", "5/h", "x/s", "5/", "/s"] {
            assert!(text.parse::<RateLimits>().is_err(), "{text}");
        }
        assert_eq!(
            "100/s".parse::<RateLimits>().unwrap().policy,
            Policy::Bucket { per_second: 100 }
        );
        assert_eq!(
            "500/m".parse::<RateLimits>().unwrap().policy,
            Policy::Windows(Some(500))
        );
        assert_eq!("off".parse::<RateLimits>().unwrap().policy, Policy::Off);
    }
}
