//! What a user looks like: name, addresses and peculiarities, derived from the ordinal alone.
//!
//! Nothing here is stored per user. The first ordinals walk through every peculiarity once, so that an organization of
//! thirty users already shows all of them; later ones draw by rarity.

use crate::random::{below, draw, pick};

/// A JSON member that may be missing, null or present: the API distinguishes all three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Member<T> {
    Missing,
    Null,
    Value(T),
}

impl<T> Member<T> {
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Member::Missing)
    }

    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Member::Value(v) => Some(v),
            Member::Missing | Member::Null => None,
        }
    }

    pub(crate) fn or_null(value: Option<T>) -> Self {
        value.map_or(Member::Null, Member::Value)
    }

    pub(crate) fn or_missing(value: Option<T>) -> Self {
        value.map_or(Member::Missing, Member::Value)
    }
}

impl<T: serde::Serialize> serde::Serialize for Member<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Member::Missing | Member::Null => serializer.serialize_none(),
            Member::Value(v) => v.serialize(serializer),
        }
    }
}

/// The peculiarity of a generated user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Character {
    Plain,
    ManyRoles,
    Suspended,
    Deactivated,
    Unmanaged,
    ForDeletion,
    NoDirectory,
    TwoDirectories,
    HalfSuspended,
    Invited,
    Accented,
    EmailMissing,
    EmailNull,
    EmailEmpty,
    EmailCapitals,
    EmailUnicode,
    NeverAdded,
    VerifiedNull,
    App,
    Customer,
    RightToLeft,
    Emoji,
    LineBreak,
    Markup,
    Closed,
    PlatformRolesNull,
    UnlistedWorkspace,
    UnknownRole,
    EmptyItems,
    OldShapeRoles,
    NewShapeRoles,
    LongName,
}

/// The order in which the first users show the peculiarities; user 0 is a plain organization admin.
const FIRST: [Character; 32] = [
    Character::Plain,
    Character::ManyRoles,
    Character::Suspended,
    Character::Deactivated,
    Character::Unmanaged,
    Character::Accented,
    Character::TwoDirectories,
    Character::NoDirectory,
    Character::ForDeletion,
    Character::Invited,
    Character::EmailMissing,
    Character::EmailNull,
    Character::HalfSuspended,
    Character::EmailEmpty,
    Character::EmailCapitals,
    Character::EmailUnicode,
    Character::NeverAdded,
    Character::VerifiedNull,
    Character::App,
    Character::Customer,
    Character::RightToLeft,
    Character::Emoji,
    Character::LineBreak,
    Character::Markup,
    Character::Closed,
    Character::PlatformRolesNull,
    Character::UnlistedWorkspace,
    Character::UnknownRole,
    Character::EmptyItems,
    Character::OldShapeRoles,
    Character::NewShapeRoles,
    Character::LongName,
];

impl Character {
    /// Common ones stay when odd data is switched off.
    fn is_ordinary(self) -> bool {
        matches!(
            self,
            Character::Plain
                | Character::ManyRoles
                | Character::Suspended
                | Character::Deactivated
                | Character::Unmanaged
                | Character::ForDeletion
                | Character::NoDirectory
                | Character::TwoDirectories
                | Character::Accented
        )
    }

    /// The character of generated user `ordinal`.
    pub(crate) fn of(seed: u64, ordinal: u32, odd: bool) -> Self {
        let found = match FIRST.get(ordinal as usize) {
            Some(first) => *first,
            None => Self::drawn(seed, ordinal),
        };
        if odd || found.is_ordinary() {
            found
        } else {
            Character::Plain
        }
    }

    fn drawn(seed: u64, ordinal: u32) -> Self {
        let word = draw(seed, 0xc4a2, u64::from(ordinal));
        match below(word, 1000) {
            0..4 => Character::ManyRoles,
            4..24 => Character::Suspended,
            24..64 => Character::Deactivated,
            64..184 => Character::Unmanaged,
            184..188 => Character::ForDeletion,
            188..203 => Character::NoDirectory,
            203..233 => Character::TwoDirectories,
            233..238 => Character::HalfSuspended,
            238..248 => Character::Invited,
            248..290 => Character::Accented,
            // The rare ones share 6 % evenly.
            290..350 => *pick(draw(seed, 0xc4a3, u64::from(ordinal)), &FIRST[10..])
                .unwrap_or(&Character::Plain),
            _ => Character::Plain,
        }
    }
}

const GIVEN: [&str; 24] = [
    "Kim", "Ada", "Noor", "Liam", "Mina", "Jonas", "Tara", "Omar", "Ines", "Paul", "Rosa",
    "Viktor", "Lena", "Samir", "Nora", "Felix", "Amara", "Bruno", "Clara", "Deniz", "Elena",
    "Farid", "Greta", "Hugo",
];
const FAMILY: [&str; 24] = [
    "Vale", "Brook", "Stone", "Frost", "Marsh", "Field", "Ridge", "Hollow", "Lake", "Thorn",
    "Reed", "Ash", "Birch", "Cove", "Dale", "Elm", "Ford", "Glen", "Heath", "Isle", "Knoll",
    "Lark", "Moor", "Nash",
];
const ACCENTED: [&str; 6] = [
    "Zoë Łukasiewicz",
    "Søren Ångström",
    "Çağla Yıldız",
    "Nguyễn Thị Hoa",
    "José Peña Núñez",
    "李小龍",
];
const TITLES: [&str; 6] = [
    "Engineer",
    "Designer",
    "Analyst",
    "Support Lead",
    "Product Manager",
    "Controller",
];
const DEPARTMENTS: [&str; 4] = ["Engineering", "Finance", "Operations", "Sales"];

/// Longest generated name, in characters.
const LONG_NAME_CHARS: usize = 255;

/// The derived outside of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub name: String,
    pub nickname: String,
    pub email: Member<String>,
}

/// Invents the profile of user `ordinal`; `domains` are the organization's own, `managed` decides on which side the address lies.
pub(crate) fn invent(
    seed: u64,
    ordinal: u32,
    character: Character,
    managed: bool,
    domains: &[String],
) -> Profile {
    let n = u64::from(ordinal);
    let word = draw(seed, 0x4a3e, n);
    let given = given_name(seed, ordinal);
    let family = pick(crate::random::mix(word), &FAMILY)
        .copied()
        .unwrap_or("Vale");
    let name = match character {
        Character::Accented => (*pick(word, &ACCENTED).unwrap_or(&"Zoë")).to_owned(),
        Character::RightToLeft => "عمر الفاروق".to_owned(),
        Character::Emoji => format!("{given} 🚀👩‍💻 {family}"),
        Character::LineBreak => format!("{given}\n{family}"),
        Character::Markup => format!("<b>{given}</b> & \"{family}\" e\u{301}"),
        Character::LongName => format!("{given} {family} ")
            .chars()
            .cycle()
            .take(LONG_NAME_CHARS)
            .collect(),
        Character::App => format!("{family} Automation"),
        _ => format!("{given} {family}"),
    };
    let domain = if managed {
        pick(draw(seed, 0xd03a, n), domains).map_or("example.test", String::as_str)
    } else {
        "contractor.example"
    };
    let (lower_given, lower_family) = (given.to_lowercase(), family.to_lowercase());
    let email = match character {
        Character::EmailMissing | Character::App => Member::Missing,
        Character::EmailNull => Member::Null,
        Character::EmailEmpty => Member::Value(String::new()),
        Character::EmailCapitals => {
            Member::Value(format!("{given}.{family}+Sso{ordinal}@{domain}"))
        }
        Character::EmailUnicode => Member::Value(format!("jörg.{lower_family}{ordinal}@{domain}")),
        _ => Member::Value(format!("{lower_given}.{lower_family}{ordinal}@{domain}")),
    };
    Profile {
        name,
        nickname: nickname(seed, ordinal),
        email,
    }
}

/// The nickname alone: searching and sorting ask every user for it.
pub(crate) fn nickname(seed: u64, ordinal: u32) -> String {
    format!("{}{ordinal}", given_name(seed, ordinal).to_lowercase())
}

fn given_name(seed: u64, ordinal: u32) -> &'static str {
    pick(draw(seed, 0x4a3e, u64::from(ordinal)), &GIVEN)
        .copied()
        .unwrap_or("Kim")
}

/// The ordinal at the end of a generated address's local part.
pub(crate) fn email_ordinal(email: &str) -> Option<u32> {
    let local = email.split_once('@')?.0;
    let digits = local.len() - local.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    local.get(local.len() - digits..)?.parse().ok()
}

/// Job title and department of a managed account.
pub(crate) fn job(seed: u64, ordinal: u32) -> (Option<&'static str>, Option<&'static str>) {
    let word = draw(seed, 0x10b, u64::from(ordinal));
    if word.is_multiple_of(5) {
        return (None, None);
    }
    (
        pick(word, &TITLES).copied(),
        pick(crate::random::mix(word), &DEPARTMENTS).copied(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_back_to_their_user() {
        let domains = vec!["acme.test".to_owned()];
        for ordinal in 0..200 {
            let profile = invent(7, ordinal, Character::of(7, ordinal, true), true, &domains);
            if let Member::Value(email) = profile.email
                && !email.is_empty()
            {
                assert_eq!(email_ordinal(&email), Some(ordinal), "{email}");
            }
        }
        assert_eq!(email_ordinal("nobody"), None);
        assert_eq!(email_ordinal("kim@acme.test"), None);
    }

    #[test]
    fn odd_data_can_be_switched_off() {
        for ordinal in 0..5000 {
            assert!(Character::of(3, ordinal, false).is_ordinary());
        }
    }
}
