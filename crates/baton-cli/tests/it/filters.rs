//! What lists are narrowed to: by ids and by names, alone and together, and
//! what is reported of values that name nothing.

use serde_json::Value;

use crate::program::{Outcome, fixture, words};

const FILES: [&str; 2] = ["v1-small.c1z", "v3-small.c1z"];

fn rows(args: &[&str], key: &str) -> Vec<Value> {
    let outcome = words(&[args, &["-o", "json"]].concat());
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{args:?}");
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    json[key].as_array().cloned().unwrap_or_default()
}

/// One value of each flag, in every way of writing it, and what it means.
const ON: [(&[&str], &str); 4] = [
    (&[], ""),
    (&["-t", "group", "-r", "g1"], "g1"),
    (&["-t", "group", "-r", "Group 1"], "g1"),
    (&["-t", "group", "-r", "nope"], "nope"),
];
const OF: [(&[&str], &str); 5] = [
    (&[], ""),
    (&["-e", "group:g1:member"], "group:g1:member"),
    (&["-e", "Group 1 member"], "group:g1:member"),
    (&["-e", "g1:member"], "group:g1:member"),
    (&["-e", "group:g3:member"], "group:g3:member"),
];
const TO: [(&[&str], &str); 6] = [
    (&[], ""),
    (&["--principal", "u1"], "u1"),
    (&["--principal", "user:u1"], "u1"),
    (&["--principal", "User 1"], "u1"),
    (&["--principal", "USER1@example.com"], "u1"),
    (&["--principal", "g1"], "g1"),
];

/// Every combination of the three flags.
fn each(mut test: impl FnMut(&[&str], &str, &str, &str)) {
    for (on, resource) in ON {
        for (of, entitlement) in OF {
            for (to, principal) in TO {
                test(&[on, of, to].concat(), resource, entitlement, principal);
            }
        }
    }
}

fn is(wanted: &str, value: &Value) -> bool {
    wanted.is_empty() || value == wanted
}

/// The listed rows; what is not in the file may be reported.
fn listed(list: &str, flags: &[&str], file: &str, key: &str) -> Vec<Value> {
    let outcome = words(&[&[list], flags, &["-o", "json", "-f", file]].concat());
    assert_eq!(outcome.status, 0, "{flags:?}: {}", outcome.stderr);
    let is_unknown = flags.contains(&"nope");
    assert_eq!(outcome.stderr.contains("`nope`"), is_unknown, "{flags:?}");
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    json[key].as_array().cloned().unwrap_or_default()
}

fn granted<'g>(
    grants: &'g [Value],
    (resource, entitlement, principal): (&str, &str, &str),
) -> Vec<&'g Value> {
    let wanted = |row: &&Value| {
        is(resource, &row["resource"]["id"]["resource"])
            && is(entitlement, &row["entitlement"]["id"])
            && is(principal, &row["principal"]["id"]["resource"])
    };
    grants.iter().filter(wanted).collect()
}

#[test]
fn filters_narrow_grants_alone_and_together() {
    for file in FILES.map(fixture) {
        let all = rows(&["grants", "-f", &file], "grants");
        each(|flags, resource, entitlement, principal| {
            let expected = granted(&all, (resource, entitlement, principal));
            let found = listed("grants", flags, &file, "grants");
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{flags:?}");
        });
        let on_type = rows(&["grants", "-t", "org", "-f", &file], "grants");
        assert_eq!(on_type.len(), 1);
        let both = ["grants", "-t", "org", "-e", "custom-ent-1", "-f", &file];
        assert_eq!(rows(&both, "grants"), on_type);
        let neither = ["grants", "-t", "org", "-e", "group:g1:member", "-f", &file];
        assert!(rows(&neither, "grants").is_empty());
    }
}

#[test]
fn filters_narrow_principals_to_the_holders_of_the_grants_they_select() {
    for file in FILES.map(fixture) {
        let all = rows(&["grants", "-f", &file], "grants");
        each(|flags, resource, entitlement, principal| {
            let mut expected = Vec::new();
            for grant in granted(&all, (resource, entitlement, principal)) {
                if !expected.contains(&&grant["principal"]) {
                    expected.push(&grant["principal"]);
                }
            }
            let found = listed("principals", flags, &file, "resources");
            let found: Vec<&Value> = found.iter().map(|row| &row["resource"]).collect();
            assert_eq!(found, expected, "{flags:?}");
        });
    }
}

#[test]
fn filters_narrow_entitlements_and_resources() {
    for file in FILES.map(fixture) {
        let grants = rows(&["grants", "-f", &file], "grants");
        let entitlements = rows(&["entitlements", "-f", &file], "entitlements");
        let resources = rows(&["resources", "-f", &file], "resources");
        each(|flags, resource, entitlement, principal| {
            let held = granted(&grants, ("", "", principal));
            let wanted = |row: &&Value| {
                let id = &row["entitlement"]["id"];
                is(resource, &row["resource"]["id"]["resource"])
                    && is(entitlement, id)
                    && (principal.is_empty() || held.iter().any(|g| g["entitlement"]["id"] == *id))
            };
            let expected: Vec<&Value> = entitlements.iter().filter(wanted).collect();
            let found = listed("entitlements", flags, &file, "entitlements");
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{flags:?}");
            let held = granted(&grants, ("", entitlement, principal));
            let wanted = |row: &&Value| {
                let id = &row["resource"]["id"];
                let has_it =
                    |e: &Value| e["entitlement"]["id"] == entitlement && e["resource"]["id"] == *id;
                is(resource, &id["resource"])
                    && (entitlement.is_empty() || entitlements.iter().any(has_it))
                    && (principal.is_empty() || held.iter().any(|g| g["resource"]["id"] == *id))
            };
            let expected: Vec<&Value> = resources.iter().filter(wanted).collect();
            let found = listed("resources", flags, &file, "resources");
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{flags:?}");
        });
        let of_a_type = |kind: &str| {
            rows(
                &["resources", "-t", kind, "-e", "Custom", "-f", &file],
                "resources",
            )
            .len()
        };
        assert_eq!((of_a_type("org"), of_a_type("group")), (1, 0));
        let types = ["resource-types", "-t", "group", "-f", &file];
        assert_eq!(rows(&types, "resourceTypes").len(), 1);
    }
}

#[test]
fn access_takes_a_principal_by_any_of_its_names() {
    for file in FILES.map(fixture) {
        let show = |more: &[&str]| {
            let outcome = words(&[&["access", "-f", &file], more].concat());
            assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{more:?}");
            outcome.stdout
        };
        let by_id = show(&["-t", "user", "-r", "u1"]);
        for (flags, _) in &TO[1..5] {
            assert_eq!(show(flags), by_id);
        }
        assert_eq!(show(&["-t", "user", "-r", "user1@example.com"]), by_id);
    }
}

fn said(args: &[&str]) -> Outcome {
    let outcome = words(args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome
}

#[test]
fn what_names_nothing_is_reported_with_what_is_near_and_the_list_is_as_in_go() {
    for file in FILES.map(fixture) {
        for (args, near) in [
            (&["grants", "-e", "group:g1:membr"][..], "`group:g1:member`"),
            (&["grants", "-t", "groop"], "`group`"),
            (&["grants", "-t", "group", "-r", "g7"], "`g1`"),
            (&["grants", "-t", "grup", "-r", "g1"], "`group`"),
            (&["grants", "--principal", "User 12"], "`user:u1`"),
            (&["resources", "-t", "usr"], "`user`"),
            (&["entitlements", "-e", "Custm"], "`custom-ent-1`"),
            (&["resources", "-e", "Custm"], "`custom-ent-1`"),
            (&["principals", "-e", "group:g9:member"], "`group:g"),
        ] {
            let outcome = said(&[args, &["-f", &file]].concat());
            assert!(outcome.stdout.starts_with("ID"), "{args:?}");
            assert_eq!(outcome.stdout.lines().count(), 2, "{args:?}");
            let warning = outcome.stderr.lines().next().unwrap_or_default();
            assert!(warning.starts_with("warning: "), "{}", outcome.stderr);
            assert!(warning.contains(near), "{args:?}: {warning}");
        }
    }
}

#[test]
fn a_name_of_several_objects_selects_none_and_they_are_listed() {
    let file = fixture("v1-small.c1z");
    let outcome = said(&["grants", "--principal", "member", "-f", &file]);
    assert_eq!(outcome.stdout.lines().count(), 2);
    assert!(outcome.stderr.contains("`member`"), "{}", outcome.stderr);
}

#[test]
fn an_empty_value_and_a_missing_partner_are_errors() {
    let file = fixture("v1-small.c1z");
    for (args, text) in [
        (&["grants", "--principal", ""][..], "--principal is empty"),
        (&["entitlements", "-e", ""], "--entitlement is empty"),
        (&["resources", "-e", ""], "--entitlement is empty"),
        (
            &["resource-types", "-e", "x"],
            "unknown shorthand flag: 'e' in -e",
        ),
        (
            &["resources", "-r", "u1"],
            "--resource-type and --resource are required",
        ),
        (
            &["resources", "-t", "user", "-r", ""],
            "--resource-type and --resource are required",
        ),
        (
            &["entitlements", "-r", "g1"],
            "--resource-type and --resource are required",
        ),
        (
            &["grants", "--limit", "0"],
            "limit must be greater than zero",
        ),
        (
            &["syncs", "--limit", "-1"],
            "limit must be greater than zero",
        ),
        (
            &["access", "--principal", "u1", "-t", "user", "-r", "u1"],
            "if any flags in the group [resource principal] are set none of the others can be; \
             [principal resource] were all set",
        ),
    ] {
        let outcome = words(&[args, &["-f", &file]].concat());
        assert_eq!((outcome.status, &*outcome.stdout), (2, ""), "{args:?}");
        let first = outcome.stderr.lines().next().unwrap_or_default();
        assert_eq!(first, format!("error: {text}"));
    }
}

#[test]
fn a_limit_ends_every_list_after_so_many_rows() {
    for file in [FILES[0], FILES[1], "v1-multi-sync.c1z"].map(fixture) {
        for (list, key) in [
            ("resource-types", "resourceTypes"),
            ("resources", "resources"),
            ("entitlements", "entitlements"),
            ("grants", "grants"),
            ("principals", "resources"),
            ("syncs", "syncs"),
        ] {
            let all = rows(&[list, "-f", &file], key);
            for limit in [1, 2, 3, 1000] {
                let some = rows(&[list, "--limit", &limit.to_string(), "-f", &file], key);
                let expected = all.get(..limit).unwrap_or(&all);
                assert_eq!(some, expected, "{list} {limit}");
            }
        }
    }
}

#[test]
fn every_command_that_shows_a_sync_takes_the_one_to_show() {
    let file = fixture("v1-multi-sync.c1z");
    let syncs = rows(&["syncs", "-f", &file], "syncs");
    assert!(syncs.len() > 2);
    for sync in &syncs {
        let id = sync["id"].as_str().unwrap();
        let one = rows(&["syncs", "--sync-id", id, "-f", &file], "syncs");
        assert_eq!(one.iter().collect::<Vec<_>>(), [sync]);
        let stats = words(&["stats", "-o", "json", "--sync-id", id, "-f", &file]);
        assert_eq!(stats.status, 0, "{}", stats.stderr);
        let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
        assert_eq!(stats["id"], id);
        let access = ["access", "--principal", "u1", "--sync-id", id, "-f", &file];
        assert_eq!(words(&access).status, 0, "{id}");
    }
    for list in [&["syncs"][..], &["stats"], &["access", "--principal", "u1"]] {
        let outcome = words(&[list, &["--sync-id", "nope", "-f", &file]].concat());
        assert_eq!(outcome.status, 5, "{list:?}");
        assert!(outcome.stderr.contains("no sync `nope`"), "{list:?}");
    }
}

#[test]
fn explain_reports_on_standard_error_how_rows_were_found() {
    for (file, ways) in [
        (
            "v1-small.c1z",
            [
                "rows: scan of grants",
                "rows: index `idx_grants_entitlement_sync_grant_v1` of grants",
                "rows: index `idx_grants_principal_id_v1` of grants",
            ],
        ),
        (
            "v3-small.c1z",
            [
                "rows: scan of grants",
                "rows: range of keys of grants",
                "rows: index `by_principal` of grants",
            ],
        ),
    ] {
        let file = fixture(file);
        let filters = [
            &[][..],
            &["-e", "Group 1 member"],
            &["--principal", "User 1"],
        ];
        for (filter, way) in filters.iter().zip(ways) {
            let plain = said(&[&["grants", "-f", &file], *filter].concat());
            let outcome = said(&[&["grants", "--explain", "-f", &file], *filter].concat());
            assert_eq!(outcome.stdout, plain.stdout);
            assert_eq!(plain.stderr, "");
            assert!(outcome.stderr.contains(way), "{}", outcome.stderr);
            let named = outcome.stderr.contains("note: name: --");
            assert_eq!(named, !filter.is_empty(), "{}", outcome.stderr);
            assert!(outcome.stderr.contains("rows read in 2 passes"));
        }
    }
}
