//! Conditions that users write, and messages that a diff compares.

use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{C1zFile, Filter, ReadOptions, View as FileView};
use baton_proto::json::compare::{All, differences};
use baton_proto::json::{Options, Registry};
use baton_query::{Condition, Records, Table, View};

/// A small file, for conditions that are valid.
const FILE: &str = "../baton-c1z/tests/fixtures/v1-small.c1z";

/// Parses a condition, and evaluates it for all records of a small file.
pub fn condition(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for table in Table::ALL {
        if let Ok(condition) = Condition::parse(&text, table) {
            evaluate(&condition);
        }
    }
}

/// Errors of the file are none of the condition.
fn evaluate(condition: &Condition) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let Ok(file) = C1zFile::open(&path, &ReadOptions::default()) else {
        return;
    };
    let Ok(snapshot) = file.view(FileView::AllRows) else {
        return;
    };
    let table = condition.table();
    let view = View::new(table).with_all(condition.fields());
    let records = Records::new(&snapshot, view);
    let scanned = snapshot.scan(table.rows(), &Filter::default(), &mut |row| {
        let matched = condition.matches(&records.record(row));
        assert!(matched.is_ok(), "the view has all fields: {matched:?}");
        Ok(ControlFlow::Continue(()))
    });
    assert!(scanned.is_ok(), "{scanned:?}");
}

/// Compares two messages: the input is cut in two at the place that its first
/// byte names.
pub fn compare(data: &[u8]) {
    let Some((at, rest)) = data.split_first() else {
        return;
    };
    let (old, new) = rest.split_at(usize::from(*at).min(rest.len()));
    for name in ["ResourceType", "Resource", "Entitlement", "Grant"] {
        let message = Registry::get().message(&["c1.connector.v2.", name].concat());
        let Some(message) = message else { continue };
        let found = differences(message, old, new, &All);
        let Ok(found) = found else { continue };
        let turned = differences(message, new, old, &All).map(|turned| turned.len());
        assert_eq!(turned.ok(), Some(found.len()), "the order of the sides");
        for content in found.iter().flat_map(|d| d.old.iter().chain(&d.new)) {
            // What cannot be shown is an error, as in a list.
            let _ = content.write_json(&mut Vec::new(), &Options::default());
        }
        let same = differences(message, old, old, &All);
        assert!(
            same.is_ok_and(|same| same.is_empty()),
            "a message equals itself"
        );
    }
}
