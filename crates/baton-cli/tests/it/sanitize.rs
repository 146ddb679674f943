//! `sanitize`: nothing of the source can be read in the output, and what it
//! says of access is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost::Message as _;
use prost_types::Any;
use rusqlite::params;
use serde_json::Value;

use crate::program::{Outcome, fixture, packed, unpacked, words};

const LISTS: [&str; 4] = ["resource-types", "resources", "entitlements", "grants"];

fn large(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../baton-c1z/tests/fixtures");
    folder.join(name).display().to_string()
}

fn sources() -> Vec<String> {
    let mut all = vec![
        large("atlassian-org/sync.c1z"),
        large("atlassian-org/sync-v3.c1z"),
    ];
    all.extend(
        [
            "v1-small.c1z",
            "v1-small-slim-grants.c1z",
            "v1-multi-sync.c1z",
            "v3-small.c1z",
            "v3-handmade-sst.c1z",
        ]
        .map(fixture),
    );
    all
}

fn sanitize(file: &str, out: &Path, more: &[&str]) -> Outcome {
    let out = out.display().to_string();
    words(&[&["sanitize", "-f", file, "--out", &out], more].concat())
}

/// With the recorded key.
fn with_key(file: &str, out: &Path, more: &[&str]) -> Outcome {
    let key = fixture("sanitize-secret.bin");
    sanitize(file, out, &[&["--secret-file", &key], more].concat())
}

fn json(file: &str, list: &str, more: &[&str]) -> Value {
    let outcome = words(&[&[list, "-o", "json", "-f", file], more].concat());
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// Every text in a JSON value but type URLs, and every key of `sources`.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("@type", _) => {}
                    ("sources", Value::Object(inner)) => {
                        found.extend(inner.keys().filter(|key| *key != "sources").cloned());
                        texts(value, found);
                    }
                    _ => texts(value, found),
                }
            }
        }
        _ => {}
    }
}

/// All syncs of a file.
fn syncs(file: &str) -> Vec<String> {
    let runs = json(file, "syncs", &[]);
    let runs = runs["syncRuns"].as_array().or(runs["syncs"].as_array());
    runs.unwrap()
        .iter()
        .map(|run| run["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Every text that the rows of a file hold.
fn texts_of(file: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for sync in syncs(file) {
        for list in LISTS {
            texts(&json(file, list, &["--sync-id", &sync]), &mut found);
        }
    }
    found
}

/// Everything that is in a file, unpacked.
fn bytes_of(file: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("unpacked");
    let outcome = words(&[
        "dump-db",
        "-f",
        &file.display().to_string(),
        "--out",
        &out.display().to_string(),
    ]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let mut files: Vec<PathBuf> = vec![out.clone()];
    if out.is_dir() {
        files = fs::read_dir(&out)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
    }
    files
        .iter()
        .flat_map(|path| fs::read(path).unwrap())
        .collect()
}

#[test]
fn no_text_of_the_source_is_in_the_output() {
    for file in sources() {
        let is_multi = file.contains("multi");
        for engine in ["sqlite", "pebble"] {
            if is_multi && engine == "pebble" {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("out.c1z");
            let outcome = with_key(&file, &out, &["--out-engine", engine]);
            assert_eq!(
                (outcome.status, &*outcome.stdout),
                (0, ""),
                "{}",
                outcome.stderr
            );

            let mut old = texts_of(&file);
            // Ids of types stay, and so does what is no text of the application.
            let types = json(&file, "resource-types", &[]);
            let mut kept = BTreeSet::new();
            for listed in types["resourceTypes"].as_array().unwrap() {
                kept.insert(listed["resourceType"]["id"].as_str().unwrap().to_owned());
            }
            kept.extend(["group".to_owned(), "user".to_owned(), "org".to_owned()]);
            let is_own = |text: &str| text.starts_with("MISSING ") || text.to_uppercase() == text;
            old.retain(|text| !kept.contains(text) && !is_own(text));
            assert!(old.len() > 10, "{file}: {old:?}");

            let new = texts_of(&out.display().to_string());
            let same: Vec<_> = old.intersection(&new).collect();
            assert!(same.is_empty(), "{file} {engine}: {same:?}");
            let long: Vec<&String> = old.iter().filter(|text| text.len() > 5).collect();
            let search = AhoCorasick::new(&long).unwrap();
            let found = search
                .find(&bytes_of(&out))
                .map(|found| long[found.pattern()]);
            assert_eq!(found, None, "{file} {engine}");
        }
    }
}

/// How many there are of each kind, and how they are linked.
fn shape(file: &str, sync: &str) -> (Vec<usize>, BTreeMap<usize, usize>) {
    let mut counts = Vec::new();
    for (list, key) in LISTS
        .iter()
        .zip(["resourceTypes", "resources", "entitlements", "grants"])
    {
        let rows = json(file, list, &["--sync-id", sync]);
        counts.push(rows[key].as_array().map_or(0, Vec::len));
    }
    let grants = json(file, "grants", &["--sync-id", sync]);
    let mut held: BTreeMap<String, usize> = BTreeMap::new();
    for grant in grants["grants"].as_array().into_iter().flatten() {
        *held
            .entry(grant["principal"]["id"].to_string())
            .or_default() += 1;
    }
    let mut shape = BTreeMap::new();
    for count in held.into_values() {
        *shape.entry(count).or_default() += 1;
    }
    (counts, shape)
}

#[test]
fn who_holds_how_much_stays_in_every_sync_and_engine() {
    for file in sources() {
        let is_multi = file.contains("multi");
        for engine in ["sqlite", "pebble"] {
            if is_multi && engine == "pebble" {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("out.c1z");
            with_key(&file, &out, &["--out-engine", engine]);
            let out = out.display().to_string();
            let mut old: Vec<_> = syncs(&file).iter().map(|sync| shape(&file, sync)).collect();
            let mut new: Vec<_> = syncs(&out).iter().map(|sync| shape(&out, sync)).collect();
            old.sort();
            new.sort();
            assert_eq!(new, old, "{file} {engine}");
        }
    }
}

#[test]
fn the_newest_sync_stays_the_newest_and_parents_are_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.c1z");
    let file = fixture("v1-multi-sync.c1z");
    assert_eq!(with_key(&file, &out, &[]).status, 0);
    let out = out.display().to_string();
    let default = |file: &str| {
        json(file, "resources", &[])["resources"]
            .as_array()
            .map(Vec::len)
    };
    assert_eq!(default(&out), default(&file));
    let of = |file: &str| {
        let listed = json(file, "syncs", &[]);
        let runs = listed["syncRuns"].as_array().or(listed["syncs"].as_array());
        runs.unwrap().clone()
    };
    let (old, new) = (of(&file), of(&out));
    assert_eq!(new.len(), 5);
    let ids: BTreeSet<&str> = new.iter().map(|run| run["id"].as_str().unwrap()).collect();
    for run in &old {
        assert!(!ids.contains(run["id"].as_str().unwrap()));
    }
    let mut parents = 0;
    for (place, run) in new.iter().enumerate() {
        assert!(run["endedAt"].is_string(), "{run}");
        if let Some(parent) = run["parentSyncId"].as_str() {
            parents += 1;
            let before = new[..place].iter().any(|other| other["id"] == parent);
            assert!(before, "{run}");
        }
    }
    assert_eq!(parents, 2);
}

#[test]
fn one_key_gives_one_result_and_another_key_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = fixture("v1-small.c1z");
    let ids = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        assert_eq!(sanitize(&file, &out, more).status, 0);
        json(&out.display().to_string(), "grants", &[])
    };
    let key = fixture("sanitize-secret.bin");
    let anchor = ["--anchor", "2026-01-02T03:04:05Z"];
    let with = [&["--secret-file", &*key], &anchor[..]].concat();
    let first = ids("a.c1z", &with);
    assert_eq!(ids("b.c1z", &with), first);
    assert_ne!(ids("c.c1z", &anchor), first);
    assert_ne!(ids("d.c1z", &anchor), ids("e.c1z", &anchor));
}

#[test]
fn a_new_key_is_private_and_goes_with_a_failed_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.c1z");
    let secret = folder.path().join("out.c1z.secret");
    let broken = folder.path().join("broken.c1z");
    let database = unpacked(&fixture("v1-small.c1z"), folder.path());
    let conn = rusqlite::Connection::open(&database).unwrap();
    conn.execute("update v1_grants set data = x'ff' where id = 3", [])
        .unwrap();
    drop(conn);
    packed(&database, &broken);
    let outcome = sanitize(&broken.display().to_string(), &out, &[]);
    assert_ne!(outcome.status, 0);
    assert!(!secret.exists() && !out.exists(), "{}", outcome.stderr);

    let outcome = sanitize(&fixture("v1-small.c1z"), &out, &[]);
    assert_eq!((outcome.status, &*outcome.stdout), (0, ""));
    let expected = format!(
        "note: the key of the hashes is in {}: with it, guesses of the original values can be \
         confirmed\n",
        secret.display()
    );
    assert_eq!(outcome.stderr, expected);
    assert_eq!(fs::read(&secret).unwrap().len(), 32);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&secret).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    fs::remove_file(&out).unwrap();
    let outcome = sanitize(&fixture("v1-small.c1z"), &out, &[]);
    assert_eq!(outcome.status, 2);
    assert!(
        outcome.stderr.contains("out.c1z.secret"),
        "{}",
        outcome.stderr
    );
    assert!(!out.exists());
}

/// A copy of a file whose first user has these annotations.
fn annotated(folder: &Path, annotations: Vec<Any>) -> String {
    let database = unpacked(&fixture("v1-small.c1z"), folder);
    let conn = rusqlite::Connection::open(&database).unwrap();
    let data: Vec<u8> = conn
        .query_row(
            "select data from v1_resources where external_id = 'user:u1'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let mut user = v2::Resource::decode(&data[..]).unwrap();
    user.annotations.extend(annotations);
    conn.execute(
        "update v1_resources set data = ?1 where external_id = 'user:u1'",
        params![user.encode_to_vec()],
    )
    .unwrap();
    drop(conn);
    let path = packed(&database, &folder.join("annotated.c1z"));
    fs::remove_file(database).unwrap();
    path
}

#[test]
fn annotations_of_unknown_types_are_left_out_unless_they_are_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = any::pack(&v2::RawId {
        id: "the-raw-id".to_owned(),
    });
    let file = annotated(folder.path(), vec![unknown]);
    for (more, said, kept) in [
        (&[][..], "was left out", false),
        (&["--allow-unknown-annotations"], "was kept as it is", true),
    ] {
        let out = folder.path().join(format!("{kept}.c1z"));
        let outcome = with_key(&file, &out, more);
        assert_eq!(
            outcome.stderr,
            format!(
                "warning: 1 annotation of an unknown type {said}, such as \
                 `c1.connector.v2.RawId`\n"
            )
        );
        let bytes = bytes_of(&out);
        let found = bytes.windows(10).any(|part| part == b"the-raw-id");
        assert_eq!(found, kept);
    }
}

#[test]
fn times_move_together_so_that_the_newest_is_the_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let login = prost_types::Timestamp {
        seconds: 1_700_000_000,
        nanos: 5,
    };
    let trait_of_user = any::pack(&v2::UserTrait {
        last_login: Some(login),
        ..v2::UserTrait::default()
    });
    let file = annotated(folder.path(), vec![trait_of_user]);
    let runs = json(&file, "syncs", &[]);
    let runs = runs["syncRuns"]
        .as_array()
        .or(runs["syncs"].as_array())
        .unwrap()
        .clone();
    let newest = baton_proto::time::parse(runs[0]["endedAt"].as_str().unwrap()).unwrap();
    let out = folder.path().join("out.c1z");
    with_key(&file, &out, &["--anchor", "2000-01-01T00:00:00Z"]);
    let resources = json(&out.display().to_string(), "resources", &[]);
    let mut logins = Vec::new();
    for resource in resources["resources"].as_array().unwrap() {
        for annotation in resource["resource"]["annotations"]
            .as_array()
            .unwrap_or(&Vec::new())
        {
            logins.extend(annotation["lastLogin"].as_str().map(str::to_owned));
        }
    }
    let [moved] = &logins[..] else {
        panic!("{logins:?}");
    };
    let moved = baton_proto::time::parse(moved).unwrap();
    let nanos =
        |at: &prost_types::Timestamp| i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
    let anchor = baton_proto::time::parse("2000-01-01T00:00:00Z").unwrap();
    assert_eq!(
        nanos(&moved) - nanos(&login),
        nanos(&anchor) - nanos(&newest)
    );
}

#[test]
fn what_cannot_be_sanitized_is_refused_in_the_order_of_the_checks() {
    let folder = tempfile::tempdir().unwrap();
    let (short, taken) = (folder.path().join("short"), folder.path().join("taken.c1z"));
    fs::write(&short, [1; 31]).unwrap();
    fs::write(&taken, "").unwrap();
    let (short, taken) = (short.display().to_string(), taken.display().to_string());
    let file = fixture("v1-multi-sync.c1z");
    let new = folder.path().join("new.c1z").display().to_string();
    for (args, expected) in [
        (
            &["--out-engine", "x", "--anchor", "y"][..],
            "error: --out is required\nhint: pass the path of the new file with --out\n".to_owned(),
        ),
        (
            &["--out", &new, "--out-engine", "", "--anchor", "y"],
            "error: unknown engine ``\nhint: pass sqlite or pebble with --out-engine\n".to_owned(),
        ),
        (
            &["--out", &new, "--anchor", "yesterday", "-f", "no.c1z"],
            "error: `yesterday` is not a time\n\
             hint: pass a time such as 2026-01-02T03:04:05Z with --anchor\n"
                .to_owned(),
        ),
        (
            &["--out", &taken, "-f", "no.c1z"],
            "error: no.c1z does not exist or is empty\n".to_owned(),
        ),
        (
            &["--out", &taken, "-f", &file, "--secret-file", &short],
            format!("error: output path ({taken}) must not exist\n"),
        ),
        (
            &["--out", &new, "-f", &file, "--secret-file", &short],
            format!("error: {short} has 31 bytes; a key has at least 32\n"),
        ),
        (
            &["--out", &new, "-f", &file, "--secret-file", ""],
            "error: the path of the secret file is empty\n".to_owned(),
        ),
        (
            &["--out", &new, "-f", &file, "--out-engine", "pebble"],
            format!(
                "error: {file} holds 5 syncs, and a pebble file holds one\n\
                 hint: pass sqlite with --out-engine, or copy one sync with `baton export c1z` \
                 first\n"
            ),
        ),
    ] {
        let outcome = words(&[&["sanitize"], args].concat());
        assert_eq!((outcome.status, &*outcome.stdout), (2, ""), "{args:?}");
        assert!(outcome.stderr.starts_with(&expected), "{}", outcome.stderr);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{args:?}");
    }
}
