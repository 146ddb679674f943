//! Files of format v3 with earlier engine names and layouts of keys, compared
//! with what the Go tool made of each; and every command on such files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::program::{baton_at, words};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../baton-c1z/tests/fixtures/pebble2")
}

/// Unpacks the handmade files into `folder`; gives all contents by name.
fn unpack(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let archive = fs::read(fixtures().join("handmade.tar.zst")).unwrap();
    let archive = zstd::decode_all(archive.as_slice()).unwrap();
    tar::Archive::new(archive.as_slice())
        .unpack(folder)
        .unwrap();
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        all.insert(name, fs::read(path).unwrap());
    }
    all
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn every_recorded_case_of_the_go_tool_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let files = unpack(folder.path());
    let expected = std::str::from_utf8(&files["expect.tsv"]).unwrap();
    let mut wrong = Vec::new();
    let mut cases = 0;
    for line in expected.lines().skip(1) {
        let parts: Vec<&str> = line.split('\t').collect();
        let (name, command, status) = (parts[0], parts[1], parts[2].parse::<u8>().unwrap());
        let file = format!("{name}.c1z");
        let path = folder.path().join(&file);
        let outcome = words(&[command, "-o", "json", "-f", &path.display().to_string()]);
        cases += 1;
        if outcome.status != status {
            wrong.push(format!(
                "{name} {command}: exit status {} instead of {status}: {}",
                outcome.status, outcome.stderr
            ));
        } else if status == 0 {
            let Some(want) = files.get(&format!("{name}.{command}.json")) else {
                assert_eq!(command, "stats");
                continue;
            };
            let want = parsed(std::str::from_utf8(want).unwrap());
            let got = parsed(&outcome.stdout);
            // The Go tool prints an empty list as an empty object.
            let is_empty = |value: &Value| {
                value.as_object().is_some_and(|map| {
                    map.values()
                        .all(|list| list.as_array().is_some_and(Vec::is_empty))
                })
            };
            if want != got && !(is_empty(&want) && is_empty(&got)) {
                wrong.push(format!("{name} {command}: want:\n{want}\ngot:\n{got}"));
            }
        }
        assert!(
            fs::read(&path).unwrap() == files[&file],
            "{name} was changed"
        );
    }
    assert_eq!(cases, 46 * 5);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn rows_that_are_left_out_or_made_one_are_named_with_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    for (name, text) in [
        (
            "damage-entitlement-without-resource-rt-rid",
            "entitlements lack their resource",
        ),
        (
            "damage-grant-principal-part-0-missing",
            "grants lack a part",
        ),
        ("damage-merge-expansion", "are read as 1"),
    ] {
        let path = folder.path().join(format!("{name}.c1z"));
        let path = path.display().to_string();
        for command in ["grants", "resources", "syncs", "stats"] {
            let outcome = words(&[command, "-f", &path]);
            assert_eq!(outcome.status, 0, "{}", outcome.stderr);
            let said = outcome.stderr.matches(text).count();
            assert_eq!(said, 1, "{name} {command}: {}", outcome.stderr);
        }
        let copy = folder.path().join(format!("{name}.copy.c1z"));
        let copy = copy.display().to_string();
        let outcome = words(&["export", "c1z", "-f", &path, "--out", &copy]);
        assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
        let outcome = words(&["grants", "-f", &copy]);
        assert!(!outcome.stderr.contains(text), "{}", outcome.stderr);
    }
    let path = folder.path().join("damage-plain.c1z").display().to_string();
    assert_eq!(words(&["stats", "-f", &path]).stderr, "");
}

#[test]
fn every_command_that_makes_a_file_makes_the_same_of_the_migrated_rows() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let plain = at("damage-plain.c1z");
    let lists = |file: &str| -> Vec<Value> {
        ["resource-types", "resources", "entitlements", "grants"]
            .iter()
            .map(|command| {
                let outcome = words(&[command, "-o", "json", "-f", file]);
                assert_eq!(outcome.status, 0, "{command} {file}: {}", outcome.stderr);
                parsed(&outcome.stdout)
            })
            .collect()
    };
    let rows = lists(&plain);
    let before = fs::read(&plain).unwrap();

    let clone = at("clone.c1z");
    let sqlite = at("sqlite.c1z");
    let expanded = at("expanded.c1z");
    for args in [
        &["export", "c1z", "-f", &plain, "--out", &clone][..],
        &["to-sqlite", "-f", &plain, "--out", &sqlite],
        &["expand", "-f", &plain, "--out", &expanded],
    ] {
        let outcome = words(args);
        assert_eq!(outcome.status, 0, "{args:?}: {}", outcome.stderr);
    }
    for made in [&clone, &sqlite, &expanded] {
        assert_eq!(lists(made), rows, "{made}");
    }
    let refused = words(&["to-pebble", "-f", &plain, "--out", &at("pebble.c1z")]);
    assert_eq!(refused.status, 2, "{}", refused.stderr);
    // The bare directory is that of the file, as it is.
    let dump = at("dump");
    assert_eq!(words(&["dump-db", "-f", &plain, "--out", &dump]).status, 0);
    assert!(Path::new(&dump).join("000002.log").exists());
    assert!(fs::read(&plain).unwrap() == before);

    // What is written in place has the current name and layout.
    assert_eq!(words(&["recalculate-stats", "-f", &plain]).status, 0);
    let after = fs::read(&plain).unwrap();
    assert!(after[..64].windows(7).any(|name| name == b"pebble3"));
    assert_eq!(lists(&plain), rows);
}

#[test]
fn a_file_without_a_current_sync_ends_every_list_with_9() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let source = golden.join("v1-unfinished.c1z").display().to_string();
    let syncs = parsed(&words(&["syncs", "-o", "json", "-f", &source]).stdout);
    let id = syncs["syncs"][0]["id"].as_str().unwrap();
    let unfinished = folder.path().join("unfinished.c1z").display().to_string();
    let args = [
        "to-pebble",
        "-f",
        &source,
        "--sync-id",
        id,
        "--out",
        &unfinished,
    ];
    let made = words(&args);
    assert_eq!(made.status, 0, "{}", made.stderr);

    let without_run = folder.path().join("damage-no-sync-run.c1z");
    let without_run = without_run.display().to_string();
    // The unfinished sync is a day old, then eight.
    for (path, days, status) in [
        (&without_run, 1, 9),
        (&unfinished, 1, 0),
        (&unfinished, 8, 9),
    ] {
        let now = Duration::from_hours(498_736 + days * 24);
        let run = |args: &[&str]| {
            let mut args: Vec<String> = args.iter().map(ToString::to_string).collect();
            args.extend(["-f".to_owned(), path.clone()]);
            baton_at(&args, now)
        };
        for args in [
            &["resource-types"][..],
            &["resources"],
            &["entitlements"],
            &["grants"],
            &["principals"],
            &["access", "--resource-type", "user", "--resource", "u1"],
        ] {
            let outcome = run(args);
            assert_eq!(
                outcome.status, status,
                "{path} {args:?}: {}",
                outcome.stderr
            );
            assert_eq!(outcome.stderr.contains("no current sync"), status == 9);
        }
        for command in ["syncs", "stats"] {
            assert_eq!(run(&[command]).status, 0, "{path} {command}");
        }
    }
    // By its id it is shown, however old it is.
    let shown = words(&["grants", "-f", &unfinished, "--sync-id", id]);
    assert_eq!(shown.status, 0, "{}", shown.stderr);
}
