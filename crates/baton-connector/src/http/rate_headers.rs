//! What servers announce about their limits, read from answer headers
//! (`sync-runtime.md` §7.1, and the forms that are seen in the wild).
//!
//! Every value is outside data: dates are read against the server's own
//! `Date`, so that a wrong clock on either side does no harm, and nothing
//! that cannot be read counts as a promise.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const LIMIT: [&str; 4] = [
    "x-ratelimit-limit",
    "ratelimit-limit",
    "x-ratelimit-requests-limit",
    "x-rate-limit-limit",
];
const REMAINING: [&str; 4] = [
    "x-ratelimit-remaining",
    "ratelimit-remaining",
    "x-ratelimit-requests-remaining",
    "x-rate-limit-remaining",
];
const RESET: [&str; 4] = [
    "x-ratelimit-reset",
    "ratelimit-reset",
    "x-ratelimit-requests-reset",
    "x-rate-limit-reset",
];

/// Numbers above this are Unix times, not spans: 30 years in seconds.
const EPOCH_FROM_S: u64 = 946_080_000;

/// Numbers above this are Unix times in milliseconds.
const EPOCH_FROM_MS: u64 = EPOCH_FROM_S * 1000;

/// A reset further away than this is a mistake: no quota is counted that long
/// in a way that is worth waiting for. Quotas by the hour are common, and their
/// resets are rounded up: hence the minute.
pub const MAX_PLAUSIBLE_RESET: Duration = Duration::from_mins(61);

/// A wait that a server announced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnnouncedWait {
    /// Not announced.
    #[default]
    Absent,
    /// So long from now.
    In(Duration),
    /// A point in time that has passed.
    Past,
    /// Announced in an unknown form.
    Unreadable,
}

impl AnnouncedWait {
    /// The span, when it lies ahead.
    pub fn ahead(self) -> Option<Duration> {
        match self {
            Self::In(span) => Some(span),
            _ => None,
        }
    }

    /// The span, when it lies ahead and not absurdly far.
    pub fn plausible(self) -> Option<Duration> {
        self.ahead().filter(|span| *span <= MAX_PLAUSIBLE_RESET)
    }
}

/// What one answer announces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// Requests allowed per period.
    pub limit: Option<u64>,
    /// Requests left in this period.
    pub remaining: Option<u64>,
    /// When the next period begins.
    pub reset: AnnouncedWait,
    /// `Retry-After`.
    pub retry_after: AnnouncedWait,
}

impl RateHeaders {
    /// Reads the headers of an answer; `now` counts only when the answer has
    /// no readable `Date`.
    pub fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        let now = text(headers, DATE.as_str())
            .and_then(http_date)
            .or_else(|| Timestamp::try_from(now).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            limit: number(headers, &LIMIT),
            remaining: number(headers, &REMAINING),
            reset: first_readable(headers, &RESET, now),
            retry_after: first_readable(headers, &[RETRY_AFTER.as_str()], now),
        }
    }

    /// The wait that a refusal (429) asks for: the later of what can be
    /// believed of both headers. An absurd `Retry-After` counts only where
    /// there is nothing else, and an absurd reset never.
    pub fn refusal_wait(&self) -> Option<Duration> {
        let later = self.retry_after.plausible().max(self.reset.plausible());
        later.or(self.retry_after.ahead())
    }
}

/// The time of day of the server that sent these headers.
pub fn server_date(headers: &HeaderMap) -> Option<SystemTime> {
    let date = text(headers, DATE.as_str()).and_then(http_date)?;
    let since_epoch = Duration::try_from(date.as_duration()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since_epoch)
}

/// How long a server wants to be left alone, if it announced that in a known form.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    RateHeaders::read(headers, now).retry_after.ahead()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The first name that is there decides, readable or not.
fn number(headers: &HeaderMap, names: &[&str]) -> Option<u64> {
    let present = names.iter().find_map(|name| headers.get(*name))?;
    leading_digits(present.to_str().ok()?.trim())
}

/// `100, 100;w=60` is 100. More digits than fit are the largest number. Text
/// that continues like a date is not a number.
fn leading_digits(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let date = rest.starts_with(['-', ':']);
    (!digits.is_empty() && !date).then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The first name whose value can be read decides.
fn first_readable(headers: &HeaderMap, names: &[&str], now: Timestamp) -> AnnouncedWait {
    let mut found = AnnouncedWait::Absent;
    for name in names {
        if !headers.contains_key(*name) {
            continue;
        }
        found = text(headers, name).map_or(AnnouncedWait::Unreadable, |text| stated(text, now));
        if found != AnnouncedWait::Unreadable {
            break;
        }
    }
    found
}

fn stated(text: &str, now: Timestamp) -> AnnouncedWait {
    // Dates first: they begin with digits too.
    if let Some(at) = iso_date(text).or_else(|| http_date(text)) {
        return until(at, now);
    }
    match leading_digits(text) {
        Some(ms) if ms > EPOCH_FROM_MS => epoch(i64::try_from(ms).ok(), true, now),
        Some(s) if s > EPOCH_FROM_S => epoch(i64::try_from(s).ok(), false, now),
        Some(s) => {
            let fraction = text
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .starts_with('.');
            AnnouncedWait::In(Duration::from_secs(s + u64::from(fraction)))
        }
        None => AnnouncedWait::Unreadable,
    }
}

fn epoch(value: Option<i64>, in_ms: bool, now: Timestamp) -> AnnouncedWait {
    let at = match value {
        Some(ms) if in_ms => Timestamp::from_millisecond(ms),
        Some(s) => Timestamp::from_second(s),
        None => Ok(Timestamp::MAX),
    };
    until(at.unwrap_or(Timestamp::MAX), now)
}

fn until(at: Timestamp, now: Timestamp) -> AnnouncedWait {
    let ahead: SignedDuration = at.duration_since(now);
    match Duration::try_from(ahead) {
        Ok(span) if !span.is_zero() => AnnouncedWait::In(span),
        _ => AnnouncedWait::Past,
    }
}

/// RFC 3339, with seconds or without.
fn iso_date(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The three forms of RFC 9110: `Sun, 06 Nov 1994 08:49:37 GMT`, with the
/// weekday spelled out and dashes (RFC 850), and the C library's.
fn http_date(text: &str) -> Option<Timestamp> {
    const FORMS: [&str; 3] = [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ];
    FORMS.iter().find_map(|form| {
        let civil = DateTime::strptime(form, text).ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NOW: &str = "Mon, 23 Nov 2026 20:30:00 GMT";

    fn read(pairs: &[(&str, &str)]) -> RateHeaders {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(
                http::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                value.parse().expect("a value"),
            );
        }
        // A local clock that is years off: only the server's date may count.
        RateHeaders::read(&headers, SystemTime::UNIX_EPOCH)
    }

    fn reset(value: &str) -> AnnouncedWait {
        read(&[("Date", NOW), ("X-RateLimit-Reset", value)]).reset
    }

    fn seconds(s: u64) -> AnnouncedWait {
        AnnouncedWait::In(Duration::from_secs(s))
    }

    #[test]
    fn unreadable_values_are_told_from_absent_ones() {
        for text in ["", "soon", "-5", "-1790000000", "2026-13-77T99:00Z", "é"] {
            assert_eq!(reset(text), AnnouncedWait::Unreadable, "{text:?}");
        }
        assert_eq!(read(&[("Date", NOW)]).reset, AnnouncedWait::Absent);
    }

    #[test]
    fn every_form_of_a_reset_is_read_against_the_servers_date() {
        assert_eq!(reset("90"), seconds(90));
        assert_eq!(reset("1.2"), seconds(2));
        assert_eq!(reset("0"), seconds(0));
        assert_eq!(reset("1795465890"), seconds(90));
        assert_eq!(reset("1795465890000"), seconds(90));
        assert_eq!(reset("2026-11-23T20:31:30Z"), seconds(90));
        assert_eq!(reset("2026-11-23T21:31:30+01:00"), seconds(90));
        assert_eq!(reset("2026-11-23T20:31Z"), seconds(60));
        assert_eq!(reset("Mon, 23 Nov 2026 20:31:30 GMT"), seconds(90));
        assert_eq!(reset("Monday, 23-Nov-26 20:31:30 GMT"), seconds(90));
        assert_eq!(reset("Mon Nov 23 20:31:30 2026"), seconds(90));
    }

    #[test]
    fn the_past_is_past_in_every_form() {
        for text in [
            "1795465700",
            "1795465700000",
            "2026-11-23T20:29Z",
            "Mon, 23 Nov 2026 20:30:00 GMT",
        ] {
            assert_eq!(reset(text), AnnouncedWait::Past, "{text}");
        }
    }

    #[test]
    fn huge_numbers_are_far_ahead_and_do_not_overflow() {
        for text in [
            "99999999999999999999999",
            "9999999999999",
            "18446744073709551615",
        ] {
            let span = reset(text).ahead().expect("ahead");
            assert!(span > Duration::from_hours(24), "{text}");
        }
        assert_eq!(reset("86400"), seconds(86_400));
    }

    #[test]
    fn a_refusal_waits_for_what_can_be_believed() {
        let wait = |retry_after: &str, reset: &str| {
            let read = read(&[
                ("Date", NOW),
                ("Retry-After", retry_after),
                ("X-RateLimit-Reset", reset),
            ]);
            read.refusal_wait().map(|wait| wait.as_secs())
        };
        let (past, absurd) = ("1795465700", "2027-11-23T20:30:00Z");
        assert_eq!(wait("7", "90"), Some(90));
        assert_eq!(wait("7", past), Some(7));
        assert_eq!(wait("7", absurd), Some(7));
        assert_eq!(wait("86400", "90"), Some(90));
        assert_eq!(wait("86400", absurd), Some(86_400));
        assert_eq!(wait("soon", absurd), None);
        assert_eq!(wait("soon", past), None);
        assert_eq!(wait("soon", "3601"), Some(3601));
    }

    #[test]
    fn the_first_present_name_decides_and_unreadable_resets_pass_on() {
        let read = read(&[
            ("Date", NOW),
            ("X-RateLimit-Limit", "100, 100;w=60"),
            ("RateLimit-Limit", "7"),
            ("RateLimit-Remaining", "3"),
            ("X-Rate-Limit-Remaining", "9"),
            ("X-RateLimit-Reset", "whenever"),
            ("RateLimit-Reset", "30"),
            ("Retry-After", "Mon, 23 Nov 2026 20:30:10 GMT"),
        ]);
        assert_eq!(read.limit, Some(100));
        assert_eq!(read.remaining, Some(3));
        assert_eq!(read.reset, seconds(30));
        assert_eq!(read.retry_after, seconds(10));
        assert_eq!(read.refusal_wait(), Some(Duration::from_secs(30)));
    }

    proptest::proptest! {
        #[test]
        fn any_header_value_is_survived(text in "[ -~\u{e9}]{0,40}", digits in "[0-9]{0,25}[-:.TZ ]?") {
            for value in [text, digits] {
                read(&[("Date", &value), ("Retry-After", &value), ("RateLimit-Remaining", &value)]);
                reset(&value);
            }
        }
    }

    #[test]
    fn the_date_and_the_announced_wait_of_an_answer_are_read() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let mut headers = HeaderMap::new();
        assert_eq!(server_date(&headers), None);
        assert_eq!(retry_after(&headers, at), None);
        headers.insert(DATE, HeaderValue::from_static(date));
        assert_eq!(server_date(&headers), Some(at));
        let wait = HeaderValue::from_static("Sun, 06 Nov 1994 08:50:07 GMT");
        headers.insert(RETRY_AFTER, wait);
        let wait = retry_after(&headers, SystemTime::UNIX_EPOCH);
        assert_eq!(wait, Some(Duration::from_secs(30)));
        headers.insert(DATE, HeaderValue::from_static("yesterday"));
        assert_eq!(server_date(&headers), None);
    }

    #[test]
    fn without_a_date_the_local_clock_counts() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", NOW.parse().expect("a value"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_465_790);
        let read = RateHeaders::read(&headers, now);
        assert_eq!(read.retry_after, seconds(10));
    }
}
