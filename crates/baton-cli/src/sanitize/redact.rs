//! How single values are replaced: texts by keyed hashes, times by shifted
//! ones. The same text always becomes the same hash, so that rows still refer
//! to each other.

use std::collections::BTreeSet;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use prost_types::value::Kind;
use prost_types::{Struct, Timestamp, Value};
use sha2::Sha256;

/// Bytes of a hash that are kept.
const HASH_BYTES: usize = 12;
/// What a link becomes.
const REDACTED_URL: &str = "https://redacted.example";
const NANOS: i128 = 1_000_000_000;
/// The times that a timestamp can hold: the years 1 to 9999.
const MIN_SECONDS: i128 = -62_135_596_800;
const MAX_SECONDS: i128 = 253_402_300_799;

/// Replaces values.
pub(crate) struct Redactor {
    mac: Hmac<Sha256>,
    /// Ids of resource types, which stay.
    types: BTreeSet<String>,
    /// What is added to times.
    shift_nanos: i128,
}

impl Redactor {
    /// With the key of all hashes.
    pub fn new(key: &[u8], types: BTreeSet<String>, shift_nanos: i128) -> Self {
        let mac = Hmac::new_from_slice(key).expect("keys of any length are taken");
        Self {
            mac,
            types,
            shift_nanos,
        }
    }

    /// The first bytes of a hash.
    pub fn hash(&self, text: &[u8]) -> impl AsRef<[u8]> {
        let mut mac = self.mac.clone();
        mac.update(text);
        mac.finalize().into_bytes()
    }

    /// A text as its hash; nothing stays nothing.
    pub fn text(&self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let hash = self.hash(text.as_bytes());
        let kept = hash.as_ref().get(..HASH_BYTES).unwrap_or_default();
        BASE32_NOPAD.encode(kept)
    }

    /// As [`Redactor::text`], in place.
    pub fn redact(&self, text: &mut String) {
        *text = self.text(text);
    }

    /// An id that may be made of parts: those that name resource types stay.
    pub fn id(&self, id: &str) -> String {
        if !id.contains(':') {
            return self.text(id);
        }
        let parts = id.split(':').map(|part| {
            if self.types.contains(part) {
                part.to_owned()
            } else {
                self.text(part)
            }
        });
        parts.collect::<Vec<_>>().join(":")
    }

    /// As [`Redactor::id`], in place.
    pub fn redact_id(&self, id: &mut String) {
        *id = self.id(id);
    }

    /// An e-mail address with the form of one.
    pub fn email(&self, address: &mut String) {
        *address = match address.rsplit_once('@') {
            None => self.text(address),
            Some((local, domain)) => format!(
                "{}@dom-{}.example",
                self.text(local),
                self.text(domain).to_lowercase()
            ),
        };
    }

    /// A link, which leads nowhere afterwards.
    #[allow(clippy::unused_self, reason = "as the other values")]
    pub fn url(&self, url: &mut String) {
        if !url.is_empty() {
            REDACTED_URL.clone_into(url);
        }
    }

    /// All texts of a profile. Keys, numbers and booleans stay.
    pub fn profile(&self, profile: &mut Struct) {
        profile
            .fields
            .values_mut()
            .for_each(|value| self.value(value));
    }

    fn value(&self, value: &mut Value) {
        match &mut value.kind {
            Some(Kind::StringValue(text)) => self.redact(text),
            Some(Kind::StructValue(inner)) => self.profile(inner),
            Some(Kind::ListValue(list)) => {
                list.values.iter_mut().for_each(|value| self.value(value));
            }
            _ => {}
        }
    }

    /// A time, as far from the others as before.
    pub fn time(&self, time: &mut Timestamp) {
        *time = timestamp(nanos(time) + self.shift_nanos);
    }
}

/// A time as nanoseconds since 1970.
pub(crate) fn nanos(time: &Timestamp) -> i128 {
    i128::from(time.seconds) * NANOS + i128::from(time.nanos)
}

/// The nearest time that a timestamp can hold.
pub(crate) fn timestamp(nanos: i128) -> Timestamp {
    let nanos = nanos.clamp(MIN_SECONDS * NANOS, (MAX_SECONDS + 1) * NANOS - 1);
    Timestamp {
        seconds: i64::try_from(nanos.div_euclid(NANOS)).unwrap_or_default(),
        nanos: i32::try_from(nanos.rem_euclid(NANOS)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let types = ["user", "group"].map(str::to_owned).into();
        Redactor::new(&[7; 32], types, 1_500_000_000)
    }

    #[test]
    fn a_hash_is_twenty_characters_and_nothing_stays_nothing() {
        let redactor = redactor();
        for text in ["a", "A", "user", "a long text with blanks", "\u{1f600}"] {
            let hash = redactor.text(text);
            assert_eq!(hash.len(), 20);
            assert_eq!(hash, redactor.text(text));
            assert_ne!(hash, text);
        }
        assert_eq!(redactor.text(""), "");
        assert_ne!(redactor.text("a"), redactor.text("A"));
    }

    #[test]
    fn of_an_id_only_parts_that_name_types_stay() {
        let redactor = redactor();
        let [a, b, user] = ["a", "b", "user"].map(|part| redactor.text(part));
        for (id, expected) in [
            ("group:a:b", format!("group:{a}:{b}")),
            ("group:a:b:user:a", format!("group:{a}:{b}:user:{a}")),
            ("a:group", format!("{a}:group")),
            ("a::b", format!("{a}::{b}")),
            ("user", user),
            ("a", a.clone()),
            ("", String::new()),
        ] {
            assert_eq!(redactor.id(id), expected, "{id}");
        }
    }

    #[test]
    fn an_address_keeps_its_form_and_is_split_at_the_last_sign() {
        let redactor = redactor();
        let [local, domain, whole] = ["a@b", "X.test", "nobody"].map(|part| redactor.text(part));
        for (address, expected) in [
            (
                "a@b@X.test",
                format!("{local}@dom-{}.example", domain.to_lowercase()),
            ),
            ("nobody", whole),
            ("@", "@dom-.example".to_owned()),
            ("", String::new()),
        ] {
            let mut given = address.to_owned();
            redactor.email(&mut given);
            assert_eq!(given, expected);
        }
    }

    #[test]
    fn times_keep_their_distance_within_what_a_timestamp_holds() {
        let redactor = redactor();
        for ((seconds, nanos), expected) in [
            ((0, 0), (1, 500_000_000)),
            ((-1, 600_000_000), (1, 100_000_000)),
            ((253_402_300_799, 0), (253_402_300_799, 999_999_999)),
            ((i64::MIN, 0), (-62_135_596_800, 0)),
        ] {
            let mut time = Timestamp { seconds, nanos };
            redactor.time(&mut time);
            assert_eq!((time.seconds, time.nanos), expected);
        }
    }

    #[test]
    fn all_texts_of_a_profile_go_and_all_else_stays() {
        let value = |kind| Value { kind: Some(kind) };
        let text = |text: &str| value(Kind::StringValue(text.to_owned()));
        let inner = Struct {
            fields: [("k".to_owned(), text("secret"))].into(),
        };
        let list = prost_types::ListValue {
            values: vec![text("secret"), value(Kind::StructValue(inner.clone()))],
        };
        let mut profile = Struct {
            fields: [
                ("text".to_owned(), text("secret")),
                ("empty".to_owned(), text("")),
                ("number".to_owned(), value(Kind::NumberValue(4.5))),
                ("yes".to_owned(), value(Kind::BoolValue(true))),
                ("null".to_owned(), value(Kind::NullValue(0))),
                ("inner".to_owned(), value(Kind::StructValue(inner))),
                ("list".to_owned(), value(Kind::ListValue(list))),
            ]
            .into(),
        };
        let before = profile.clone();
        redactor().profile(&mut profile);
        assert!(!format!("{profile:?}").contains("secret"));
        assert_eq!(
            profile.fields.keys().collect::<Vec<_>>(),
            before.fields.keys().collect::<Vec<_>>()
        );
        for key in ["empty", "number", "yes", "null"] {
            assert_eq!(profile.fields[key], before.fields[key]);
        }
    }
}
