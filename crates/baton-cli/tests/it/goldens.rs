//! Every recorded case of the Go tool for the commands that exist, on files
//! of both formats. Where we differ on purpose, the case is listed in
//! `docs/compatibility.md`; a listed case that agrees fails the test, so that
//! the list stays true.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{Outcome, baton};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

struct Case {
    name: String,
    args: Vec<String>,
    status: u8,
    stdout_file: String,
    compare: String,
    stderr_last_line: String,
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(golden().join("cases.tsv")).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let parts: Vec<&str> = line.split('\t').collect();
            Case {
                name: parts[0].to_owned(),
                args: shell_words(parts[2]),
                status: parts[3].parse().unwrap(),
                stdout_file: parts[4].to_owned(),
                compare: parts[5].to_owned(),
                stderr_last_line: parts.get(6).copied().unwrap_or_default().to_owned(),
            }
        })
        .collect()
}

/// Words as a shell splits them; the cases quote with single quotes only.
fn shell_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Files are named relative to a scratch folder: give them their full path.
fn with_paths(args: &[String], scratch: &Path) -> Vec<String> {
    let mut args = args.to_vec();
    for place in 1..args.len() {
        if matches!(args[place - 1].as_str(), "-f" | "--compare-file") {
            args[place] = scratch.join(&args[place]).display().to_string();
        }
    }
    args
}

/// Cases listed as different on purpose: lines of the form
/// ``- case `name` `args` ``.
fn listed() -> BTreeSet<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("docs/compatibility.md")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("- case `"))
        .map(|line| {
            let mut parts = line.split('`');
            let name = parts.next().unwrap().to_owned();
            let args = parts.nth(1).unwrap_or_default().to_owned();
            (name, args)
        })
        .collect()
}

/// Sorts arrays, recursively, so that their order does not count.
pub fn unordered(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(unordered).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, unordered(v))).collect(),
        other => other,
    }
}

/// A tree's groups without their drawing, sorted.
fn tree_groups(text: &str) -> (String, Vec<Vec<String>>) {
    let bare = |line: &str| {
        line.trim_start_matches([' ', '│', '├', '└', '─', '┬'])
            .to_owned()
    };
    let mut lines = text.lines();
    let root = bare(lines.next().unwrap_or_default());
    let mut groups: Vec<Vec<String>> = Vec::new();
    for line in lines {
        if line.starts_with("  ├─┬") || line.starts_with("  └─┬") {
            groups.push(vec![bare(line)]);
        } else if let Some(group) = groups.last_mut() {
            group.push(bare(line));
        }
    }
    groups.sort();
    (root, groups)
}

/// Tables as blocks of lines between empty ones, the rows of each sorted.
fn tables(text: &str) -> Vec<Vec<&str>> {
    let blocks = text.split("\n\n").map(|block| {
        let mut lines: Vec<&str> = block.lines().collect();
        if let Some(rows) = lines.get_mut(1..) {
            rows.sort_unstable();
        }
        lines
    });
    blocks.collect()
}

fn difference(case: &Case, outcome: &Outcome) -> Option<String> {
    if outcome.status != case.status {
        return Some(format!(
            "exit status {} instead of {}: {}",
            outcome.status, case.status, outcome.stderr
        ));
    }
    if case.compare.starts_with("error") {
        let said = outcome.stderr.contains(&case.stderr_last_line);
        return (!said)
            .then(|| format!("{:?} is not in {:?}", case.stderr_last_line, outcome.stderr));
    }
    let want = if case.stdout_file.is_empty() {
        String::new()
    } else {
        fs::read_to_string(golden().join(&case.stdout_file)).unwrap()
    };
    let got = &outcome.stdout;
    let same = match case.compare.as_str() {
        "exact" => want == *got,
        "json" => parsed(&want) == parsed(got),
        "json-unordered" => unordered(parsed(&want)) == unordered(parsed(got)),
        "console-tables-unordered" => tables(&want) == tables(got),
        "tree-unordered" => tree_groups(&want) == tree_groups(got),
        other => panic!("unknown comparison {other}"),
    };
    (!same).then(|| format!("want:\n{want}\ngot:\n{got}"))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn recorded_cases_agree_unless_listed_as_different() {
    let scratch = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "c1z") {
            fs::copy(&path, scratch.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::write(scratch.path().join("empty.c1z"), b"").unwrap();
    fs::write(scratch.path().join("garbage.c1z"), b"this is no c1z").unwrap();

    let mut left = listed();
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() > 100, "the golden cases are missing");
    for case in &cases {
        let outcome = baton(&with_paths(&case.args, scratch.path()));
        let key = (case.name.clone(), case.args.join(" "));
        let is_listed = left.remove(&key);
        match (difference(case, &outcome), is_listed) {
            (Some(text), false) => wrong.push(format!("{key:?}: {text}")),
            (None, true) => wrong.push(format!("{key:?} agrees: take it off the list")),
            _ => {}
        }
    }
    wrong.extend(
        left.iter()
            .map(|key| format!("{key:?} is listed but is no case")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
