//! The file of the metrics of a run.

#![allow(clippy::cast_precision_loss, reason = "the numbers are small")]

use baton_metrics::TextForm;

use crate::checker::{Exposition, checked};
use crate::stage::{NOW_MS, Outcome, Stage};
use crate::sync::{complete_engine, failing_engine, partial_engine};

const FILE: &str = "toy.prom";
const LAST_END: &str = "baton_sync_last_end_timestamp_seconds";

fn run(stage: &mut Stage, flags: &[&str]) -> Outcome {
    let mut args = vec!["--metrics-file", FILE];
    args.extend(flags);
    stage.run(&args)
}

fn read(stage: &Stage) -> Exposition {
    let text = std::fs::read_to_string(stage.path().join(FILE)).unwrap();
    checked(&text, TextForm::Prometheus)
}

#[track_caller]
fn assert_value(seen: &Exposition, name: &str, label: (&str, &str), expected: Option<f64>) {
    let value = seen.value(name, &[("metrics_file", FILE), label]);
    assert_eq!(value, expected, "{name} {label:?}: {seen:#?}");
}

/// When the run of this number ended.
fn end_of(run: u64) -> f64 {
    NOW_MS as f64 / 1_000.0 + (3_600 * run) as f64
}

#[test]
fn each_run_replaces_the_file_and_a_failure_keeps_the_last_success() {
    let mut stage = Stage::ready().engine(complete_engine());
    let outcome = run(&mut stage, &[]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let (sync, complete) = (("mode", "sync"), ("result", "complete"));
    let seen = read(&stage);
    assert_value(&seen, "baton_run_succeeded", sync, Some(1.0));
    assert_value(
        &seen,
        "baton_run_end_timestamp_seconds",
        sync,
        Some(end_of(0)),
    );
    assert_value(&seen, "baton_syncs_total", complete, Some(1.0));
    assert_value(
        &seen,
        "baton_sync_last_rows",
        ("kind", "resources"),
        Some(7.0),
    );
    assert_value(&seen, LAST_END, complete, Some(end_of(0)));

    stage.engine = failing_engine(|| baton_sync::Error::TargetsLeftOut);
    let outcome = run(&mut stage, &[]);
    assert_ne!(outcome.status.code(), 0, "{}", outcome.stderr);
    let seen = read(&stage);
    assert_value(&seen, "baton_run_succeeded", sync, Some(0.0));
    assert_value(&seen, "baton_syncs_total", complete, None);
    assert_value(&seen, "baton_syncs_total", ("result", "failed"), Some(1.0));
    assert_value(&seen, LAST_END, complete, Some(end_of(0)));
    assert_value(&seen, LAST_END, ("result", "failed"), Some(end_of(1)));

    stage.engine = partial_engine();
    let outcome = run(&mut stage, &[]);
    assert_ne!(outcome.status.code(), 0, "{}", outcome.stderr);
    let seen = read(&stage);
    assert_value(&seen, "baton_run_succeeded", sync, Some(0.0));
    assert_value(&seen, LAST_END, ("result", "partial"), Some(end_of(2)));
    assert_value(&seen, LAST_END, complete, Some(end_of(0)));
}

#[test]
fn a_run_that_panics_or_ends_early_has_its_file_too() {
    let mut stage = Stage::ready();
    stage.engine = std::sync::Arc::new(|_, _, _| Box::pin(async { panic!("as planned") }));
    let outcome = run(&mut stage, &[]);
    assert_ne!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert_value(
        &read(&stage),
        "baton_run_succeeded",
        ("mode", "sync"),
        Some(0.0),
    );
    // A mode that the connector does not have.
    let outcome = run(&mut stage, &["--list-ticket-schemas", "--ticketing"]);
    assert_ne!(outcome.status.code(), 0, "{}", outcome.stderr);
    let mode = ("mode", "list_ticket_schemas");
    assert_value(&read(&stage), "baton_run_succeeded", mode, Some(0.0));
}

#[test]
fn a_file_that_cannot_be_written_is_found_before_the_sync() {
    for path in ["no-such-folder/toy.prom", "."] {
        let mut stage = Stage::ready().engine(complete_engine());
        let outcome = stage.run(&["--metrics-file", path]);
        assert_eq!(outcome.status.code(), 2, "{}", outcome.stderr);
        assert!(outcome.config.is_none(), "a connector was made");
        assert!(
            outcome.stderr.contains("--metrics-file"),
            "{}",
            outcome.stderr
        );
    }
}

/// The root user may write to a folder without permission for it, but not to /proc.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_found_before_the_sync() {
    let mut stage = Stage::ready().engine(complete_engine());
    let outcome = stage.run(&["--metrics-file", "/proc/toy.prom"]);
    assert_eq!(outcome.status.code(), 2, "{}", outcome.stderr);
    assert_eq!(outcome.error(), "cannot write the metrics file");
    assert!(outcome.config.is_none(), "a connector was made");
}

/// A disk that is full when the run ends.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_at_the_end_is_an_error_of_a_run_without_another() {
    let mut stage = Stage::ready().engine(complete_engine());
    let folder = stage.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let gone = folder.clone();
    let complete = complete_engine();
    stage.engine = std::sync::Arc::new(move |connector, request, host| {
        std::fs::remove_dir(&gone).unwrap();
        complete(connector, request, host)
    });
    let outcome = stage.run(&["--metrics-file", "folder/toy.prom"]);
    assert_ne!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert_eq!(outcome.error(), "cannot write the metrics file");
    assert!(!folder.exists());
}

#[test]
fn the_file_is_not_another_file_of_the_run_and_services_have_none() {
    let mut stage = Stage::ready();
    for flags in [
        &["--file", "x", "--metrics-file", "x"][..],
        &["--log-path", "x", "--metrics-file", "./x"],
    ] {
        let outcome = stage.run(flags);
        assert_ne!(outcome.status.code(), 0, "{flags:?}");
        assert!(
            outcome.error().contains("metrics file"),
            "{}",
            outcome.stderr
        );
    }
    let outcome = stage.run(&[
        "--client-id=sim@tenant.test/valet",
        "--client-secret=x",
        "--metrics-file=y",
    ]);
    assert_ne!(outcome.status.code(), 0);
    assert!(
        outcome.error().contains("--metrics-file"),
        "{}",
        outcome.stderr
    );
    assert!(!stage.path().join("y").exists());
}
