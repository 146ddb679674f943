//! Every object of every file that Go wrote, by its id.

use std::ops::ControlFlow;

use baton_c1z::{C1zFile, Filter, OwnedRow, ReadOptions, Snapshot, Table, View};
use baton_query::Error;

use crate::support::{fixture, open};

const FILES: [&str; 14] = [
    "v1-small.c1z",
    "v1-small-slim-grants.c1z",
    "v1-multi-sync.c1z",
    "atlassian-org/sync.c1z",
    "baton-cli/v1-missing-entitlement.c1z",
    "baton-cli/v1-missing-type.c1z",
    "baton-cli/v1-no-users.c1z",
    "v3-small.c1z",
    "v3-small-tar.c1z",
    "v3-handmade-sst.c1z",
    "v3-handmade-wal.c1z",
    "v3-virtual-tables.c1z",
    "v3-compacted-fold.c1z",
    "atlassian-org/sync-v3.c1z",
];
/// Rows of a table that are looked up; the fixtures have at most a few hundred.
const MAX_ROWS: usize = 600;

fn rows(snapshot: &Snapshot<'_>, table: Table) -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    snapshot
        .scan(table, &Filter::default(), &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    rows.truncate(MAX_ROWS);
    rows
}

#[test]
fn every_object_is_found_whole_or_what_it_lacks_is_named() {
    for name in FILES {
        let path = fixture(name);
        let file = open(&path);
        let stored = C1zFile::open(&path, &ReadOptions::default()).unwrap();
        let snapshot = stored.view(View::Sync(&file.sync().id)).unwrap();
        let has = |type_id: &str, id: &str| snapshot.get_resource(type_id, id).unwrap().is_some();

        for row in rows(&snapshot, Table::Resources) {
            let found = file.principal(&row.resource_type_id, &row.resource_id);
            assert_eq!(
                found.unwrap().id.unwrap().resource,
                row.resource_id,
                "{name}"
            );
        }
        for row in rows(&snapshot, Table::Entitlements) {
            let (type_id, id) = (&row.resource_type_id, &row.resource_id);
            match file.entitlement(&row.id) {
                Ok(found) => {
                    assert_eq!(found.id, row.id, "{name}");
                    let resource = file.principal(type_id, id).unwrap();
                    assert_eq!(found.resource, Some(resource), "{name}");
                }
                Err(Error::Dangling(_)) => assert!(!has(type_id, id), "{name}: {}", row.id),
                Err(e) => panic!("{name}: {e}"),
            }
        }
        for row in rows(&snapshot, Table::Grants) {
            let has_entitlement = snapshot
                .get(Table::Entitlements, &row.entitlement_id)
                .unwrap()
                .is_some();
            let is_whole = has_entitlement
                && has(&row.resource_type_id, &row.resource_id)
                && has(&row.principal_type_id, &row.principal_id);
            match file.grant(&row.id) {
                Ok(found) => {
                    assert!(is_whole, "{name}: {}", row.id);
                    let entitlement = file.entitlement(&row.entitlement_id).unwrap();
                    assert_eq!(found.entitlement, Some(entitlement), "{name}");
                    let (type_id, id) = (&row.principal_type_id, &row.principal_id);
                    let principal = file.principal(type_id, id).unwrap();
                    assert_eq!(found.principal, Some(principal), "{name}");
                }
                Err(Error::Dangling(_)) => assert!(!is_whole, "{name}: {}", row.id),
                Err(e) => panic!("{name}: {e}"),
            }
        }
    }
}
