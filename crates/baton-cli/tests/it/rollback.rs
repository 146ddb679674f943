//! `baton rollback-expansion` on what `baton expand` makes: there and back.

use std::collections::BTreeMap;
use std::path::Path;

use baton_proto::c1::connector::v2;
use prost::Message;
use serde_json::Value;

use crate::program::{fixture, packed, unpacked, words};

/// The ids of all grants of a file, with their sources.
fn grants(path: &str) -> BTreeMap<String, Value> {
    let outcome = words(&["grants", "-o", "json", "-f", path]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let grants = shown["grants"].as_array().unwrap().iter();
    grants
        .map(|entry| &entry["grant"])
        .map(|grant| {
            (
                grant["id"].as_str().unwrap().to_owned(),
                grant["sources"].clone(),
            )
        })
        .collect()
}

/// The fixture with two grants derived, in a folder.
fn expanded(folder: &Path) -> String {
    let made = folder.join("expanded.c1z").display().to_string();
    let outcome = words(&["expand", &fixture("v1-small.c1z"), "--out", &made]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    made
}

#[test]
fn what_expansion_made_is_taken_back_to_the_grant() {
    let folder = tempfile::tempdir().unwrap();
    let source = expanded(folder.path());
    let before = grants(&source);
    assert_eq!(before.len(), grants(&fixture("v1-small.c1z")).len() + 2);
    let made = folder.path().join("back.c1z").display().to_string();
    let outcome = words(&["rollback-expansion", "-f", &source, "--out", &made]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("no derived grants"),
        "{}",
        outcome.stderr
    );
    // One grant of the fixture is a derived one, too.
    let mut undisturbed = grants(&fixture("v1-small.c1z"));
    undisturbed.retain(|_, sources| sources.is_null());
    assert_eq!(grants(&made), undisturbed);
    assert_eq!(grants(&source), before);
}

#[test]
fn a_replay_that_gives_the_same_sources_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let source = expanded(folder.path());
    let made = folder.path().join("again.c1z").display().to_string();
    let outcome = words(&[
        "rollback-expansion",
        "--replay",
        "--validate",
        "-f",
        &source,
        "--out",
        &made,
    ]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("unchanged"), "{}", outcome.stderr);
    assert_eq!(grants(&made), grants(&source));
}

/// The file as an older writer would have left it, which marked no source as
/// direct.
fn without_direct_sources(path: &str, folder: &Path) -> String {
    let database = unpacked(path, folder);
    let conn = rusqlite::Connection::open(&database).unwrap();
    let grants: Vec<(i64, Vec<u8>)> = conn
        .prepare("select id, data from v1_grants")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut changed = 0;
    for (id, data) in grants {
        let mut grant = v2::Grant::decode(&data[..]).unwrap();
        for source in grant
            .sources
            .iter_mut()
            .flat_map(|s| s.sources.values_mut())
        {
            changed += i32::from(std::mem::take(&mut source.is_direct));
        }
        conn.execute(
            "update v1_grants set data = ? where id = ?",
            (grant.encode_to_vec(), id),
        )
        .unwrap();
    }
    assert!(changed > 0);
    drop(conn);
    packed(&database, &folder.join("older.c1z"))
}

#[test]
fn a_file_of_an_older_writer_that_marked_no_source_as_direct_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let source = without_direct_sources(&expanded(folder.path()), folder.path());
    let made = folder.path().join("again.c1z").display().to_string();
    let outcome = words(&[
        "rollback-expansion",
        "--replay",
        "--validate",
        "-f",
        &source,
        "--out",
        &made,
    ]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("only in which sources are direct"),
        "{}",
        outcome.stderr
    );
    assert!(Path::new(&made).exists());
}

#[test]
fn a_replay_that_differs_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("again.c1z");
    let outcome = words(&[
        "rollback-expansion",
        "--replay",
        "--validate",
        "-f",
        &fixture("v1-rollback.c1z"),
        "--out",
        &made.display().to_string(),
    ]);
    assert_eq!(outcome.status, 2);
    assert!(
        outcome
            .stderr
            .contains("\"grant-custom-1\": absent after replay"),
        "{}",
        outcome.stderr
    );
    assert!(!made.exists());
}
