//! The grants of a new database, written as pages instead of by statements.
//!
//! A file has about a thousand times more grants than anything else, and each
//! is in five indexes. Statements search the place of each entry and write each
//! page several times. Here rows and sorted index entries fill pages one after
//! the other, and each page is written once. The result is what SQLite makes of
//! the same rows, except for page numbers; the tests run SQLite's own integrity
//! check. Only existing, empty tables and indexes are filled.

mod index;
mod pages;
mod record;
mod sorting;
mod tree;

use std::path::Path;

use rusqlite::Connection;

use crate::error::Result;
use crate::files::{Files, Open, SystemFiles};
use crate::row::Row;
use index::INDEXES;
#[cfg(test)]
use index::Index;
use pages::{PAGE_BYTES, Pages};
use record::{Value, push_record};
use sorting::Sorting;
use tree::{Kind, Tree};

/// Name of the table that is filled.
const TABLE: &str = "v1_grants";
/// Where the header of a database has its number of pages.
const PAGE_COUNT_OFFSET: u64 = 28;

/// What is to be filled: the root pages of the table and of its indexes, and
/// the number of pages of the database.
#[derive(Debug)]
pub(super) struct Roots {
    table: u32,
    indexes: [u32; INDEXES.len()],
    pages: u32,
}

/// Whether an index of the grants is one that is written here.
pub(super) fn is_known_index(name: &str) -> bool {
    INDEXES.iter().any(|index| index.name == name)
}

impl Roots {
    /// Size of the database before anything is filled. Until that is complete
    /// nothing but what lies behind changes.
    pub fn database_bytes(&self) -> u64 {
        u64::from(self.pages) * PAGE_BYTES as u64
    }

    /// Finds the roots. `None` if this is not the table that is written here,
    /// or if it has rows.
    pub fn find(conn: &Connection) -> rusqlite::Result<Option<Self>> {
        let page_bytes: u32 = conn.query_row("pragma page_size", [], |row| row.get(0))?;
        let is_filled: bool =
            conn.query_row("select exists (select 1 from v1_grants)", [], |row| {
                row.get(0)
            })?;
        if usize::try_from(page_bytes) != Ok(PAGE_BYTES) || is_filled {
            return Ok(None);
        }
        let mut roots = Self {
            table: 0,
            indexes: [0; INDEXES.len()],
            pages: conn.query_row("pragma page_count", [], |row| row.get(0))?,
        };
        let mut statement =
            conn.prepare("select name, rootpage from sqlite_master where tbl_name = ?")?;
        let mut rows = statement.query([TABLE])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let root = row.get(1)?;
            if name == TABLE {
                roots.table = root;
                continue;
            }
            let Some(at) = INDEXES.iter().position(|index| index.name == name) else {
                return Ok(None);
            };
            roots.indexes[at] = root;
        }
        let is_complete = roots.table != 0 && !roots.indexes.contains(&0);
        Ok(is_complete.then_some(roots))
    }
}

/// A grant as its columns have it; texts need not be UTF-8.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StoredGrant<'a> {
    /// The row's number, above 0.
    pub number: i64,
    pub resource_type_id: &'a [u8],
    pub resource_id: &'a [u8],
    pub entitlement_id: &'a [u8],
    pub principal_type_id: &'a [u8],
    pub principal_id: &'a [u8],
    pub external_id: &'a [u8],
    pub expansion: Option<&'a [u8]>,
    pub needs_expansion: bool,
    pub data: &'a [u8],
    pub sync_id: &'a [u8],
    pub discovered_at: &'a [u8],
}

/// Writes grants into a database that no other connection has open.
#[derive(Debug)]
pub(super) struct Bulk {
    pages: Pages,
    table: Tree,
    indexes: [u32; INDEXES.len()],
    sorting: Sorting,
    number: i64,
    record: Vec<u8>,
}

impl Bulk {
    /// Prepares to fill the database in the file `database`. Sorts in `dir`.
    pub fn begin(database: &Path, roots: &Roots, dir: &Path) -> Result<Self> {
        let file = SystemFiles
            .open(database, Open::Modify)
            .map_err(|e| crate::Error::io("open", database, e))?;
        Ok(Self {
            pages: Pages::new(file, database.to_owned(), roots.pages),
            table: Tree::new(Kind::Table, roots.table),
            indexes: roots.indexes,
            sorting: Sorting::start(dir)?,
            number: 0,
            record: Vec::new(),
        })
    }

    /// Adds a grant, with the number behind the last one.
    ///
    /// # Errors
    /// [`crate::Error::Limit`] if there is no such number.
    pub fn put(&mut self, row: &Row<'_>, sync_id: &str, discovered_at: &str) -> Result<()> {
        let number = self.number.checked_add(1).ok_or(crate::Error::Limit {
            what: "number of a row",
            limit: i64::MAX.unsigned_abs(),
        })?;
        self.put_stored(&StoredGrant {
            number,
            resource_type_id: row.resource_type_id.as_bytes(),
            resource_id: row.resource_id.as_bytes(),
            entitlement_id: row.entitlement_id.as_bytes(),
            principal_type_id: row.principal_type_id.as_bytes(),
            principal_id: row.principal_id.as_bytes(),
            external_id: row.id.as_bytes(),
            expansion: row.expansion,
            needs_expansion: row.expansion.is_some() && !row.is_expanded,
            data: row.data,
            sync_id: sync_id.as_bytes(),
            discovered_at: discovered_at.as_bytes(),
        })
    }

    /// Adds a grant of an earlier sync. Its number is greater than all before.
    pub fn put_stored(&mut self, row: &StoredGrant<'_>) -> Result<()> {
        self.number = row.number;
        self.record.clear();
        push_record(
            &mut self.record,
            &[
                // The row's number stands for its id.
                Value::Null,
                Value::Text(row.resource_type_id),
                Value::Text(row.resource_id),
                Value::Text(row.entitlement_id),
                Value::Text(row.principal_type_id),
                Value::Text(row.principal_id),
                Value::Text(row.external_id),
                row.expansion.map_or(Value::Null, Value::Blob),
                Value::Int(row.needs_expansion.into()),
                Value::Blob(row.data),
                Value::Text(row.sync_id),
                Value::Text(row.discovered_at),
            ],
        );
        let number = row.number.unsigned_abs();
        self.table.put_row(&mut self.pages, number, &self.record)?;
        self.sorting.put(row)
    }

    /// Completes the table and its indexes.
    ///
    /// # Errors
    /// [`crate::Error::DuplicateId`] if two rows have one id.
    pub fn finish(self) -> Result<()> {
        let Self {
            mut pages,
            table,
            indexes,
            sorting,
            ..
        } = self;
        table.finish(&mut pages)?;
        let mut trees = indexes.into_iter().map(|root| Tree::new(Kind::Index, root));
        let mut tree = trees.next();
        let mut current = 0;
        sorting.finish(&mut |batch| {
            batch.each(|at, _, entry| {
                while current < at {
                    current += 1;
                    if let Some(done) = std::mem::replace(&mut tree, trees.next()) {
                        done.finish(&mut pages)?;
                    }
                }
                match &mut tree {
                    Some(tree) => tree.put_record(&mut pages, entry),
                    None => Ok(()),
                }
            })
        })?;
        for done in tree.into_iter().chain(trees) {
            done.finish(&mut pages)?;
        }
        let count = pages.finish()?;
        pages.write_at(PAGE_COUNT_OFFSET, &count.to_be_bytes())
    }
}

#[cfg(test)]
mod tests;
