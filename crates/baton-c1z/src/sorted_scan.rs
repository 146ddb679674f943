//! A scan in canonical order, whatever the order of the file.
//!
//! Rows that are stored in order are visited where they are. Others are sorted
//! first, whole, so that memory is bounded and the file is read forward.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use prost_types::Timestamp;

use crate::error::{Error, Result};
use crate::files::SystemFiles;
use crate::row::Row;
use crate::scratch::Scratch;
use crate::seal::key::{self, Identity};
use crate::sort::{Entry, Place, Sorted, Sorter};
use crate::store::{Query, Store, Visit};

/// Memory for sorting; what is more goes to a private file.
pub(crate) const SORT_BYTES: usize = 64 << 20;

/// Bits of a packed row.
const HAS_PARENT: u8 = 1;
const HAS_EXPANSION: u8 = 2;
const IS_EXPANDED: u8 = 4;
const HAS_DATE: u8 = 8;

/// Visits the rows of a query in the order of their canonical keys; rows with
/// the same key in storage order.
pub(crate) fn scan(
    store: &dyn Store,
    query: &Query<'_>,
    temp_dir: Option<&Path>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    if store.is_sorted(query)? {
        return store.scan(query, visit);
    }
    sort_and_visit(store, query, (temp_dir, SORT_BYTES), visit)
}

fn sort_and_visit(
    store: &dyn Store,
    query: &Query<'_>,
    (temp_dir, budget_bytes): (Option<&Path>, usize),
    visit: &mut Visit<'_>,
) -> Result<()> {
    let scratch = Scratch::of_unknown_size(temp_dir)?;
    let sorted = sort_within(store, query, &scratch, budget_bytes)?;
    let mut rows = sorted.merge(0);
    while let Some(entry) = rows.next()? {
        let row = unpack(entry.data).ok_or_else(|| {
            let damaged = std::io::ErrorKind::InvalidData.into();
            Error::in_folder("read sorted rows in", scratch.folder_path(), damaged)
        })?;
        if visit(&row)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The rows of a query, packed, by their canonical keys.
pub(crate) fn sort(store: &dyn Store, query: &Query<'_>, scratch: &Scratch) -> Result<Sorted> {
    sort_within(store, query, scratch, SORT_BYTES)
}

fn sort_within(
    store: &dyn Store,
    query: &Query<'_>,
    scratch: &Scratch,
    budget_bytes: usize,
) -> Result<Sorted> {
    let mut sorter = Sorter::new(Place {
        files: Arc::new(SystemFiles),
        dir: scratch.folder_path().to_owned(),
        name: "rows",
        budget_bytes,
    });
    let (mut key, mut packed) = (Vec::new(), Vec::new());
    let mut number = 0;
    store.scan(query, &mut |row| {
        key::build(Identity::ExternalId, query.table, row, &mut key);
        pack(row, &mut packed);
        sorter.push(Entry {
            key: &key,
            page: number,
            row: 0,
            data: &packed,
        })?;
        number += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    sorter.finish()
}

/// Replaces `out` by all of a row: its bits, then each part with its length.
pub(crate) fn pack(row: &Row<'_>, out: &mut Vec<u8>) {
    let (parent_type, parent_id) = row.parent.unwrap_or_default();
    let mut bits = 0;
    for (is_set, bit) in [
        (row.parent.is_some(), HAS_PARENT),
        (row.expansion.is_some(), HAS_EXPANSION),
        (row.is_expanded, IS_EXPANDED),
        (row.discovered_at.is_some(), HAS_DATE),
    ] {
        bits |= if is_set { bit } else { 0 };
    }
    out.clear();
    out.push(bits);
    for part in [
        row.id.as_bytes(),
        row.resource_type_id.as_bytes(),
        row.resource_id.as_bytes(),
        parent_type.as_bytes(),
        parent_id.as_bytes(),
        row.entitlement_id.as_bytes(),
        row.principal_type_id.as_bytes(),
        row.principal_id.as_bytes(),
        row.data,
        row.expansion.unwrap_or_default(),
    ] {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    if let Some(at) = row.discovered_at {
        out.extend_from_slice(&at.seconds.to_le_bytes());
        out.extend_from_slice(&at.nanos.to_le_bytes());
    }
}

/// The row that was packed.
pub(crate) fn unpack(packed: &[u8]) -> Option<Row<'_>> {
    fn part<'p>(rest: &mut &'p [u8]) -> Option<&'p [u8]> {
        let (len, behind) = rest.split_first_chunk()?;
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        let (part, behind) = behind.split_at_checked(len)?;
        *rest = behind;
        Some(part)
    }
    fn text<'p>(rest: &mut &'p [u8]) -> Option<&'p str> {
        str::from_utf8(part(rest)?).ok()
    }
    let (bits, mut rest) = packed.split_first()?;
    let is_set = |bit| bits & bit != 0;
    let id = text(&mut rest)?;
    let resource_type_id = text(&mut rest)?;
    let resource_id = text(&mut rest)?;
    let parent = (text(&mut rest)?, text(&mut rest)?);
    Some(Row {
        id,
        resource_type_id,
        resource_id,
        parent: is_set(HAS_PARENT).then_some(parent),
        entitlement_id: text(&mut rest)?,
        principal_type_id: text(&mut rest)?,
        principal_id: text(&mut rest)?,
        data: part(&mut rest)?,
        expansion: part(&mut rest).map(|bytes| is_set(HAS_EXPANSION).then_some(bytes))?,
        is_expanded: is_set(IS_EXPANDED),
        discovered_at: if is_set(HAS_DATE) {
            let (seconds, nanos) = rest.split_first_chunk()?;
            Some(Timestamp {
                seconds: i64::from_le_bytes(*seconds),
                nanos: i32::from_le_bytes(*nanos.first_chunk()?),
            })
        } else {
            None
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Filter, OwnedRow, Table};
    use crate::{C1zFile, ReadOptions, View};

    fn collect(
        scan: impl FnOnce(&mut Visit<'_>) -> Result<()>,
        most: usize,
    ) -> Result<Vec<OwnedRow>> {
        let mut rows = Vec::new();
        scan(&mut |row| {
            rows.push(row.to_owned());
            Ok(if rows.len() == most {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        Ok(rows)
    }

    /// Sorted in memory, by the same keys.
    fn expected(table: Table, mut rows: Vec<OwnedRow>) -> Vec<OwnedRow> {
        rows.sort_by_cached_key(|row| {
            let mut key = Vec::new();
            key::build(Identity::ExternalId, table, &row.as_row(), &mut key);
            key
        });
        rows
    }

    #[test]
    fn rows_are_whole_and_in_order_with_private_files_and_without() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        for name in ["v1-multi-sync.c1z", "atlassian-org/sync.c1z"] {
            let file = C1zFile::open(&folder.join(name), &ReadOptions::default()).expect("opens");
            let view = file.view(View::AllRows).expect("rows");
            let temp = tempfile::tempdir().expect("folder");
            for table in Table::ALL {
                let query = Query {
                    sync_id: None,
                    table,
                    filter: &Filter::default(),
                };
                let stored = collect(|visit| view.store().scan(&query, visit), usize::MAX);
                let expected = expected(table, stored.expect("read"));
                for budget in [0, SORT_BYTES] {
                    let place = (Some(temp.path()), budget);
                    let sort =
                        |visit: &mut Visit<'_>| sort_and_visit(view.store(), &query, place, visit);
                    assert!(
                        collect(sort, usize::MAX).expect("read") == expected,
                        "{name}"
                    );
                    assert_eq!(collect(sort, 1).expect("read").len(), 1, "{name}");
                }
            }
            assert_eq!(std::fs::read_dir(temp.path()).expect("listed").count(), 0);
        }
    }

    #[test]
    fn an_error_of_the_visitor_ends_the_scan() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let path = folder.join("v1-multi-sync.c1z");
        let file = C1zFile::open(&path, &ReadOptions::default()).expect("opens");
        let view = file.view(View::AllRows).expect("rows");
        let mut visited = 0;
        let done = view.scan_sorted(Table::Grants, &Filter::default(), &mut |_| {
            visited += 1;
            Err(Error::Argument {
                what: "row",
                reason: "the visitor refused it",
            })
        });
        assert!(matches!(done, Err(Error::Argument { .. })));
        assert_eq!(visited, 1);
    }

    #[test]
    fn every_part_of_a_row_survives_packing() {
        let whole = Row {
            id: "g",
            resource_type_id: "t",
            resource_id: "r",
            parent: Some(("", "p")),
            entitlement_id: "e",
            principal_type_id: "u",
            principal_id: "1",
            data: b"\x00\xff",
            expansion: Some(b""),
            is_expanded: true,
            discovered_at: Some(Timestamp {
                seconds: -5,
                nanos: 7,
            }),
        };
        let mut packed = Vec::new();
        for row in [
            Row::default(),
            whole,
            Row {
                parent: None,
                ..whole
            },
            Row {
                expansion: None,
                is_expanded: false,
                discovered_at: None,
                ..whole
            },
        ] {
            pack(&row, &mut packed);
            assert_eq!(unpack(&packed), Some(row));
            for end in 0..packed.len() {
                assert_eq!(unpack(&packed[..end]), None, "cut at {end}");
            }
        }
    }
}
