//! A run that is interrupted goes on where it stopped.

use std::fs;

use baton_testkit::{ExitStatus, Harness, Phase};

use crate::harness::{TABLES, root};

const ARGS: [&str; 4] = ["--folder", "tables", "-f", "access.c1z"];

/// The program in this process, with a copy of the sample tables.
fn harness() -> Harness {
    let harness = Harness::new(baton_csv::app);
    let tables = harness.folder().join("tables");
    fs::create_dir(&tables).unwrap();
    for table in TABLES {
        fs::copy(root().join("sample").join(table), tables.join(table)).unwrap();
    }
    harness
}

/// A harness whose first run was stopped in the middle of the grants.
fn interrupted() -> Harness {
    let mut harness = harness();
    let outcome = harness.interrupt_after(Phase::Grants, 1).run(&ARGS);
    assert_eq!(outcome.status, ExitStatus::Terminated, "{}", outcome.stderr);
    assert!(!harness.folder().join("access.c1z").exists());
    harness
}

#[test]
fn an_interrupted_run_is_resumed_and_ends_as_if_undisturbed() {
    let (mut harness, mut calm) = (interrupted(), harness());
    let (resumed, undisturbed) = (harness.run(&ARGS), calm.run(&ARGS));
    assert_eq!(resumed.status, ExitStatus::Success, "{}", resumed.stderr);
    assert!(resumed.report.as_ref().unwrap().resumed);
    let grants = undisturbed.file().grants();
    assert_eq!(resumed.file().grants(), grants);
    assert!(grants.contains(&"role:viewer:assigned:user:dan".to_owned()));
}

#[test]
fn work_on_other_tables_is_not_resumed() {
    let mut harness = interrupted();
    let path = harness.folder().join("tables/users.csv");
    let users = fs::read_to_string(&path).unwrap();
    fs::write(&path, users.replace("Ada Byron", "Ada King")).unwrap();
    let outcome = harness.run(&ARGS);
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stderr);
    assert!(!outcome.report.unwrap().resumed);
}
