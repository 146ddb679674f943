//! One object whole, and the overview of a file.

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::program::{fixture, on_terminal, words};

const FILES: [&str; 2] = ["v1-small.c1z", "v3-small.c1z"];

#[test]
fn a_principal_is_shown_with_what_it_is_and_what_it_has() {
    for file in FILES.map(fixture) {
        let expected = "User 1 (user:u1)\n  status: enabled\n  email: user1@example.com\n";
        for name in ["u1", "user:u1", "User 1", "user1@example.com"] {
            let outcome = words(&["show", name, "-f", &file]);
            assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{name}");
            assert!(outcome.stdout.starts_with(expected), "{}", outcome.stdout);
            for line in [
                "  profile.login: user1\n",
                "\nwho has it: 0 grants\n",
                "\nwhat it has: 3 grants\n",
                "  Group 1 member (group:g1)\n",
                "  Custom (org:acme)\n",
            ] {
                assert!(outcome.stdout.contains(line), "{line}{}", outcome.stdout);
            }
        }
    }
}

#[test]
fn a_group_and_an_entitlement_are_shown_with_their_holders() {
    for file in FILES.map(fixture) {
        let holders = "  Group 1 member: User 1, User 3, User 5 (group:g1:member)\n";
        let group = words(&["show", "g1", "-f", &file]).stdout;
        assert!(group.starts_with("Group 1 (group:g1)\n"), "{group}");
        assert!(
            group.contains(&format!("\nwho has it: 3 grants\n{holders}")),
            "{group}"
        );
        assert!(group.contains("\nwhat it has: 1 grant\n"), "{group}");
        for name in ["group:g1:member", "Group 1 member"] {
            let entitlement = words(&["show", name, "-f", &file]).stdout;
            assert!(
                entitlement.starts_with("Group 1 member (group:g1:member)\n  slug: member\n"),
                "{entitlement}"
            );
            assert!(entitlement.ends_with(&format!("\nwho has it: 3 grants\n{holders}")));
        }
    }
}

#[test]
fn an_object_is_whole_in_json_and_fits_every_terminal() {
    for file in FILES.map(fixture) {
        let json: Value =
            serde_json::from_str(&words(&["show", "g1", "-o", "json", "-f", &file]).stdout)
                .unwrap();
        assert_eq!(json["resource"]["displayName"], "Group 1");
        assert_eq!(json["resourceType"]["id"], "group");
        assert_eq!(json["holders"].as_array().unwrap().len(), 3);
        assert_eq!(json["access"].as_array().unwrap().len(), 1);
        for columns in [40, 80, 100] {
            for line in on_terminal(columns, &["show", "g1", "-f", &file])
                .stdout
                .lines()
            {
                assert!(line.width() <= columns, "{line}");
            }
        }
    }
}

#[test]
fn a_table_has_the_fields_the_holders_and_the_access_of_an_object() {
    for file in FILES.map(fixture) {
        let show = |name: &str, format: &str| {
            let outcome = words(&["show", name, "-o", format, "-f", &file]);
            assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{name}");
            outcome.stdout
        };
        assert_eq!(
            show("g1", "csv"),
            "Part,Name,Value,Entitlement ID\n\
             field,id,g1,\n\
             field,type,group,\n\
             field,display_name,Group 1,\n\
             field,description,desc,\n\
             field,parent_id,acme,\n\
             field,status,unspecified,\n\
             field,traits,group,\n\
             holder,User 1,user:u1,group:g1:member\n\
             holder,User 3,user:u3,group:g1:member\n\
             holder,User 5,user:u5,group:g1:member\n\
             access,Group 3,group:g3,group:g3:member\n"
        );
        let entitlement = show("Group 1 member", "markdown");
        let lines: Vec<&str> = entitlement.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "| Part | Name | Value | Entitlement ID |",
                "| --- | --- | --- | --- |",
                "| field | id | `group:g1:member` |  |",
            ]
        );
        assert!(entitlement.contains("| field | resource.id | `g1` |  |\n"));
        assert!(
            entitlement.ends_with("| holder | User 5 | `user:u5` | `group:g1:member` |\n"),
            "{entitlement}"
        );
    }
}

/// Each format that has the object itself has the same one.
#[test]
fn an_object_is_the_same_in_json_ndjson_and_yaml() {
    for file in FILES.map(fixture) {
        for name in ["u1", "group:g1:member"] {
            let show = |format: &str| words(&["show", name, "-o", format, "-f", &file]).stdout;
            let json: Value = serde_json::from_str(&show("json")).unwrap();
            let ndjson = show("ndjson");
            assert_eq!(ndjson.lines().count(), 1);
            assert_eq!(serde_json::from_str::<Value>(&ndjson).unwrap(), json);
            let yaml: Value = serde_saphyr::from_str(&show("yaml")).unwrap();
            assert_eq!(yaml, json);
        }
    }
}

#[test]
fn what_cannot_be_shown_is_an_error() {
    let file = fixture("v1-small.c1z");
    for (args, status, text) in [
        (&["show"][..], 2, "error: no object is named\n"),
        (&["show", ""], 2, "error: no object is named\n"),
        (&["show", "Usr 1"], 5, "near matches: `user:u1` (`User 1`)"),
        (
            &["show", "g1", "-o", "cvs"],
            2,
            "error: unknown output format `cvs`",
        ),
    ] {
        let outcome = words(&[args, &["-f", &file]].concat());
        assert_eq!((outcome.status, &*outcome.stdout), (status, ""), "{args:?}");
        assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
    }
}

#[test]
fn without_a_command_a_terminal_shows_an_overview_of_the_file_if_there_is_one() {
    let file = fixture("v1-multi-sync.c1z");
    let help = words(&["--help"]).stdout;
    assert_eq!(words(&["-f", &file]).stdout, help);
    assert_eq!(
        on_terminal(80, &["-f", "no-such-file.c1z"]).stdout,
        on_terminal(80, &[]).stdout
    );
    let shown = on_terminal(100, &["-f", &file]);
    assert_eq!((shown.status, &*shown.stderr), (0, ""));
    for text in [
        "format v1, ",
        "newest sync ",
        "complete ",
        "holds ",
        "Ask next:\n",
    ] {
        assert!(shown.stdout.contains(text), "{text}: {}", shown.stdout);
    }
    let small = on_terminal(100, &["-f", &fixture("v3-small.c1z")]).stdout;
    assert!(
        small.contains("complete      yes: a full sync\n"),
        "{small}"
    );
    assert!(
        small.contains("9 resources, 4 entitlements, 8 grants\n"),
        "{small}"
    );
}
