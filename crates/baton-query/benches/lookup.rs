//! Looking objects up in finished files.
//!
//! `cargo bench -p baton-query --bench lookup -- FILE...` prints medians of
//! five runs; each opens the file anew, as a program does that changes access.
//! `cargo bench -p baton-c1z --bench seal -- 1 1000 order keep=FOLDER` makes
//! files of a million grants.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
// A bench prints to the terminal and panics on the first failure.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use baton_c1z::{C1zFile, Filter, OwnedRow, ReadOptions, Table, View};
use baton_query::{Error, SyncFile};

const RUNS: usize = 5;

fn open(path: &Path) -> SyncFile {
    SyncFile::open(path, &ReadOptions::default()).unwrap()
}

fn median_ms(path: &Path, ask: impl Fn(&SyncFile)) -> f64 {
    let mut all: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            ask(&open(path));
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[RUNS / 2]
}

/// A grant from the middle of the file.
fn middle_grant(path: &Path) -> OwnedRow {
    let file = C1zFile::open(path, &ReadOptions::default()).unwrap();
    let id = open(path).sync().id.clone();
    let snapshot = file.view(View::Sync(&id)).unwrap();
    let all = Filter::default();
    let rows = snapshot.count(Table::Grants, &all).unwrap();
    println!("{}, {rows} grants, milliseconds:", path.display());
    let (mut at, mut found) = (0, None);
    snapshot
        .scan(Table::Grants, &all, &mut |row| {
            at += 1;
            if at <= rows / 2 {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(row.to_owned());
            Ok(ControlFlow::Break(()))
        })
        .unwrap();
    found.unwrap()
}

fn main() {
    let files: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .map(PathBuf::from)
        .collect();
    for path in &files {
        let row = middle_grant(path);
        let (type_id, principal) = (&row.principal_type_id, &row.principal_id);
        let both = |file: &SyncFile| {
            file.entitlement_to_grant(&row.entitlement_id).unwrap();
            file.principal(type_id, principal).unwrap();
        };
        println!(
            "  entitlement and principal by id {:10.2}",
            median_ms(path, both)
        );
        let grant = |file: &SyncFile| drop(file.grant_to_revoke(&row.id).unwrap());
        println!(
            "  grant by id                     {:10.2}",
            median_ms(path, grant)
        );
        let (entitlement, user) = {
            let file = open(path);
            let entitlement = file.entitlement(&row.entitlement_id).unwrap();
            let resource = entitlement.resource.unwrap().display_name;
            let user = file.principal(type_id, principal).unwrap().display_name;
            ([&resource, ":", &entitlement.slug].concat(), user)
        };
        let names = |file: &SyncFile| {
            // The entitlements of a made-up file may have no slugs.
            let found = file.entitlement(&entitlement);
            assert!(matches!(found, Ok(_) | Err(Error::NotFound(_))));
            file.principal(type_id, &user).unwrap();
        };
        println!(
            "  both by name                    {:10.2}",
            median_ms(path, names)
        );
        let unknown = |file: &SyncFile| {
            file.grant(&[&row.id, "?"].concat()).unwrap_err();
        };
        println!(
            "  grant that is not there         {:10.2}",
            median_ms(path, unknown)
        );
    }
}
