//! Tables on a terminal of a given width.

use std::path::Path;

use baton_proto::c1::connector::v2;
use prost::Message;
use unicode_width::UnicodeWidthStr;

use crate::program::{fixture, on_terminal, packed, unpacked, words};

/// A file with a token and a name of so many bytes.
fn with_long_texts(bytes: usize, folder: &Path) -> String {
    let database = unpacked(&fixture("v1-small.c1z"), folder);
    let conn = rusqlite::Connection::open(&database).unwrap();
    let (token, name) = ("t".repeat(bytes), "n".repeat(bytes));
    conn.execute("update v1_sync_runs set sync_token = ?", [&token])
        .unwrap();
    let resource = v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: "user".to_owned(),
            resource: "u1".to_owned(),
            baton_resource: false,
        }),
        display_name: name,
        ..v2::Resource::default()
    };
    let changed = conn
        .execute(
            "update v1_resources set data = ? where external_id = 'user:u1'",
            [resource.encode_to_vec()],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(conn);
    packed(&database, &folder.join("long.c1z"))
}

#[test]
fn texts_of_any_length_are_shown_whole_in_a_pipe_and_fit_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [4_096, 4_097, 65_535, 65_536, 200_000] {
        let file = with_long_texts(bytes, folder.path());
        std::fs::remove_file(folder.path().join("unpacked.db")).unwrap();
        for (list, whole) in [("syncs", "t"), ("resources", "n"), ("stats", "t")] {
            let piped = words(&[list, "-f", &file]);
            assert_eq!(piped.status, 0, "{bytes}: {}", piped.stderr);
            assert!(piped.stdout.contains(&whole.repeat(bytes)), "{list}");
            // The other rows are not padded to it.
            let longest = piped.stdout.lines().map(str::len).max().unwrap();
            assert!(piped.stdout.len() < longest * 2 || bytes == 4_096, "{list}");
            let shown = on_terminal(80, &[list, "-f", &file]);
            assert_eq!(shown.status, 0, "{bytes}");
            let widest = shown.stdout.lines().map(UnicodeWidthStr::width).max();
            assert!(widest.unwrap() <= 80, "{list}: {widest:?}");
        }
    }
}

#[test]
fn every_table_fits_every_terminal_with_ids_whole_and_last() {
    let lists = [
        (&["resource-types"][..], "resourceTypes"),
        (&["resources"], "resources"),
        (&["entitlements"], "entitlements"),
        (&["grants"], "grants"),
        (&["principals"], "resources"),
        (&["syncs"], "syncs"),
    ];
    for file in ["v1-small.c1z", "v3-small.c1z", "v1-multi-sync.c1z"].map(fixture) {
        for ((list, key), columns) in lists
            .iter()
            .flat_map(|list| [60, 80, 100, 200].map(|columns| (list, columns)))
        {
            let shown = on_terminal(columns, &[*list, &["-f", &file]].concat());
            assert_eq!(shown.status, 0);
            let text = shown.stdout;
            for line in text.lines() {
                assert_eq!(line, line.trim_end(), "{list:?}");
                let is_own_id = line.starts_with("    ");
                assert!(is_own_id || line.width() <= columns, "{columns}: {line}");
            }
            let json = words(&[*list, &["-o", "json", "-f", &file]].concat()).stdout;
            let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
            for row in rows[key].as_array().into_iter().flatten() {
                let object = match *key {
                    "syncs" => &row["id"],
                    "resources" => &row["resource"]["id"]["resource"],
                    "resourceTypes" => &row["resourceType"]["id"],
                    other => &row[other.trim_end_matches('s')]["id"],
                };
                let id = object.as_str().unwrap();
                let is_last = |line: &str| {
                    line.trim_start() == id
                        || line.ends_with(&format!(" | {id}"))
                        // Of syncs the parent's id follows.
                        || (*key == "syncs" && line.contains(id))
                };
                assert!(text.lines().any(is_last), "{id} is not in\n{text}");
            }
        }
    }
}

#[test]
fn tokens_are_sizes_on_a_terminal_unless_all_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = with_long_texts(500, folder.path());
    let piped = words(&["syncs", "-f", &file]).stdout;
    let json = words(&["syncs", "-o", "json", "-f", &file]).stdout;
    let syncs: serde_json::Value = serde_json::from_str(&json).unwrap();
    let token = syncs["syncs"][0]["syncToken"].as_str().unwrap();
    assert!(token.len() > 20 && piped.contains(token));
    let shown = on_terminal(100, &["syncs", "-f", &file]).stdout;
    assert!(!shown.contains(token), "{shown}");
    assert!(shown.contains(&format!("{} bytes", token.len())), "{shown}");
    let whole = on_terminal(100, &["syncs", "--verbose", "-f", &file]).stdout;
    assert!(whole.contains(token), "{whole}");
    // Into a pipe nothing depends on it.
    assert_eq!(words(&["syncs", "--verbose", "-f", &file]).stdout, piped);
}

#[test]
fn json_does_not_depend_on_the_terminal() {
    let file = fixture("v1-small.c1z");
    for list in ["resources", "grants", "syncs", "stats"] {
        let args = [list, "-o", "json", "-f", &file];
        assert_eq!(on_terminal(60, &args).stdout, words(&args).stdout);
    }
}

#[test]
fn the_tree_of_access_fits_every_terminal_and_is_whole_in_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let file = with_long_texts(300, folder.path());
    let access = ["access", "-t", "user", "-r", "u1", "-f", &file];
    let piped = words(&access);
    assert_eq!(piped.status, 0, "{}", piped.stderr);
    assert!(piped.stdout.contains(&"n".repeat(300)));
    for columns in [1, 20, 60, 80, 100, 400] {
        let shown = on_terminal(columns, &access);
        assert_eq!(shown.status, 0);
        assert_eq!(shown.stdout.lines().count(), piped.stdout.lines().count());
        for line in shown.stdout.lines() {
            assert!(line.width() <= columns.max(20), "{columns}: {line}");
        }
        assert_eq!(shown.stdout == piped.stdout, columns == 400, "{columns}");
    }
    let shown = on_terminal(60, &access).stdout;
    let root = shown.lines().next().unwrap();
    assert!(root.ends_with("n… (user)"), "{root}");
}
