//! The summary of a sync.
//!
//! A pure function from the engine's report to text: counts with the change since the last sync
//! that the file held, requests, what is missing and why, and a last
//! line: complete or partial.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use baton_c1z::Stats;
use baton_connector::{EndpointTraffic, LeastTime, TrafficSnapshot};
use baton_sync::{Completeness, Report, SkipKind, Skipped};
use baton_term::{Block, Label};

use crate::advice;
use crate::figures::{change, count, counted, duration, padded, padded_left};
use crate::waits;

/// Skipped lists named one by one; the log has the rest.
const NAMED_SKIPS: usize = 20;
/// Warnings repeated at the end; the log has the rest.
const NAMED_WARNINGS: usize = 10;
/// Endpoints listed, busiest first.
const NAMED_ENDPOINTS: usize = 12;

/// Widest text that widens its column; a longer one is shown whole.
const MAX_COLUMN: usize = 80;

/// Heads of the table of requests: how many, the least time that the server's announced limit
/// allows for as many (as far as a whole period of it was seen), and where they went.
const HEADS: [&str; 3] = ["made", "least time", "endpoint"];

/// Facts about the run that the report lacks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SummaryContext<'a> {
    /// The requested target.
    pub target: &'a Path,
    /// The current folder: paths below it are shown without it.
    pub cwd: &'a Path,
    pub elapsed: Duration,
}

/// The summary. Each line passes the gate for text from outside when it is printed.
pub(crate) fn render(report: &Report, context: SummaryContext<'_>) -> Block {
    let mut text = Block::new();
    text.line(format!(
        "synced in {}{}",
        duration(context.elapsed),
        if report.resumed {
            ", resuming an interrupted sync"
        } else {
            ""
        },
    ));
    text.line("");
    counts(&mut text, &report.stats, report.previous.as_ref());
    if report.previous.is_none() && !report.targeted {
        text.indented(2, "(the file held no earlier sync to compare with)");
    }
    if let Some(traffic) = &report.traffic {
        requests(&mut text, traffic);
        for line in waits::summary(&traffic.waited) {
            text.indented(2, line);
        }
        planned(&mut text, report, traffic);
    }
    missing(&mut text, report);
    noticed(&mut text, report);
    text.line("").line(verdict(report, context));
    text
}

/// The last line: complete or not, and where the result is.
pub(crate) fn verdict(report: &Report, context: SummaryContext<'_>) -> String {
    let SummaryContext { target, cwd, .. } = context;
    let short = |path: &Path| path.strip_prefix(cwd).unwrap_or(path).display().to_string();
    let path = short(&report.path);
    match report.completeness {
        Completeness::Complete => {
            format!("complete: `{path}` holds everything that was requested")
        }
        Completeness::Partial if report.path == target => {
            format!("partial: `{path}` lacks {}", lacks(report))
        }
        Completeness::Partial => format!(
            "partial: `{path}` lacks {}; `{}` is unchanged (accept with --allow-partial)",
            lacks(report),
            short(target)
        ),
    }
}

/// What a partial result lacks.
fn lacks(report: &Report) -> String {
    let mut parts = Vec::new();
    if report.unreadable > 0 {
        parts.push(counted(
            report.unreadable,
            "list that could not be read",
            "lists that could not be read",
        ));
    }
    let types: BTreeSet<&str> = report
        .unknown_types
        .iter()
        .map(|unknown| unknown.resource_type.as_str())
        .collect();
    if !types.is_empty() {
        let names: Vec<String> = types.iter().map(|id| format!("`{id}`")).collect();
        let resource_type = match types.len() {
            1 => "resource type",
            _ => "resource types",
        };
        parts.push(format!(
            "the {resource_type} {}, which the connector does not have",
            names.join(", ")
        ));
    }
    parts.join(", and ")
}

struct Row {
    label: String,
    now: i64,
    before: Option<i64>,
}

fn counts(text: &mut Block, now: &Stats, before: Option<&Stats>) {
    let mut rows = vec![Row {
        label: "resource types".to_owned(),
        now: now.resource_types,
        before: before.map(|stats| stats.resource_types),
    }];
    rows.push(Row {
        label: "resources".to_owned(),
        now: now.resources,
        before: before.map(|stats| stats.resources),
    });
    let types: BTreeSet<&String> = now
        .resources_by_type
        .keys()
        .chain(
            before
                .iter()
                .flat_map(|stats| stats.resources_by_type.keys()),
        )
        .collect();
    for type_id in types {
        let of = |stats: &Stats| stats.resources_by_type.get(type_id).copied().unwrap_or(0);
        rows.push(Row {
            label: format!("  {type_id}"),
            now: of(now),
            before: before.map(of),
        });
    }
    rows.push(Row {
        label: "entitlements".to_owned(),
        now: now.entitlements,
        before: before.map(|stats| stats.entitlements),
    });
    rows.push(Row {
        label: "grants".to_owned(),
        now: now.grants,
        before: before.map(|stats| stats.grants),
    });
    let shown: Vec<(String, String, String)> = rows
        .into_iter()
        .map(|row| {
            let by = row
                .before
                .map(|before| change(row.now.saturating_sub(before)));
            (
                row.label,
                count(row.now.unsigned_abs()),
                by.unwrap_or_default(),
            )
        })
        .collect();
    let width = |of: fn(&(String, String, String)) -> &String| {
        shown
            .iter()
            .map(|row| of(row).chars().count())
            .filter(|width| *width <= MAX_COLUMN)
            .max()
            .unwrap_or(0)
    };
    let (labels, numbers) = (width(|r| &r.0), width(|r| &r.1));
    for (label, number, by) in &shown {
        let (label, number) = (padded(label, labels), padded_left(number, numbers));
        let line = format!("  {label}  {number}  {by}");
        text.line(line.trim_end());
    }
}

fn requests(text: &mut Block, traffic: &TrafficSnapshot) {
    let total = traffic.total();
    let mut notes = Vec::new();
    if total.retries > 0 {
        notes.push(counted(total.retries, "retry", "retries"));
    }
    if total.rate_limited > 0 {
        notes.push(format!("{} answered with 429", count(total.rate_limited)));
    }
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join(", "))
    };
    let requests = counted(total.requests, "request", "requests");
    text.line("").line(format!("{requests}{notes}"));
    let mut endpoints: Vec<_> = traffic.endpoints.iter().collect();
    endpoints.sort_by(|a, b| (b.1.requests, a.0).cmp(&(a.1.requests, b.0)));
    let shown: Vec<[String; 3]> = endpoints
        .iter()
        .take(NAMED_ENDPOINTS)
        .map(|(endpoint, used)| {
            let waited = if used.wait_ms > 0 {
                format!(", waited {}", duration(Duration::from_millis(used.wait_ms)))
            } else {
                String::new()
            };
            [
                count(used.requests),
                least_time(used),
                format!("{endpoint}{waited}"),
            ]
        })
        .collect();
    let width = |column: usize| shown.iter().map(|row| row[column].len()).max();
    let requests = width(0).unwrap_or(0).max(HEADS[0].len());
    let least = width(1).unwrap_or(0).max(HEADS[1].len());
    let [head, least_head, endpoint_head] = HEADS;
    let mut line = |number: &str, time: &str, endpoint: &str| {
        let (number, time) = (padded_left(number, requests), padded_left(time, least));
        text.indented(2, format!("{number}  {time}  {endpoint}"));
    };
    line(head, least_head, endpoint_head);
    for [number, time, endpoint] in &shown {
        line(number, time, endpoint);
    }
    if let Some(more) = more(endpoints.len(), NAMED_ENDPOINTS) {
        let more = counted(more, "more endpoint", "more endpoints");
        text.indented(2, format!("and {more}"));
    }
}

fn least_time(used: &EndpointTraffic) -> String {
    let span = |ms| duration(Duration::from_millis(ms));
    match used.least_time() {
        None => "n/a".to_owned(),
        Some(LeastTime::Known(ms)) => span(ms),
        Some(LeastTime::AtLeast(ms)) => format!("{} or more", span(ms)),
    }
}

/// The number of requests without the request plan.
fn planned(text: &mut Block, report: &Report, traffic: &TrafficSnapshot) {
    let Some(planning) = report.planning else {
        return;
    };
    if planning.avoided == 0 {
        return;
    }
    let plain = planning.without(traffic.total().requests);
    let plain = counted(plain, "request", "requests");
    text.indented(2, format!("without the request plan: {plain}"));
}

fn missing(text: &mut Block, report: &Report) {
    let unread: Vec<&Skipped> = report
        .skipped
        .iter()
        .filter(|skip| skip.kind != SkipKind::Vanished)
        .collect();
    if report.unreadable > 0 {
        text.line("").line(counted(
            report.unreadable,
            "list was skipped",
            "lists were skipped",
        ));
        for skip in unread.iter().take(NAMED_SKIPS) {
            text.indented(2, format!("{}: {}", subject(skip), skip.reason));
        }
        let named = unread.len().min(NAMED_SKIPS) as u64;
        if report.unreadable > named {
            let more = count(report.unreadable - named);
            text.indented(2, format!("and {more} more"));
        }
        let hints: BTreeSet<String> = unread
            .iter()
            .flat_map(|skip| advice::sentences(&skip.advice))
            .collect();
        for hint in hints {
            text.labelled_at(2, Label::Hint, hint);
        }
    }
}

/// Rows of the connector that the file lacks, notes and warnings.
fn noticed(text: &mut Block, report: &Report) {
    if report.vanished > 0 {
        let objects = counted(
            report.vanished,
            "object was deleted",
            "objects were deleted",
        );
        text.line("").line(format!("{objects} during the sync"));
    }
    let filtered = report.dropped.filtered();
    let filtered: Vec<String> = filtered
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {}", count(*number), singular(*number, what)))
        .collect();
    if !filtered.is_empty() {
        text.line("").line(format!(
            "left out by --{}: {}",
            crate::flags::SYNC_RESOURCE_TYPES.name(),
            filtered.join(", ")
        ));
    }
    if !report.dropped.is_on_purpose() {
        text.line("").line("records left out");
        let reasons = report.dropped.by_reason();
        for (number, one, many) in reasons.iter().filter(|(number, _, _)| *number > 0) {
            text.indented(2, counted(*number, one, many));
        }
    }
    for note in &report.notes {
        text.line("").line(format!("note: {note}"));
    }
    if !report.warnings.is_empty() {
        let warnings = counted(report.warnings.len() as u64, "warning", "warnings");
        text.line("").line(warnings);
        for warning in report.warnings.iter().take(NAMED_WARNINGS) {
            text.indented(2, warning.as_str());
        }
        if let Some(more) = more(report.warnings.len(), NAMED_WARNINGS) {
            text.indented(2, format!("and {} more", count(more)));
        }
    }
}

/// A noun in the plural, or in the singular if the number is 1.
fn singular(number: u64, plural: &str) -> std::borrow::Cow<'_, str> {
    let (first, rest) = plural.split_once(' ').unwrap_or((plural, ""));
    match first.strip_suffix('s').filter(|_| number == 1) {
        Some(one) if rest.is_empty() => one.into(),
        Some(one) => format!("{one} {rest}").into(),
        None => plural.into(),
    }
}

/// `` grants of `group:g1` ``, or the type without a single object.
fn subject(skip: &Skipped) -> String {
    let object = if skip.resource.is_empty() {
        &skip.resource_type
    } else {
        &skip.resource
    };
    format!("{} of `{object}`", skip.what)
}

fn more(all: usize, shown: usize) -> Option<u64> {
    (all > shown).then(|| (all - shown) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use baton_connector::{AnnouncedLimit, Planning, WaitReason, Waited};
    use baton_proto::Advice;
    use baton_term::TextGate;

    use super::*;

    fn stats(users: i64, groups: i64, grants: i64) -> Stats {
        Stats {
            resource_types: 2,
            resources: users + groups,
            entitlements: groups,
            grants,
            resources_by_type: BTreeMap::from([
                ("user".to_owned(), users),
                ("group".to_owned(), groups),
            ]),
            ..Stats::default()
        }
    }

    fn show(report: &Report, target: &str) -> String {
        let target = Path::new(target);
        let block = render(
            report,
            SummaryContext {
                target,
                cwd: Path::new("/home"),
                elapsed: Duration::from_secs(83),
            },
        );
        let text = block.render(&TextGate::default(), false);
        text.strip_suffix('\n').unwrap_or_default().to_owned()
    }

    fn skip(resource: &str) -> Skipped {
        Skipped {
            what: "grants".to_owned(),
            resource_type: "group".to_owned(),
            resource: resource.to_owned(),
            kind: SkipKind::Forbidden,
            reason: "GET /groups answered 403".to_owned(),
            advice: vec![Advice::sentence("add the scope read:groups")],
        }
    }

    #[test]
    fn a_partial_result_names_what_is_missing_and_why() {
        let mut report = Report::new("s1", "sync.partial.c1z", stats(10, 2, 30));
        report.completeness = Completeness::Partial;
        report.skipped = vec![
            skip("group:g1"),
            skip(""),
            Skipped {
                kind: SkipKind::Vanished,
                ..skip("group:g9")
            },
        ];
        report.unreadable = 2;
        report.vanished = 1;
        report.warnings = vec!["grant `x` points nowhere".to_owned()];
        report.dropped.invalid_resources = 3;
        assert_eq!(
            show(&report, "sync.c1z"),
            "\
synced in 1 min 23 s

  resource types   2
  resources       12
    group          2
    user          10
  entitlements     2
  grants          30
  (the file held no earlier sync to compare with)

2 lists were skipped
  grants of `group:g1`: GET /groups answered 403
  grants of `group`: GET /groups answered 403
  hint: add the scope read:groups

1 object was deleted during the sync

records left out
  3 resources without a whole id

1 warning
  grant `x` points nowhere

partial: `sync.partial.c1z` lacks 2 lists that could not be read; `sync.c1z` is unchanged \
(accept with --allow-partial)"
        );
    }

    #[test]
    fn a_complete_result_shows_changes_and_traffic() {
        let mut report = Report::new("s1", "sync.c1z", stats(1210, 2, 5000));
        report.previous = Some(stats(1200, 5, 5000));
        report.resumed = true;
        let endpoint = |requests, wait_ms| EndpointTraffic {
            requests,
            retries: u64::from(wait_ms > 0),
            rate_limited: u64::from(wait_ms > 0),
            wait_ms,
            limit: (requests > 100).then_some(AnnouncedLimit {
                requests: 500,
                period_ms: 60_000,
                whole_period: requests > 500,
            }),
        };
        report.traffic = Some(TrafficSnapshot {
            endpoints: BTreeMap::from([
                ("GET /users".to_owned(), endpoint(13, 0)),
                ("GET /roles".to_owned(), endpoint(250, 0)),
                (
                    "GET /groups/{id}/members".to_owned(),
                    endpoint(1002, 65_000),
                ),
            ]),
            waited: Waited {
                total_ms: 65_000,
                by_reason: BTreeMap::from([(WaitReason::QuotaSpent, 65_000)]),
            },
            ..TrafficSnapshot::default()
        });
        assert_eq!(
            show(&report, "sync.c1z"),
            "\
synced in 1 min 23 s, resuming an interrupted sync

  resource types      2
  resources       1,212  +7
    group             2  -3
    user          1,210  +10
  entitlements        2  -3
  grants          5,000

1,265 requests (1 retry, 1 answered with 429)
   made    least time  endpoint
  1,002     2 min 0 s  GET /groups/{id}/members, waited 1 min 5 s
    250  30 s or more  GET /roles
     13           n/a  GET /users
  waited 1 min 5 s in total
    1 min 5 s  for the next period of an announced limit

complete: `sync.c1z` holds everything that was requested"
        );
    }

    #[test]
    fn a_plan_shows_what_it_saved_and_nothing_if_it_saved_nothing() {
        let mut report = Report::new("s1", "sync.c1z", stats(10, 2, 30));
        report.traffic = Some(TrafficSnapshot {
            endpoints: BTreeMap::from([(
                "GET /users".to_owned(),
                EndpointTraffic {
                    requests: 100,
                    ..EndpointTraffic::default()
                },
            )]),
            ..TrafficSnapshot::default()
        });
        let mut planning = Planning {
            spent: 4,
            avoided: 2_000,
        };
        report.planning = Some(planning);
        let text = show(&report, "sync.c1z");
        let line = "without the request plan: 2,096 requests";
        assert!(text.contains(line), "{text}");
        planning.avoided = 0;
        report.planning = Some(planning);
        assert!(!show(&report, "sync.c1z").contains("would have taken"));
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let mut report = Report::new("s1", "sync.c1z", stats(1, 1, 1));
        report.completeness = Completeness::Partial;
        report.skipped = (0..50).map(|n| skip(&format!("group:g{n}"))).collect();
        report.unreadable = 70;
        report.warnings = (0..12).map(|n| format!("warning {n}")).collect();
        let text = show(&report, "sync.c1z");
        assert_eq!(text.matches("answered 403").count(), NAMED_SKIPS);
        assert!(text.contains("  and 50 more\n"), "{text}");
        assert!(text.contains("  and 2 more\n"), "{text}");
        assert!(text.ends_with("partial: `sync.c1z` lacks 70 lists that could not be read"));
    }
}
