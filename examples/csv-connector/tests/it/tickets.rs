//! Tickets in a folder of files.

use std::fs;

use serde_json::Value;

use crate::harness::Harness;

const TICKET: &str = r#"{"schema_id":"request","display_name":"A key","description":"for the lab",
    "labels":["lab"],"custom_fields":{"user":"u-1","priority":"high"}}"#;

fn with(harness: &Harness, text: &str) {
    fs::write(harness.dir.path().join("t.json"), text).unwrap();
}

const CREATE: [&str; 4] = [
    "--create-ticket",
    "--ticket-template-path",
    "t.json",
    "-ojson",
];

#[test]
fn tickets_get_numbers_and_can_be_read() {
    let harness = Harness::new();
    with(&harness, TICKET);
    for id in ["T-1", "T-2"] {
        let created = harness.sync(&CREATE);
        assert_eq!(created.code, Some(0), "{}", created.stderr);
        let json: Value = serde_json::from_str(&created.stdout).unwrap();
        assert_eq!(json["tickets"][0]["ticket"]["id"], id);
    }
    let read = harness.sync(&["--get-ticket", "--ticket-id", "T-2", "-o", "json"]);
    let json: Value = serde_json::from_str(&read.stdout).unwrap();
    let ticket = &json["ticket"];
    assert_eq!(ticket["status"]["displayName"], "Open");
    assert_eq!(
        ticket["customFields"]["priority"]["pickStringValue"]["value"],
        "high"
    );
    let drafts = fs::read_dir(harness.dir.path().join("tables/tickets")).unwrap();
    assert_eq!(drafts.count(), 2, "two tickets and no draft");
    for id in ["T-9", "../users", "T-../../users", ""] {
        let none = harness.sync(&["--get-ticket", &format!("--ticket-id={id}"), "-ojson"]);
        let found = none.code == Some(0) && !none.stdout.contains("\"ticket\":null");
        assert!(!found, "{id}: {}", none.stdout);
    }
    let schemas = harness.sync(&["--list-ticket-schemas"]);
    assert!(
        schemas.stdout.contains("`Request` (`request`)"),
        "{}",
        schemas.stdout
    );
}

#[test]
fn what_the_schema_does_not_have_is_refused() {
    let harness = Harness::new();
    for (text, code, expected) in [
        (TICKET.replace("high", "huge"), 3, "`huge` is not allowed"),
        (
            TICKET.replace("request", "wish"),
            5,
            "the only kind of ticket is `request`",
        ),
        (
            TICKET.replace("user", "pet"),
            2,
            "error: id(pet) not found in schema",
        ),
    ] {
        with(&harness, &text);
        let refused = harness.sync(&CREATE);
        assert_eq!(refused.code, Some(code), "{}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
    assert!(!harness.dir.path().join("tables/tickets").exists());
}
