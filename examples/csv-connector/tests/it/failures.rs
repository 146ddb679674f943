//! Folders that cannot be synced: what is said, and with which code the run
//! ends. No file appears in any of them.

use std::fs;

use crate::harness::{Harness, TABLES};

#[track_caller]
fn assert_refused(harness: &Harness, code: i32, error: &str) {
    let outcome = harness.sync(&[]);
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    let said = outcome.said();
    assert!(said.contains(error), "`{error}` is not in:\n{said}");
    assert!(!harness.dir.path().join("access.c1z").exists());
}

#[test]
fn each_missing_table_is_named() {
    for table in TABLES {
        let harness = Harness::new();
        fs::remove_file(harness.table(table)).unwrap();
        assert_refused(
            &harness,
            5,
            &format!("tables/{table}`\ncaused by: No such file"),
        );
    }
}

#[test]
fn a_row_with_too_few_fields_is_refused_with_its_line() {
    let harness = Harness::new();
    harness.add("users.csv", "eve,Eve");
    assert_refused(
        &harness,
        3,
        "error: cannot use `users.csv`\ncaused by: CSV error: record 5 (line: 6",
    );
}

#[test]
fn a_missing_column_is_refused_by_name() {
    let harness = Harness::new();
    fs::write(
        harness.table("groups.csv"),
        "id,name\nengineering,Engineering\n",
    )
    .unwrap();
    assert_refused(&harness, 3, "missing field `description`");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    let harness = Harness::new();
    harness.add("users.csv", "eve,Eve Stone,eve@acme.test,perhaps");
    assert_refused(&harness, 3, "line: 6");
    let harness = Harness::new();
    harness.add("members.csv", "engineering,robot,r2");
    assert_refused(&harness, 3, "unknown variant `robot`");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let harness = Harness::new();
    let mut bytes = fs::read(harness.table("roles.csv")).unwrap();
    bytes.extend_from_slice(b"x,\xff\xfe,y\n");
    fs::write(harness.table("roles.csv"), bytes).unwrap();
    assert_refused(&harness, 3, "cannot use `roles.csv`");
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
        let harness = Harness::new();
        harness.add(table, row);
        assert_refused(&harness, 3, error);
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
        let harness = Harness::new();
        harness.add(table, row);
        assert_refused(&harness, 3, error);
    }
}

#[test]
fn a_failed_run_leaves_the_file_of_the_run_before() {
    let harness = Harness::new();
    assert_eq!(harness.sync(&[]).code, Some(0));
    let before = fs::read(harness.dir.path().join("access.c1z")).unwrap();
    harness.add("users.csv", "ada,Ada Again,ada2@acme.test,true");
    assert_eq!(harness.sync(&[]).code, Some(3));
    assert_eq!(
        fs::read(harness.dir.path().join("access.c1z")).unwrap(),
        before
    );
}

#[test]
fn flags_that_steer_requests_are_not_offered_where_there_are_none() {
    let harness = Harness::new();
    let help = harness.sync(&["--help"]);
    assert_eq!(help.code, Some(0));
    for flag in ["--rate-share", "--max-requests-per-second"] {
        assert!(!help.stdout.contains(flag), "{}", help.stdout);
        let refused = harness.sync(&[flag, "1"]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains(flag), "{}", refused.stderr);
    }
    // The Go programs take this one everywhere.
    assert!(
        !help.stdout.contains("--http-timeout-seconds"),
        "{}",
        help.stdout
    );
    assert_eq!(harness.sync(&["--http-timeout-seconds", "9"]).code, Some(0));
}
