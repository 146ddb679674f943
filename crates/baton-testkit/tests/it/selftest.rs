//! `validate` and `selftest`, with connectors that are as they should be and
//! with connectors that are not.

use baton_testkit::{ExitStatus, Harness, Outcome, Phase};

use crate::toy::{Flaw, app};

fn run(flaw: Flaw, args: &[&str]) -> Outcome {
    Harness::new(move || app(flaw)).run(args)
}

/// The lines of the table that begin with a word, without it.
fn lines<'o>(outcome: &'o Outcome, word: &str) -> Vec<&'o str> {
    let all = outcome.stdout.lines();
    all.filter_map(|line| line.strip_prefix(word)).collect()
}

#[test]
fn a_good_connector_passes_every_check() {
    let outcome = run(Flaw::Nothing, &["selftest"]);
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stdout);
    assert_eq!(
        lines(&outcome, "pass  "),
        [
            "a sync ends",
            "every list can be read",
            "1 and 32 workers give the same rows",
            "stopped and resumed syncs give the same rows",
            "page tokens of other lists are refused",
            "ids are unique",
            "references lead to listed rows",
            "resource types are registered",
            "resources have the traits of their types",
            "resources have names",
            "announced resource types are listed",
            "announced changes are offered",
            "accounts and credentials are as announced",
            "event feeds are as announced",
            "actions are as announced",
            "tickets are as announced",
            "single resources are as listed",
            "unknown resources are not found",
            "lists of whole types are as marked",
            "unknown resource types are refused",
            "unknown feeds and actions are not found",
            "empty requests are refused",
            "a list can be requested twice",
            "stopped calls end",
            "dropped calls leave the connector usable",
            "200 calls at once are answered",
            "validation and cleanup can be repeated",
        ],
        "{}",
        outcome.stdout
    );
    assert_eq!(outcome.stdout.lines().count(), 27);
}

#[test]
fn each_flaw_fails_its_check_and_names_the_row() {
    for (flaw, check, names) in [
        (
            Flaw::RowsChange,
            "1 and 32 workers give the same rows",
            "`user:7`",
        ),
        (
            Flaw::RowsChange,
            "stopped and resumed syncs give the same rows",
            "`user:7`",
        ),
        (
            Flaw::RowsChange,
            "a list can be requested twice",
            "resources of type `user`: its first page",
        ),
        (
            Flaw::TakesAnyToken,
            "page tokens of other lists are refused",
            "grants of `team:2`",
        ),
        (Flaw::Twice, "ids are unique", "`user:7` was listed 2 times"),
        (
            Flaw::Dangling,
            "references lead to listed rows",
            "`user:ghost`",
        ),
        (
            Flaw::UnknownType,
            "resource types are registered",
            "`robot`",
        ),
        (
            Flaw::NoTrait,
            "resources have the traits of their types",
            "`user:7`",
        ),
        (Flaw::Forbidden, "every list can be read", "not yours"),
    ] {
        let outcome = run(flaw, &["selftest"]);
        let shown = format!("{flaw:?}:\n{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.status.code(), 9, "{shown}");
        assert!(lines(&outcome, "FAIL  ").contains(&check), "{shown}");
        assert!(outcome.stdout.contains(names), "{shown}");
    }
}

#[test]
fn a_resource_without_a_name_is_noted() {
    let outcome = run(Flaw::NoName, &["selftest"]);
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stdout);
    assert_eq!(lines(&outcome, "note  "), ["resources have names"]);
    assert!(outcome.stdout.contains("`user:7`"), "{}", outcome.stdout);
}

#[test]
fn a_connector_whose_first_sync_fails_is_not_asked_further() {
    for (flaw, says) in [
        (Flaw::NeverEnds, "resources"),
        (Flaw::NeverAnswers, ""),
        (Flaw::Panics, "as a bug would"),
        (Flaw::BadKey, "bad key"),
    ] {
        let outcome = run(flaw, &["selftest", "--time-limit-minutes", "5"]);
        let shown = format!("{flaw:?}:\n{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.status.code(), 9, "{shown}");
        assert_eq!(lines(&outcome, "FAIL  "), ["a sync ends"], "{shown}");
        assert!(lines(&outcome, "pass  ").is_empty(), "{shown}");
        assert!(outcome.stdout.contains(says), "{shown}");
    }
}

#[test]
fn the_help_shows_only_flags_that_have_an_effect() {
    for command in ["validate", "selftest"] {
        let outcome = run(Flaw::Nothing, &[command, "--help"]);
        let help = outcome.stdout;
        for flag in [
            "--file",
            "--workers",
            "--fresh",
            "--max-grants",
            "--sync-resources",
        ] {
            assert!(!help.contains(flag), "{command} {flag}:\n{help}");
        }
        assert!(help.contains("--log-level"), "{help}");
        assert_eq!(help.contains("--time-limit-minutes"), command == "selftest");
    }
}

#[test]
fn a_signal_ends_the_test_without_a_table() {
    let mut harness = Harness::new(|| app(Flaw::Nothing));
    harness.interrupt_after(Phase::Grants, 1);
    let outcome = harness.run(&["selftest"]);
    let shown = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.status.code(), 143, "{shown}");
    assert!(shown.contains("the self-test was stopped"), "{shown}");
    assert!(!shown.contains("resume"), "{shown}");
    assert!(!outcome.stdout.contains("pass"), "{shown}");
    assert_eq!(std::fs::read_dir(harness.folder()).unwrap().count(), 0);
}

#[test]
fn the_test_leaves_no_file_behind() {
    let mut harness = Harness::new(|| app(Flaw::Nothing));
    harness.run(&["selftest"]);
    let left = std::fs::read_dir(harness.folder()).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn validate_says_whether_the_credentials_are_accepted_and_writes_no_file() {
    for (flaw, code) in [(Flaw::Nothing, 0), (Flaw::BadKey, 16)] {
        let mut harness = Harness::new(move || app(flaw));
        let outcome = harness.run(&["validate"]);
        assert_eq!(outcome.status.code(), code, "{}", outcome.stderr);
        assert_eq!(outcome.stdout.contains("accepted"), code == 0);
        assert_eq!(outcome.stderr.contains("bad key"), code != 0);
        assert_eq!(std::fs::read_dir(harness.folder()).unwrap().count(), 0);
    }
}
