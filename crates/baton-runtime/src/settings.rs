//! The common flags as the values that connectors use.

use std::num::NonZeroU32;
use std::time::Duration;

use baton_connector::http::RateSettings;
use baton_flags::Config;

use crate::flags;

/// What a connector reads of the common flags.
pub trait CommonSettings {
    /// `--http-timeout-seconds`.
    fn http_timeout(&self) -> Duration;

    /// `--rate-share` and `--max-requests-per-second`, for the HTTP client;
    /// their defaults in a program that does not have them
    /// ([`crate::App::without_http`]).
    ///
    /// # Errors
    ///
    /// A share that is not above 0 and at most 1.
    fn rate(&self) -> baton_connector::Result<RateSettings>;

    /// Whether a sync reads grants: not with `--skip-entitlements-and-grants`.
    fn syncs_grants(&self) -> bool;
}

impl CommonSettings for Config {
    fn http_timeout(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.get(&flags::HTTP_TIMEOUT_SECONDS)).unwrap_or(0))
    }

    fn rate(&self) -> baton_connector::Result<RateSettings> {
        let Some(share) = self.find(&flags::RATE_SHARE) else {
            return Ok(RateSettings::default());
        };
        let most = u32::try_from(self.get(&flags::MAX_REQUESTS_PER_SECOND)).unwrap_or(u32::MAX);
        // Text that is not a number is refused as NaN is.
        let share = share.parse().unwrap_or(f64::NAN);
        RateSettings::new(share, NonZeroU32::new(most))
    }

    fn syncs_grants(&self) -> bool {
        !self.get(&flags::SKIP_ENTITLEMENTS_AND_GRANTS)
    }
}

/// `--max-grants`: grants that expansion may derive.
pub(crate) fn max_grants(config: &Config) -> u64 {
    u64::try_from(config.get(&flags::MAX_GRANTS)).unwrap_or(0)
}
