//! Settings of the client and what it is made of.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::api_error::{NoApiErrors, ReadApiError};
use super::meter::{HttpObserver, NoObserver};
use super::retry::RetryPolicy;
use super::token::{NoSecretRegistry, SecretRegistry};
use super::transport::Transport;
use crate::clock::{Clock, Random, SplitMix, SystemClock};
use crate::error::{Error, Result};
use crate::in_flight::InFlight;

/// Default of [`HttpSettings::max_response_bytes`].
pub const MAX_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;

/// Default of [`HttpSettings::max_error_bytes`].
pub const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Default of [`HttpSettings::total_timeout`].
pub const TOTAL_TIMEOUT: Duration = Duration::from_mins(5);

/// Default of [`HttpSettings::idle_timeout`].
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Settings of an [`super::HttpClient`].
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Sent with every request that has none of its own.
    pub user_agent: String,
    /// Limit of one exchange, from sending to the last byte of the answer.
    pub total_timeout: Duration,
    /// Limit of the time without a byte: before the head of the answer, and
    /// between pieces of its body.
    pub idle_timeout: Duration,
    /// Larger answers are errors.
    pub max_response_bytes: u64,
    /// As much is read of the body of an error answer.
    pub max_error_bytes: usize,
    /// Header names that carry the server's id of a request; the first one
    /// present counts.
    pub request_id_headers: Vec<String>,
    /// When requests are repeated.
    pub retry: RetryPolicy,
    /// How much of the server's limits is used.
    pub rate: RateSettings,
    /// Requests on the wire at once, for runs that say nothing of it.
    pub in_flight: InFlight,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            user_agent: concat!("baton-connector/", env!("CARGO_PKG_VERSION")).to_owned(),
            total_timeout: TOTAL_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            max_response_bytes: MAX_RESPONSE_BYTES,
            max_error_bytes: MAX_ERROR_BYTES,
            request_id_headers: [
                "x-request-id",
                "x-correlation-id",
                "x-trace-id",
                "request-id",
            ]
            .map(str::to_owned)
            .to_vec(),
            retry: RetryPolicy::default(),
            rate: RateSettings::default(),
            in_flight: InFlight::default(),
        }
    }
}

/// How much of a server's limits a client uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateSettings {
    share: f64,
    max_per_second: Option<NonZeroU32>,
}

impl RateSettings {
    /// The default share of an announced quota: others live on it too.
    pub const SHARE: f64 = 0.8;

    /// Uses `share` of each announced quota, more than 0 and at most 1, and
    /// sends at most `max_per_second` requests per second over all endpoints.
    pub fn new(share: f64, max_per_second: Option<NonZeroU32>) -> Result<Self> {
        if share > 0.0 && share <= 1.0 {
            Ok(Self {
                share,
                max_per_second,
            })
        } else {
            Err(Error::Setting {
                setting: "the share of announced quotas",
                reason: format!("{share} is not more than 0 and at most 1"),
            })
        }
    }

    /// The share of each announced quota.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// The most requests per second.
    pub fn max_per_second(&self) -> Option<NonZeroU32> {
        self.max_per_second
    }
}

impl Default for RateSettings {
    fn default() -> Self {
        Self {
            share: Self::SHARE,
            max_per_second: None,
        }
    }
}

/// What a client works with; everything that a test wants to steer.
#[derive(Clone)]
pub struct HttpParts {
    /// The network.
    pub transport: Arc<dyn Transport>,
    /// For dates in answers that have no date of their own.
    pub clock: Arc<dyn Clock>,
    /// For jitter.
    pub random: Arc<dyn Random>,
    /// Is notified of requests and waits.
    pub observer: Arc<dyn HttpObserver>,
    /// Explains the application's errors.
    pub api_errors: Arc<dyn ReadApiError>,
    /// Hides tokens that are got during a run.
    pub secrets: Arc<dyn SecretRegistry>,
}

impl HttpParts {
    /// The machine's clock, jitter from `seed`, no observer, and no knowledge
    /// of the application's errors.
    pub fn new(transport: Arc<dyn Transport>, seed: u64) -> Self {
        Self {
            transport,
            clock: Arc::new(SystemClock),
            random: Arc::new(SplitMix::seeded(seed)),
            observer: Arc::new(NoObserver),
            api_errors: Arc::new(NoApiErrors),
            secrets: Arc::new(NoSecretRegistry),
        }
    }
}

impl fmt::Debug for HttpParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpParts")
            .field("transport", &self.transport)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
