//! A run that is interrupted goes on where it stopped.

use std::fs;

use baton_testkit::{ExitStatus, Phase, Stage};

use crate::stage::{TABLES, root};

const ARGS: [&str; 4] = ["--folder", "tables", "-f", "access.c1z"];

/// The program in this process, with a copy of the sample tables.
fn stage() -> Stage {
    let stage = Stage::new(baton_csv::app);
    let tables = stage.folder().join("tables");
    fs::create_dir(&tables).unwrap();
    for table in TABLES {
        fs::copy(root().join("sample").join(table), tables.join(table)).unwrap();
    }
    stage
}

/// A stage whose first run was stopped in the middle of the grants.
fn interrupted() -> Stage {
    let mut stage = stage();
    let outcome = stage.interrupt_after(Phase::Grants, 1).run(&ARGS);
    assert_eq!(outcome.status, ExitStatus::Terminated, "{}", outcome.stderr);
    assert!(!stage.folder().join("access.c1z").exists());
    stage
}

#[test]
fn an_interrupted_run_is_resumed_and_ends_as_if_undisturbed() {
    let (mut stage, mut calm) = (interrupted(), stage());
    let (resumed, undisturbed) = (stage.run(&ARGS), calm.run(&ARGS));
    assert_eq!(resumed.status, ExitStatus::Success, "{}", resumed.stderr);
    assert!(resumed.report.as_ref().unwrap().resumed);
    let grants = undisturbed.file().grants();
    assert_eq!(resumed.file().grants(), grants);
    assert!(grants.contains(&"role:viewer:assigned:user:dan".to_owned()));
}

#[test]
fn work_on_other_tables_is_not_resumed() {
    let mut stage = interrupted();
    let path = stage.folder().join("tables/users.csv");
    let users = fs::read_to_string(&path).unwrap();
    fs::write(&path, users.replace("Ada Byron", "Ada King")).unwrap();
    let outcome = stage.run(&ARGS);
    assert_eq!(outcome.status, ExitStatus::Success, "{}", outcome.stderr);
    assert!(!outcome.report.unwrap().resumed);
}
