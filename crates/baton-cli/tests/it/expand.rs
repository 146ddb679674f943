//! `baton expand`: what it prints, what it makes, what it refuses.

use std::fs;

use crate::program::{fixture, words};

fn grants(path: &str) -> usize {
    let outcome = words(&["grants", "-o", "json", "-f", path]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let shown: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    shown["grants"].as_array().unwrap().len()
}

#[test]
fn the_estimate_is_printed_and_the_new_file_has_so_many_grants_more() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.c1z").display().to_string();
        let source = fixture(name);
        for args in [
            ["expand", &source, "--out", &target],
            ["expand", &["-f", &source].concat(), "--out", &target],
        ] {
            let outcome = words(&args);
            assert_eq!(outcome.status, 0, "{name}: {}", outcome.stderr);
            let lines: Vec<&str> = outcome.stdout.lines().collect();
            assert_eq!(lines[0], "Grants with an expansion: 1");
            assert_eq!(lines[1], "Grants to derive: 2");
            assert_eq!(lines[2], "Expanded grants successfully.");
            assert_eq!(grants(&target), grants(&source) + 2);
            fs::remove_file(&target).unwrap();
        }
    }
}

#[test]
fn more_grants_than_allowed_are_refused_with_their_number_and_no_file_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.c1z").display().to_string();
    let source = fixture("v1-small.c1z");
    let limited = |limit| words(&["expand", &source, "--out", &target, "--max-grants", limit]);
    let outcome = limited("1");
    assert_eq!(outcome.status, 8);
    let expected = "error: expansion would derive 2 grants, the limit is 1\n";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--max-grants"));
    assert!(outcome.stdout.contains("Grants to derive: 2"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(limited("2").status, 0);
}

#[test]
fn a_file_is_named_once() {
    let source = fixture("v1-small.c1z");
    let outcome = words(&["expand", &source, "-f", &source]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("named twice"), "{}", outcome.stderr);
    let outcome = words(&["expand", "no/such/file.c1z"]);
    assert_eq!(outcome.status, 2);
    assert!(
        outcome.stderr.contains("does not exist"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn an_existing_target_and_an_unknown_sync_are_refused() {
    let source = fixture("v1-small.c1z");
    let before = fs::read(&source).unwrap();
    let outcome = words(&["expand", &source, "--out", &source]);
    assert_ne!(outcome.status, 0);
    assert_eq!(fs::read(&source).unwrap(), before);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.c1z").display().to_string();
    let outcome = words(&["expand", &source, "--out", &target, "--sync-id", "nope"]);
    assert_eq!(outcome.status, 5);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
