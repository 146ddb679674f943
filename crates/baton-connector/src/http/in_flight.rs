//! How many requests may be on the wire at once.

use std::sync::{Arc, Mutex, PoisonError};

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

/// Lets as many requests through as the cap says, first come, first served.
#[derive(Debug)]
pub(super) struct Gate {
    current: Mutex<(Arc<Semaphore>, usize)>,
}

/// A place on the wire; dropping it frees the place.
pub(super) type Place = OwnedSemaphorePermit;

impl Gate {
    pub(super) fn new(limit: InFlight) -> Self {
        let cap = limit.cap();
        Self {
            current: Mutex::new((Arc::new(Semaphore::new(cap)), cap)),
        }
    }

    /// A new cap counts for requests that start from now on; those on the
    /// wire finish under the old one.
    pub(super) fn resize(&self, limit: InFlight) {
        let cap = limit.cap();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.1 != cap {
            current.0.close();
            *current = (Arc::new(Semaphore::new(cap)), cap);
        }
    }

    pub(super) async fn enter(&self) -> Place {
        loop {
            if let Ok(place) = self.semaphore().acquire_owned().await {
                return place;
            }
            // Closed by a resize: queue up at the new one.
        }
    }

    pub(super) fn taken(&self) -> usize {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.1.saturating_sub(current.0.available_permits())
    }

    fn semaphore(&self) -> Arc<Semaphore> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_smaller_cap_counts_for_those_who_queue() {
        let gate = Gate::new(InFlight::AtMost(2));
        let first = gate.enter().await;
        let _second = gate.enter().await;
        assert_eq!(gate.taken(), 2);
        let mut third = Box::pin(gate.enter());
        assert!(futures_util::poll!(&mut third).is_pending());
        gate.resize(InFlight::Sequential);
        let _third = third.await;
        assert!(futures_util::poll!(Box::pin(gate.enter())).is_pending());
        drop(first);
        assert!(futures_util::poll!(Box::pin(gate.enter())).is_pending());
    }

    #[test]
    fn caps_stay_within_bounds() {
        assert_eq!(InFlight::Auto.cap(), 64);
        assert_eq!(InFlight::AtMost(0).cap(), 1);
        assert_eq!(InFlight::AtMost(u32::MAX).cap(), InFlight::MAX_CAP);
        assert_eq!(InFlight::Sequential.cap(), 1);
    }
}
