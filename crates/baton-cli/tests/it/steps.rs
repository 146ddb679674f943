//! Recorded cases of the Go tool for the commands that make or change files,
//! in their order: later ones look at what earlier ones made. Where we differ
//! on purpose, the step is listed in `docs/compatibility.md`; a listed step
//! that agrees fails the test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use calamine::{Data, Reader, Xlsx, open_workbook};
use serde_json::Value;

use crate::goldens::unordered;
use crate::program::{Outcome, baton};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

struct Step {
    name: String,
    copy_first: String,
    args: Vec<String>,
    status: u8,
    stdout_file: String,
    compare: String,
    stderr_last_line: String,
}

fn steps() -> Vec<Step> {
    let text = fs::read_to_string(golden().join("steps.tsv")).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let parts: Vec<&str> = line.split('\t').collect();
            Step {
                name: parts[0].to_owned(),
                copy_first: parts[1].to_owned(),
                args: parts[2].split(' ').map(str::to_owned).collect(),
                status: parts[3].parse().unwrap(),
                stdout_file: parts[4].to_owned(),
                compare: parts[5].to_owned(),
                stderr_last_line: parts[6].to_owned(),
            }
        })
        .collect()
}

/// Lines of the form ``- step `name` ``.
fn listed() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("docs/compatibility.md")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("- step `"))
        .map(|line| line.split('`').next().unwrap().to_owned())
        .collect()
}

/// Files are named relative to the folder of the run: give them their path.
fn run(args: &[String], folder: &Path) -> Outcome {
    let mut args = args.to_vec();
    for place in 1..args.len() {
        if matches!(args[place - 1].as_str(), "-f" | "--out" | "--secret-file") {
            args[place] = folder.join(&args[place]).display().to_string();
        }
    }
    let mut outcome = baton(&args);
    let prefix = format!("{}/", folder.display());
    for text in [&mut outcome.stdout, &mut outcome.stderr] {
        *text = text.replace(&prefix, "");
    }
    outcome
}

/// Durations differ from run to run: `12ms` and `<duration>` become one.
pub fn without_durations(text: &str) -> String {
    let is_duration = |word: &str| {
        word.strip_suffix('s').is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_digit())
                && rest
                    .trim_end_matches('m')
                    .chars()
                    .all(|c| c.is_ascii_digit() || ".hm".contains(c))
        })
    };
    let words = text.split_inclusive([' ', '\n', '(', ')']);
    words
        .map(|part| {
            let word = part.trim_end_matches([' ', '\n', '(', ')']);
            if is_duration(word) {
                part.replacen(word, "<duration>", 1)
            } else {
                part.to_owned()
            }
        })
        .collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The rows of a CSV text.
pub fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        row.iter().map(str::to_owned).collect()
    });
    rows.collect()
}

/// The rows of a sheet of a workbook.
pub fn sheet_rows(path: &Path, sheet: &str) -> Vec<Vec<String>> {
    let mut book: Xlsx<_> = open_workbook(path).unwrap();
    let cells = book.worksheet_range(sheet).unwrap();
    let text = |cell: &Data| match cell {
        Data::Empty => String::new(),
        Data::String(text) => text.clone(),
        other => panic!("{other:?} is no text"),
    };
    cells
        .rows()
        .map(|row| row.iter().map(text).collect())
        .collect()
}

fn rows_of(path: &Path) -> Vec<Vec<String>> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => csv_rows(&fs::read_to_string(path).unwrap()),
        _ => sheet_rows(path, "Sheet1"),
    }
}

/// The head, then all other rows sorted.
fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows[1..].sort();
    rows
}

fn difference(step: &Step, outcome: &Outcome, folder: &Path) -> Option<String> {
    if outcome.status != step.status {
        return Some(format!(
            "exit status {} instead of {}: {}",
            outcome.status, step.status, outcome.stderr
        ));
    }
    if step.compare.starts_with("error") {
        let said = outcome.stderr.contains(&step.stderr_last_line);
        return (!said)
            .then(|| format!("{:?} is not in {:?}", step.stderr_last_line, outcome.stderr));
    }
    let want = match step.stdout_file.as_str() {
        "" => String::new(),
        name => fs::read_to_string(golden().join(name)).unwrap(),
    };
    let got = &outcome.stdout;
    let same = match step.compare.as_str() {
        "exact" => want == *got,
        "json" => json(&want) == json(got),
        "json-unordered" => unordered(json(&want)) == unordered(json(got)),
        "stdout-durations" => want == without_durations(got),
        "out-file-rows-unordered" => {
            let made = &step.args[step.args.iter().position(|a| a == "--out").unwrap() + 1];
            let (want, got) = (sorted(csv_rows(&want)), sorted(rows_of(&folder.join(made))));
            return (want != got).then(|| format!("want:\n{want:?}\ngot:\n{got:?}"));
        }
        "out-file-syncs-json" => {
            let made = &step.args[step.args.iter().position(|a| a == "--out").unwrap() + 1];
            let words = ["syncs", "-o", "json", "-f", made].map(str::to_owned);
            let syncs = run(&words, folder);
            return (json(&want) != json(&syncs.stdout))
                .then(|| format!("want:\n{want}\ngot:\n{}", syncs.stdout));
        }
        other => panic!("unknown comparison {other}"),
    };
    (!same).then(|| format!("want:\n{want}\ngot:\n{got}\n{}", outcome.stderr))
}

#[test]
fn recorded_steps_agree_unless_listed_as_different() {
    let shared = tempfile::tempdir().unwrap();
    let sources: Vec<PathBuf> = fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "c1z" || e == "bin"))
        .collect();
    let provide = |folder: &Path| {
        for source in &sources {
            fs::copy(source, folder.join(source.file_name().unwrap())).unwrap();
        }
    };
    provide(shared.path());
    let mut left = listed();
    let mut wrong = Vec::new();
    for step in steps() {
        // Exports of several cases have one name: each gets its own folder.
        let own = tempfile::tempdir().unwrap();
        let folder = if step.args[0] == "export" {
            provide(own.path());
            own.path()
        } else {
            shared.path()
        };
        if let Some((from, to)) = step.copy_first.split_once('>') {
            fs::copy(golden().join(from), folder.join(to)).unwrap();
        }
        if step.compare.contains("second run") {
            run(&step.args, folder);
        }
        let before = (step.compare == "error").then(|| files(folder));
        let outcome = run(&step.args, folder);
        if let Some(before) = before {
            assert_eq!(files(folder), before, "{} left something", step.name);
        }
        match (difference(&step, &outcome, folder), left.remove(&step.name)) {
            (Some(text), false) => wrong.push(format!("{}: {text}", step.name)),
            (None, true) => wrong.push(format!("{} agrees: take it off the list", step.name)),
            _ => {}
        }
    }
    wrong.extend(
        left.iter()
            .map(|name| format!("{name} is listed but is no step")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn a_dump_without_a_path_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = golden().join("v1-small.c1z").display().to_string();
    for command in ["dump-db", "to-pebble", "to-sqlite"] {
        let words = [command, "--out", "", "-f", &source].map(str::to_owned);
        let outcome = baton(&words);
        assert_eq!(outcome.status, 2);
        assert!(
            outcome
                .stderr
                .starts_with("error: an output path is required\n"),
            "{}",
            outcome.stderr
        );
    }
    assert!(files(folder.path()).is_empty());
}
