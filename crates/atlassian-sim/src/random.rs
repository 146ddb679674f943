//! Deterministic randomness: pure functions of a seed and a position, never a running state.
//!
//! Everything that the generator invents about the n-th object is derived from (seed, purpose, n), so a record need not
//! store it and two runs with one seed agree whatever the order of questions.

/// Finalizer of SplitMix64: every input bit reaches every output bit.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A random word for the `n`-th draw of `purpose` under `seed`.
pub(crate) fn draw(seed: u64, purpose: u64, n: u64) -> u64 {
    mix(mix(seed ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93)) ^ n)
}

/// A number below `bound` (which must not be 0), spread evenly enough for bounds far below 2^32.
pub(crate) fn below(word: u64, bound: u64) -> u64 {
    debug_assert!(bound > 0, "a bound of 0 has no number below it");
    (word >> 32).wrapping_mul(bound) >> 32
}

/// Picks an element of a slice; an empty slice gives `None`.
pub(crate) fn pick<T>(word: u64, from: &[T]) -> Option<&T> {
    if from.is_empty() {
        return None;
    }
    from.get(usize::try_from(below(word, from.len() as u64)).unwrap_or(0))
}

/// A permutation of `0..size`: a small Feistel network, walked until it lands inside.
///
/// It yields distinct members of a group without a set to remember those already taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    size: u32,
    half_bits: u32,
    key: u64,
}

impl Permutation {
    const ROUNDS: u64 = 4;

    pub(crate) fn new(size: u32, key: u64) -> Self {
        let bits = u32::BITS - size.saturating_sub(1).leading_zeros();
        Self {
            size,
            half_bits: bits.div_ceil(2).max(1),
            key,
        }
    }

    /// The image of `n`, which must be below the size.
    pub(crate) fn at(&self, n: u32) -> u32 {
        debug_assert!(n < self.size, "the permutation covers 0..size only");
        let mask = (1_u64 << self.half_bits) - 1;
        let mut x = u64::from(n);
        loop {
            let (mut left, mut right) = (x >> self.half_bits, x & mask);
            for round in 0..Self::ROUNDS {
                let next = left ^ (mix(self.key ^ (round << 56) ^ right) & mask);
                left = right;
                right = next;
            }
            x = (left << self.half_bits) | right;
            // The network is a bijection of a power of four at most four times the size, so the walk is short and, since
            // it follows a cycle that contains a number below the size, it ends.
            if x < u64::from(self.size) {
                return u32::try_from(x).unwrap_or(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutation_visits_every_number_once() {
        for size in [1, 2, 3, 5, 64, 100, 1000] {
            let p = Permutation::new(size, 77);
            let mut seen: Vec<u32> = (0..size).map(|n| p.at(n)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..size).collect::<Vec<_>>(), "size {size}");
        }
    }

    #[test]
    fn below_stays_below() {
        for n in 0..1000 {
            assert!(below(mix(n), 7) < 7);
        }
    }
}
