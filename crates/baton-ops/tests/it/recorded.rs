//! The same requests as in a recording of a Go program, and the same answers.

use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::stage::{Checks, Stage};

/// How the recording names the states in which the connector is asked.
fn checks(state: &str, body: &Value) -> Option<Checks> {
    let text = body["details"]["validation_error"].as_str();
    match (state, text) {
        ("Validate fails", Some(text)) => Some(Checks::FailWith(text.to_owned())),
        ("running" | "Validate fails", _) => Some(Checks::Succeed),
        // Such a check ends after 30 s, as in paused time in the tests of the check.
        _ => None,
    }
}

#[tokio::test]
async fn answers_equal_the_recorded_ones() {
    let recording = include_str!("../fixtures/go-answers.jsonl");
    let mut compared = 0;
    for line in recording.lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let text = recorded["body"].as_str().unwrap();
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let Some(checks) = checks(recorded["state"].as_str().unwrap(), &body) else {
            continue;
        };
        let stage = Stage::new(checks).await;
        stage.ready.store(true, Ordering::Relaxed);
        let request = recorded["request"].as_str().unwrap();
        let (method, path) = request.split_once(' ').unwrap();
        let (status, mut headers, answer) = stage.ask(method, path).await;
        let mut head = recorded["head"].as_array().unwrap().iter();
        assert_eq!(Value::from(status), *head.next().unwrap(), "{request}");
        let mut expected: Vec<String> = head
            .map(|header| header.as_str().unwrap().to_owned())
            .filter(|header| !header.starts_with("Date: "))
            .map(|header| {
                let (name, value) = header.split_once(": ").unwrap();
                format!("{}: {value}", name.to_ascii_lowercase())
            })
            .collect();
        expected.sort();
        headers.sort();
        assert_eq!(headers, expected, "{request}");
        let time = body["timestamp"].as_str().unwrap_or("no time");
        assert_eq!(
            answer,
            text.replace(time, "2026-01-02T03:04:05Z"),
            "{request}"
        );
        compared += 1;
    }
    assert_eq!(compared, 12);
}
