//! How many requests may be on the wire at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The cap of concurrent requests. The default is [`InFlight::Auto`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InFlight {
    /// Led by the rate limiter, at most [`InFlight::AUTO_CAP`].
    #[default]
    Auto,
    /// At most so many; 0 counts as 1.
    AtMost(u32),
    /// One after the other.
    Sequential,
}

impl InFlight {
    /// The cap of [`InFlight::Auto`], whatever the number of CPUs.
    pub const AUTO_CAP: usize = 64;

    /// Larger caps than this make no sense for one process.
    pub const MAX_CAP: usize = 4096;

    /// The cap as a number, from 1 to [`InFlight::MAX_CAP`].
    pub fn cap(self) -> usize {
        match self {
            Self::Auto => Self::AUTO_CAP,
            Self::AtMost(n) => usize::try_from(n)
                .unwrap_or(Self::MAX_CAP)
                .clamp(1, Self::MAX_CAP),
            Self::Sequential => 1,
        }
    }
}

/// Lets as many requests of a run through as the cap allows, first come, first
/// served.
#[derive(Debug)]
pub(crate) struct InFlightLimit {
    places: Arc<Semaphore>,
    cap: usize,
}

/// A place on the wire; dropping it frees the place.
pub(crate) type Permit = OwnedSemaphorePermit;

impl InFlightLimit {
    pub(crate) fn new(limit: InFlight) -> Self {
        let cap = limit.cap();
        Self {
            places: Arc::new(Semaphore::new(cap)),
            cap,
        }
    }

    pub(crate) async fn enter(&self) -> Permit {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    pub(crate) fn taken(&self) -> usize {
        self.cap.saturating_sub(self.places.available_permits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_pass_than_the_cap_says() {
        let in_flight = InFlightLimit::new(InFlight::AtMost(2));
        let first = in_flight.enter().await;
        let _second = in_flight.enter().await;
        assert_eq!(in_flight.taken(), 2);
        let mut third = Box::pin(in_flight.enter());
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(first);
        let _third = third.await;
        assert!(futures_util::poll!(Box::pin(in_flight.enter())).is_pending());
    }

    #[test]
    fn caps_stay_within_bounds() {
        assert_eq!(InFlight::Auto.cap(), 64);
        assert_eq!(InFlight::AtMost(0).cap(), 1);
        assert_eq!(InFlight::AtMost(u32::MAX).cap(), InFlight::MAX_CAP);
        assert_eq!(InFlight::Sequential.cap(), 1);
    }
}
