//! Files and command lines that cannot work, and what is said about them.

use std::fs;
use std::path::Path;

use crate::program::words;

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
        .display()
        .to_string()
}

#[test]
fn a_missing_file_is_named_with_a_way_out() {
    let outcome = words(&["grants", "-f", "no/such/file.c1z"]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stdout.is_empty());
    assert!(
        outcome
            .stderr
            .starts_with("error: no/such/file.c1z does not exist or is empty\n")
    );
    assert!(outcome.stderr.contains("hint: "));
}

#[test]
fn every_truncation_of_a_file_ends_in_an_error() {
    let whole = fs::read(fixture("v1-small.c1z")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.c1z");
    let name = path.display().to_string();
    // The storage crate cuts at every byte; here a stride shows the messages.
    for length in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        let outcome = words(&["resources", "-f", &name]);
        assert_eq!(outcome.status, 2, "{length}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(&name), "{}", outcome.stderr);
    }
}

#[test]
fn an_unknown_sync_is_not_found_and_the_way_to_the_known_ones_is_shown() {
    let outcome = words(&[
        "resources",
        "--sync-id",
        "nope",
        "-f",
        &fixture("v1-small.c1z"),
    ]);
    assert_eq!(outcome.status, 5);
    assert!(outcome.stderr.contains("no sync `nope`"));
    assert!(outcome.stderr.contains("baton syncs"));
}

#[test]
fn an_unknown_output_format_is_said_to_mean_console() {
    let outcome = words(&[
        "resource-types",
        "-o",
        "yaml",
        "-f",
        &fixture("v1-small.c1z"),
    ]);
    assert_eq!(outcome.status, 0);
    assert!(outcome.stderr.contains("unknown output format `yaml`"));
}

#[test]
fn a_missing_object_is_named_once_and_stood_in_for() {
    let outcome = words(&["grants", "-f", &fixture("v1-missing-entitlement.c1z")]);
    assert_eq!(outcome.status, 0);
    let line = "warning: entitlement `group:g1:member` is not in the file";
    assert_eq!(
        outcome.stderr.matches(line).count(),
        1,
        "{}",
        outcome.stderr
    );
}

#[test]
fn access_lists_a_missing_entitlement_under_a_stand_in() {
    let file = fixture("v1-missing-entitlement.c1z");
    let outcome = words(&["access", "-t", "user", "-r", "u1", "-f", &file]);
    assert_eq!(outcome.status, 0);
    assert!(
        outcome
            .stdout
            .contains("MISSING ENTITLEMENT (group:g1:member)")
    );
}

#[test]
fn help_and_version_need_no_file() {
    let help = words(&["--help"]);
    assert_eq!(help.status, 0);
    assert!(help.stdout.contains("principals"));
    assert_eq!(words(&[]).status, 0);
    assert!(words(&["--version"]).stdout.starts_with("baton version "));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(words(&["completion", shell]).stdout.len() > 500, "{shell}");
    }
}
