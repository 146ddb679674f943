//! Ids that carry their ordinal in scrambled form.
//!
//! An id is derived from (seed, kind, ordinal) and can be turned back into the ordinal, so a million users need no map
//! from id to record. Reading back is checked by deriving the id again: a forged or foreign id is simply unknown.

use std::fmt::Write as _;

use crate::random::{draw, mix};

/// What an id names; ids of different kinds never coincide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Organization = 1,
    Directory = 2,
    Account = 3,
    Group = 4,
    Site = 5,
    Token = 6,
    Event = 7,
    Key = 8,
    Goal = 9,
    Scim = 10,
    ScimGroup = 11,
}

fn halves(seed: u64, kind: Kind, ordinal: u32) -> (u64, u64) {
    let purpose = 0x1d00 + kind as u64;
    // Version 4 and the RFC variant, as Atlassian's ids have; set before anything depends on the bits.
    let high = (draw(seed, purpose, u64::from(ordinal)) & !0xf000) | 0x4000;
    let spread = mix(high ^ mix(seed) ^ purpose);
    let low = (spread & 0x3fff_ffff_0000_0000)
        | 0x8000_0000_0000_0000
        | u64::from(ordinal ^ mask(high, seed, kind));
    (high, low)
}

fn mask(high: u64, seed: u64, kind: Kind) -> u32 {
    u32::try_from(mix(high.rotate_left(17) ^ seed ^ kind as u64) >> 32).unwrap_or(0)
}

/// The id as a UUID in lower case.
pub(crate) fn uuid(seed: u64, kind: Kind, ordinal: u32) -> String {
    let (high, low) = halves(seed, kind, ordinal);
    let mut text = String::with_capacity(36);
    let _ = write!(
        text,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    text
}

/// The ordinal of a UUID made by [`uuid`] with the same seed and kind.
pub(crate) fn uuid_ordinal(seed: u64, kind: Kind, text: &str) -> Option<u32> {
    if text.len() != 36 || !text.is_ascii() {
        return None;
    }
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let high = u64::from_str_radix(digits.get(..16)?, 16).ok()?;
    let low = u32::from_str_radix(digits.get(24..32)?, 16).ok()?;
    let ordinal = low ^ mask(high, seed, kind);
    (uuid(seed, kind, ordinal) == text).then_some(ordinal)
}

/// An account id: mostly `712020:<uuid>`, sometimes the older `557058:<uuid>` or 24 hex digits.
pub(crate) fn account(seed: u64, ordinal: u32) -> String {
    match draw(seed, 0xacc0, u64::from(ordinal)) % 10 {
        0 => {
            let (high, low) = halves(seed, Kind::Account, ordinal);
            format!("{high:016x}{:08x}", low & 0xffff_ffff)
        }
        1 => format!("557058:{}", uuid(seed, Kind::Account, ordinal)),
        _ => format!("712020:{}", uuid(seed, Kind::Account, ordinal)),
    }
}

/// The ordinal of an account id made by [`account`] with the same seed.
pub(crate) fn account_ordinal(seed: u64, text: &str) -> Option<u32> {
    let ordinal = if let Some((_, rest)) = text.split_once(':') {
        uuid_ordinal(seed, Kind::Account, rest)?
    } else {
        if text.len() != 24 || !text.is_ascii() {
            return None;
        }
        let high = u64::from_str_radix(&text[..16], 16).ok()?;
        let low = u32::from_str_radix(&text[16..], 16).ok()?;
        low ^ mask(high, seed, Kind::Account)
    };
    (account(seed, ordinal) == text).then_some(ordinal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_and_broken_ids_have_no_ordinal() {
        let id = account(7, 12);
        assert_eq!(account_ordinal(8, &id), None);
        for broken in [
            "",
            "712020:",
            "712020:zz",
            "ffffffffffffffffffffffff",
            "é",
            "ffffffffffffffffffffffé",
        ] {
            assert_eq!(account_ordinal(7, broken), None, "{broken}");
        }
        assert_eq!(
            uuid_ordinal(7, Kind::Directory, &uuid(7, Kind::Group, 3)),
            None
        );
    }

    #[test]
    fn ids_turn_back_into_ordinals_and_are_distinct() {
        let mut seen = std::collections::HashSet::new();
        for n in (0..2000).chain([u32::MAX, u32::MAX - 1]) {
            let id = account(7, n);
            assert_eq!(account_ordinal(7, &id), Some(n));
            assert_eq!(
                uuid_ordinal(7, Kind::Group, &uuid(7, Kind::Group, n)),
                Some(n)
            );
            assert!(seen.insert(id));
        }
    }

    #[test]
    fn all_three_account_forms_occur() {
        let ids: Vec<String> = (0..100).map(|n| account(1, n)).collect();
        assert!(ids.iter().any(|i| i.starts_with("712020:")));
        assert!(ids.iter().any(|i| i.starts_with("557058:")));
        assert!(ids.iter().any(|i| i.len() == 24 && !i.contains(':')));
    }
}
