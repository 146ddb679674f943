//! Times in scripts: a number and a unit.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A time, which can be negative: `250ms`, `30s`, `-5m`, `24h`, `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    milliseconds: i64,
}

impl Span {
    /// The time; `None` if it is negative.
    pub(super) fn positive(self) -> Option<Duration> {
        u64::try_from(self.milliseconds)
            .ok()
            .map(Duration::from_millis)
    }

    /// The time for the wire.
    pub(super) fn on_wire(self) -> prost_types::Duration {
        let nanos = self.milliseconds % 1000 * 1_000_000;
        prost_types::Duration {
            seconds: self.milliseconds / 1000,
            // Below a second.
            nanos: i32::try_from(nanos).unwrap_or_default(),
        }
    }

    /// The time in whole seconds.
    pub(super) fn seconds(self) -> i64 {
        self.milliseconds / 1000
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = digits.split_at(end);
        let number: i64 = number.parse().ok()?;
        let unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let sign = if digits.len() == text.len() { 1 } else { -1 };
        let milliseconds = number.checked_mul(unit)?.checked_mul(sign)?;
        Some(Self { milliseconds })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with a unit, for example `30s`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                Span::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        let milliseconds = |text| Span::parse(text).map(|span| span.milliseconds);
        assert_eq!(milliseconds("250ms"), Some(250));
        assert_eq!(milliseconds("-5m"), Some(-300_000));
        assert_eq!(milliseconds("1d"), Some(86_400_000));
        for wrong in [
            "",
            "5",
            "s",
            "-",
            "1.5s",
            "5 s",
            "--5s",
            "99999999999999999d",
        ] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
        let minus = Span::parse("-1500ms").unwrap();
        assert_eq!(minus.positive(), None);
        let wire = minus.on_wire();
        assert_eq!((wire.seconds, wire.nanos), (-1, -500_000_000));
    }
}
