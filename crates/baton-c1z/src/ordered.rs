//! Rows in canonical order, one at a time when they are asked for: what a
//! merge of two files needs, where a scan that calls back does not do.
//!
//! Rows that are stored in order are read in pages. Others are sorted first,
//! outside memory.

use std::path::Path;

use crate::error::{Error, Result};
use crate::row::{OwnedRow, Row, Table};
use crate::scratch::Scratch;
use crate::seal::key::{self, Identity};
use crate::sort::Merge;
use crate::sorted_scan::{sort, unpack};
use crate::store::{Query, Store};

/// Rows of a page. Their memory is the reader's.
const PAGE_ROWS: u32 = 1_000;

/// Called with the rows.
pub(crate) type UseRows<'u> = dyn FnMut(&mut OrderedRows<'_>) -> Result<()> + 'u;

/// The rows of one table in canonical order.
pub struct OrderedRows<'r> {
    table: Table,
    source: Source<'r>,
    key: Vec<u8>,
}

enum Source<'r> {
    Pages {
        store: &'r dyn Store,
        query: Query<'r>,
        rows: std::vec::IntoIter<OwnedRow>,
        /// Behind which position the next page begins.
        after: Option<Vec<u8>>,
        is_last: bool,
        current: Box<OwnedRow>,
    },
    Sorted {
        merge: Merge<'r>,
        folder: &'r Path,
    },
}

/// A row and its place in the canonical order.
#[derive(Debug, Clone, Copy)]
pub struct OrderedRow<'r> {
    /// The row.
    pub row: Row<'r>,
    /// Bytes whose order is the order of rows. Equal for rows of one id that
    /// are of the same objects.
    pub key: &'r [u8],
    table: Table,
}

impl<'r> OrderedRow<'r> {
    /// The key without the id of a grant: equal for grants of one entitlement
    /// to one principal, of which format v3 holds one. Of other rows the key.
    pub fn pair_key(&self) -> &'r [u8] {
        match self.table {
            Table::Grants => key::pair_of(self.key),
            _ => self.key,
        }
    }
}

impl OrderedRows<'_> {
    /// Goes to the next row; `None` after the last.
    ///
    /// # Errors
    /// Those of reading.
    pub fn advance(&mut self) -> Result<Option<OrderedRow<'_>>> {
        let table = self.table;
        match &mut self.source {
            Source::Pages {
                store,
                query,
                rows,
                after,
                is_last,
                current,
            } => {
                let next = match rows.next() {
                    Some(row) => row,
                    None if *is_last => return Ok(None),
                    None => {
                        let page = store.page(query, PAGE_ROWS, after.as_deref())?;
                        *is_last = page.next_after.is_none();
                        *after = page.next_after;
                        *rows = page.rows.into_iter();
                        match rows.next() {
                            Some(row) => row,
                            None => return Ok(None),
                        }
                    }
                };
                **current = next;
                let row = current.as_row();
                key::build(Identity::ExternalId, table, &row, &mut self.key);
                let key = &self.key;
                Ok(Some(OrderedRow { row, key, table }))
            }
            Source::Sorted { merge, folder } => {
                let Some(entry) = merge.next()? else {
                    return Ok(None);
                };
                let row = unpack(entry.data).ok_or_else(|| {
                    let damaged = std::io::ErrorKind::InvalidData.into();
                    Error::in_folder("read sorted rows in", folder, damaged)
                })?;
                let key = entry.key;
                Ok(Some(OrderedRow { row, key, table }))
            }
        }
    }
}

impl std::fmt::Debug for OrderedRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderedRows")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

/// Gives the rows of a query in canonical order to `uses`.
pub(crate) fn read(
    store: &dyn Store,
    query: Query<'_>,
    temp_dir: Option<&Path>,
    uses: &mut UseRows<'_>,
) -> Result<()> {
    let table = query.table;
    if store.is_sorted(&query)? {
        let source = Source::Pages {
            store,
            query,
            rows: Vec::new().into_iter(),
            after: None,
            is_last: false,
            current: Box::default(),
        };
        return uses(&mut OrderedRows {
            table,
            source,
            key: Vec::new(),
        });
    }
    let scratch = Scratch::of_unknown_size(temp_dir)?;
    let sorted = sort(store, &query, &scratch)?;
    let source = Source::Sorted {
        merge: sorted.merge(0),
        folder: scratch.folder_path(),
    };
    uses(&mut OrderedRows {
        table,
        source,
        key: Vec::new(),
    })
}
