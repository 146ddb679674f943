//! Brings the schema of a private copy up to date (c1z specification §1.7).
//!
//! Idempotent. Rows keep their bytes, save that a grant's `GrantExpandable`
//! moves into its own column where an older writer left it in the message.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::schema::{LATER_COLUMNS, TABLES};
use crate::columns;

/// Grants looked at per step of the back-fill, which bounds its memory.
const BACKFILL_ROWS: i64 = 1000;

/// Whether a reader must migrate its copy before it can use it.
pub(super) fn is_needed(conn: &Connection) -> rusqlite::Result<bool> {
    for table in TABLES {
        let columns = column_names(conn, table.name)?;
        let complete = !columns.is_empty()
            && LATER_COLUMNS
                .iter()
                .filter(|(t, ..)| *t == table.name)
                .all(|(_, column, _)| columns.contains(*column));
        if !complete {
            return Ok(true);
        }
    }
    backfill_is_needed(conn)
}

/// Adds missing tables and columns and fills the expansion columns of runs
/// that lack them. Missing indexes are not made: readers do without.
pub(super) fn run(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("begin")?;
    add_missing(conn)?;
    if backfill_is_needed(conn)? {
        backfill(conn)?;
    }
    conn.execute_batch("commit")
}

fn add_missing(conn: &Connection) -> rusqlite::Result<()> {
    for table in TABLES {
        if column_names(conn, table.name)?.is_empty() {
            conn.execute(table.sql, [])?;
        }
    }
    for (table, column, declaration) in LATER_COLUMNS {
        if !column_names(conn, table)?.contains(*column) {
            conn.execute(
                &format!("alter table {table} add column {column} {declaration}"),
                [],
            )?;
        }
    }
    Ok(())
}

fn column_names(conn: &Connection, table: &str) -> rusqlite::Result<BTreeSet<String>> {
    conn.prepare("select name from pragma_table_info(?)")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

fn backfill_is_needed(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row(
        "select exists (select 1 from v1_sync_runs where grants_backfilled = 0)",
        [],
        |row| row.get(0),
    )
}

fn backfill(conn: &Connection) -> rusqlite::Result<()> {
    let mut next = conn.prepare(
        "select id, data from v1_grants
         where id > ?1 and expansion is null
           and sync_id in (select sync_id from v1_sync_runs where grants_backfilled = 0)
         order by id limit ?2",
    )?;
    let mut update = conn.prepare(
        "update v1_grants set data = ?2, expansion = ?3, needs_expansion = ?4 where id = ?1",
    )?;
    let mut after = i64::MIN;
    loop {
        let batch: Vec<(i64, Vec<u8>)> = next
            .query_map(params![after, BACKFILL_ROWS], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let Some(&(last, _)) = batch.last() else {
            break;
        };
        after = last;
        for (id, data) in batch {
            // A malformed row stays as it is: reading it reports it by name.
            if let Ok(Some(split)) = columns::split_expandable(&data) {
                let flag = i64::from(split.expansion.is_some());
                update.execute(params![id, split.data, split.expansion, flag])?;
            }
        }
    }
    conn.execute("update v1_sync_runs set grants_backfilled = 1", [])?;
    Ok(())
}
