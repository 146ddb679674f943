//! Text from outside cannot steer a terminal or forge a line: ids, names and
//! descriptions of a file, sync ids, paths and arguments, through every
//! command and every message.

use std::path::Path;

use baton_proto::c1::connector::v2;
use baton_term::is_forbidden;
use prost::Message;
use rusqlite::Connection;

use crate::program::{Outcome, baton, words};

/// One of each kind, the parts of tables and trees, and what looks like a
/// line of ours.
pub const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\r\nerror: forged\n  ├──\t\u{7f}\u{9b}31m\u{85}\u{202e}\
     \u{2066}\u{2028}\u{200f}\u{61c}\u{feff} | end";

pub fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(name).display().to_string()
}

fn spoil(text: &mut String) {
    if !text.is_empty() {
        text.push_str(HOSTILE);
    }
}

fn spoil_id(id: Option<&mut v2::ResourceId>) {
    if let Some(id) = id {
        spoil(&mut id.resource_type);
        spoil(&mut id.resource);
    }
}

fn spoil_resource(resource: Option<&mut v2::Resource>) {
    if let Some(resource) = resource {
        spoil_id(resource.id.as_mut());
        spoil_id(resource.parent_resource_id.as_mut());
        spoil(&mut resource.display_name);
        spoil(&mut resource.description);
    }
}

fn spoil_entitlement(entitlement: Option<&mut v2::Entitlement>) {
    if let Some(entitlement) = entitlement {
        spoil(&mut entitlement.id);
        spoil(&mut entitlement.display_name);
        spoil(&mut entitlement.description);
        spoil(&mut entitlement.slug);
        spoil_resource(entitlement.resource.as_mut());
    }
}

/// A stored message with every text spoiled.
fn spoiled(table: &str, data: &[u8]) -> Vec<u8> {
    match table {
        "v1_resource_types" => {
            let mut message = v2::ResourceType::decode(data).unwrap();
            spoil(&mut message.id);
            spoil(&mut message.display_name);
            spoil(&mut message.description);
            message.encode_to_vec()
        }
        "v1_resources" => {
            let mut message = v2::Resource::decode(data).unwrap();
            spoil_resource(Some(&mut message));
            message.encode_to_vec()
        }
        "v1_entitlements" => {
            let mut message = v2::Entitlement::decode(data).unwrap();
            spoil_entitlement(Some(&mut message));
            message.encode_to_vec()
        }
        _ => {
            let mut message = v2::Grant::decode(data).unwrap();
            spoil(&mut message.id);
            spoil_entitlement(message.entitlement.as_mut());
            spoil_resource(message.principal.as_mut());
            message.encode_to_vec()
        }
    }
}

const TABLES: [(&str, &[&str]); 4] = [
    ("v1_resource_types", &["external_id", "sync_id"]),
    (
        "v1_resources",
        &[
            "resource_type_id",
            "parent_resource_type_id",
            "parent_resource_id",
            "sync_id",
        ],
    ),
    (
        "v1_entitlements",
        &["resource_type_id", "resource_id", "external_id", "sync_id"],
    ),
    (
        "v1_grants",
        &[
            "resource_type_id",
            "resource_id",
            "entitlement_id",
            "principal_resource_type_id",
            "principal_resource_id",
            "external_id",
            "sync_id",
        ],
    ),
];

/// A copy of a v1 file in which every id, name and description is spoiled.
pub fn spoiled_file(source: &str, folder: &Path) -> String {
    let database = folder.join("made.db").display().to_string();
    let dumped = words(&["dump-db", "-f", source, "--out", &database]);
    assert_eq!(dumped.status, 0, "{}", dumped.stderr);
    let conn = Connection::open(&database).unwrap();
    for (table, columns) in TABLES {
        let rows: Vec<(i64, Vec<u8>)> = conn
            .prepare(&format!("select id, data from {table}"))
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(!rows.is_empty(), "{table}");
        for (id, data) in rows {
            conn.execute(
                &format!("update {table} set data = ? where id = ?"),
                (spoiled(table, &data), id),
            )
            .unwrap();
        }
        append(&conn, table, columns);
    }
    // A resource is stored under `type:id`, from two spoiled parts.
    conn.execute(
        "update v1_resources set external_id =
            replace(external_id, ':', ? || ':') || ?",
        [HOSTILE, HOSTILE],
    )
    .unwrap();
    append(&conn, "v1_sync_runs", &["sync_id", "sync_token"]);
    drop(conn);
    let made = folder.join("hostile.c1z").display().to_string();
    let content = zstd::encode_all(&std::fs::read(&database).unwrap()[..], 1).unwrap();
    std::fs::write(&made, [b"C1ZF\0", &content[..]].concat()).unwrap();
    // The next one is made in its place.
    std::fs::remove_file(&database).unwrap();
    made
}

fn append(conn: &Connection, table: &str, columns: &[&str]) {
    for column in columns {
        let statement = format!(
            "update {table} set {column} = {column} || ? where coalesce({column}, '') <> ''"
        );
        conn.execute(&statement, [HOSTILE]).unwrap();
    }
}

#[track_caller]
pub fn assert_safe(what: &str, outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let bad = text.chars().find(|c| *c != '\n' && is_forbidden(*c));
        assert_eq!(bad, None, "{what}: {text:?}");
    }
    for line in outcome.stderr.lines() {
        let labels = ["error: ", "caused by: ", "hint: ", "warning: ", "note: "];
        // The list of differences has lines of its own.
        let labelled =
            labels.iter().any(|label| line.starts_with(label)) || line.starts_with("grant \"");
        assert!(
            labelled && !line.starts_with("error: forged"),
            "{what}: {line}"
        );
    }
}

#[test]
fn names_of_a_file_forge_no_row_no_branch_and_no_warning() {
    let folder = tempfile::tempdir().unwrap();
    for source in [
        "v1-small.c1z",
        "v1-missing-entitlement.c1z",
        "v1-missing-type.c1z",
    ] {
        let clean = golden(source);
        let hostile = spoiled_file(&clean, folder.path());
        let user = words(&["principals", "-o", "json", "-f", &clean]).stdout;
        let user: serde_json::Value = serde_json::from_str(&user).unwrap();
        let id = &user["resources"][0]["resource"]["id"];
        let (type_id, id) = (id["resourceType"].as_str(), id["resource"].as_str());
        let (type_id, id) = (type_id.unwrap(), id.unwrap());
        let bad = |text: &str| format!("{text}{HOSTILE}");
        for command in [
            vec!["resource-types"],
            vec!["resources"],
            vec!["entitlements"],
            vec!["grants"],
            vec!["principals"],
            vec!["syncs"],
            vec!["stats"],
            vec!["access", "-t", type_id, "-r", id],
            vec!["resources", "-t", type_id],
        ] {
            let what = format!("{source}: {command:?}");
            let at = |file: &str, word: &dyn Fn(&str) -> String, output: &str| {
                let command = command.iter().enumerate().map(|(index, part)| {
                    let is_value = index > 0 && !part.starts_with('-');
                    if is_value {
                        word(part)
                    } else {
                        (*part).to_owned()
                    }
                });
                let rest = ["-o", output, "-f", file].map(ToOwned::to_owned);
                baton(&command.chain(rest).collect::<Vec<_>>())
            };
            let plain = at(&clean, &|word| word.to_owned(), "console");
            let shown = at(&hostile, &bad, "console");
            assert_safe(&what, &shown);
            assert_eq!(shown.status, plain.status, "{what}: {}", shown.stderr);
            let lines = |outcome: &Outcome| {
                (
                    outcome.stdout.lines().count(),
                    outcome.stderr.lines().count(),
                )
            };
            assert_eq!(lines(&shown), lines(&plain), "{what}: {}", shown.stdout);
            if plain.status == 0 {
                let changed = command[0] == "stats" || shown.stdout.contains('\u{fffd}');
                assert!(changed, "{what}: the file holds nothing hostile");
            }

            let json = at(&hostile, &bad, "json");
            assert_eq!(json.status, shown.status, "{what}");
            if json.status == 0 {
                serde_json::from_str::<serde_json::Value>(&json.stdout).unwrap();
                assert!(!json.stdout.contains('\u{1b}'), "{what}");
                assert_safe(
                    &what,
                    &Outcome {
                        stdout: String::new(),
                        ..json
                    },
                );
            }
        }
    }
}

#[test]
fn commands_that_make_files_print_ids_and_paths_safely() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = spoiled_file(&golden("v1-small.c1z"), folder.path());
    let expanded = folder.path().join("expanded.c1z").display().to_string();
    let clean = golden("v1-small.c1z");
    assert_eq!(words(&["expand", &clean, "--out", &expanded]).status, 0);
    let other = tempfile::tempdir().unwrap();
    let dirty = spoiled_file(&expanded, other.path());
    let mut number = 0;
    let mut out = || {
        number += 1;
        let name = format!("{number}{HOSTILE}").replace('/', "_");
        folder.path().join(name).display().to_string()
    };
    let mut succeeded = 0;
    let spoiled_id = format!("group:g1:member{HOSTILE}");
    for command in [
        vec!["recalculate-stats", "-f", &hostile],
        vec!["expand", &hostile, "--out", &out()],
        vec!["rollback-expansion", "-f", &dirty],
        vec!["rollback-expansion", "-f", &dirty, "--out", &out()],
        vec![
            "rollback-expansion",
            "--validate",
            "--replay",
            "-f",
            &dirty,
            "--out",
            &out(),
        ],
        vec!["to-pebble", "-f", &hostile, "--out", &out()],
        vec!["export", "c1z", "-f", &hostile, "--out", &out()],
        vec!["dump-db", "-f", &hostile, "--out", &out()],
        vec!["optimize", "-f", &dirty],
        vec!["export", "csv", "-f", &hostile, "--out", &out()],
        vec![
            "export",
            "csv",
            "--layout",
            "tables",
            "-f",
            &hostile,
            "--out",
            &out(),
        ],
        vec![
            "export",
            "xlsx",
            "-f",
            &hostile,
            "--out",
            &(out() + ".xlsx"),
        ],
        vec!["export", "xlsx", "-f", &hostile, "--out", &out()],
        vec!["sanitize", "-f", &hostile, "--out", &out()],
        vec![
            "principals",
            "compare",
            "-e",
            "group:g1:member",
            "-f",
            &hostile,
        ],
        vec!["principals", "compare", "-e", &spoiled_id, "-f", &hostile],
        vec!["expand", &clean, "--out", &out()],
        vec!["to-pebble", "-f", &clean, "--out", &out()],
        vec!["to-sqlite", "-f", &golden("v3-small.c1z"), "--out", &out()],
        vec!["dump-db", "-f", &golden("v3-small.c1z"), "--out", &out()],
    ] {
        let outcome = words(&command);
        assert_safe(&format!("{command:?}"), &outcome);
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        assert!(!lines.contains(&"error: forged"), "{command:?}: {lines:?}");
        succeeded += u8::from(outcome.status == 0);
    }
    assert!(succeeded >= 12, "only {succeeded} commands worked");
}

#[test]
fn messages_quote_arguments_and_paths_safely() {
    let folder = tempfile::tempdir().unwrap();
    let good = golden("v1-small.c1z");
    let name = HOSTILE.replace('/', "_");
    let path = |suffix: &str| {
        folder
            .path()
            .join(format!("{name}{suffix}"))
            .display()
            .to_string()
    };
    let garbage = path("garbage.c1z");
    std::fs::write(&garbage, b"not a sync file at all").unwrap();
    let cut = path("cut.c1z");
    let bytes = std::fs::read(&good).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let folder_path = path("folder");
    std::fs::create_dir(&folder_path).unwrap();
    let missing = path("missing.c1z");
    let flag = format!("--{HOSTILE}");
    for command in [
        vec![HOSTILE],
        vec![flag.as_str()],
        vec!["grants", &flag],
        vec!["export", HOSTILE],
        vec!["help", HOSTILE],
        vec!["completion", HOSTILE],
        vec!["grants", "-f", &good, "--sync-id", HOSTILE],
        vec![
            "grants",
            "-f",
            &golden("v3-small.c1z"),
            "--sync-id",
            HOSTILE,
        ],
        vec!["access", "-f", &good, "-t", HOSTILE, "-r", HOSTILE],
        vec!["expand", &good, "--max-grants", HOSTILE],
        vec!["expand", &good, "--out", &garbage],
        vec!["rollback-expansion", "-f", &good, "--out", &garbage],
        vec!["to-pebble", "-f", &good, "--out", &garbage],
        vec!["to-sqlite", "-f", &good, "--out", &garbage],
        vec!["export", "c1z", "-f", &good, "--out", &garbage],
        vec!["dump-db", "-f", &good, "--out", &folder_path],
        vec!["stats", "-f", &garbage],
        vec!["grants", "-f", &garbage],
        vec!["grants", "-f", &cut],
        vec!["syncs", "-f", &missing],
        vec!["grants", "-f", &missing],
        vec!["grants", "-f", &folder_path],
        vec!["expand", &missing, "-f", &good],
    ] {
        let outcome = words(&command);
        assert_safe(&format!("{command:?}"), &outcome);
        if !["access", "help"].contains(&command[0]) {
            assert_ne!(outcome.status, 0, "{command:?}");
            assert!(outcome.stderr.starts_with("error: "), "{command:?}");
        }
    }
}
