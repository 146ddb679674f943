//! Wall time and randomness as parameters, so that tests can steer both.
//!
//! Sleeping and durations are tokio's, which tests pause; this is only for
//! what must be compared with dates from outside, and for jitter.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The time of day.
pub trait Clock: Send + Sync + Debug {
    /// The current wall time.
    fn now(&self) -> SystemTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the system's clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A source of random numbers; not for secrets.
pub trait Random: Send + Sync + Debug {
    /// The next number, uniform over all of `u64`.
    fn next_u64(&self) -> u64;
}

/// The SplitMix64 generator: a seed decides the whole sequence.
#[derive(Debug)]
pub struct SplitMix(AtomicU64);

impl SplitMix {
    /// The sequence of this seed.
    pub fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for SplitMix {
    fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence() {
        let (a, b) = (SplitMix::seeded(7), SplitMix::seeded(7));
        let first: Vec<u64> = (0..8).map(|_| a.next_u64()).collect();
        let second: Vec<u64> = (0..8).map(|_| b.next_u64()).collect();
        assert_eq!(first, second);
        assert_ne!(first[0], first[1]);
        assert_ne!(first[0], SplitMix::seeded(8).next_u64());
    }

    #[test]
    fn the_published_first_value_of_seed_zero_comes_out() {
        assert_eq!(SplitMix::seeded(0).next_u64(), 0xE220_A839_7B1D_CDAF);
    }
}
