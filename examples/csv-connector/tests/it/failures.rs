//! Folders that cannot be synced: what is said, and with which code the run
//! ends. No file appears in any of them.

use std::fs;

use crate::stage::{Stage, TABLES};

#[track_caller]
fn assert_refused(stage: &Stage, code: i32, error: &str) {
    let outcome = stage.sync(&[]);
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    let said = outcome.said();
    assert!(said.contains(error), "`{error}` is not in:\n{said}");
    assert!(!stage.dir.path().join("access.c1z").exists());
}

#[test]
fn each_missing_table_is_named() {
    for table in TABLES {
        let stage = Stage::new();
        fs::remove_file(stage.table(table)).unwrap();
        assert_refused(
            &stage,
            5,
            &format!("tables/{table}`\ncaused by: No such file"),
        );
    }
}

#[test]
fn a_row_with_too_few_fields_is_refused_with_its_line() {
    let stage = Stage::new();
    stage.add("users.csv", "eve,Eve");
    assert_refused(
        &stage,
        3,
        "error: cannot use `users.csv`\ncaused by: CSV error: record 5 (line: 6",
    );
}

#[test]
fn a_missing_column_is_refused_by_name() {
    let stage = Stage::new();
    fs::write(
        stage.table("groups.csv"),
        "id,name\nengineering,Engineering\n",
    )
    .unwrap();
    assert_refused(&stage, 3, "missing field `description`");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    let stage = Stage::new();
    stage.add("users.csv", "eve,Eve Stone,eve@acme.test,perhaps");
    assert_refused(&stage, 3, "line: 6");
    let stage = Stage::new();
    stage.add("members.csv", "engineering,robot,r2");
    assert_refused(&stage, 3, "unknown variant `robot`");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let stage = Stage::new();
    let mut bytes = fs::read(stage.table("roles.csv")).unwrap();
    bytes.extend_from_slice(b"x,\xff\xfe,y\n");
    fs::write(stage.table("roles.csv"), bytes).unwrap();
    assert_refused(&stage, 3, "cannot use `roles.csv`");
}

#[test]
fn references_that_lead_nowhere_are_refused_with_their_line() {
    let cases = [
        (
            "members.csv",
            "engineering,user,eve",
            "`members.csv`, line 6: there is no user `eve`",
        ),
        (
            "members.csv",
            "sales,user,ada",
            "`members.csv`, line 6: there is no group `sales`",
        ),
        (
            "assignments.csv",
            "owner,user,ada",
            "`assignments.csv`, line 7: there is no role `owner`",
        ),
        (
            "assignments.csv",
            "admin,group,sales",
            "`assignments.csv`, line 7: there is no group `sales`",
        ),
        (
            "members.csv",
            "engineering,role,admin",
            "role `admin` cannot be a member of a group",
        ),
    ];
    for (table, row, error) in cases {
        let stage = Stage::new();
        stage.add(table, row);
        assert_refused(&stage, 3, error);
    }
}

#[test]
fn ids_that_are_empty_or_there_twice_are_refused_with_their_line() {
    let cases = [
        (
            "users.csv",
            "ada,Ada Again,ada2@acme.test,true",
            "`users.csv`, line 6: id `ada` is there twice",
        ),
        (
            "groups.csv",
            "platform,Platform,Again",
            "`groups.csv`, line 4: id `platform` is there twice",
        ),
        (
            "roles.csv",
            ",Nameless,None",
            "`roles.csv`, line 5: the id is empty",
        ),
    ];
    for (table, row, error) in cases {
        let stage = Stage::new();
        stage.add(table, row);
        assert_refused(&stage, 3, error);
    }
}

#[test]
fn a_failed_run_leaves_the_file_of_the_run_before() {
    let stage = Stage::new();
    assert_eq!(stage.sync(&[]).code, Some(0));
    let before = fs::read(stage.dir.path().join("access.c1z")).unwrap();
    stage.add("users.csv", "ada,Ada Again,ada2@acme.test,true");
    assert_eq!(stage.sync(&[]).code, Some(3));
    assert_eq!(
        fs::read(stage.dir.path().join("access.c1z")).unwrap(),
        before
    );
}

#[test]
fn flags_that_steer_requests_are_not_offered_where_there_are_none() {
    let stage = Stage::new();
    let help = stage.sync(&["--help"]);
    assert_eq!(help.code, Some(0));
    for flag in ["--rate-share", "--max-requests-per-second"] {
        assert!(!help.stdout.contains(flag), "{}", help.stdout);
        let refused = stage.sync(&[flag, "1"]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains(flag), "{}", refused.stderr);
    }
    // The Go programs take this one everywhere.
    assert!(
        !help.stdout.contains("--http-timeout-seconds"),
        "{}",
        help.stdout
    );
    assert_eq!(stage.sync(&["--http-timeout-seconds", "9"]).code, Some(0));
}
