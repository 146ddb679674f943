//! The table of metrics in the documentation is made from their descriptions.

use std::fs;
use std::path::{Path, PathBuf};

use baton_metrics::{Description, descriptions};

const BEGIN: &str = "<!-- metrics: begin -->\n";
const END: &str = "<!-- metrics: end -->\n";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md")
}

fn row(one: &Description) -> String {
    let labels: Vec<String> = one
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    let labels = if labels.is_empty() {
        "–".to_owned()
    } else {
        labels.join(", ")
    };
    let (name, kind) = (one.name(), one.kind.name());
    format!("| `{name}` | {kind} | {labels} | {} |\n", one.meaning)
}

#[test]
fn the_page_has_the_table() {
    let head = "\n| metric | type | labels | meaning |\n|---|---|---|---|\n";
    let rows: String = descriptions().iter().map(row).collect();
    let table = format!("{head}{rows}\n");
    let text = fs::read_to_string(page()).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(page(), [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(found, table, "UPDATE_DOCS=1 writes the table");
}

/// Each metric that the page names in its examples exists.
#[test]
fn the_page_names_no_metric_that_does_not_exist() {
    let text = fs::read_to_string(page()).unwrap();
    let names: Vec<String> = descriptions().iter().map(Description::name).collect();
    let known = |word: &str| {
        let suffixes = ["", "_bucket", "_sum", "_count"];
        let mut names = names.iter();
        names.any(|name| {
            word.strip_prefix(&**name)
                .is_some_and(|suffix| suffixes.contains(&suffix))
        })
    };
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let named = words.filter(|word| word.starts_with("baton_") && *word != "baton_sdk");
    let named: Vec<&str> = named.collect();
    for word in &named {
        assert!(known(word), "{word}");
    }
    let ours = names.iter().filter(|name| name.starts_with("baton_"));
    let ours = ours.count();
    assert!(named.len() > ours, "no example: {named:?}");
}
