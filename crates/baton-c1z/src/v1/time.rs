//! Times as format v1 stores them: wall-clock text without a zone.
//!
//! We write the UTC clock. The shape matters, not only the value: the Go
//! tools order these texts as texts, so a fraction never ends in zeros.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `YYYY-MM-DD HH:MM:SS[.fffffffff]`, fraction without trailing zeros (c1z
/// specification §1.4). `None` outside the years -9999 to 9999.
pub(super) fn to_text(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%S%.f").to_string())
}

/// Reads stored text. A zone is honoured if there is one; without one the
/// text is taken as UTC, as the Go reader does.
pub(super) fn from_text(text: &str) -> Option<prost_types::Timestamp> {
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => TimeZone::UTC
            .to_timestamp(text.parse::<DateTime>().ok()?)
            .ok()?,
    };
    let nanos = i64::from(time.subsec_nanosecond());
    // Before 1970 jiff counts the fraction downwards, protobuf never does.
    let (seconds, nanos) = if nanos < 0 {
        (time.as_second() - 1, nanos + 1_000_000_000)
    } else {
        (time.as_second(), nanos)
    };
    Some(prost_types::Timestamp {
        seconds,
        nanos: i32::try_from(nanos).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn text_of_another_shape_is_refused() {
        for text in ["", "yesterday", "2026-13-01 00:00:00", "1767225600"] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }

    #[test]
    fn fractions_are_cut_behind_their_last_digit() {
        let at = |nanos| to_text(UNIX_EPOCH + Duration::new(1_795_449_754, nanos));
        assert_eq!(at(0).as_deref(), Some("2026-11-23 16:02:34"));
        assert_eq!(at(500_000_000).as_deref(), Some("2026-11-23 16:02:34.5"));
        assert_eq!(at(10).as_deref(), Some("2026-11-23 16:02:34.00000001"));
    }

    #[test]
    fn what_was_written_is_read_back() {
        for nanos in [0, 1, 910_124_038, 999_999_999] {
            let text = to_text(UNIX_EPOCH + Duration::new(1_795_449_754, nanos)).expect("in range");
            let time = from_text(&text).expect("valid");
            assert_eq!(
                (time.seconds, time.nanos),
                (1_795_449_754, nanos.cast_signed())
            );
        }
    }

    #[test]
    fn zones_are_honoured_and_times_before_1970_count_upwards() {
        let read = |text| from_text(text).map(|t| (t.seconds, t.nanos));
        assert_eq!(read("1970-01-01T01:00:00+01:00"), Some((0, 0)));
        assert_eq!(read("1970-01-01 00:00:01Z"), Some((1, 0)));
        assert_eq!(read("1969-12-31 23:59:59.75"), Some((-1, 750_000_000)));
    }
}
