//! Timestamps and durations in the text forms of protobuf JSON.
//!
//! Timestamps are written as RFC 3339 in UTC with 0, 3, 6 or 9 fraction digits;
//! any offset is read (baton-cli.md §4.1). The calendar is jiff's; the syntax is
//! here, since it is narrower than jiff's. Nothing here reads a clock.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use prost_types::{Duration, Timestamp};

use crate::{Error, Result};

/// First second of year 1, the smallest that a timestamp may hold.
pub const MIN_SECONDS: i64 = -62_135_596_800;
/// Last second of year 9999, the largest that a timestamp may hold.
pub const MAX_SECONDS: i64 = 253_402_300_799;
/// Longest duration, in seconds: about 10,000 years.
pub const MAX_DURATION_SECONDS: i64 = 315_576_000_000;

const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// The calendar repeats after so many years.
const CYCLE_YEARS: i16 = 400;
/// The same in seconds.
const CYCLE_SECONDS: i64 = 146_097 * 86_400;
/// Years from this one on are calculated one cycle earlier, since jiff's instants
/// end some hours before the year 10000.
const LATE_YEAR: i16 = 9_000;
/// Its first second.
const LATE_SECONDS: i64 = 221_845_392_000;

/// The timestamp as RFC 3339 text; out of range values are an error.
pub fn format(timestamp: &Timestamp) -> Result<String> {
    let mut out = Vec::with_capacity(30);
    put_timestamp(&mut out, timestamp.seconds, timestamp.nanos)?;
    Ok(ascii(out))
}

/// The duration as seconds with an `s`; out of range values are an error.
pub fn format_duration(duration: &Duration) -> Result<String> {
    let mut out = Vec::with_capacity(24);
    put_duration(&mut out, duration.seconds, duration.nanos)?;
    Ok(ascii(out))
}

/// What the functions below write is ASCII, one character per byte.
fn ascii(bytes: Vec<u8>) -> String {
    bytes.into_iter().map(char::from).collect()
}

pub(crate) fn put_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> Result<()> {
    let fits =
        (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) && (0..NANOS_PER_SECOND).contains(&nanos);
    let (within, years) = if seconds < LATE_SECONDS {
        (seconds, 0)
    } else {
        (seconds.saturating_sub(CYCLE_SECONDS), CYCLE_YEARS)
    };
    let timestamp = jiff::Timestamp::from_second(within).ok().filter(|_| fits);
    let Some(timestamp) = timestamp else {
        return Err(Error::Value {
            what: "timestamp out of range",
        });
    };
    let civil = Offset::UTC.to_datetime(timestamp);
    put_digits(out, u32::from((civil.year() + years).unsigned_abs()), 4);
    for (mark, part) in [
        (b'-', civil.month()),
        (b'-', civil.day()),
        (b'T', civil.hour()),
        (b':', civil.minute()),
        (b':', civil.second()),
    ] {
        out.push(mark);
        put_digits(out, u32::from(part.unsigned_abs()), 2);
    }
    put_fraction(out, nanos.unsigned_abs());
    out.push(b'Z');
    Ok(())
}

pub(crate) fn put_duration(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> Result<()> {
    let fits = (-MAX_DURATION_SECONDS..=MAX_DURATION_SECONDS).contains(&seconds)
        && (1 - NANOS_PER_SECOND..NANOS_PER_SECOND).contains(&nanos);
    if !fits {
        return Err(Error::Value {
            what: "duration out of range",
        });
    }
    if (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
        return Err(Error::Value {
            what: "duration whose seconds and nanoseconds differ in sign",
        });
    }
    if seconds < 0 || nanos < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(seconds.unsigned_abs().to_string().as_bytes());
    put_fraction(out, nanos.unsigned_abs());
    out.push(b's');
    Ok(())
}

fn put_digits(out: &mut Vec<u8>, mut value: u32, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for slot in out.iter_mut().skip(start).rev() {
        *slot = b'0' + (value % 10).to_le_bytes()[0];
        value /= 10;
    }
}

/// Nothing, or a dot and 3, 6 or 9 digits.
fn put_fraction(out: &mut Vec<u8>, nanos: u32) {
    let (value, width) = match nanos {
        0 => return,
        n if n % 1_000_000 == 0 => (n / 1_000_000, 3),
        n if n % 1_000 == 0 => (n / 1_000, 6),
        n => (n, 9),
    };
    out.push(b'.');
    put_digits(out, value, width);
}

/// Reads RFC 3339 text with `Z` or an offset and up to nine fraction digits.
pub fn parse(text: &str) -> Result<Timestamp> {
    timestamp(text).ok_or(Error::Value {
        what: "not an RFC 3339 time between years 1 and 9999",
    })
}

/// Reads a duration: seconds with up to nine fraction digits and an `s`.
pub fn parse_duration(text: &str) -> Result<Duration> {
    duration(text).ok_or(Error::Value {
        what: "not a duration in seconds such as `1.5s`",
    })
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let number = |from: usize, to: usize| digits(date_time.get(from..to)?);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks
        .iter()
        .any(|(at, mark)| date_time.as_bytes().get(*at) != Some(mark))
    {
        return None;
    }
    let year = i16::try_from(number(0, 4)?).ok()?;
    let part = |from, to| i8::try_from(number(from, to)?).ok();
    let (within, later) = if year < LATE_YEAR {
        (year, 0)
    } else {
        (year - CYCLE_YEARS, CYCLE_SECONDS)
    };
    let civil = DateTime::new(
        within,
        part(5, 7)?,
        part(8, 10)?,
        part(11, 13)?,
        part(14, 16)?,
        part(17, 19)?,
        0,
    );
    let civil = civil.ok().filter(|_| year > 0)?;
    let (nanos, zone) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let seconds = Offset::UTC.to_timestamp(civil).ok()?.as_second() + later - offset(zone)?;
    (MIN_SECONDS..=MAX_SECONDS)
        .contains(&seconds)
        .then_some(Timestamp { seconds, nanos })
}

/// Offset from UTC in seconds.
fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.as_bytes().first()? {
        b'Z' => return (zone.len() == 1).then_some(0),
        b'+' => (1, zone.get(1..)?),
        b'-' => (-1, zone.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * i64::from(hours * 3_600 + minutes * 60))
}

/// One to nine fraction digits as nanoseconds, and what follows them.
fn fraction(text: &str) -> Option<(i32, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (value, rest) = text.split_at_checked(end)?;
    let missing = 9_usize.checked_sub(value.len())?;
    let scale = 10_i32.pow(u32::try_from(missing).ok()?);
    Some((i32::try_from(digits(value)?).ok()? * scale, rest))
}

/// A number of one to nine ASCII digits.
fn digits(text: &str) -> Option<u32> {
    let valid = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

fn duration(text: &str) -> Option<Duration> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let number = unsigned.strip_suffix('s')?;
    let (whole, nanos) = match number.split_once('.') {
        Some((whole, rest)) => match fraction(rest)? {
            (nanos, "") => (whole, nanos),
            _ => return None,
        },
        None => (number, 0),
    };
    let plain = whole.bytes().all(|b| b.is_ascii_digit());
    let seconds: i64 = match whole {
        "" if number.len() > 1 => 0,
        _ if plain => whole.parse().ok()?,
        _ => return None,
    };
    if seconds > MAX_DURATION_SECONDS {
        return None;
    }
    let sign = if unsigned.len() < text.len() { -1 } else { 1 };
    Some(Duration {
        seconds: seconds * sign,
        nanos: nanos * i32::try_from(sign).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64, nanos: i32) -> Timestamp {
        Timestamp { seconds, nanos }
    }

    #[test]
    fn text_that_is_no_time_is_refused() {
        for text in [
            "",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05.1234567890Z",
            "2026-01-02T03:04:05+0100",
            "2026-01-02T03:04:05+24:00",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+01:00",
            "+026-01-01T00:00:00Z",
            "2026-01-02T03:04:05Zx",
            "2026-01-0\u{662}T03:04:05Z",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn timestamps_out_of_range_have_no_text() {
        assert!(format(&time(MIN_SECONDS - 1, 0)).is_err());
        assert!(format(&time(MAX_SECONDS + 1, 0)).is_err());
        assert!(format(&time(0, -1)).is_err());
        assert!(format(&time(0, NANOS_PER_SECOND)).is_err());
        assert!(format(&time(i64::MIN, i32::MIN)).is_err());
    }

    #[test]
    fn timestamps_print_with_the_digits_they_need() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_767_323_045, 0, "2026-01-02T03:04:05Z"),
            (1_767_323_045, 120_000_000, "2026-01-02T03:04:05.120Z"),
            (1_767_323_045, 1_000, "2026-01-02T03:04:05.000001Z"),
            (1_767_323_045, 1, "2026-01-02T03:04:05.000000001Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (-1, 999_000_000, "1969-12-31T23:59:59.999Z"),
            (MIN_SECONDS, 0, "0001-01-01T00:00:00Z"),
            (MAX_SECONDS, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(format(&time(seconds, nanos)).expect("in range"), text);
            assert_eq!(parse(text).expect("valid"), time(seconds, nanos));
        }
    }

    #[test]
    fn offsets_are_taken_off() {
        let expected = time(1_767_323_045, 500_000_000);
        for text in [
            "2026-01-02T04:04:05.5+01:00",
            "2026-01-01T21:34:05.50-05:30",
            "2026-01-02T03:04:05.500Z",
        ] {
            assert_eq!(parse(text).expect("valid"), expected, "{text}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_is_read_as_it_is_written() {
        let mut previous = String::new();
        for seconds in (MIN_SECONDS + 86_399..=MAX_SECONDS).step_by(86_400) {
            let text = format(&time(seconds, 0)).expect("in range");
            assert_eq!(parse(&text).expect("valid"), time(seconds, 0));
            assert!(previous < text, "days ascend");
            previous = text;
        }
        assert_eq!(previous, "9999-12-31T23:59:59Z");
    }

    #[test]
    fn durations_keep_sign_and_digits() {
        for (seconds, nanos, text) in [
            (0, 0, "0s"),
            (1, 500_000_000, "1.500s"),
            (-1, -1, "-1.000000001s"),
            (0, -1_000, "-0.000001s"),
            (MAX_DURATION_SECONDS, 0, "315576000000s"),
        ] {
            let duration = Duration { seconds, nanos };
            assert_eq!(format_duration(&duration).expect("in range"), text);
            assert_eq!(parse_duration(text).expect("valid"), duration);
        }
        assert_eq!(parse_duration(".5s").expect("valid").nanos, 500_000_000);
        for text in [
            "",
            "s",
            ".s",
            "-s",
            "1",
            "1.5",
            "1.s",
            "1m",
            "--1s",
            "1.0000000001s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("315576000001s").is_err());
        let mixed = Duration {
            seconds: 1,
            nanos: -1,
        };
        assert!(format_duration(&mixed).is_err());
    }
}
