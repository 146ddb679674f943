//! Log lines.

use serde_json::Value;

use crate::stage::Stage;
use crate::whole::{self, Upstream};

#[test]
fn json_lines_have_the_fixed_keys_first() {
    let outcome = Stage::ready().run(&["--log-level", "debug"]);
    let first = outcome.stderr.lines().next().unwrap();
    assert!(
        first.starts_with(
            "{\"level\":\"debug\",\"ts\":1767323045.678,\"caller\":\"baton_runtime/mod.rs:"
        ) || first
            .starts_with("{\"level\":\"debug\",\"ts\":1767323045.678,\"caller\":\"log/mod.rs:"),
        "{first}"
    );
    let line: Value = serde_json::from_str(first).unwrap();
    assert_eq!(line["msg"], "Logger created!");
    assert_eq!(line["log_level"], "debug");
    let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["level", "ts", "caller", "msg", "log_level"]);
}

#[test]
fn console_lines_are_tab_separated() {
    let outcome = Stage::ready().run(&["--log-level", "DEBUG", "--log-format", "console"]);
    let first = outcome.stderr.lines().next().unwrap();
    let cells: Vec<&str> = first.split('\t').collect();
    assert_eq!(cells[0], "2026-01-02T03:04:05.678Z");
    assert_eq!(cells[1], "DEBUG");
    assert!(cells[2].starts_with("log/mod.rs:"), "{first}");
    assert_eq!(cells[3..], ["Logger created!", "{\"log_level\":\"debug\"}"]);
}

#[test]
fn the_level_decides_what_is_written() {
    let outcome = Stage::ready().run(&["--log-level", "error", "--log-format", "json"]);
    assert_eq!(outcome.stderr, "");
    let outcome = Stage::ready().run(&["--log-format", "json"]);
    assert!(
        outcome.stderr.contains("\"msg\":\"Sync complete.\""),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("Logger created!"));
}

#[test]
fn log_paths_replace_standard_error_for_log_lines_and_are_appended() {
    let mut stage = Stage::ready();
    for _ in 0..2 {
        let outcome = stage.run(&["--log-path", "a.log,b.log", "--log-level", "debug"]);
        assert!(
            !outcome.stderr.contains("Logger created!"),
            "{}",
            outcome.stderr
        );
    }
    for name in ["a.log", "b.log"] {
        let text = std::fs::read_to_string(stage.path().join(name)).unwrap();
        assert_eq!(text.matches("Logger created!").count(), 2, "{text}");
    }
}

#[test]
fn progress_is_told_in_the_words_of_the_go_programs() {
    let outcome = Stage::ready().run(&["--log-format", "json"]);
    let told: Vec<String> = outcome
        .stderr
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["msg"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        told,
        [
            "Starting sync...",
            "Syncing resource types...",
            "Synced resource types",
            "Syncing resources...",
            "Synced resources",
            "list skipped",
            "sync data collection complete",
            "Sync complete.",
            "complete: `sync.c1z` holds everything that was requested",
        ]
    );
}

/// How often a line has the id of a sync.
fn ids(line: &str) -> usize {
    line.matches("\"sync_id\":").count()
}

#[test]
fn lines_of_a_sync_carry_its_id_once() {
    let mut stage = Stage::new();
    let flags = ["--log-format", "json", "--log-level", "debug"];
    let outcome = whole::sync(&mut stage, Upstream::OneForbidden, &flags);
    let lines: Vec<Value> = outcome
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = lines
        .iter()
        .find_map(|line| line["sync_id"].as_str())
        .unwrap();
    assert_eq!(id.len(), 27, "{id}");
    for (line, text) in lines.iter().zip(outcome.stderr.lines()) {
        let message = line["msg"].as_str().unwrap();
        match message {
            "Logger created!" => assert_eq!(ids(text), 0, "{text}"),
            "Starting sync..." | "Synced resource types" | "Synced resources" | "list skipped" => {
                assert_eq!(ids(text), 1, "{text}");
                assert_eq!(line["sync_id"], id, "{text}");
            }
            _ => assert!(ids(text) <= 1, "{text}"),
        }
    }
    let skipped = lines
        .iter()
        .find(|line| line["msg"] == "list skipped")
        .unwrap();
    assert_eq!(
        skipped.as_object().unwrap().keys().next_back().unwrap(),
        "sync_id"
    );
}

#[test]
fn ids_are_there_at_every_level_and_in_console_lines() {
    let flags = ["--log-format", "console", "--log-level", "warn"];
    let outcome = whole::sync(&mut Stage::new(), Upstream::OneForbidden, &flags);
    let mut lines = outcome.stderr.lines();
    let line = lines.find(|line| line.contains("list skipped")).unwrap();
    assert_eq!(ids(line), 1, "{line}");
}

#[test]
fn sentences_on_a_terminal_have_no_ids() {
    let mut stage = Stage::new().terminal();
    let outcome = whole::sync(&mut stage, Upstream::OneForbidden, &[]);
    assert!(outcome.stderr.contains("warning: "), "{}", outcome.stderr);
    for id in ["sync_id", "sync id"] {
        assert!(!outcome.stderr.contains(id), "{}", outcome.stderr);
    }
}
