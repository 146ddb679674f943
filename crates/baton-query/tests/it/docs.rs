//! The page of fields lists them all, with their kinds, meanings and tables.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use baton_query::{Field, Table};

/// The lines of the page's table.
fn table() -> String {
    let mut text = String::from("| field | kind | meaning | lists |\n| --- | --- | --- | --- |\n");
    for field in Field::all() {
        let tables = Table::ALL.iter().filter(|table| field.is_in(**table));
        let tables: Vec<&str> = tables.map(|table| table.name()).collect();
        writeln!(
            text,
            "| `{field}` | {} | {} | {} |",
            field.kind().name(),
            field.about(),
            tables.join(", ")
        )
        .unwrap();
    }
    text
}

/// With `UPDATE_DOCS=1` the page is written anew.
#[test]
fn the_page_of_fields_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fields.md");
    let page = fs::read_to_string(&path).unwrap();
    let begin = page.find("| field |").unwrap();
    let end = begin + page[begin..].find("\n\n").unwrap() + 1;
    let fresh = [&page[..begin], &table(), &page[end..]].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, fresh).unwrap();
    } else {
        assert!(
            page == fresh,
            "docs/fields.md is stale; run with UPDATE_DOCS=1"
        );
    }
}
