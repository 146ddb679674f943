//! The reasons why a sync waits: while it runs, and when it is done.
//!
//! Pure functions of the traffic counters.

use std::time::Duration;

use baton_connector::{
    ActiveWait, AnnouncedLimit, ThrottledBy, TrafficSnapshot, WaitReason, Waited,
};

use crate::figures::{count, counted, duration};

/// The shortest total time that the summary explains.
const NOTABLE: Duration = Duration::from_secs(1);

/// What keeps requests back right now: the longest wait, with the limit that
/// it is for.
pub(crate) fn held_back(traffic: &TrafficSnapshot) -> Option<String> {
    let wait = traffic.waiting.iter().max_by_key(|wait| wait.left_ms)?;
    let of_endpoint = |by: &&ThrottledBy| match wait.reason {
        WaitReason::Capped => matches!(by, ThrottledBy::OwnCap { .. }),
        WaitReason::Paced | WaitReason::QuotaSpent => !matches!(by, ThrottledBy::OwnCap { .. }),
        _ => false,
    };
    let throttles = traffic.throttles.iter();
    let by = throttles
        .filter(|throttle| throttle.endpoint == wait.endpoint)
        .map(|throttle| &throttle.by)
        .find(of_endpoint);
    Some(match by {
        Some(by) => limited(wait, *by),
        None if is_distance(wait) => format!("{} ({})", wait.reason, wait.endpoint),
        None => format!(
            "waiting {} for {}: {}",
            left(wait.left_ms),
            wait.endpoint,
            wait.reason
        ),
    })
}

/// The wait is the distance between two requests.
fn is_distance(wait: &ActiveWait) -> bool {
    matches!(wait.reason, WaitReason::Paced | WaitReason::Capped)
}

fn limited(wait: &ActiveWait, by: ThrottledBy) -> String {
    let endpoint = &wait.endpoint;
    match by {
        ThrottledBy::Announced {
            limit,
            budget,
            used,
            resets_in_ms,
        } => {
            let limit = announced(limit);
            let used = format!("{} of {} used", count(used), count(budget));
            if wait.reason == WaitReason::QuotaSpent {
                format!(
                    "{endpoint} has used its share of the announced {limit} ({used}), continues in {}",
                    left(wait.left_ms.max(1))
                )
            } else {
                format!(
                    "limited by the announced {limit} for {endpoint} ({used}, reset in {})",
                    left(resets_in_ms)
                )
            }
        }
        ThrottledBy::Refusals { per_minute } => format!(
            "limited to {} a minute for {endpoint}, since more were refused",
            counted(per_minute, "request", "requests")
        ),
        ThrottledBy::OwnCap { per_second } => format!(
            "limited by the client's cap of {} a second",
            counted(u64::from(per_second), "request", "requests")
        ),
        _ => wait.reason.to_string(),
    }
}

/// `500 requests a minute`.
fn announced(limit: AnnouncedLimit) -> String {
    let requests = counted(limit.requests, "request", "requests");
    // Resets are announced in whole seconds, so periods are off by one or two.
    match limit.period_ms {
        0..=2_000 if limit.whole_period => format!("{requests} a second"),
        0..=62_000 => format!("{requests} a minute"),
        3_500_000..=3_700_000 => format!("{requests} an hour"),
        ms => format!("{requests} per {}", left(ms)),
    }
}

fn left(ms: u64) -> String {
    duration(Duration::from_millis(ms))
}

/// The least time that `lists` more lists take, one request each, if the
/// announced limit that requests wait for right now allows no more.
pub(crate) fn least_time(traffic: &TrafficSnapshot, lists: u64) -> Option<Duration> {
    let wait = traffic.waiting.iter().max_by_key(|wait| wait.left_ms)?;
    let throttles = traffic.throttles.iter();
    let mut of_endpoint = throttles.filter(|throttle| throttle.endpoint == wait.endpoint);
    of_endpoint.find_map(|throttle| {
        let (per, span_ms) = match throttle.by {
            ThrottledBy::Announced { limit, budget, .. } => (budget, limit.period_ms),
            ThrottledBy::Refusals { per_minute } => (per_minute, 60_000),
            ThrottledBy::OwnCap { per_second } => (u64::from(per_second), 1_000),
            _ => return None,
        };
        let ms = u128::from(lists) * u128::from(span_ms) / u128::from(per.max(1));
        Some(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
    })
}

/// How long a sync was kept waiting and for what, one line each, the longest
/// first; nothing if it hardly was.
pub(crate) fn summary(waited: &Waited) -> Vec<String> {
    if Duration::from_millis(waited.total_ms) < NOTABLE {
        return Vec::new();
    }
    let mut reasons: Vec<_> = waited.by_reason.iter().collect();
    reasons.sort_by_key(|(_, ms)| std::cmp::Reverse(**ms));
    let mut lines = vec![format!("waited {} in total", left(waited.total_ms))];
    lines.extend(
        reasons
            .into_iter()
            .map(|(reason, ms)| format!("  {}  {}", left(*ms), why(*reason))),
    );
    lines
}

fn why(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::RateLimited => "after refusals (429), as the server asked",
        WaitReason::QuotaSpent => "for the next period of an announced limit",
        WaitReason::ServerBusy => "since the server asked for a pause",
        WaitReason::Retry => "before a failed request was sent again",
        WaitReason::Paced => "to spread requests over a limit",
        WaitReason::Capped => "for the client's own cap on requests per second",
        _ => "for other reasons",
    }
}

/// The seconds that a sync waited for a reason; `None` if it did not.
pub(crate) fn seconds(waited: Option<&Waited>, reason: WaitReason) -> Option<f64> {
    let ms = waited?.by_reason.get(&reason)?;
    Some(Duration::from_millis(*ms).as_secs_f64())
}

/// All of them together; `None` if there is none.
pub(crate) fn sum(seconds: [Option<f64>; 2]) -> Option<f64> {
    seconds.into_iter().flatten().reduce(|a, b| a + b)
}

#[cfg(test)]
mod tests {
    use baton_connector::Throttle;

    use super::*;

    const USERS: &str = "GET /users";

    fn traffic(reason: WaitReason, left_ms: u64, by: &[ThrottledBy]) -> TrafficSnapshot {
        let throttle = |by: &ThrottledBy| Throttle {
            endpoint: USERS.to_owned(),
            by: *by,
        };
        TrafficSnapshot {
            waiting: vec![ActiveWait {
                endpoint: USERS.to_owned(),
                reason,
                left_ms,
                requests: 3,
            }],
            throttles: by.iter().map(throttle).collect(),
            ..TrafficSnapshot::default()
        }
    }

    fn per_minute() -> ThrottledBy {
        ThrottledBy::Announced {
            limit: AnnouncedLimit {
                requests: 500,
                period_ms: 59_000,
                whole_period: false,
            },
            budget: 400,
            used: 312,
            resets_in_ms: 23_000,
        }
    }

    #[test]
    fn each_reason_to_wait_is_explained() {
        let own = ThrottledBy::OwnCap { per_second: 5 };
        let refused = ThrottledBy::Refusals { per_minute: 1_420 };
        for (reason, left_ms, by, expected) in [
            (
                WaitReason::Paced,
                150,
                vec![per_minute(), own],
                "limited by the announced 500 requests a minute for GET /users (312 of 400 used, \
                 reset in 23 s)",
            ),
            (
                WaitReason::QuotaSpent,
                23_000,
                vec![per_minute()],
                "GET /users has used its share of the announced 500 requests a minute (312 of 400 \
                 used), continues in 23 s",
            ),
            (
                WaitReason::Paced,
                40,
                vec![refused],
                "limited to 1,420 requests a minute for GET /users, since more were refused",
            ),
            (
                WaitReason::Capped,
                190,
                vec![per_minute(), own],
                "limited by the client's cap of 5 requests a second",
            ),
            (
                WaitReason::RateLimited,
                12_000,
                vec![per_minute()],
                "waiting 12 s for GET /users: rate limited",
            ),
            (
                WaitReason::Retry,
                2_500,
                vec![],
                "waiting 2.5 s for GET /users: pause before a retry",
            ),
            (
                WaitReason::Paced,
                150,
                vec![],
                "spread to keep within the limit (GET /users)",
            ),
        ] {
            let shown = held_back(&traffic(reason, left_ms, &by));
            assert_eq!(shown.as_deref(), Some(expected), "{reason:?}");
        }
        assert_eq!(held_back(&TrafficSnapshot::default()), None);
    }

    #[test]
    fn a_limit_tells_how_long_the_rest_takes_at_least() {
        let paced = traffic(WaitReason::Paced, 150, &[per_minute()]);
        let least = least_time(&paced, 4_000).unwrap();
        assert_eq!(least, Duration::from_secs(590));
        assert_eq!(least_time(&TrafficSnapshot::default(), 4_000), None);
    }

    #[test]
    fn the_summary_names_reasons_by_length_and_no_trifles() {
        let waited = Waited {
            total_ms: 72_000,
            by_reason: [
                (WaitReason::RateLimited, 10_000),
                (WaitReason::Paced, 65_000),
            ]
            .into(),
        };
        assert_eq!(
            summary(&waited),
            [
                "waited 1 min 12 s in total",
                "  1 min 5 s  to spread requests over a limit",
                "  10 s  after refusals (429), as the server asked",
            ]
        );
        let trifle = Waited {
            total_ms: 900,
            by_reason: [(WaitReason::Paced, 900)].into(),
        };
        assert_eq!(summary(&trifle), Vec::<String>::new());
    }
}
