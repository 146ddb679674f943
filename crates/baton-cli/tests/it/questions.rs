//! Conditions, search, order and columns of lists.

use serde_json::Value;

use crate::program::{Outcome, fixture, words};

const FILES: [&str; 2] = ["v1-small.c1z", "v3-small.c1z"];

fn said(args: &[&str]) -> Outcome {
    let outcome = words(args);
    assert_eq!(outcome.status, 0, "{args:?}: {}", outcome.stderr);
    outcome
}

fn rows(args: &[&str], key: &str) -> Vec<Value> {
    let outcome = said(&[args, &["-o", "json"]].concat());
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    json[key].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_condition_selects_records_of_every_list() {
    for file in FILES.map(fixture) {
        for (list, condition, key, expected) in [
            (
                "resource-types",
                "resource_type.id == 'user'",
                "resourceTypes",
                1,
            ),
            (
                "resources",
                "resource.type == 'user' && resource.profile.n > 3",
                "resources",
                2,
            ),
            (
                "entitlements",
                "entitlement.slug == 'member'",
                "entitlements",
                3,
            ),
            ("grants", "principal.id == 'u1'", "grants", 3),
            (
                "grants",
                "resource.id == 'g1' && principal.type == 'user'",
                "grants",
                3,
            ),
            ("principals", "principal.type == 'group'", "resources", 1),
            (
                "principals",
                "resource.email.startsWith('user1')",
                "resources",
                1,
            ),
        ] {
            let listed = rows(&[list, "--where", condition, "-f", &file], key);
            assert_eq!(listed.len(), expected, "{list} {condition}: {listed:?}");
        }
    }
}

#[test]
fn records_without_a_value_are_counted_once_on_standard_error() {
    for file in FILES.map(fixture) {
        for format in ["console", "json", "csv"] {
            for order in [&[][..], &["--sort", "resource.id"]] {
                let list = [
                    "resources",
                    "--where",
                    "resource.profile.n > 3",
                    "-o",
                    format,
                ];
                let outcome = said(&[&list, order, &["-f", &file]].concat());
                let mut lines = outcome.stderr.lines();
                assert_eq!(
                    lines.next(),
                    Some("warning: the condition has no value for 4 rows, not shown")
                );
                let why = lines.next().unwrap_or_default();
                assert!(why.starts_with("caused by: line 1, column "), "{why}");
            }
        }
        let checked = "has(resource.profile.n) && resource.profile.n > 3";
        let outcome = said(&["resources", "--where", checked, "-f", &file]);
        assert_eq!(outcome.stderr, "");
    }
}

#[test]
fn a_text_is_found_in_ids_names_and_addresses_whatever_the_letter_case() {
    for file in FILES.map(fixture) {
        for (list, text, key, expected) in [
            ("resources", "GROUP", "resources", 3),
            ("resources", "user1@EXAMPLE", "resources", 1),
            ("grants", "user 1", "grants", 3),
            ("principals", "u3", "resources", 1),
            ("entitlements", "Custom", "entitlements", 1),
            ("resource-types", "org", "resourceTypes", 1),
            ("grants", "nothing like it", "grants", 0),
        ] {
            let listed = rows(&[list, "--search", text, "-f", &file], key);
            assert_eq!(listed.len(), expected, "{list} {text}");
        }
    }
}

#[test]
fn rows_are_sorted_by_fields_in_both_directions_and_ties_stay_as_stored() {
    for file in FILES.map(fixture) {
        let grants = |more: &[&str]| -> Vec<(String, String)> {
            let listed = rows(&[&["grants", "-f", &file], more].concat(), "grants");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let pair = |row: &Value| {
                (
                    text(&row["principal"]["displayName"]),
                    text(&row["grant"]["id"]),
                )
            };
            listed.iter().map(pair).collect()
        };
        let stored = grants(&[]);
        let mut expected = stored.clone();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(grants(&["--sort", "principal.display_name"]), expected);
        expected = stored.clone();
        expected.sort_by(|a, b| b.0.cmp(&a.0));
        assert_eq!(grants(&["--sort", "-principal.display_name"]), expected);
        expected.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let both = ["--sort", "-principal.display_name,grant.id"];
        assert_eq!(grants(&both), expected);
        expected.truncate(3);
        assert_eq!(grants(&[&both[..], &["--limit", "3"]].concat()), expected);
    }
}

#[test]
fn columns_are_chosen_fields_in_every_format() {
    let file = fixture("v1-small.c1z");
    let list = [
        "resources",
        "-t",
        "user",
        "--columns",
        "resource.id,resource.email,resource.profile.n,resource.traits",
        "--limit",
        "1",
        "-f",
        &file,
        "-o",
    ];
    for (format, expected) in [
        (
            "csv",
            "resource.id,resource.email,resource.profile.n,resource.traits\n\
             u1,user1@example.com,1,user\n",
        ),
        (
            "ndjson",
            "{\"resource.id\":\"u1\",\"resource.email\":\"user1@example.com\",\
             \"resource.profile.n\":1,\"resource.traits\":[\"user\"]}\n",
        ),
        (
            "console",
            "resource.id | resource.email    | resource.profile.n | resource.traits\n\
             u1          | user1@example.com | 1                  | user           \n\n",
        ),
    ] {
        let outcome = said(&[&list[..], &[format]].concat());
        assert_eq!(outcome.stdout, expected);
    }
}

#[test]
fn the_time_at_which_a_grant_was_written_is_a_field() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let file = fixture(name);
        let times = |more: &[&str]| {
            let list = [
                "grants",
                "-f",
                &file,
                "--columns",
                "grant.id,grant.discovered_at",
            ];
            let outcome = said(&[&list[..], &["-o", "csv"], more].concat());
            let lines = outcome.stdout.lines().skip(1).map(str::to_owned);
            lines.collect::<Vec<_>>()
        };
        let all = times(&[]);
        let is_time = |line: &String| line.rsplit(',').next().unwrap().contains('T');
        assert!(
            !all.is_empty() && all.iter().all(is_time),
            "{name}: {all:?}"
        );
        // Sorted rows keep it, and conditions can ask for it.
        let mut sorted = times(&["--sort", "-grant.discovered_at,grant.id"]);
        let mut expected = all.clone();
        let time = |line: &String| line.rsplit(',').next().unwrap().to_owned();
        let descending: Vec<_> = sorted.iter().map(time).collect();
        assert!(
            descending.is_sorted_by(|a, b| a >= b),
            "{name}: {descending:?}"
        );
        sorted.sort();
        expected.sort();
        assert_eq!(sorted, expected, "{name}");
        let where_ = |text: &str| times(&["--where", text]).len();
        let early = "grant.discovered_at < timestamp('2000-01-01T00:00:00Z')";
        assert_eq!(where_(early), 0, "{name}");
        assert_eq!(where_(&format!("!({early})")), all.len(), "{name}");
        assert_eq!(where_("grant.discovered_at == null"), 0, "{name}");
    }
}

#[test]
fn wrong_questions_are_errors_before_the_file_is_read() {
    for (args, expected) in [
        (
            &["--where", "principal.emial == ''"][..],
            "error: --where: line 1, column 1: `principal.emial` is not the name of a field; \
             near matches: `principal.email`",
        ),
        (
            &["--columns", "principal.nam"],
            "error: --columns: `principal.nam` is not the name of a field",
        ),
        (
            &["--sort", "-grant.idd"],
            "error: --sort: `grant.idd` is not the name of a field; near matches: `grant.id`",
        ),
        (
            &["--search", ""],
            "error: --search: the text to search for is empty",
        ),
        (&["--columns", ""], "error: --columns "),
        (&["--where", "1 +"], "error: --where: line 1, column "),
        (&["--where", "'text'"], "error: --where: line 1, column 1: "),
    ] {
        let outcome = words(&[&["grants", "-f", "missing.c1z"], args].concat());
        assert_eq!((outcome.status, &*outcome.stdout), (2, ""), "{args:?}");
        let first = outcome.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with(expected), "{args:?}: {first}");
    }
    let long = format!("grant.id == '{}'", "x".repeat(1 << 20));
    let outcome = words(&["grants", "-f", "missing.c1z", "--where", &long]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.len() < 1_000, "{}", outcome.stderr.len());
    let outcome = words(&["grants", "-f", "missing.c1z", "--columns", "nope"]);
    assert!(
        outcome
            .stderr
            .contains("hint: fields of grants: resource.id, "),
        "{}",
        outcome.stderr
    );
}

#[test]
fn explain_names_the_order_and_the_condition() {
    let file = fixture("v3-small.c1z");
    let list = [
        "grants",
        "--explain",
        "--where",
        "true",
        "--sort",
        "grant.id",
    ];
    let outcome = said(&[&list[..], &["-f", &file]].concat());
    for note in [
        "note: condition: evaluated for every row read\n",
        "note: order: sorted by grant.id\n",
        "note: 8 rows read in 1 pass, 8 shown\n",
    ] {
        assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    }
}
