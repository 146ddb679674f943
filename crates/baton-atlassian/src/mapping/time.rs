//! Times as the API writes them, read as strictly as the Go connector does:
//! what it leaves out, we leave out.

use prost_types::Timestamp;

/// RFC 3339 with seconds, an optional fraction and an offset; nothing else,
/// and no 61st second.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    // `2026-01-02T03:04:05` and at least one character of the zone.
    if bytes.len() < 20 || bytes[10] != b'T' || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    if &bytes[17..19] == b"60" || !bytes[17..19].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp {
        seconds: moment.as_second(),
        nanos: moment.subsec_nanosecond(),
    })
}

/// The later of two optional times.
pub(crate) fn later(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) if (b.seconds, b.nanos) > (a.seconds, a.nanos) => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_full_time_is_left_out() {
        for text in [
            "",
            "yesterday",
            "2020-01-01",
            "2020-06-30T23:59:60Z",
            "2020-06-30T23:59Z",
            "2020-06-30 23:59:00Z",
            "2020-06-30T23:59:00",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_and_fractions_are_kept() {
        assert_eq!(
            timestamp("2026-01-02T05:04:05+02:00"),
            timestamp("2026-01-02T03:04:05Z")
        );
        assert_eq!(
            timestamp("2026-10-11T12:13:14.000000001Z").map(|t| t.nanos),
            Some(1)
        );
    }

    #[test]
    fn the_later_time_wins_and_absence_loses() {
        let early = timestamp("2026-01-02T03:04:05Z");
        let late = timestamp("2026-01-02T03:04:06Z");
        assert_eq!(later(early, late), late);
        assert_eq!(later(late, early), late);
        assert_eq!(later(None, early), early);
        assert_eq!(later(early, None), early);
    }
}
