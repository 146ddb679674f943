//! `baton rollback-expansion` on what `baton expand` makes: there and back.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::program::words;

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
        .display()
        .to_string()
}

/// The ids of all grants of a file, with their sources.
fn grants(path: &str) -> BTreeMap<String, Value> {
    let outcome = words(&["grants", "-o", "json", "-f", path]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let grants = shown["grants"].as_array().unwrap().iter();
    grants
        .map(|entry| &entry["grant"])
        .map(|grant| {
            (
                grant["id"].as_str().unwrap().to_owned(),
                grant["sources"].clone(),
            )
        })
        .collect()
}

/// The fixture with two grants derived, in a folder.
fn expanded(folder: &Path) -> String {
    let made = folder.join("expanded.c1z").display().to_string();
    let outcome = words(&["expand", &fixture("v1-small.c1z"), "--out", &made]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    made
}

#[test]
fn what_expansion_made_is_taken_back_to_the_grant() {
    let folder = tempfile::tempdir().unwrap();
    let source = expanded(folder.path());
    let before = grants(&source);
    assert_eq!(before.len(), grants(&fixture("v1-small.c1z")).len() + 2);
    let made = folder.path().join("back.c1z").display().to_string();
    let outcome = words(&["rollback-expansion", "-f", &source, "--out", &made]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("not expanded"),
        "{}",
        outcome.stderr
    );
    // One grant of the fixture is a derived one, too.
    let mut undisturbed = grants(&fixture("v1-small.c1z"));
    undisturbed.retain(|_, sources| sources.is_null());
    assert_eq!(grants(&made), undisturbed);
    assert_eq!(grants(&source), before);
}

#[test]
fn a_replay_that_gives_the_same_sources_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let source = expanded(folder.path());
    let made = folder.path().join("again.c1z").display().to_string();
    let outcome = words(&[
        "rollback-expansion",
        "--replay",
        "--validate",
        "-f",
        &source,
        "--out",
        &made,
    ]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("grants have the sources"),
        "{}",
        outcome.stderr
    );
    assert_eq!(grants(&made), grants(&source));
}

#[test]
fn a_replay_that_differs_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("again.c1z");
    let outcome = words(&[
        "rollback-expansion",
        "--replay",
        "--validate",
        "-f",
        &fixture("v1-rollback.c1z"),
        "--out",
        &made.display().to_string(),
    ]);
    assert_eq!(outcome.status, 2);
    assert!(
        outcome
            .stderr
            .contains("\"grant-custom-1\": absent after replay"),
        "{}",
        outcome.stderr
    );
    assert!(!made.exists());
}
