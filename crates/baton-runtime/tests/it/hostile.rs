//! Text from outside cannot steer a terminal or forge a line of a connector program: whatever the
//! application, the user, the environment or the config file says, in every message and field.

use std::sync::Arc;

use baton_c1z::{CallStat, Stats};
use baton_connector::{EndpointTraffic, TrafficSnapshot};
use baton_proto::{Advice, Code};
use baton_runtime::Engine;
use baton_sync::{
    Completeness, Dropped, Error, Event, Miscount, Phase, Report, SkipKind, Skipped, Uncounted,
};
use baton_term::is_forbidden;

use crate::stage::{Outcome, Stage};

const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\r\ncomplete: forged\nerror: forged\t\u{7f}\u{9b}31m\u{85}\
     \u{202e}\u{2066}\u{2028}\u{200f}\u{61c}\u{feff} | end";

/// Every way to look at a run.
const VIEWS: [(&[&str], bool); 5] = [
    (&["--log-format", "console"], false),
    (&["--log-format", "json"], false),
    (&[], false),
    (&[], true),
    (&["--log-level", "debug", "--log-format", "console"], true),
];

fn skip() -> Skipped {
    Skipped {
        what: "grants".to_owned(),
        resource_type: HOSTILE.to_owned(),
        resource: HOSTILE.to_owned(),
        kind: SkipKind::Forbidden,
        reason: HOSTILE.to_owned(),
        advice: vec![Advice::sentence(HOSTILE)],
    }
}

fn dropped() -> Dropped {
    let mut dropped = Dropped::default();
    dropped.invalid_resources = 2;
    dropped
}

/// Sends each event and reports each field, all hostile.
fn hostile_engine() -> Engine {
    Arc::new(|_, request, host| {
        Box::pin(async move {
            let text = || HOSTILE.to_owned();
            let phase = |phase| Event::PhaseStarted { phase, lists: None };
            let page = |phase| Event::Page {
                phase,
                type_id: text(),
                rows: 1,
                last: true,
            };
            for event in [
                Event::Started {
                    sync_id: text(),
                    resumed_pages: 1,
                },
                Event::SetAside { reason: text() },
                Event::Damaged { reason: text() },
                phase(Phase::Resources),
                page(Phase::Resources),
                Event::PhaseFinished {
                    phase: Phase::Resources,
                    rows: 1,
                },
                Event::ListRestarted {
                    what: text(),
                    reason: text(),
                },
                Event::ListSkipped(skip()),
                Event::InvalidData(dropped()),
                Event::Warning { message: text() },
            ] {
                host.observer.event(&event);
            }
            let mut stats = Stats::default();
            stats.resources_by_type.insert(text(), 3);
            stats
                .connector_call_stats
                .insert(text(), CallStat::default());
            let mut report = Report::new(text(), request.target, stats);
            report.previous = Some(report.stats.clone());
            report.completeness = Completeness::Partial;
            report.skipped = vec![skip()];
            report.unreadable = 1;
            report.vanished = 1;
            report.dropped = dropped();
            report.shortfalls = vec![Miscount {
                what: "grants".to_owned(),
                resource_type: text(),
                resource: text(),
                listed: 1,
                counted: 2,
            }];
            report.uncounted = vec![Uncounted {
                what: "grants".to_owned(),
                resource_type: text(),
                resource: text(),
                reason: text(),
            }];
            report.warnings = vec![text()];
            let endpoint = EndpointTraffic {
                requests: 1,
                ..EndpointTraffic::default()
            };
            report.traffic = Some(TrafficSnapshot {
                endpoints: [(text(), endpoint)].into(),
                waiting: Vec::new(),
                in_flight: 0,
                ..TrafficSnapshot::default()
            });
            Ok(report)
        })
    })
}

/// Fails with a message, a cause and advice, all hostile.
fn failing_engine() -> Engine {
    Arc::new(|_, _, _| {
        Box::pin(async move {
            let refused = baton_connector::Error::stated(Code::PermissionDenied, HOSTILE)
                .during(format!("cannot list {HOSTILE} now"))
                .with_hint(HOSTILE);
            Err(Error::Connector {
                doing: HOSTILE.to_owned(),
                source: refused,
            })
        })
    })
}

#[track_caller]
fn assert_safe(what: &str, outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let bad = text
            .chars()
            .find(|c| *c != '\n' && *c != '\t' && is_forbidden(*c));
        assert_eq!(bad, None, "{what}: {text:?}");
        for forged in ["complete: forged", "error: forged"] {
            let made = text.lines().any(|line| line.starts_with(forged));
            assert!(!made, "{what}: {text}");
        }
    }
}

#[test]
fn what_the_application_says_forges_no_log_line_no_warning_and_no_row() {
    for (flags, terminal) in VIEWS {
        let what = format!("{flags:?}, terminal: {terminal}");
        let mut stage = Stage::ready().engine(hostile_engine());
        stage.terminal = terminal;
        let outcome = stage.run(flags);
        assert_safe(&what, &outcome);
        assert_eq!(outcome.status.code(), 20, "{what}");
        // Between the replaced characters the text is there, so it was shown.
        assert!(outcome.stderr.contains("complete: forged"), "{what}");
        if flags.contains(&"json") {
            for line in outcome.stderr.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(line["msg"].is_string(), "{line}");
            }
        } else if flags.contains(&"console") && !terminal {
            // A tab can stand only where the form of the lines has one.
            let logged = outcome
                .stderr
                .lines()
                .filter(|line| line.starts_with("2026"));
            for line in logged {
                assert!(line.matches('\t').count() <= 4, "{line}");
            }
        }

        let mut stage = Stage::ready().engine(failing_engine());
        stage.terminal = terminal;
        let outcome = stage.run(flags);
        assert_safe(&what, &outcome);
        assert_eq!(outcome.status.code(), 7, "{what}");
        let labels = outcome
            .stderr
            .lines()
            .filter(|line| !line.starts_with(['{', '2']))
            .map(|line| line.split(": ").next().unwrap_or_default());
        assert_eq!(
            labels.collect::<Vec<_>>(),
            ["error", "caused by", "caused by", "hint"],
            "{what}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn log_files_hold_one_line_per_event() {
    for format in ["console", "json"] {
        let lines = |engine: Engine| {
            let mut stage = Stage::ready().engine(engine);
            stage.run(&["--log-path", "a.log", "--log-format", format]);
            std::fs::read_to_string(stage.path().join("a.log")).unwrap()
        };
        let text = lines(hostile_engine());
        let bad = text
            .chars()
            .find(|c| !"\n\t".contains(*c) && is_forbidden(*c));
        assert_eq!(bad, None, "{format}");
        let begins = |line: &str| line.starts_with(if format == "json" { '{' } else { '2' });
        assert!(text.lines().all(begins), "{format}: {text}");
        assert!(text.lines().count() > 8, "{format}: {text}");
    }
}

#[test]
fn arguments_environment_and_config_file_are_quoted_safely() {
    let flag = format!("--{HOSTILE}");
    let given = format!("--workers={HOSTILE}");
    let temp = format!("--c1z-temp-dir={HOSTILE}");
    let file = format!("--file={HOSTILE}/x.c1z");
    let external = format!("--external-resource-c1z={HOSTILE}");
    let traits = format!("--external-resource-traits={HOSTILE}");
    let resources = format!("--sync-resources={HOSTILE}");
    let level = format!("--log-level={HOSTILE}");
    let log = format!("--log-path=no/such/{HOSTILE}");
    let secret = format!("--access-token=@{HOSTILE}");
    let dashed = format!("-{HOSTILE}");
    for args in [
        vec![HOSTILE],
        vec![flag.as_str()],
        vec![&dashed],
        vec![&given],
        vec![&temp],
        vec![&file],
        vec![&external],
        vec![&traits, "--external-resource-c1z=x"],
        vec![&resources],
        vec![&level],
        vec![&log],
        vec![&secret],
        vec!["completion", HOSTILE],
        vec!["config", HOSTILE],
        vec![
            "--compact-syncs",
            "--compact-file-paths",
            HOSTILE,
            "--compact-sync-ids",
            HOSTILE,
        ],
        vec![
            "--diff-syncs",
            "--base-sync-id",
            HOSTILE,
            "--applied-sync-id",
            HOSTILE,
        ],
    ] {
        for terminal in [false, true] {
            let mut stage = Stage::ready();
            stage.terminal = terminal;
            let outcome = stage.run(&args);
            assert_safe(&format!("{args:?}"), &outcome);
        }
    }
    let topic = Stage::ready().run(&["help", HOSTILE]);
    assert_safe("help", &topic);
    assert!(
        topic.stderr.starts_with("unknown help topic"),
        "{}",
        topic.stderr
    );

    for name in [
        "BATON_WORKERS",
        "BATON_FILE",
        "BATON_LOG_LEVEL",
        "BATON_CONFIG_PATH",
    ] {
        let outcome = Stage::ready().env(name, HOSTILE).run(&[]);
        assert_safe(name, &outcome);
    }
    let quoted = serde_json::to_string(HOSTILE).unwrap();
    for text in [
        format!("{quoted}: 1\n"),
        format!("workers: {quoted}\n"),
        format!("file: [{quoted}\n"),
        format!("workers: 1\nworkers: {quoted}\n"),
        format!("# {}\nfile: x: y\n", HOSTILE.replace(['\n', '\r'], " ")),
    ] {
        let outcome = Stage::ready()
            .file("app.yaml", &text)
            .env("BATON_CONFIG_PATH", "app.yaml")
            .run(&[]);
        assert_safe(&text, &outcome);
    }
}

#[test]
fn a_terminal_without_log_flags_shows_warnings_in_words_and_no_log_line() {
    let mut stage = Stage::ready().terminal();
    let outcome = stage.run(&[]);
    let first = outcome.stderr.lines().next().unwrap();
    assert_eq!(
        first,
        "warning: skipped grants of `group:g1`: GET /groups/g1/members answered 403"
    );
    assert!(
        !outcome.stderr.contains('\t') && !outcome.stderr.contains(".rs:"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("synced in"), "{}", outcome.stderr);
}

#[test]
fn a_log_flag_brings_the_log_lines_back_on_a_terminal() {
    for (flags, variable) in [
        (&["--log-level", "warn"][..], None),
        (&["--log-format", "console"][..], None),
        (&["--log-path", "stderr"][..], None),
        (&[][..], Some(("BATON_LOG_LEVEL", "warn"))),
    ] {
        let mut stage = Stage::ready().terminal();
        if let Some((name, value)) = variable {
            stage = stage.env(name, value);
        }
        let outcome = stage.run(flags);
        assert!(
            outcome.stderr.contains("\tWARN\t") && !outcome.stderr.contains("warning: "),
            "{flags:?}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn a_flood_of_one_kind_of_warning_is_cut_short_and_others_are_still_shown() {
    let engine: Engine = Arc::new(|_, request, host| {
        Box::pin(async move {
            for _ in 0..100 {
                host.observer.event(&Event::ListSkipped(skip()));
            }
            let message = "something else".to_owned();
            host.observer.event(&Event::Warning { message });
            Ok(Report::new("s1", request.target, Stats::default()))
        })
    });
    let outcome = Stage::ready().terminal().engine(engine).run(&[]);
    assert_eq!(outcome.stderr.matches("warning: skipped").count(), 10);
    assert_eq!(outcome.stderr.matches("note: more warnings").count(), 1);
    assert!(outcome.stderr.contains("warning: something else\n"));
}
