//! Conditions and searches over all grants of finished files.
//!
//! `cargo bench -p baton-query --bench records -- FILE...` prints the seconds
//! of a scan of the grants, and of the same with a condition or a search.
//! `cargo bench -p baton-query --bench diff -- FOLDER` makes files of a
//! million grants.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
// A bench prints to the terminal and panics on the first failure.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::ops::ControlFlow;
use std::time::Instant;

use baton_c1z::{C1zFile, Filter, ReadOptions, Row, Snapshot, View as FileView};
use baton_query::{Condition, Matched, Records, Search, Table, View};

const CONDITIONS: [&str; 3] = [
    "!grant.immutable && grant.id.endsWith('7')",
    "principal.display_name.contains('77') && resource.type == 'group'",
    "principal.email == '' || has(principal.profile.department)",
];
const SEARCHED: &str = "number 777";

/// Scans all grants, and prints what was selected and the seconds.
fn measure(snapshot: &Snapshot<'_>, what: &str, mut selects: impl FnMut(&Row<'_>) -> bool) {
    let begun = Instant::now();
    let mut selected = 0_u64;
    let scanned = snapshot.scan(Table::Grants.rows(), &Filter::default(), &mut |row| {
        selected += u64::from(selects(row));
        Ok(ControlFlow::Continue(()))
    });
    scanned.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    println!("  {seconds:5.2} s, {selected} grants: {what}");
}

fn main() {
    for path in std::env::args().skip(1).filter(|arg| !arg.starts_with('-')) {
        println!("{path}");
        let file = C1zFile::open(path.as_ref(), &ReadOptions::default()).unwrap();
        let snapshot = file.view(FileView::AllRows).unwrap();
        // The first scan of a file also unpacks it.
        for what in ["first scan", "scan"] {
            measure(&snapshot, what, |_| true);
        }
        for text in CONDITIONS {
            let condition = Condition::parse(text, Table::Grants).unwrap();
            let view = View::new(Table::Grants).with_all(condition.fields());
            let records = Records::new(&snapshot, view);
            measure(&snapshot, text, |row| {
                condition.matches(&records.record(row)).unwrap() == Matched::Yes
            });
        }
        let records = Records::new(&snapshot, View::new(Table::Grants).with_names());
        let search = Search::new(SEARCHED).unwrap();
        measure(&snapshot, "a search", |row| {
            search.matches(&records.record(row)).unwrap()
        });
    }
}
