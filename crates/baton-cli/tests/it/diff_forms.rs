//! Random pairs of files: every form of `diff` shows the same changes, and
//! those that a comparison of the lists of both files finds. (How objects are
//! compared, `baton-query` tests against a model.)

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use baton_proto::c1::connector::v2;
use baton_proto::wire;
use prost::Message as _;
use rusqlite::Connection;
use serde_json::Value;

use crate::program::{fixture, packed, unpacked, words};

/// A change: its kind, its kind of objects, and the id.
type Changes = BTreeSet<(String, String, String)>;

/// Numbers that a seed decides (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The message with another name, or with another source of a grant.
fn renamed(table: &str, data: &[u8], number: u64) -> Vec<u8> {
    let name = format!("Renamed {number}");
    match table {
        "v1_resources" => {
            let mut message = v2::Resource::decode(data).unwrap();
            message.display_name = name;
            message.encode_to_vec()
        }
        "v1_entitlements" => {
            let mut message = v2::Entitlement::decode(data).unwrap();
            message.display_name = name;
            message.encode_to_vec()
        }
        _ => {
            let mut message = v2::Grant::decode(data).unwrap();
            let sources = message.sources.get_or_insert_default();
            sources.sources.insert(
                format!("source:{number}"),
                v2::grant_sources::GrantSource::default(),
            );
            message.encode_to_vec()
        }
    }
}

/// `v1-small.c1z` with rows removed, renamed, in another order and, of grants, without what the
/// columns have.
fn some_file(folder: &Path, name: &str, is_slim: bool, numbers: &mut Numbers) -> String {
    let database = unpacked(&fixture("v1-small.c1z"), folder);
    let conn = Connection::open(&database).unwrap();
    for table in ["v1_resources", "v1_entitlements", "v1_grants"] {
        let rows: Vec<(i64, Vec<u8>)> = conn
            .prepare(&format!("select id, data from {table} order by id"))
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for (id, mut data) in rows {
            match numbers.below(5) {
                0 => {
                    let sql = format!("delete from {table} where id = ?1");
                    conn.execute(&sql, [id]).unwrap();
                    continue;
                }
                1 => data = renamed(table, &data, numbers.below(3)),
                _ => {}
            }
            if is_slim && table == "v1_grants" {
                data = wire::without(&data, &[1, 2]).unwrap();
            }
            let sql = format!("update {table} set data = ?1 where id = ?2");
            conn.execute(&sql, (data, id)).unwrap();
        }
        if numbers.below(2) == 0 {
            conn.execute(&format!("update {table} set id = -id"), ())
                .unwrap();
        }
    }
    conn.close().unwrap();
    let file = packed(&database, &folder.join(name));
    std::fs::remove_file(database).unwrap();
    file
}

/// The same content in format v3.
fn converted(file: &str) -> String {
    let out = format!("{file}.v3.c1z");
    let outcome = words(&["to-pebble", "-f", file, "--out", &out]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    out
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The changes in the Go tool's object, which has whole objects.
fn of_object(object: &Value) -> Changes {
    let mut changes = Changes::new();
    for (table, lists) in object.as_object().unwrap() {
        for (kind, items) in lists.as_object().unwrap() {
            let kind = match kind.as_str() {
                "created" => "added",
                "deleted" => "removed",
                _ => "changed",
            };
            for item in items.as_array().unwrap() {
                changes.insert((kind.to_owned(), table.clone(), id_of(table, item)));
            }
        }
    }
    changes
}

fn id_of(table: &str, object: &Value) -> String {
    match table {
        "resources" => {
            let id = &object["id"];
            format!("{}:{}", text(&id["resourceType"]), text(&id["resource"]))
        }
        _ => text(&object["id"]),
    }
}

/// The changes by the lists of both files, read whole.
fn of_lists(old: &str, new: &str) -> Changes {
    let mut changes = Changes::new();
    for (table, key) in [
        ("resources", "resource"),
        ("entitlements", "entitlement"),
        ("grants", "grant"),
    ] {
        let read = |file: &str| -> BTreeMap<String, Value> {
            let list = json(&words(&[table, "-o", "json", "-f", file]).stdout);
            let rows = list[table].as_array().cloned().unwrap_or_default();
            rows.into_iter()
                .map(|row| (id_of(table, &row[key]), row[key].clone()))
                .collect()
        };
        let (old, new) = (read(old), read(new));
        let mut add = |kind: &str, id: &String| {
            changes.insert((kind.to_owned(), table.to_owned(), id.clone()));
        };
        for (id, object) in &old {
            match new.get(id) {
                None => add("removed", id),
                Some(now) if now != object => add("changed", id),
                Some(_) => {}
            }
        }
        for id in new.keys().filter(|id| !old.contains_key(*id)) {
            add("added", id);
        }
    }
    changes
}

#[test]
fn every_form_shows_the_changes_that_the_lists_of_both_files_have() {
    let mut seen = 0;
    for seed in 1..=8 {
        let folder = tempfile::tempdir().unwrap();
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ seed);
        let is_slim = numbers.below(2) == 0;
        let [old, new] = ["old.c1z", "new.c1z"]
            .map(|name| some_file(folder.path(), name, is_slim, &mut numbers));
        let [old_v3, new_v3] = [&old, &new].map(|file| converted(file));
        for (old, new, is_across) in [
            (&old, &new, false),
            (&new, &old, false),
            (&old_v3, &new_v3, false),
            (&old, &new_v3, true),
            (&old_v3, &new, true),
        ] {
            let what = format!("seed {seed}: {old} {new}");
            let show = |form: &str| {
                let outcome = words(&["diff", old, new, "-o", form, "--exit-code"]);
                let said = if is_across {
                    "note: the files have different"
                } else {
                    ""
                };
                assert!(
                    outcome.stderr.starts_with(said),
                    "{what}: {}",
                    outcome.stderr
                );
                assert_eq!(said.is_empty(), outcome.stderr.is_empty(), "{what}");
                (outcome.stdout, outcome.status)
            };
            let (object, status) = show("json");
            let changes = of_object(&json(&object));
            assert_eq!(status, u8::from(!changes.is_empty()), "{what}");
            seen += changes.len();
            // Across formats not all that the lists show can be compared.
            if !is_across {
                assert_eq!(changes, of_lists(old, new), "{what}");
            }
            let (lines, _) = show("ndjson");
            let listed: Changes = lines
                .lines()
                .map(|line| {
                    let change = json(line);
                    let [kind, table, id] = ["change", "kind", "id"].map(|key| text(&change[key]));
                    (kind, table, id)
                })
                .collect();
            assert_eq!(listed, changes, "{what}");
            let (table, _) = show("markdown");
            assert_eq!(table.lines().count(), 2 + changes.len(), "{what}");
            let (summary, _) = show("summary");
            let signs: usize = summary
                .lines()
                .filter(|line| {
                    ["  + ", "  - ", "  ~ "]
                        .iter()
                        .any(|sign| line.starts_with(sign))
                })
                .count();
            assert_eq!(signs, changes.len(), "{what}: {summary}");
        }
    }
    assert!(seen > 100, "only {seen} changes");
}
