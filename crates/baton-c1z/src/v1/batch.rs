//! Rows on their way into their table, several per statement.
//!
//! A statement opens a cursor on the table and on each index that is kept
//! up; for one row each, that costs as much as the inserting. And only while
//! a cursor stays open does SQLite notice that rows come in an index's
//! order, and append instead of searching the place of each.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, params};

use super::db;
use crate::error::{Error, Result};
use crate::row::{Row, Table};

/// Rows per statement. More gain little, and their bytes are held here.
const ROWS: usize = 32;
/// Bytes from which on fewer rows are a full batch.
const BYTES: usize = 1 << 20;
/// The parameters that all rows share: sync id and time of discovery.
const SHARED: [&str; 2] = ["sync_id", "discovered_at"];

/// One value of a row; texts and blobs are ranges of [`Batch::bytes`].
#[derive(Debug, Clone, Copy)]
enum Value {
    Null,
    Flag(bool),
    Text(usize, usize),
    Blob(usize, usize),
}

/// Rows of one table that are not in the database yet.
#[derive(Debug, Default)]
pub(super) struct Batch {
    table: Option<Table>,
    rows: usize,
    values: Vec<Value>,
    bytes: Vec<u8>,
}

impl Batch {
    /// Adds a row, and writes the batch if it is full or of another table.
    pub fn put(
        &mut self,
        conn: &Connection,
        shared: [&str; 2],
        table: Table,
        row: &Row<'_>,
        target: &Path,
    ) -> Result<()> {
        if self.table.is_some_and(|other| other != table) {
            self.write(conn, shared, target)?;
        }
        self.table = Some(table);
        self.rows += 1;
        self.take(table, row);
        if self.rows == ROWS || self.bytes.len() >= BYTES {
            self.write(conn, shared, target)?;
        }
        Ok(())
    }

    /// Writes what there is. After an error the batch is empty as well.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if an index that is kept up has a row's id.
    pub fn write(&mut self, conn: &Connection, shared: [&str; 2], target: &Path) -> Result<()> {
        let Some(table) = self.table.take() else {
            return Ok(());
        };
        let at_once = if self.rows == ROWS { ROWS } else { 1 };
        let written = self
            .values
            .chunks(columns(table).len() * at_once)
            .try_for_each(|values| {
                self.execute(conn, shared, table, values, at_once)
                    .map_err(|e| {
                        self.duplicate(conn, shared, table, values, &e)
                            .unwrap_or_else(|| db::write_error(target, "add rows")(e))
                    })
            });
        self.rows = 0;
        self.values.clear();
        self.bytes.clear();
        // One large row is no reason to hold its memory for good.
        self.bytes.shrink_to(2 * BYTES);
        written
    }

    fn execute(
        &self,
        conn: &Connection,
        shared: [&str; 2],
        table: Table,
        values: &[Value],
        rows: usize,
    ) -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(&sql(table, rows))?;
        for (number, text) in (1..).zip(shared) {
            statement.raw_bind_parameter(number, text)?;
        }
        for (number, value) in (1 + SHARED.len()..).zip(values) {
            let value = match *value {
                Value::Null => ValueRef::Null,
                Value::Flag(flag) => ValueRef::Integer(flag.into()),
                Value::Text(start, end) => ValueRef::Text(self.range(start, end)),
                Value::Blob(start, end) => ValueRef::Blob(self.range(start, end)),
            };
            statement.raw_bind_parameter(number, ToSqlOutput::Borrowed(value))?;
        }
        statement.raw_execute().map(|_| ())
    }

    /// The id because of which a statement failed, if that was the reason.
    ///
    /// The statement has stored the rows before the one that it failed on, so
    /// the last row whose id is there is one that found it there.
    fn duplicate(
        &self,
        conn: &Connection,
        [sync_id, _]: [&str; 2],
        table: Table,
        values: &[Value],
        failure: &rusqlite::Error,
    ) -> Option<Error> {
        if failure.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
            return None;
        }
        let columns = columns(table);
        let place = columns.iter().position(|name| *name == "external_id")?;
        let ids = || {
            let values = values.iter().skip(place).step_by(columns.len());
            values.filter_map(|value| match *value {
                Value::Text(start, end) => std::str::from_utf8(self.range(start, end)).ok(),
                _ => None,
            })
        };
        let mut seen = HashSet::new();
        let sql = format!(
            "select 1 from {} where external_id = ? and sync_id = ?",
            super::schema::table_name(table)
        );
        let stored = |id: &str| conn.prepare_cached(&sql)?.exists(params![id, sync_id]);
        let id = ids()
            .find(|id| !seen.insert(*id))
            .or_else(|| ids().rfind(|id| stored(id).unwrap_or_default()))?;
        Some(Error::DuplicateId {
            table,
            id: id.to_owned(),
        })
    }

    fn range(&self, start: usize, end: usize) -> &[u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Takes over a row's values, in the order of [`columns`].
    fn take(&mut self, table: Table, row: &Row<'_>) {
        match table {
            Table::ResourceTypes => self.text(row.id),
            Table::Resources => {
                self.text(row.resource_type_id);
                let start = self.bytes.len();
                for part in [row.resource_type_id, ":", row.resource_id] {
                    self.bytes.extend_from_slice(part.as_bytes());
                }
                self.values.push(Value::Text(start, self.bytes.len()));
                match row.parent {
                    Some((parent_type, parent_id)) => {
                        self.text(parent_type);
                        self.text(parent_id);
                    }
                    None => self.values.extend([Value::Null, Value::Null]),
                }
            }
            Table::Entitlements => {
                self.text(row.resource_type_id);
                self.text(row.resource_id);
                self.text(row.id);
            }
            Table::Grants => {
                self.text(row.resource_type_id);
                self.text(row.resource_id);
                self.text(row.entitlement_id);
                self.text(row.principal_type_id);
                self.text(row.principal_id);
                self.text(row.id);
                match row.expansion {
                    Some(expansion) => self.blob(expansion),
                    None => self.values.push(Value::Null),
                }
                self.values
                    .push(Value::Flag(row.expansion.is_some() && !row.is_expanded));
            }
        }
        self.blob(row.data);
    }

    fn text(&mut self, text: &str) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        self.values.push(Value::Text(start, self.bytes.len()));
    }

    fn blob(&mut self, blob: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(blob);
        self.values.push(Value::Blob(start, self.bytes.len()));
    }
}

/// The columns that differ from row to row.
fn columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::ResourceTypes => &["external_id", "data"],
        Table::Resources => &[
            "resource_type_id",
            "external_id",
            "parent_resource_type_id",
            "parent_resource_id",
            "data",
        ],
        Table::Entitlements => &["resource_type_id", "resource_id", "external_id", "data"],
        Table::Grants => &[
            "resource_type_id",
            "resource_id",
            "entitlement_id",
            "principal_resource_type_id",
            "principal_resource_id",
            "external_id",
            "expansion",
            "needs_expansion",
            "data",
        ],
    }
}

/// The statement that inserts so many rows.
fn sql(table: Table, rows: usize) -> String {
    let columns = columns(table);
    let mut sql = format!(
        // What a failed statement has done need not be undone, since the whole
        // database is thrown away then; by default SQLite would journal it.
        "insert or fail into {} ({}, {}) values",
        super::schema::table_name(table),
        SHARED.join(", "),
        columns.join(", ")
    );
    let mut number = SHARED.len();
    for row in 0..rows {
        sql.push_str(if row == 0 { " (?1, ?2" } else { ", (?1, ?2" });
        for _ in columns {
            number += 1;
            sql.push_str(", ?");
            sql.push_str(&number.to_string());
        }
        sql.push(')');
    }
    sql
}
