//! Conditions that users write.

use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{C1zFile, Filter, ReadOptions, View as FileView};
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
