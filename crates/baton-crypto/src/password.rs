//! Random passwords (`service-mode.md` §5.2).

use baton_proto::c1::connector::v2;
use v2::local_credential_options::Options;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Error, Result};
use crate::plaintext::Hidden;

/// Shortest password.
pub const MIN_LENGTH: i64 = 8;
/// Longest password; requests over gRPC may ask for 64.
pub const MAX_LENGTH: i64 = 1024;

/// Without constraints a password has one character of each of these.
const SETS: [&str; 4] = [
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
];

/// Numbers of the system's random source.
struct Source {
    bytes: Zeroizing<[u8; 256]>,
    used: usize,
}

impl Source {
    fn new() -> Self {
        Self {
            bytes: Zeroizing::new([0; 256]),
            used: 256,
        }
    }

    fn next_u32(&mut self) -> Result<u32> {
        if self.used + 4 > self.bytes.len() {
            getrandom::fill(self.bytes.as_mut()).map_err(|_| Error::NoRandomness)?;
            self.used = 0;
        }
        let mut number = [0; 4];
        number.copy_from_slice(&self.bytes[self.used..self.used + 4]);
        self.used += 4;
        Ok(u32::from_le_bytes(number))
    }

    /// A number below `bound`, each as likely as any other.
    fn below(&mut self, bound: usize) -> Result<usize> {
        let bound = u32::try_from(bound).map_err(|_| Error::PasswordLength)?;
        // The largest multiple of the bound: what lies above it would favour
        // small numbers.
        let limit = u32::MAX - u32::MAX % bound.max(1);
        loop {
            let number = self.next_u32()?;
            if number < limit {
                return Ok((number % bound.max(1)) as usize);
            }
        }
    }

    fn pick(&mut self, set: &[char]) -> Result<char> {
        let at = self.below(set.len())?;
        set.get(at).copied().ok_or(Error::NoRandomness)
    }
}

/// A random password: `min_count` characters of each constraint's set, or one
/// of each usual set without constraints; the rest of all usual characters; in
/// random order.
///
/// # Errors
/// A length below [`MIN_LENGTH`] or above [`MAX_LENGTH`]; constraints that need
/// more characters, or characters of an empty set.
pub fn random(length: i64, constraints: &[v2::PasswordConstraint]) -> Result<Hidden<String>> {
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
        return Err(Error::PasswordLength);
    }
    let length = usize::try_from(length).map_err(|_| Error::PasswordLength)?;
    let minimums: u64 = constraints.iter().map(|c| u64::from(c.min_count)).sum();
    if minimums > length as u64 {
        return Err(Error::PasswordTooShort {
            length: length as u64,
            minimums,
        });
    }
    let usual: Vec<char> = SETS.iter().flat_map(|set| set.chars()).collect();
    let mut source = Source::new();
    let mut characters = Vec::with_capacity(length);
    let required: Vec<(Vec<char>, u32)> = if constraints.is_empty() {
        SETS.iter().map(|set| (set.chars().collect(), 1)).collect()
    } else {
        let sets = constraints.iter();
        sets.map(|c| (c.char_set.chars().collect(), c.min_count))
            .collect()
    };
    for (number, (set, count)) in (1..).zip(&required) {
        if set.is_empty() && *count > 0 {
            return Err(Error::EmptyCharacterSet { number });
        }
        for _ in 0..*count {
            characters.push(source.pick(set)?);
        }
    }
    while characters.len() < length {
        characters.push(source.pick(&usual)?);
    }
    for last in (1..characters.len()).rev() {
        characters.swap(last, source.below(last + 1)?);
    }
    let mut password = Zeroizing::new(String::with_capacity(length * 4));
    password.extend(characters.iter());
    characters.zeroize();
    Ok(password.into())
}

/// The password that local options ask for: a random one, or the given one.
///
/// # Errors
/// Those of [`random`]; [`Error::UnknownOptions`] for options without a
/// password.
pub fn of_options(options: &v2::LocalCredentialOptions) -> Result<Hidden<String>> {
    match &options.options {
        Some(Options::RandomPassword(wanted)) => random(wanted.length, &wanted.constraints),
        Some(Options::PlaintextPassword(given)) => {
            Ok(Zeroizing::new(given.plaintext_password.clone()).into())
        }
        _ => Err(Error::UnknownOptions),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::*;

    fn constraint(char_set: &str, min_count: u32) -> v2::PasswordConstraint {
        v2::PasswordConstraint {
            char_set: char_set.to_owned(),
            min_count,
        }
    }

    #[test]
    fn each_usual_set_and_every_character_occurs_about_as_often_as_any() {
        let mut seen: HashMap<char, u64> = HashMap::new();
        for _ in 0..100_000 {
            let password = random(8, &[]).unwrap();
            let password = password.expose();
            assert_eq!(password.chars().count(), 8);
            for set in SETS {
                assert!(password.chars().any(|c| set.contains(c)), "{set}");
            }
            for c in password.chars() {
                *seen.entry(c).or_default() += 1;
            }
        }
        assert_eq!(seen.len(), 94);
        for set in SETS {
            let counts: Vec<u64> = set.chars().map(|c| seen[&c]).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            // The distance is above eight standard deviations of each count.
            assert!(least * 10 > most * 9, "{set}: {least} to {most}");
        }
    }

    #[test]
    fn the_order_is_random() {
        let mut firsts = [0_u32; 4];
        for _ in 0..40_000 {
            let password = random(8, &[]).unwrap();
            let first = password.expose().chars().next().unwrap();
            let of = SETS.iter().position(|set| set.contains(first)).unwrap();
            firsts[of] += 1;
        }
        // One of each set, and four of all 94: a digit leads least often.
        let expected = SETS.map(|set| {
            let share = (1.0 + 4.0 * set.chars().count() as f64 / 94.0) / 8.0;
            40_000.0 * share
        });
        for (count, expected) in firsts.iter().zip(expected) {
            assert!(
                (f64::from(*count) - expected).abs() < 0.1 * expected,
                "{firsts:?}"
            );
        }
    }

    #[test]
    fn constraints_hold_also_beyond_ascii_and_up_to_the_whole_length() {
        let wanted = [constraint("äöü", 3), constraint("01", 4), constraint("", 0)];
        for (length, passwords) in [(8, 98_000), (20, 1000), (64, 1000)] {
            let mut seen = BTreeSet::new();
            for _ in 0..passwords {
                let password = random(length, &wanted).unwrap();
                let password = password.expose();
                assert_eq!(password.chars().count() as i64, length);
                let of = |set: &str| password.chars().filter(|c| set.contains(*c)).count();
                assert!(of("äöü") >= 3 && of("01") >= 4, "{password}");
                seen.extend(password.chars());
            }
            // The usual characters fill the rest, and none is left out.
            assert_eq!(seen.len(), 94 + 3, "{length}");
        }
        let all = random(8, &[constraint("x", 8)]).unwrap();
        assert_eq!(all.expose(), "xxxxxxxx");
    }

    #[test]
    fn what_cannot_be_made_is_refused_with_the_texts_of_the_sdk() {
        for length in [i64::MIN, -1, 0, 7, MAX_LENGTH + 1, i64::MAX] {
            assert_eq!(random(length, &[]).unwrap_err(), Error::PasswordLength);
        }
        let error = random(8, &[constraint("a", 5), constraint("b", 4)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "password length 8 is less than the sum of constraints minimums (9)"
        );
        let many = [constraint("a", u32::MAX), constraint("b", u32::MAX)];
        assert!(random(8, &many).is_err());
        let error = random(8, &[constraint("a", 1), constraint("", 1)]).unwrap_err();
        assert_eq!(error, Error::EmptyCharacterSet { number: 2 });
    }

    #[test]
    fn options_choose_a_random_or_the_given_password() {
        let options = |options| v2::LocalCredentialOptions {
            force_change_at_next_login: false,
            options,
        };
        let given = v2::local_credential_options::PlaintextPassword {
            plaintext_password: "as given".to_owned(),
        };
        let given = of_options(&options(Some(Options::PlaintextPassword(given))));
        assert_eq!(given.unwrap().expose(), "as given");
        let random = v2::local_credential_options::RandomPassword {
            length: 12,
            constraints: Vec::new(),
        };
        let random = of_options(&options(Some(Options::RandomPassword(random)))).unwrap();
        assert_eq!(random.expose().len(), 12);
        assert_eq!(
            of_options(&options(None)).unwrap_err(),
            Error::UnknownOptions
        );
    }
}
