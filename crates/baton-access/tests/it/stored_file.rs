//! Rows of a real file: what comes out equals what the Go tools store.

use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{C1zFile, Filter, OwnedRow, ReadOptions, Table, View};
use baton_proto::wire;

use crate::model::File;

fn rows(table: Table) -> Vec<OwnedRow> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/files/v1-small.c1z");
    let file = C1zFile::open(&path, &ReadOptions::default()).expect("a c1z");
    let view = file.view(View::AllRows).expect("rows");
    let mut rows = Vec::new();
    view.scan(table, &Filter::default(), &mut |row| {
        rows.push(row.to_owned());
        Ok(ControlFlow::Continue(()))
    })
    .expect("rows");
    rows
}

#[test]
fn a_derived_grant_is_stored_byte_for_byte_as_the_go_tools_store_it() {
    const DERIVED: &str = "group:g3:member:user:u1";
    const ENTITLEMENT: u32 = 1;
    const SOURCES: u32 = 5;
    let (derived, grants): (Vec<_>, Vec<_>) = rows(Table::Grants)
        .into_iter()
        .partition(|row| row.id == DERIVED);
    let mut file = File::from_rows(rows(Table::Entitlements), grants);
    file.expand().expect("expands");
    let made = file.grants.iter().find(|row| row.id == DERIVED);
    let made = made.expect("derived again");
    // The stored row was made by hand and embeds no more than the ids of its
    // entitlement; that a derived one embeds the stored entitlement whole is
    // checked on every insert.
    let without =
        |row: &OwnedRow| wire::without(&row.data, &[ENTITLEMENT, SOURCES]).expect("valid");
    assert_eq!(without(made), without(&derived[0]));
    // Older tools left `is_direct` false everywhere, and so does this row.
    let stored = wire::last_bytes(&derived[0].data, SOURCES).expect("valid");
    assert_eq!(
        stored,
        Some(&b"\x0a\x13\x0a\x0fgroup:g1:member\x12\x00"[..])
    );
    let sources = wire::last_bytes(&made.data, SOURCES).expect("valid");
    assert_eq!(
        sources,
        Some(&b"\x0a\x15\x0a\x0fgroup:g1:member\x12\x02\x08\x01"[..])
    );

    let ids: Vec<&str> = file.grants.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids.len(), 10, "{ids:?}");
    for user in ["u3", "u5"] {
        let id = format!("group:g3:member:user:{user}");
        assert!(ids.contains(&id.as_str()), "{ids:?}");
    }
}

#[test]
fn a_file_expanded_by_an_older_tool_gets_its_sources_raised() {
    let mut file = File::from_rows(rows(Table::Entitlements), rows(Table::Grants));
    file.expand().expect("expands");
    let seen = file.seen();
    let raised = &seen["group:g3:member:user:u1"];
    assert_eq!(raised.sources.get("group:g1:member"), Some(&true));
    assert_eq!(seen.len(), 10);
    assert_eq!(file.expand().expect("expands"), 0);
}
