//! Rate limiters: what `RateLimiterService` of a connector answers, and what a
//! client does around its calls (`service-mode.md` §4.5).

mod around;
mod pace;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use baton_connector::Clock;
use baton_proto::Code;
use baton_proto::c1::ratelimit::v1::rate_limit_description::Status as Answer;
use baton_proto::c1::ratelimit::v1::rate_limiter_config::Type;
use baton_proto::c1::ratelimit::v1::{
    DoRequest, DoResponse, FixedMemoryLimiter, RateLimitDescription, RateLimiterConfig,
    ReportRequest, ReportResponse,
};

use crate::Status;
use pace::Pace;

pub use around::{LimitedCalls, LimiterService};

/// Calls per second of a sliding limiter before its first report.
const FIRST_RATE: u32 = 100;
/// The time in which the remaining calls of a report are spread.
const MIN_WINDOW: Duration = Duration::from_secs(1);
const MAX_WINDOW: Duration = Duration::from_mins(5);

/// The rate limiter of a connector process. Clones share their state.
#[derive(Clone, Default)]
pub struct Limiter {
    kind: Kind,
}

#[derive(Clone, Default)]
enum Kind {
    #[default]
    None,
    Fixed(Arc<Pace>),
    Sliding {
        pace: Arc<Pace>,
        /// Which part of the remaining calls is used.
        used: f64,
        clock: Arc<dyn Clock>,
    },
}

impl Limiter {
    /// The limiter of a configuration; none without one. A configuration without
    /// a kind, or with a rate that is not above zero, is refused; so are external
    /// limiters, which do not exist.
    pub fn from_config(
        config: Option<&RateLimiterConfig>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Status> {
        let invalid = || Status::new(Code::InvalidArgument, "invalid ratelimiter config");
        let Some(config) = config else {
            return Ok(Self::default());
        };
        let kind = match config.r#type.as_ref().ok_or_else(invalid)? {
            Type::Disabled(_) => Kind::None,
            Type::FixedMem(fixed) => {
                let interval = interval(fixed).ok_or_else(invalid)?;
                Kind::Fixed(Arc::new(Pace::new(interval)))
            }
            Type::SlidingMem(sliding) => Kind::Sliding {
                pace: Arc::new(Pace::new(Duration::from_secs(1) / FIRST_RATE)),
                used: sliding.use_percent,
                clock,
            },
            Type::External(_) => {
                let text = "external rate limiters are not implemented yet";
                return Err(Status::new(Code::Unimplemented, text));
            }
        };
        Ok(Self { kind })
    }

    /// `Do`: waits until the next call may begin. The answer has the same status
    /// whatever the limiter is.
    pub async fn ask(&self, request: DoRequest) -> DoResponse {
        match &self.kind {
            Kind::None => {}
            Kind::Fixed(pace) | Kind::Sliding { pace, .. } => pace.turn().await,
        }
        DoResponse {
            request_token: request.request_token,
            description: Some(RateLimitDescription {
                status: Answer::Empty.into(),
                ..RateLimitDescription::default()
            }),
        }
    }

    /// `Report`: a sliding limiter spreads the calls that remain over the time
    /// until they are renewed.
    pub fn report(&self, request: &ReportRequest) -> ReportResponse {
        if let (Kind::Sliding { pace, used, clock }, Some(description)) =
            (&self.kind, &request.description)
            && let Some(reset) = description.reset_at
            && let Ok(reset) = SystemTime::try_from(reset)
        {
            let window = reset.duration_since(clock.now()).unwrap_or_default();
            let window = window.clamp(MIN_WINDOW, MAX_WINDOW);
            pace.change(window.div_f64(calls(description.remaining, *used)));
        }
        ReportResponse {}
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::None => "Limiter::None",
            Kind::Fixed(_) => "Limiter::Fixed",
            Kind::Sliding { .. } => "Limiter::Sliding",
        })
    }
}

/// The time between two calls of a fixed limiter.
fn interval(fixed: &FixedMemoryLimiter) -> Option<Duration> {
    let period = Duration::try_from(fixed.period?).ok()?;
    let rate = u128::try_from(fixed.rate).ok().filter(|rate| *rate > 0)?;
    let nanos = period.as_nanos().checked_div(rate)?;
    (!period.is_zero()).then(|| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

/// How many of the remaining calls are used: at least one, whatever is configured.
#[expect(
    clippy::cast_precision_loss,
    reason = "a rate of more than 2^53 calls need not be exact"
)]
fn calls(remaining: i64, used: f64) -> f64 {
    let calls = (remaining as f64 * used).max(1.0);
    // The largest number of calls in a window for which an interval exists.
    calls.min(1e9)
}
