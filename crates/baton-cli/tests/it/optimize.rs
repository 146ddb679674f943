//! `optimize`: what it prints besides the recorded cases.

use std::fs;

use crate::program::{fixture, words};

#[test]
fn a_missing_or_empty_file_is_reported_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.c1z").display().to_string();
    let empty = folder.path().join("empty.c1z").display().to_string();
    fs::write(&empty, "").unwrap();
    for path in [missing, empty] {
        let outcome = words(&["optimize", "-f", &path]);
        assert_eq!(outcome.status, 0);
        assert_eq!(
            outcome.stdout,
            "Optimize is not applicable for pebble-backed C1Z; no changes made."
        );
        let expected = format!("warning: {path} does not exist or is empty\n");
        assert_eq!(outcome.stderr, expected);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_not_a_sync_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.c1z");
    fs::write(&path, "this is no c1z").unwrap();
    let outcome = words(&["optimize", "-f", &path.display().to_string()]);
    assert_eq!((outcome.status, &*outcome.stdout), (2, ""));
    assert!(outcome.stderr.starts_with("error: "), "{}", outcome.stderr);
    assert_eq!(fs::read(&path).unwrap(), b"this is no c1z");
}

#[test]
fn a_file_is_the_same_to_every_reader_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.c1z");
    fs::copy(fixture("v1-multi-sync.c1z"), &path).unwrap();
    let path = path.display().to_string();
    let shown = |list: &str| words(&[list, "-o", "json", "-f", &path]).stdout;
    let lists = ["syncs", "stats", "resources", "grants", "entitlements"];
    let before = lists.map(shown);
    assert_eq!(words(&["optimize", "-f", &path]).status, 0);
    assert_eq!(lists.map(shown), before);
}
