//! Ids that hold the time at which they were made, and sort by it.

use std::time::{SystemTime, UNIX_EPOCH};

use svix_ksuid::{Ksuid, KsuidLike};

use crate::clock::Random;

/// A new KSUID: 27 digits of base 62, of the time in seconds and 128 random bits.
pub fn new_ksuid(now: SystemTime, random: &dyn Random) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let mut payload = [0; 16];
    for chunk in payload.chunks_exact_mut(8) {
        chunk.copy_from_slice(&random.next_u64().to_be_bytes());
    }
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Ksuid::from_seconds(Some(seconds), Some(&payload)).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::SplitMix;

    #[test]
    fn an_id_holds_its_time_and_sorts_by_it() {
        let random = SplitMix::seeded(7);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let early = new_ksuid(at(1_700_000_000), &random);
        let late = new_ksuid(at(1_700_000_001), &random);
        assert_eq!(early.len(), 27);
        assert!(early < late);
        let again = new_ksuid(at(1_700_000_000), &SplitMix::seeded(7));
        assert_eq!(early, again);
        // Clocks before the epoch of KSUIDs, in 2014, are wrong but no reason to fail.
        assert_eq!(new_ksuid(UNIX_EPOCH, &random).len(), 27);
    }
}
