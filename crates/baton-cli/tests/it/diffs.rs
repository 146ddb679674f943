//! `diff`: its outputs, its choice of syncs, and its refusals.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::goldens::unordered;
use crate::program::{fixture, on_terminal, packed, unpacked, words};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// `v1-small.c1z` after some changes of its database.
fn changed(folder: &std::path::Path, sql: &str) -> String {
    let database = unpacked(&fixture("v1-small.c1z"), folder);
    let conn = rusqlite::Connection::open(&database).unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().unwrap();
    packed(&database, &folder.join("changed.c1z"))
}

/// Two grants are gone, a group has another name, with a hostile character.
fn smaller(folder: &std::path::Path) -> String {
    changed(
        folder,
        "delete from v1_grants where id in (select id from v1_grants order by id limit 2);
         update v1_resources set data = data || x'1a054f08641b5b'
             where external_id = 'group:g1'",
    )
}

#[test]
fn two_files_are_compared_from_the_first_to_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (fixture("v1-small.c1z"), smaller(folder.path()));
    let forward = words(&["diff", &old, &new]);
    assert_eq!((forward.status, &*forward.stderr), (0, ""));
    let forward = json(&forward.stdout);
    assert_eq!(forward["grants"]["deleted"].as_array().unwrap().len(), 2);
    assert_eq!(
        forward["resources"]["modified"].as_array().unwrap().len(),
        1
    );
    let backward = json(&words(&["diff", &new, &old]).stdout);
    assert_eq!(
        unordered(backward["grants"]["created"].clone()),
        unordered(forward["grants"]["deleted"].clone())
    );
}

#[test]
fn a_file_has_no_changes_against_itself_or_its_copy_in_the_other_format() {
    let (v1, v3) = (fixture("v1-small.c1z"), fixture("v3-small.c1z"));
    let empty = "{\"resources\":{},\"entitlements\":{},\"grants\":{}}";
    for file in [&v1, &v3] {
        let outcome = words(&["diff", file, file, "--exit-code"]);
        assert_eq!((outcome.status, &*outcome.stdout), (0, empty));
    }
    let folder = tempfile::tempdir().unwrap();
    let converted = folder.path().join("v3.c1z").display().to_string();
    let made = words(&["to-pebble", "-f", &v1, "--out", &converted]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    let outcome = words(&["diff", &v1, &converted, "--exit-code"]);
    assert_eq!((outcome.status, &*outcome.stdout), (0, empty));
    assert_eq!(
        outcome.stderr,
        "note: the files have different formats: only what both formats can hold is compared\n"
    );
}

#[test]
fn ndjson_has_one_change_a_line_with_its_fields() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (fixture("v1-small.c1z"), smaller(folder.path()));
    let outcome = words(&["diff", &old, &new, "-o", "ndjson", "--exit-code"]);
    assert_eq!((outcome.status, &*outcome.stderr), (1, ""));
    let changes: Vec<Value> = outcome.stdout.lines().map(json).collect();
    let kinds: Vec<_> = changes.iter().map(|c| (&c["change"], &c["kind"])).collect();
    assert_eq!(
        format!("{kinds:?}"),
        "[(String(\"changed\"), String(\"resources\")), (String(\"removed\"), String(\"grants\")), \
         (String(\"removed\"), String(\"grants\"))]"
    );
    assert_eq!(changes[0]["fields"][0]["path"], "displayName");
    assert_eq!(changes[0]["fields"][0]["new"], "O\u{8}d\u{1b}[");
    assert!(changes[1]["object"]["entitlement"].is_object());
    let only = words(&["diff", &old, &new, "-o", "ndjson", "--only", "resources"]);
    assert_eq!(only.stdout.lines().count(), 1);
    let ignored = words(&[
        "diff",
        &old,
        &new,
        "-o",
        "ndjson",
        "--ignore",
        "displayName",
    ]);
    assert_eq!(ignored.stdout.lines().count(), 2);
    let on = [
        "diff", &old, &new, "-o", "ndjson", "-t", "group", "-r", "g1",
    ];
    let on = words(&on).stdout;
    assert!(on.lines().all(|line| line.contains("\"g1\"")), "{on}");
}

#[test]
fn a_resource_is_named_by_its_id_or_by_a_name_of_either_side() {
    let folder = tempfile::tempdir().unwrap();
    let old = fixture("v1-small.c1z");
    let new = changed(
        folder.path(),
        "update v1_resources set data = data || x'1a034e6577' where external_id = 'group:g1'",
    );
    let on = |type_id: &str, wanted: &str| {
        let outcome = words(&[
            "diff", &old, &new, "-o", "ndjson", "-t", type_id, "-r", wanted,
        ]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        (outcome.stdout.lines().count(), outcome.stderr)
    };
    for wanted in ["g1", "New", "Group 1"] {
        assert_eq!(on("group", wanted), (1, String::new()), "{wanted}");
    }
    assert_eq!(on("group", "Group 2"), (0, String::new()));
    // What is on neither side is reported, as in a list.
    for (type_id, wanted, near) in [("group", "Grup 2", "`g2`"), ("grup", "g1", "`group`")] {
        let (changes, said) = on(type_id, wanted);
        assert_eq!(changes, 0);
        assert!(
            said.starts_with("warning: ") && said.contains(near),
            "{said}"
        );
    }
}

#[test]
fn the_help_lists_every_format_of_a_diff() {
    let help = words(&["diff", "--help"]).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains("show the changes: summary, json, ndjson or markdown; console means json"),
        "{help}"
    );
    let file = fixture("v1-multi-sync.c1z");
    for format in ["summary", "json", "console", "ndjson", "markdown"] {
        for args in [
            ["diff", "-o", format, "-f", &file],
            // Before the command, too.
            ["-o", format, "diff", "-f", &file],
        ] {
            let outcome = words(&args);
            assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{args:?}");
        }
    }
}

#[test]
fn a_terminal_shows_a_summary_without_characters_that_it_would_obey() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (fixture("v1-small.c1z"), smaller(folder.path()));
    let outcome = on_terminal(120, &["diff", &old, &new]);
    assert_eq!(outcome.status, 0);
    let text = outcome.stdout;
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{8}'),
        "{text}"
    );
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("old: sync "), "{text}");
    assert!(lines[1].starts_with("new: sync "), "{text}");
    assert_eq!(lines[2], "1 resource (1 changed); 2 grants (2 removed)");
    assert!(
        text.contains("\n  ~ resource changed\n      displayName: "),
        "{text}"
    );
    assert!(text.contains("\n  - "), "{text}");
    let piped = words(&["diff", &old, &new, "-o", "summary"]);
    assert_eq!(piped.stdout, text);
    let none = words(&["diff", &old, &old, "-o", "summary"]).stdout;
    assert!(none.ends_with("\nno changes\n"), "{none}");
}

#[test]
fn markdown_is_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (fixture("v1-small.c1z"), smaller(folder.path()));
    let text = words(&["diff", &old, &new, "-o", "markdown"]).stdout;
    assert!(text.starts_with("| Change | Kind | ID |"), "{text}");
    assert_eq!(text.lines().count(), 2 + 3);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn syncs_are_chosen_by_their_ids_on_either_side() {
    let file = fixture("v1-multi-sync.c1z");
    let runs = json(&words(&["syncs", "-o", "json", "-f", &file]).stdout);
    let full: BTreeMap<String, String> = runs["syncs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["syncType"] == "full" && run["endedAt"].is_string())
        .map(|run| {
            let text = |key: &str| run[key].as_str().unwrap().to_owned();
            (text("endedAt"), text("id"))
        })
        .collect();
    let ids: Vec<&String> = full.values().rev().take(2).collect();
    let [new, old] = ids[..] else {
        panic!("{full:?}")
    };
    let usual = words(&["diff", "-f", &file]).stdout;
    for args in [
        vec!["diff", "-f", &file, "--sync-id", new],
        vec!["diff", "-f", &file, "--other-sync-id", old],
        vec!["diff", &file, &file, "--other-sync-id", old],
        vec![
            "diff",
            &file,
            &file,
            "--other-sync-id",
            old,
            "--sync-id",
            new,
        ],
    ] {
        assert_eq!(words(&args).stdout, usual, "{args:?}");
    }
    let turned = words(&[
        "diff",
        "-f",
        &file,
        "--sync-id",
        old,
        "--other-sync-id",
        new,
    ])
    .stdout;
    let (turned, usual) = (json(&turned), json(&usual));
    assert_eq!(
        unordered(turned["grants"]["deleted"].clone()),
        unordered(usual["grants"]["created"].clone())
    );
}

#[test]
fn what_cannot_be_compared_is_refused_with_a_hint() {
    let (v1, v3) = (fixture("v1-small.c1z"), fixture("v3-small.c1z"));
    let unfinished = fixture("v1-unfinished.c1z");
    for (args, status, expected) in [
        (vec!["diff", &*v1], 2, "error: one file is given: "),
        (
            vec!["diff", &*v1, &*unfinished],
            2,
            " has no finished full sync\nhint: choose a sync with --sync-id or --other-sync-id",
        ),
        (
            vec!["diff", &*v1, "none.c1z"],
            2,
            "error: none.c1z does not exist or is empty",
        ),
        (
            vec!["diff", &*v1, &*v3, "--other-sync-id", "nope"],
            5,
            "error: no sync `nope` in ",
        ),
        (
            vec!["diff", &*v1, &*v3, "-o", "cvs"],
            2,
            "error: unknown output format `cvs`\nhint: pass one of these with --output-format: summary, json, console, ndjson, markdown",
        ),
        (
            vec!["diff", &*v1, &*v3, "--only", "users"],
            2,
            "error: unknown kind of objects `users`",
        ),
        (
            vec!["diff", &*v1, &*v3, "--only", "resource-types"],
            2,
            "error: this output format has no resource types",
        ),
        (
            vec!["diff", &*v1, &*v3, "--ignore", "displyName"],
            3,
            "near matches: `displayName`",
        ),
        (
            vec!["diff", &*v1, &*v3, "-r", "g1"],
            2,
            "error: --resource-type and --resource are required",
        ),
    ] {
        let outcome = words(&args);
        assert_eq!(
            (outcome.status, &*outcome.stdout),
            (status, ""),
            "{args:?}: {}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.contains(expected),
            "{args:?}: {}",
            outcome.stderr
        );
    }
}
