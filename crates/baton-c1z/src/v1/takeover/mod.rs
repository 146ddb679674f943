//! The grants of syncs that stay, from the old database into the pages of
//! the new one.
//!
//! They are read in the order of their numbers, which they keep, and laid out
//! and sorted into the indexes together with the new ones. That is for the
//! table as it is known here, whatever the order of its columns: a table with
//! other columns or indexes, or with values of other types, is copied by
//! statements instead.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use super::bulk::{Bulk, StoredGrant, is_known_index};
use super::db;
use super::layout::{Old, quoted};
use super::schema::TABLES;
use crate::stop;

/// The table.
pub(super) const GRANTS: &str = "v1_grants";
/// Its columns, in the order in which they are read here.
pub(super) const COLUMNS: &str = "id, resource_type_id, resource_id, entitlement_id,
    principal_resource_type_id, principal_resource_id, external_id, expansion,
    needs_expansion, data, sync_id, discovered_at";
/// Greatest number of an old row: behind it there is room for new ones.
const MAX_NUMBER: i64 = i64::MAX / 2;

/// What a table's column is declared as: type, not null, default, key.
type Declared = (String, bool, Option<String>, i64);

/// Whether the grants of the database attached as `old` can be copied as pages,
/// judged by columns, indexes and numbers.
pub(super) fn fits(conn: &Connection) -> rusqlite::Result<bool> {
    // An own definition of the table, in a database beside.
    let known = Connection::open_in_memory()?;
    let Some(grants) = TABLES.iter().find(|table| table.name == GRANTS) else {
        return Ok(false);
    };
    known.execute(grants.sql, [])?;
    if columns(&known, "main")? != columns(conn, "old")? {
        return Ok(false);
    }
    let mut indexes = conn
        .prepare("select name, sql from old.sqlite_master where type = 'index' and tbl_name = ?")?;
    let mut rows = indexes.query([GRANTS])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let sql: Option<String> = row.get(1)?;
        let declared = grants.indexes.iter().find(|index| index.name == name);
        let same = match (declared, sql) {
            (Some(declared), Some(sql)) => words(declared.sql) == words(&sql),
            _ => false,
        };
        if !same || !is_known_index(&name) {
            return Ok(false);
        }
    }
    let (least, greatest): (Option<i64>, Option<i64>) = conn.query_row(
        "select (select min(id) from old.v1_grants), (select max(id) from old.v1_grants)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(least.is_none_or(|id| id > 0) && greatest.is_none_or(|id| id <= MAX_NUMBER))
}

fn columns(conn: &Connection, schema: &str) -> rusqlite::Result<BTreeMap<String, Declared>> {
    conn.prepare(
        "select name, lower(type), \"notnull\", dflt_value, pk from pragma_table_xinfo(?, ?)",
    )?
    .query_map([GRANTS, schema], |row| {
        let declared = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        Ok((row.get(0)?, declared))
    })?
    .collect()
}

/// A statement's words, without what may differ in how it is written.
fn words(sql: &str) -> Vec<String> {
    let bare = sql.replace(['"', '`'], "").to_lowercase();
    let spaced = bare
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(',', " , ");
    spaced.split_whitespace().map(ToOwned::to_owned).collect()
}

/// Why old grants did not all become pages.
pub(super) enum Refusal {
    /// A value is of a type that no writer known here gives its column.
    Odd,
    /// Something failed.
    Failed(crate::Error),
}

/// Adds all grants of syncs that stay.
pub(super) fn take_over(
    old: &Old,
    bulk: &mut Bulk,
    target: &Path,
) -> std::result::Result<(), Refusal> {
    let failed = |e| Refusal::Failed(db::read_error(target, "copy its grants")(e));
    let (conn, budget) = old.open_copy().map_err(failed)?;
    budget.refill();
    let (condition, values) = old.staying();
    let sql = format!(
        "select {COLUMNS} from {}{condition} order by id",
        quoted(GRANTS)
    );
    let mut statement = conn.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(failed)?;
    let mut last = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        stop::check().map_err(Refusal::Failed)?;
        let stored = stored(row).map_err(failed)?.ok_or(Refusal::Odd)?;
        // Only a damaged database has them in another order.
        if stored.number <= last {
            return Err(Refusal::Odd);
        }
        last = stored.number;
        bulk.put_stored(&stored).map_err(Refusal::Failed)?;
    }
    Ok(())
}

/// The values of a row; `None` if one is not of its column's type.
fn stored<'r>(row: &'r rusqlite::Row<'_>) -> rusqlite::Result<Option<StoredGrant<'r>>> {
    let text = |at| {
        row.get_ref(at).map(|value| match value {
            ValueRef::Text(bytes) => Some(bytes),
            _ => None,
        })
    };
    let ValueRef::Integer(number) = row.get_ref(0)? else {
        return Ok(None);
    };
    let expansion = match row.get_ref(7)? {
        ValueRef::Null => None,
        ValueRef::Blob(bytes) => Some(bytes),
        _ => return Ok(None),
    };
    let needs_expansion = match row.get_ref(8)? {
        ValueRef::Integer(0) => false,
        ValueRef::Integer(1) => true,
        _ => return Ok(None),
    };
    let ValueRef::Blob(data) = row.get_ref(9)? else {
        return Ok(None);
    };
    let mut texts = [&[][..]; 8];
    for (slot, at) in texts.iter_mut().zip([1, 2, 3, 4, 5, 6, 10, 11]) {
        let Some(bytes) = text(at)? else {
            return Ok(None);
        };
        *slot = bytes;
    }
    let [
        resource_type_id,
        resource_id,
        entitlement_id,
        principal_type_id,
        principal_id,
        external_id,
        sync_id,
        discovered_at,
    ] = texts;
    Ok(Some(StoredGrant {
        number,
        resource_type_id,
        resource_id,
        entitlement_id,
        principal_type_id,
        principal_id,
        external_id,
        expansion,
        needs_expansion,
        data,
        sync_id,
        discovered_at,
    }))
}

#[cfg(test)]
mod tests;
