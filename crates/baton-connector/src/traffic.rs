//! Numbers about upstream requests, for summaries and progress displays.

use std::collections::BTreeMap;

/// All requests since the run began, by endpoint template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrafficSnapshot {
    /// Counters by endpoint template.
    pub endpoints: BTreeMap<String, EndpointTraffic>,
    /// Waits under way right now.
    pub waiting: Vec<ActiveWait>,
    /// Requests that are on the wire right now.
    pub in_flight: usize,
    /// What keeps requests back right now, by endpoint template.
    pub throttles: Vec<Throttle>,
    /// How long requests were kept waiting.
    pub waited: Waited,
}

/// How long requests were kept waiting, in milliseconds of the run: each
/// moment counts once, however many requests waited in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waited {
    /// For whatever reason.
    pub total_ms: u64,
    /// By reason; reasons can overlap.
    pub by_reason: BTreeMap<WaitReason, u64>,
}

/// What keeps requests to an endpoint back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// The endpoint template.
    pub endpoint: String,
    /// What it is.
    pub by: ThrottledBy,
}

/// What keeps requests back.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottledBy {
    /// The limit that the server announces.
    Announced {
        /// The limit.
        limit: AnnouncedLimit,
        /// Requests of a period that are this client's share.
        budget: u64,
        /// Requests of this period that were used, by this client and others.
        used: u64,
        /// When the next period begins, in milliseconds.
        resets_in_ms: u64,
    },
    /// The rate that earlier refusals have shown.
    Refusals {
        /// Requests per minute that are kept to.
        per_minute: u64,
    },
    /// The client's own cap.
    OwnCap {
        /// Requests per second over all endpoints.
        per_second: u32,
    },
}

impl TrafficSnapshot {
    /// Whether requests to this endpoint are in it, sent or waiting.
    pub(crate) fn concerns(&self, endpoint: &str) -> bool {
        let mut waiting = self.waiting.iter();
        self.endpoints.contains_key(endpoint) || waiting.any(|wait| wait.endpoint == endpoint)
    }

    /// The counters of all endpoints together.
    pub fn total(&self) -> EndpointTraffic {
        let mut total = EndpointTraffic::default();
        for endpoint in self.endpoints.values() {
            total.requests += endpoint.requests;
            total.retries += endpoint.retries;
            total.rate_limited += endpoint.rate_limited;
            total.wait_ms += endpoint.wait_ms;
        }
        total
    }

    /// What came since an earlier snapshot of the same client; waits and
    /// requests in flight are those of this one.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        for (endpoint, before) in &earlier.endpoints {
            if let Some(now) = self.endpoints.get_mut(endpoint) {
                now.requests = now.requests.saturating_sub(before.requests);
                now.retries = now.retries.saturating_sub(before.retries);
                now.rate_limited = now.rate_limited.saturating_sub(before.rate_limited);
                now.wait_ms = now.wait_ms.saturating_sub(before.wait_ms);
            }
        }
        self.waited.total_ms -= earlier.waited.total_ms.min(self.waited.total_ms);
        for (reason, before) in &earlier.waited.by_reason {
            if let Some(now) = self.waited.by_reason.get_mut(reason) {
                *now = now.saturating_sub(*before);
            }
        }
        self.waited.by_reason.retain(|_, ms| *ms > 0);
        self.endpoints.retain(|_, counters| {
            let uncounted = EndpointTraffic {
                limit: counters.limit,
                ..EndpointTraffic::default()
            };
            *counters != uncounted
        });
        self
    }
}

/// Counters of one endpoint template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndpointTraffic {
    /// Requests sent, repetitions included.
    pub requests: u64,
    /// Requests that repeated an earlier one.
    pub retries: u64,
    /// Answers with status 429.
    pub rate_limited: u64,
    /// Time that requests spent waiting for a rate limit or before a retry,
    /// summed over concurrent requests, in milliseconds.
    pub wait_ms: u64,
    /// The limit that the server announced last, if it did.
    pub limit: Option<AnnouncedLimit>,
}

impl EndpointTraffic {
    /// The least time in which the server's announced limit lets so many
    /// requests through when it is used evenly and by this process only; `None` when
    /// no limit was announced.
    pub fn least_time(&self) -> Option<LeastTime> {
        let limit = self.limit.filter(|limit| limit.requests > 0)?;
        let all = u128::from(self.requests) * u128::from(limit.period_ms);
        let least = u64::try_from(all / u128::from(limit.requests)).unwrap_or(u64::MAX);
        Some(if limit.whole_period {
            LeastTime::Known(least)
        } else {
            LeastTime::AtLeast(least)
        })
    }
}

/// A least time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeastTime {
    /// Exactly this.
    Known(u64),
    /// This or more: no whole period was seen, so its length is unknown.
    AtLeast(u64),
}

/// A limit as a server announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnouncedLimit {
    /// Requests per period.
    pub requests: u64,
    /// Length of the period in milliseconds, as far as resets have shown it.
    pub period_ms: u64,
    /// That is all of it; else the real one may be longer.
    pub whole_period: bool,
}

/// A wait under way right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveWait {
    /// The endpoint template.
    pub endpoint: String,
    /// Why requests to it wait.
    pub reason: WaitReason,
    /// What is left of the wait, in milliseconds.
    pub left_ms: u64,
    /// Requests that wait for this reason.
    pub requests: usize,
}

/// Why a request waits.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WaitReason {
    /// The server refused with 429 and stated (or left open) when to retry.
    RateLimited,
    /// The announced quota of the endpoint is used up till its reset.
    QuotaSpent,
    /// The server asked for a pause with another status, as 503 does.
    ServerBusy,
    /// The pause before a request is repeated after a failure.
    Retry,
    /// Requests are spread over the period, or kept below the rate that was
    /// refused before.
    Paced,
    /// The client's own cap on requests per second.
    Capped,
}

impl WaitReason {
    /// The stable name, for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::QuotaSpent => "quota_spent",
            Self::ServerBusy => "server_busy",
            Self::Retry => "retry",
            Self::Paced => "paced",
            Self::Capped => "capped",
        }
    }
}

impl std::fmt::Display for WaitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RateLimited => "rate limited",
            Self::QuotaSpent => "quota used up",
            Self::ServerBusy => "server asked for a pause",
            Self::Retry => "pause before a retry",
            Self::Paced => "spread to keep within the limit",
            Self::Capped => "the client's cap on requests per second",
        })
    }
}
