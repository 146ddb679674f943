//! Our JSON of stored rows says what the Go tools printed for them.

use std::collections::HashMap;

use baton_proto::c1::connector::v2::ConnectorCapabilities;
use baton_proto::{any, json};
use prost::Message;
use serde_json::Value;

use crate::fixtures::{ROW_FILES, pairs, rows};

const GOLDEN: [(&str, &str); 2] = [
    ("v1-small", include_str!("../fixtures/v1-small.golden.tsv")),
    (
        "atlassian-org-sync",
        include_str!("../fixtures/atlassian-org-sync.golden.tsv"),
    ),
];

fn indented() -> json::Options {
    json::Options {
        indent: Some(2),
        ..json::Options::default()
    }
}

/// What tells rows of one kind apart.
fn key(kind: &str, row: &Value) -> String {
    format!("{kind} {}", row["id"])
}

#[test]
fn rows_print_as_the_go_tools_printed_them_in_the_same_key_order() {
    for (file, golden) in GOLDEN {
        let stored = ROW_FILES.iter().find(|(name, _)| *name == file);
        let (_, stored) = stored.expect("the rows of the file");
        let mut printed = HashMap::new();
        for row in rows(stored) {
            let id = json::Registry::get().message(&row.full_name());
            let mut text = Vec::new();
            json::write(
                &mut text,
                id.expect("known"),
                &row.data,
                &json::Options::default(),
            )
            .expect("a stored row");
            let value: Value = serde_json::from_slice(&text).expect("JSON");
            printed.insert(
                key(row.kind, &value),
                String::from_utf8(text).expect("UTF-8"),
            );
        }
        let mut compared = 0;
        for (kind, expected) in pairs(golden) {
            let value: Value = serde_json::from_str(expected).expect("JSON");
            let ours = printed.get(&key(kind, &value)).expect("a printed row");
            assert_eq!(ours, expected, "{file} {kind}");
            compared += 1;
        }
        assert!(compared > 20, "{file}: {compared} rows");
    }
}

#[test]
fn whole_documents_go_through_the_wire_and_come_out_as_they_were() {
    let cases = [
        (
            "google.protobuf.Any",
            include_str!("../fixtures/capabilities.json"),
            indented(),
        ),
        (
            "c1.config.v1.Configuration",
            include_str!("../fixtures/config.json"),
            json::Options {
                emit_html_escapes: true,
                ..indented()
            },
        ),
        (
            "c1.reader.v2.SyncRun",
            include_str!("../fixtures/v1-small.stats.json"),
            json::Options::default(),
        ),
    ];
    for (name, text, options) in cases {
        let id = json::Registry::get().message(name).expect("a known type");
        let wire = json::parse(id, text).expect("Go's JSON");
        let mut ours = Vec::new();
        json::write(&mut ours, id, &wire, &options).expect("what was just parsed");
        assert_eq!(String::from_utf8(ours).expect("UTF-8"), text, "{name}");
    }
}

#[test]
fn capabilities_are_an_any_that_unpacks() {
    let text = include_str!("../fixtures/capabilities.json");
    let id = json::Registry::get()
        .message("google.protobuf.Any")
        .expect("known");
    let wire = json::parse(id, text).expect("Go's JSON");
    let packed = prost_types::Any::decode(wire.as_slice()).expect("an Any");
    let capabilities: ConnectorCapabilities = any::unpack(&packed).expect("capabilities");
    assert_eq!(capabilities.resource_type_capabilities.len(), 5);
    assert_eq!(any::pack(&capabilities), packed);
}
