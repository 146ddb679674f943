//! Output formats: each list in each of them.

use serde_json::Value;

use crate::program::{fixture, on_terminal, words};

/// Every list, with the name of its rows in JSON.
const LISTS: [(&[&str], &str); 7] = [
    (&["resource-types"], "resourceTypes"),
    (&["resources"], "resources"),
    (&["entitlements"], "entitlements"),
    (&["grants"], "grants"),
    (&["principals"], "resources"),
    (&["access", "-t", "user", "-r", "u1"], "access"),
    (&["syncs"], "syncs"),
];

const FILES: [&str; 4] = [
    "v1-small.c1z",
    "v3-small.c1z",
    "v1-multi-sync.c1z",
    "v1-missing-entitlement.c1z",
];

fn shown(list: &[&str], format: &str, file: &str) -> String {
    let outcome = words(&[list, &["-o", format, "-f", file]].concat());
    assert_eq!(outcome.status, 0, "{list:?} {format}: {}", outcome.stderr);
    outcome.stdout
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Every list of every file.
fn each(mut test: impl FnMut(&[&str], &str, &str)) {
    for file in FILES.map(fixture) {
        for (list, key) in LISTS {
            test(list, key, &file);
        }
    }
}

#[test]
fn ndjson_has_the_elements_of_the_list_one_a_line() {
    each(|list, key, file| {
        let whole = json(&shown(list, "json", file));
        let lines = shown(list, "ndjson", file);
        assert!(lines.is_empty() || lines.ends_with('\n'), "{list:?}");
        let elements: Vec<Value> = lines.lines().map(json).collect();
        let expected = whole[key].as_array().cloned().unwrap_or_default();
        assert_eq!(elements, expected, "{list:?} {file}");
    });
}

#[test]
fn yaml_has_the_content_of_json() {
    each(|list, _, file| {
        let yaml = shown(list, "yaml", file);
        let read: Value = serde_saphyr::from_str(&yaml).unwrap_or_else(|e| panic!("{e}: {yaml}"));
        assert_eq!(read, json(&shown(list, "json", file)), "{list:?} {file}");
    });
    let file = fixture("v1-small.c1z");
    let read: Value = serde_saphyr::from_str(&shown(&["stats"], "yaml", &file)).unwrap();
    assert_eq!(read, json(&shown(&["stats"], "json", &file)));
    assert_eq!(
        shown(&["stats"], "ndjson", &file),
        format!("{}\n", shown(&["stats"], "json", &file))
    );
}

#[test]
fn csv_and_markdown_have_the_columns_and_rows_of_the_table() {
    each(|list, _, file| {
        let text = shown(list, "csv", file);
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        let heads: Vec<String> = csv
            .headers()
            .unwrap()
            .iter()
            .map(ToOwned::to_owned)
            .collect();
        let rows: Vec<Vec<String>> = csv
            .records()
            .map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect())
            .collect();
        let markdown = shown(list, "markdown", file);
        let mut lines = markdown.lines();
        assert_eq!(lines.next().unwrap(), format!("| {} |", heads.join(" | ")));
        assert_eq!(lines.count(), rows.len() + 1, "{list:?}");
        if list[0] == "access" {
            // Its table for people is a tree.
            return;
        }
        let table = shown(list, "console", file);
        let cells = |line: &str| -> Vec<String> {
            let cells = line.split(" | ").map(|cell| cell.trim_end().to_owned());
            cells
                .map(|cell| if cell == "-" { String::new() } else { cell })
                .collect()
        };
        let mut lines = table.lines();
        assert_eq!(cells(lines.next().unwrap()), heads, "{list:?}");
        let shown_rows: Vec<Vec<String>> =
            lines.filter(|line| !line.is_empty()).map(cells).collect();
        assert_eq!(shown_rows, rows, "{list:?} {file}");
    });
}

#[test]
fn no_format_but_the_table_depends_on_the_terminal() {
    let file = fixture("v1-small.c1z");
    for (list, _) in LISTS.iter().chain(&[(&["stats"][..], "")]) {
        for format in ["json", "ndjson", "csv", "yaml"] {
            let args = [list, &["-o", format, "-f", &file][..]].concat();
            assert_eq!(on_terminal(60, &args).stdout, words(&args).stdout);
        }
    }
}

#[test]
fn formats_of_a_small_list() {
    let file = fixture("v1-small.c1z");
    let list = ["entitlements", "-t", "org"];
    let beginnings = [
        ("csv", "ID,Display Name,Resource Type,Resource,Permission\n"),
        (
            "markdown",
            "| ID | Display Name | Resource Type | Resource | Permission |\n| --- | --- | --- | --- | --- |\n| `",
        ),
        ("yaml", "entitlements:\n- entitlement:\n    resource:\n"),
        ("ndjson", "{\"entitlement\":{\"resource\":"),
    ];
    for (format, begins) in beginnings {
        let text = shown(&list, format, &file);
        assert!(text.starts_with(begins), "{format}: {text}");
    }
    let stats = shown(&["stats"], "csv", &file);
    assert!(
        stats.starts_with("Resource Type,Resources,Entitlements,Grants\n"),
        "{stats}"
    );
    let stats = shown(&["stats"], "markdown", &file);
    assert!(stats.matches("| --- |").count() >= 3, "{stats}");
}

#[test]
fn an_unknown_format_is_an_error_that_lists_the_known_ones() {
    let file = fixture("v1-small.c1z");
    for (list, _) in LISTS.iter().chain(&[(&["stats"][..], "")]) {
        for word in ["yml", "JSON", "", "table"] {
            let outcome = words(&[list, &["-o", word, "-f", &file][..]].concat());
            let expected = format!(
                "error: unknown output format `{word}`\nhint: pass one of these with --output-format: \
                 console, json, ndjson, csv, yaml, markdown\n"
            );
            assert_eq!(
                (outcome.status, &*outcome.stdout, &*outcome.stderr),
                (2, "", &*expected)
            );
        }
    }
    // Where the format has no effect, any word is accepted, as in Go.
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.c1z").display().to_string();
    let outcome = words(&["export", "c1z", "-o", "x", "-f", &file, "--out", &out]);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
}
