//! Which of the skipped are checked. The choice follows from a number and the
//! ids alone: the same in a run and in one that resumes it.

/// Fewest that are checked, if there are as many.
const LEAST: usize = 20;
/// One in so many is checked.
const ONE_IN: usize = 100;

/// A hundredth of the ids, at least 20.
pub(super) fn choose<'a>(salt: u64, ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut drawn: Vec<(u64, &str)> = ids.map(|id| (ticket(salt, id), id)).collect();
    let size = drawn.len().div_ceil(ONE_IN).max(LEAST).min(drawn.len());
    drawn.sort_unstable();
    drawn.truncate(size);
    drawn.into_iter().map(|(_, id)| id).collect()
}

/// FNV-1a over the id, mixed once more with the salt.
fn ticket(salt: u64, id: &str) -> u64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut mixed = hash ^ salt;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(salt: u64, of: usize) -> Vec<String> {
        let ids: Vec<String> = (0..of).map(|n| format!("user-{n}")).collect();
        let picked = choose(salt, ids.iter().map(String::as_str));
        picked.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_hundredth_is_checked_and_at_least_twenty() {
        let sizes = [0, 1, 20, 21, 2000, 2001, 8000].map(|of| chosen(1, of).len());
        assert_eq!(sizes, [0, 1, 20, 20, 20, 21, 80]);
    }

    #[test]
    fn the_choice_follows_from_the_salt_and_not_from_the_order() {
        let mut ids: Vec<String> = (0..500).map(|n| format!("user-{n}")).collect();
        let first = chosen(7, 500);
        ids.reverse();
        assert_eq!(choose(7, ids.iter().map(String::as_str)), first);
        assert_ne!(chosen(8, 500), first);
    }

    #[test]
    fn every_id_gets_its_turn() {
        let seen: std::collections::BTreeSet<String> =
            (0..200).flat_map(|salt| chosen(salt, 100)).collect();
        assert_eq!(seen.len(), 100);
    }
}
