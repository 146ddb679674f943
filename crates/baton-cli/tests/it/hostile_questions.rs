//! A hostile file through everything that shows parts of it: one object, what
//! changed, columns, conditions, near matches, completions, the overview.

use crate::hostile::{HOSTILE, assert_safe, golden, spoiled_file};
use crate::program::{fixture, on_terminal, words};

#[test]
fn no_way_of_showing_a_hostile_file_obeys_it() {
    let folder = tempfile::tempdir().unwrap();
    let clean = golden("v1-small.c1z");
    let hostile = spoiled_file(&clean, folder.path());
    let bad = |text: &str| format!("{text}{HOSTILE}");
    let (user, group, member) = (bad("u1"), bad("g1"), bad("group:g1:member"));
    let group_type = bad("group");
    let mut showed = 0;
    for command in [
        vec!["show", &*user],
        vec!["show", &*user, "-o", "csv"],
        vec!["show", &*user, "-o", "markdown"],
        vec!["show", &*group],
        vec!["show", &*member, "-o", "csv"],
        vec!["show", "nobody"],
        vec!["show", HOSTILE],
        vec!["grants", "-o", "csv"],
        vec!["grants", "-o", "markdown"],
        vec![
            "grants",
            "--columns",
            "grant.id,principal.display_name,resource.id,entitlement.slug",
            "--sort",
            "-principal.display_name",
        ],
        vec!["grants", "--principal", &*user, "--explain"],
        vec!["grants", "-e", "group:g1:membr"],
        vec!["resources", "-t", &*group_type, "-r", "g"],
        vec!["resources", "-e", &*member],
        vec!["resources", "--search", HOSTILE],
        vec!["resources", "--where", HOSTILE],
        vec!["resources", "--columns", HOSTILE],
        vec!["resources", "--sort", HOSTILE],
        vec!["principals", "-o", "csv"],
        vec!["syncs", "-o", "markdown"],
        vec!["stats", "-o", "csv"],
        vec!["diff", "CLEAN", "FILE", "-o", "summary"],
        vec!["diff", "FILE", "CLEAN", "-o", "markdown"],
        vec![
            "diff",
            "FILE",
            "CLEAN",
            "-t",
            &*group_type,
            "-r",
            "g",
            "-o",
            "summary",
        ],
        vec!["diff", "FILE", "CLEAN", "--ignore", HOSTILE],
        vec!["diff", "FILE", "CLEAN", "--only", HOSTILE],
        vec!["diff", "FILE", "CLEAN", "-o", HOSTILE],
    ] {
        let has_file = command[0] == "diff";
        let mut args: Vec<&str> = command
            .iter()
            .map(|word| match *word {
                "FILE" => &*hostile,
                "CLEAN" => &*clean,
                word => word,
            })
            .collect();
        if !has_file {
            args.extend(["-f", &hostile]);
        }
        for outcome in [words(&args), on_terminal(80, &args)] {
            assert_safe(&format!("{command:?}"), &outcome);
            showed += usize::from(outcome.stdout.contains('\u{fffd}'));
        }
    }
    assert!(showed > 20, "only {showed} outputs held anything hostile");
    let overview = on_terminal(80, &["-f", &hostile]);
    assert_eq!(overview.status, 0, "{}", overview.stderr);
    assert_safe("overview", &overview);
}

/// A shell would insert it into the line.
#[test]
fn what_could_be_a_line_of_its_own_is_not_offered() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = spoiled_file(&fixture("v1-small.c1z"), folder.path());
    for flag in ["-t", "-r", "-e", "--principal", "--sync-id"] {
        let outcome = words(&["complete-value", "--", "grants", "-f", &hostile, flag, ""]);
        assert_eq!((outcome.status, &*outcome.stdout), (0, ""), "{flag}");
    }
}
