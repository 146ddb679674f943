//! The text form of fault rules, for the command line: `ENDPOINT[@PAGES][#CALLS]=ACTION`.

use std::str::FromStr;
use std::time::Duration;

use super::{Action, Calls, Fault, Pages, RetryAfter, WrongShape};
use crate::endpoint;
use crate::error::Error;

/// The grammar as `--help` shows it.
pub const FAULT_GRAMMAR: &str = "\
Fault rules: ENDPOINT[@PAGES][#CALLS]=ACTION (the first rule that hits a request acts)
  ENDPOINT  `*`, `GET *`, or an endpoint with or without method: `GET v2/users`,
            `v2/groups/{id}/role-assignments`, `api-access/v1/api-tokens`
  PAGES     `first`, `later` (asked for with a cursor), `last`; left out: all
  CALLS     `3` the third, `2-5`, `4-` from the fourth on, `*/10` every tenth,
            `2.5%` at random by the seed; left out: all
  ACTION    `429`, `429:retry-after=5` (also `-3`, `999999999`, `date+30`, any text)
            `500`, `502`, `503`, `504`, any other status from 400 to 599
            `404:ADMIN-404-10`       that status with one of the API's codes, also
                                     `403:forbidden.action`, `409:uniqueness`;
                                     `404:gateway` without any
            `html`, `html:503`       a proxy's web page (default status 502)
            `reset`                  connection reset, and nothing is carried out
            `lose-answer`            carried out, then the connection is reset
            `hang`                   carried out, and never answered
            `mask:503`               carried out, and answered with that error
            `truncate`, `truncate:100`  body cut in the middle, or after 100 bytes
            `invalid-json`           a complete answer that is not JSON
            `shape:errors`           a success in a wrong shape (also `message`,
                                     `status-202`, `no-data`, `data-null`, `html`, …)
            `repeat-cursor`          a page whose next cursor is its own
            `cut-cursor`             a page without a next cursor, as if it were the last
            `repeat-items`           every item of a page twice
            `same-page`              the next cursor leads to the same page again
            `empty-page`             no items, and a next cursor to the same page
            `ignore-filters`         answered as if the request had no filters
            `total:250`              a page whose `meta.total` is 250
            `expire-cursor`          400 for a request with a cursor
            `drip:64/200ms`          64 bytes every 200 ms
            `page-size:50`           400 for a page size above 50
            `delay:2s`               answered 2 s later";

/// Codes that a rule may answer with (§2).
const CODES: [&str; 53] = [
    "ADMIN-400-1",
    "ADMIN-400-2",
    "ADMIN-400-3",
    "ADMIN-400-4",
    "ADMIN-400-24",
    "ADMIN-400-32",
    "ADMIN-401-2",
    "ADMIN-403-3",
    "ADMIN-403-5",
    "ADMIN-403-6",
    "ADMIN-403-7",
    "ADMIN-404-1",
    "ADMIN-404-2",
    "ADMIN-404-3",
    "ADMIN-404-4",
    "ADMIN-404-5",
    "ADMIN-404-8",
    "ADMIN-404-10",
    "ADMIN-405-1",
    "ADMIN-409-3",
    "ADMIN-409-5",
    "ADMIN-409-28",
    "ADMIN-429-1",
    "ADMIN-500-1",
    "ADMIN-UAM-400-1",
    "ADMIN-UAM-400-2",
    "ADMIN-UAM-400-3",
    "ADMIN-UAM-400-4",
    "ADMIN-UAM-400-5",
    "ADMIN-UAM-401-1",
    "ADMIN-UAM-401-2",
    "ADMIN-UAM-402-1",
    "ADMIN-UAM-403-1",
    "ADMIN-UAM-403-2",
    "ADMIN-UAM-404-1",
    "ADMIN-UAM-404-2",
    "ADMIN-UAM-404-3",
    "ADMIN-UAM-405-1",
    "ADMIN-UAM-409-1",
    "ADMIN-UAM-409-2",
    "ADMIN-UAM-409-3",
    "ADMIN-UAM-415-1",
    "ADMIN-UAM-500-1",
    "accountNotFound",
    "conflict.lifecycleErrors",
    "forbidden",
    "forbidden.action",
    "forbidden.targetUnverified",
    "notFound",
    "invalidSyntax",
    "invalidValue",
    "mutability",
    "uniqueness",
];

/// Parses `40ms`, `1.5s` or `60m` (minutes).
pub fn parse_duration(text: &str) -> Result<Duration, Error> {
    duration(text).ok_or_else(|| Error::DurationSyntax(text.to_owned()))
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let number: f64 = number.parse().ok().filter(|n| *n >= 0.0)?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(rule: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::FaultSyntax {
            rule: rule.to_owned(),
            reason,
        };
        let (left, action) = rule
            .split_once('=')
            .ok_or_else(|| wrong("there is no `=` between endpoint and action".to_owned()))?;
        let (endpoint, calls) = match left.split_once('#') {
            Some((endpoint, calls)) => (
                endpoint,
                parse_calls(calls)
                    .ok_or_else(|| wrong(format!("`{calls}` is not a selection of calls")))?,
            ),
            None => (left, Calls::All),
        };
        let (endpoint, pages) = match endpoint.split_once('@') {
            Some((endpoint, pages)) => (
                endpoint,
                parse_pages(pages)
                    .ok_or_else(|| wrong(format!("`{pages}` is not `first`, `later` or `last`")))?,
            ),
            None => (endpoint, Pages::Any),
        };
        let endpoint = endpoint.trim();
        let path = endpoint.split_once(' ').map_or(endpoint, |(_, path)| path);
        let known = path == "*"
            || endpoint::all().any(|e| {
                if path == endpoint {
                    e.name.split_once(' ').is_some_and(|(_, p)| p == path)
                } else {
                    e.name == endpoint
                }
            });
        if !known {
            return Err(wrong(format!("there is no endpoint `{endpoint}`")));
        }
        let action =
            parse_action(action).ok_or_else(|| wrong(format!("there is no action `{action}`")))?;
        Ok(Fault::new(endpoint, calls, action).on(pages))
    }
}

fn parse_pages(text: &str) -> Option<Pages> {
    Some(match text {
        "first" => Pages::First,
        "later" => Pages::Later,
        "last" => Pages::Last,
        _ => return None,
    })
}

fn parse_calls(text: &str) -> Option<Calls> {
    let number = |t: &str| t.parse::<u64>().ok().filter(|n| *n > 0);
    if let Some(every) = text.strip_prefix("*/") {
        return number(every).map(Calls::Every);
    }
    if let Some(percent) = text.strip_suffix('%') {
        return per_mille(percent).map(Calls::PerMille);
    }
    match text.split_once('-') {
        None => number(text).map(Calls::Nth),
        Some((first, "")) => number(first).map(Calls::From),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Calls::Between(first, last))
        }
    }
}

/// Per cent with at most one decimal, as chances in a thousand.
fn per_mille(percent: &str) -> Option<u32> {
    let (whole, tenth) = percent.split_once('.').unwrap_or((percent, "0"));
    if tenth.len() != 1 {
        return None;
    }
    let chance = whole
        .parse::<u32>()
        .ok()?
        .checked_mul(10)?
        .checked_add(tenth.parse().ok()?)?;
    (chance <= 1000).then_some(chance)
}

fn parse_action(text: &str) -> Option<Action> {
    let (name, argument) = match text.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (text, None),
    };
    let status = |t: &str| t.parse::<u16>().ok().filter(|s| (400..600).contains(s));
    match (name, argument) {
        ("429", None) => Some(Action::TooManyRequests(RetryAfter::Absent)),
        ("429", Some(argument)) => argument
            .strip_prefix("retry-after=")
            .map(|value| Action::TooManyRequests(parse_retry_after(value))),
        ("html", None) => Some(Action::HtmlPage(502)),
        ("html", Some(code)) => code
            .parse()
            .ok()
            .filter(|s| (200..600).contains(s))
            .map(Action::HtmlPage),
        ("reset", None) => Some(Action::ConnectionReset),
        ("lose-answer", None) => Some(Action::LoseAnswer),
        ("hang", None) => Some(Action::Hang),
        ("mask", Some(code)) => status(code).map(Action::MaskAnswer),
        ("truncate", None) => Some(Action::Truncate(None)),
        ("truncate", Some(bytes)) => bytes.parse().ok().map(|n| Action::Truncate(Some(n))),
        ("invalid-json", None) => Some(Action::InvalidJson),
        ("shape", Some(name)) => WrongShape::named(name).map(Action::Shape),
        ("repeat-cursor", None) => Some(Action::RepeatCursor),
        ("cut-cursor", None) => Some(Action::CutCursor),
        ("repeat-items", None) => Some(Action::RepeatItems),
        ("same-page", None) => Some(Action::SamePage),
        ("empty-page", None) => Some(Action::EmptyPage),
        ("ignore-filters", None) => Some(Action::IgnoreFilters),
        ("total", Some(items)) => items.parse().ok().map(Action::Total),
        ("expire-cursor", None) => Some(Action::ExpireCursor),
        ("drip", Some(argument)) => {
            let (bytes, pause) = argument.split_once('/')?;
            let bytes = bytes.parse().ok().filter(|n| *n > 0)?;
            Some(Action::SlowDrip {
                bytes,
                pause: duration(pause)?,
            })
        }
        ("page-size", Some(size)) => size.parse().ok().map(Action::RefusePageSize),
        ("delay", Some(time)) => duration(time).map(Action::Delay),
        (code, None) => status(code).map(Action::Status),
        (number, Some(word)) => {
            let known = CODES.iter().find(|code| **code == word);
            let code = if word == "gateway" { "" } else { known? };
            status(number).map(|status| Action::Refuse(status, code))
        }
    }
}

fn parse_retry_after(text: &str) -> RetryAfter {
    if text == "absent" {
        return RetryAfter::Absent;
    }
    let date = text
        .strip_prefix("date")
        .and_then(|rest| rest.parse::<i64>().ok());
    match (date, text.parse::<i64>()) {
        (Some(seconds), _) => RetryAfter::HttpDate(seconds),
        (None, Ok(seconds)) => RetryAfter::Seconds(seconds),
        (None, Err(_)) => RetryAfter::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_rules_are_refused_with_a_reason() {
        for rule in [
            "",
            "v2/users",
            "v2/nothing=500",
            "POST v2/users=500",
            "v2/users#0=500",
            "v2/users#5-2=500",
            "v2/users#101%=500",
            "v2/users#x=500",
            "v2/users@2=500",
            "v2/users#2@last=500",
            "v2/users=200",
            "v2/users=drip:0/1s",
            "v2/users=429:soon",
            "v2/users=delay:fast",
            "v2/users=shape:round",
            "v2/users=404:ADMIN-1",
            "v2/users=",
        ] {
            let error = rule.parse::<Fault>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("fault `{rule}`: ")), "{error}");
        }
    }

    #[test]
    fn rules_of_every_kind_are_understood() {
        let action = |text: &str| text.parse::<Fault>().map(|f| f.action).unwrap();
        assert_eq!(
            action("*=429:retry-after=date+30"),
            Action::TooManyRequests(RetryAfter::HttpDate(30))
        );
        assert_eq!(
            action("*=429:retry-after=-3"),
            Action::TooManyRequests(RetryAfter::Seconds(-3))
        );
        assert_eq!(
            action("*=429:retry-after=soon"),
            Action::TooManyRequests(RetryAfter::Text("soon".to_owned()))
        );
        assert_eq!(
            action("*=drip:64/200ms"),
            Action::SlowDrip {
                bytes: 64,
                pause: Duration::from_millis(200)
            }
        );
        assert_eq!(action("*=html"), Action::HtmlPage(502));
        assert_eq!(action("*=cut-cursor"), Action::CutCursor);
        assert_eq!(action("*=repeat-items"), Action::RepeatItems);
        assert_eq!(action("*=same-page"), Action::SamePage);
        assert_eq!(action("*=empty-page"), Action::EmptyPage);
        assert_eq!(action("*=ignore-filters"), Action::IgnoreFilters);
        assert_eq!(action("*=total:7"), Action::Total(7));
        assert_eq!(action("*=404:gateway"), Action::Refuse(404, ""));
        assert_eq!(
            action("*=404:ADMIN-404-10"),
            Action::Refuse(404, "ADMIN-404-10")
        );
        for shape in WrongShape::ALL {
            let rule = format!("*=shape:{}", shape.name());
            assert_eq!(action(&rule), Action::Shape(*shape));
        }
        assert_eq!(action("*=truncate:100"), Action::Truncate(Some(100)));
        let calls = |text: &str| text.parse::<Fault>().map(|f| f.calls).unwrap();
        assert_eq!(calls("GET v2/users#2-5=500"), Calls::Between(2, 5));
        assert_eq!(
            calls("v2/users/{id}/role-assignments#*/10=503"),
            Calls::Every(10)
        );
        assert_eq!(calls("GET *#2.5%=reset"), Calls::PerMille(25));
        let rule = "v2/users@last#2=500".parse::<Fault>().unwrap();
        assert_eq!((rule.pages, rule.calls), (Pages::Last, Calls::Nth(2)));
        assert_eq!(calls("*#4-=504"), Calls::From(4));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("40ms"), Some(Duration::from_millis(40)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        for text in ["40", "", "s", "-1s", "4h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
