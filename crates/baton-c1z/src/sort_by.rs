//! Rows in an order that the caller chooses, in bounded memory.
//!
//! Rows are kept whole, since what a key was made of may not be at hand when
//! they are visited. What does not fit in memory goes to a private file.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::file::Snapshot;
use crate::files::SystemFiles;
use crate::row::Row;
use crate::scratch::Scratch;
use crate::sort::{Entry, Place, Sorted, Sorter};
use crate::sorted_scan::{SORT_BYTES, pack, unpack};

/// Takes rows in any order.
#[derive(Debug)]
pub struct RowSorter {
    sorter: Sorter,
    /// Dropped behind the sorter, whose files it holds.
    scratch: Scratch,
    packed: Vec<u8>,
    number: u64,
}

impl RowSorter {
    /// A sorter for rows of this snapshot.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::NoRoom`] by the system.
    pub fn new(snapshot: &Snapshot<'_>) -> Result<Self> {
        let scratch = Scratch::of_unknown_size(snapshot.file().temp_dir())?;
        let sorter = Sorter::new(Place {
            files: Arc::new(SystemFiles),
            dir: scratch.folder_path().to_owned(),
            name: "rows",
            budget_bytes: SORT_BYTES,
        });
        Ok(Self {
            sorter,
            scratch,
            packed: Vec::new(),
            number: 0,
        })
    }

    /// Takes a row with the bytes that it is sorted by. Of rows with the same
    /// bytes, the first one stays the first.
    ///
    /// # Errors
    /// As for [`RowSorter::new`].
    pub fn push(&mut self, key: &[u8], row: &Row<'_>) -> Result<()> {
        pack(row, &mut self.packed);
        self.number += 1;
        self.sorter.push(Entry {
            key,
            page: self.number,
            row: 0,
            data: &self.packed,
        })
    }

    /// All rows in order.
    ///
    /// # Errors
    /// As for [`RowSorter::new`].
    pub fn finish(self) -> Result<RowsInOrder> {
        Ok(RowsInOrder {
            sorted: self.sorter.finish()?,
            scratch: self.scratch,
        })
    }
}

/// Sorted rows, which can be visited any number of times.
#[derive(Debug)]
pub struct RowsInOrder {
    sorted: Sorted,
    scratch: Scratch,
}

impl RowsInOrder {
    /// Visits rows until there are no more or `visit` breaks or fails.
    ///
    /// # Errors
    /// Of `visit`, and [`Error::Io`] by the system.
    pub fn visit(&self, visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>) -> Result<()> {
        let mut rows = self.sorted.merge(0);
        while let Some(entry) = rows.next()? {
            let row = unpack(entry.data).ok_or_else(|| {
                let damaged = std::io::ErrorKind::InvalidData.into();
                Error::in_folder("read sorted rows in", self.scratch.folder_path(), damaged)
            })?;
            if visit(&row)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}
