//! Reads the private copy of a v1 database.
//!
//! The copy is opened immutable and query-only. Every statement yields rows
//! by ascending `id`, which is checked: a database whose pages form a circle
//! repeats ids and is reported instead of being read for ever.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str;

use prost_types::Timestamp;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Statement};

use super::db::Budget;
use super::query::{Condition, Value, columns, key_columns};
use super::schema::table_name;
use super::{db, migrate, runs, time, unpack};
use crate::columns::{is_whole_grant, rebuild_slim_grant};
use crate::counts::Counts;
use crate::envelope::Identity as FileIdentity;
use crate::error::{Error, Result};
use crate::room;
use crate::row::{Filter, OwnedRow, Row, Table};
use crate::run::{Stats, SyncRun};
use crate::scratch::Scratch;
use crate::seal::key::{self, Identity};
use crate::store::{
    Asset, Key, Query, Store, StorePage, Visit, VisitAsset, VisitDated, VisitSession,
};
use crate::way::Way;
use crate::{Capabilities, Format, ReadOptions};

/// Called with each row and the time at which it was written.
type VisitWithDate<'v> = dyn FnMut(&Row<'_>, Option<Timestamp>) -> Result<ControlFlow<()>> + 'v;

/// Where a dated scan has the time, behind the columns of a row.
const DATE_COLUMN: usize = 12;

/// Called with a row's number, the row, and all that was selected.
type VisitStored<'v> = dyn FnMut(i64, &Row<'_>, &rusqlite::Row<'_>) -> Result<ControlFlow<()>> + 'v;

/// Called with a row's number and the row; returns whether to continue.
type VisitNumbered<'v> = dyn FnMut(i64, &Row<'_>) -> Result<ControlFlow<()>> + 'v;

/// An open v1 file.
pub(crate) struct Reader {
    /// The c1z file, for messages.
    path: PathBuf,
    /// Before the copy, so that it is closed before the file is removed.
    conn: Connection,
    budget: Budget,
    copy: Option<Scratch>,
}

impl Reader {
    /// Unpacks and opens the v1 file `path`, for reading only. Where the system
    /// permits it, the copy loses its name, so that not even a killed process
    /// leaves it behind.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<(Self, FileIdentity)> {
        let (this, identity) = Self::open_kept(path, options)?;
        Ok((this.without_name(), identity))
    }

    /// Takes its name from the private copy, where the system permits that.
    pub fn without_name(mut self) -> Self {
        if cfg!(unix) {
            // The connection is the only one, and has it open.
            self.copy = None;
        }
        self
    }

    /// As [`Reader::open`], for a caller that uses [`Reader::into_copy`] later.
    pub fn open_kept(path: &Path, options: &ReadOptions) -> Result<(Self, FileIdentity)> {
        let (copy, identity) = unpack(path, &options.limits, options.temp_dir.as_deref())?;
        Ok((Self::of_copy(path, copy)?, identity))
    }

    /// The store of a file that is missing or empty.
    pub fn empty(path: &Path) -> Result<Self> {
        let open = || {
            let mut conn = db::open_memory()?;
            migrate::run(&conn)?;
            let budget = Budget::set(&mut conn, 0)?;
            Ok((conn, budget))
        };
        let (conn, budget) = open().map_err(db::read_error(path, "open it"))?;
        Ok(Self {
            path: path.to_owned(),
            conn,
            budget,
            copy: None,
        })
    }

    /// Reads the private copy of the file `path`.
    pub fn of_copy(path: &Path, copy: Scratch) -> Result<Self> {
        let (conn, budget) = open_migrated(copy.file_path(), copy.file_bytes()?)
            .map_err(db::read_error(path, "open it"))?;
        Ok(Self {
            path: path.to_owned(),
            conn,
            budget,
            copy: Some(copy),
        })
    }

    /// Reads a copy of the file's beginning. `None` if reading needs more of the
    /// file.
    pub fn of_front(path: &Path, copy: Scratch) -> Result<Option<Self>> {
        let bytes = copy.file_bytes()?;
        let open = || {
            let (conn, budget) = db::open_read(copy.file_path(), bytes)?;
            // What is to be migrated are rows that lie anywhere.
            Ok((!migrate::is_needed(&conn)?).then_some((conn, budget)))
        };
        // What is wrong here may be right in the whole file.
        let found = open().unwrap_or_else(|_: rusqlite::Error| None);
        Ok(found.map(|(conn, budget)| Self {
            path: path.to_owned(),
            conn,
            budget,
            copy: Some(copy),
        }))
    }

    /// What files of format v1 can hold.
    pub const CAPABILITIES: Capabilities = Capabilities {
        many_syncs: true,
        embedded_objects: true,
        duplicate_pairs: true,
        lookup_by_bare_id: true,
    };

    /// As [`Store::scan`], of the rows behind the number `last`, with their
    /// numbers.
    pub fn scan_behind(
        &self,
        query: &Query<'_>,
        last: Option<i64>,
        visit: &mut VisitNumbered<'_>,
    ) -> Result<()> {
        let condition = Condition::new(query)?;
        let behind = last.map_or_else(String::new, |last| format!(" and id > {last}"));
        let sql = format!(
            "select {}{}{behind} order by id",
            columns(query.table),
            condition.sql
        );
        let mut statement = self
            .conn
            .prepare_cached(&sql)
            .map_err(self.failed(reading(query.table)))?;
        self.visit(
            query.table,
            &mut statement,
            &condition.values,
            &mut |number, row, _| visit(number, row),
        )
    }

    /// Ends reading and returns the private copy, which has the current schema.
    /// `None` for an empty store, and if the copy was not kept.
    pub fn into_copy(self) -> Option<Scratch> {
        self.copy
    }

    /// What a copy of one of its syncs needs at least.
    pub fn rewritten_bytes(&self) -> Result<u64> {
        let bytes = self.copy.as_ref().map_or(Ok(0), Scratch::file_bytes)?;
        Ok(room::rewritten(bytes, self.runs()?.len() == 1))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
        db::read_error(&self.path, doing)
    }

    /// Visits the rows of a statement that selects [`columns`].
    fn visit(
        &self,
        table: Table,
        statement: &mut Statement<'_>,
        values: &[Value<'_>],
        visit: &mut VisitStored<'_>,
    ) -> Result<()> {
        self.visit_as_stored(table, statement, values, &mut |id, stored, row| match self
            .rebuild(table, stored)?
        {
            Some(data) => visit(
                id,
                &Row {
                    data: &data,
                    ..*stored
                },
                row,
            ),
            None => visit(id, stored, row),
        })
    }

    /// As [`Reader::visit`], with slim grants as they are stored.
    fn visit_as_stored(
        &self,
        table: Table,
        statement: &mut Statement<'_>,
        values: &[Value<'_>],
        visit: &mut VisitStored<'_>,
    ) -> Result<()> {
        let doing = reading(table);
        self.budget.refill();
        let mut rows = statement
            .query(rusqlite::params_from_iter(values))
            .map_err(self.failed(doing))?;
        let mut last = None;
        while let Some(row) = rows.next().map_err(self.failed(doing))? {
            let id = row.get_ref(0).and_then(int).map_err(self.failed(doing))?;
            if last.is_some_and(|last| id <= last) {
                return Err(Error::Database {
                    path: self.path.clone(),
                    doing,
                    source: "rows do not come in the order of their ids".into(),
                });
            }
            last = Some(id);
            let stored = decode(table, row).map_err(self.failed(doing))?;
            if visit(id, &stored, row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Visits the rows of a query with the time at which each was written.
    fn visit_dated(&self, query: &Query<'_>, visit: &mut VisitWithDate<'_>) -> Result<()> {
        let table = query.table;
        let condition = Condition::new(query)?;
        let sql = format!(
            "select {}, discovered_at{} order by id",
            columns(table),
            condition.sql
        );
        let mut statement = self
            .conn
            .prepare(&sql)
            .map_err(self.failed(reading(table)))?;
        // Neighbours are often of one time, and texts are slow to read.
        let mut last = (String::new(), None);
        self.visit(
            table,
            &mut statement,
            &condition.values,
            &mut |_, row, stored| {
                let at = text(stored, DATE_COLUMN).map_err(self.failed(reading(table)))?;
                if last.0 != at {
                    last = (at.to_owned(), time::from_text(at));
                }
                visit(row, last.1)
            },
        )
    }

    /// The first rows with this key, at most `limit`.
    fn first_of(
        &self,
        sync_id: Option<&str>,
        table: Table,
        key: Key<'_>,
        limit: usize,
    ) -> Result<Vec<OwnedRow>> {
        let mut condition = Condition {
            sql: format!(" from {} where 1", table_name(table)),
            values: Vec::new(),
        };
        match key {
            Key::Id(id) => condition.equal("external_id", id),
            Key::Resource(type_id, id) => condition.joined_id(type_id, id),
        }
        if let Some(sync_id) = sync_id {
            condition.equal("sync_id", sync_id);
        }
        let sql = format!(
            "select {}{} order by id limit {limit}",
            columns(table),
            condition.sql
        );
        let mut statement = self
            .conn
            .prepare_cached(&sql)
            .map_err(self.failed(reading(table)))?;
        let mut found = Vec::new();
        self.visit(
            table,
            &mut statement,
            &condition.values,
            &mut |_, row, _| {
                found.push(row.to_owned());
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(found)
    }

    /// The whole message of a slim grant; `None` for every other row.
    fn rebuild(&self, table: Table, row: &Row<'_>) -> Result<Option<Vec<u8>>> {
        if table != Table::Grants {
            return Ok(None);
        }
        match is_whole_grant(row.data) {
            Ok(true) => Ok(None),
            Ok(false) => rebuild_slim_grant(row).map(Some),
            Err(e) => Err(e),
        }
        .map_err(|_| Error::Row {
            path: self.path.clone(),
            table,
            id: row.id.to_owned(),
            reason: "its content is not a protobuf message",
        })
    }

    /// The resource types of a table's rows, one call per row.
    fn count_into(
        &self,
        counts: &mut Counts,
        table: Table,
        sync_id: Option<&str>,
    ) -> rusqlite::Result<()> {
        let column = match table {
            Table::ResourceTypes => "external_id",
            _ => "resource_type_id",
        };
        self.budget.refill();
        // By row: an index would have to look up each row's sync.
        let mut statement = self.conn.prepare(&format!(
            "select {column} from {} not indexed where ?1 is null or sync_id = ?1",
            table_name(table)
        ))?;
        let mut rows = statement.query([sync_id])?;
        while let Some(row) = rows.next()? {
            counts.add(table, text(row, 0)?);
        }
        Ok(())
    }
}

impl Store for Reader {
    fn format(&self) -> Format {
        Format::V1
    }

    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES
    }

    fn runs(&self) -> Result<Vec<SyncRun>> {
        self.budget.refill();
        runs::read(&self.conn).map_err(self.failed("read its sync runs"))
    }

    fn scan(&self, query: &Query<'_>, visit: &mut Visit<'_>) -> Result<()> {
        if query.filter.dates {
            return self.visit_dated(query, &mut |row, discovered_at| {
                visit(&Row {
                    discovered_at,
                    ..*row
                })
            });
        }
        self.scan_behind(query, None, &mut |_, row| visit(row))
    }

    /// Asks the planner about the statement of [`Store::scan`].
    fn way(&self, query: &Query<'_>) -> Result<Way> {
        let condition = Condition::new(query)?;
        let sql = format!(
            "explain query plan select {}{} order by id",
            columns(query.table),
            condition.sql
        );
        let failed = || self.failed(reading(query.table));
        let mut statement = self.conn.prepare(&sql).map_err(failed())?;
        let values = rusqlite::params_from_iter(&condition.values);
        let steps = statement
            .query_map(values, |row| row.get::<_, String>("detail"))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<String>>>)
            .map_err(failed())?;
        let index = steps.iter().find_map(|step| {
            let (_, behind) = step.split_once(" INDEX ")?;
            behind.split(' ').next()
        });
        Ok(index.map_or(Way::AllRows, |name| Way::Index(name.to_owned())))
    }

    /// Reads only what keys are made of, and only up to the first row that is
    /// out of order.
    fn is_sorted(&self, query: &Query<'_>) -> Result<bool> {
        let condition = Condition::new(query)?;
        let sql = format!(
            "select {}{} order by id",
            key_columns(query.table),
            condition.sql
        );
        let mut statement = self
            .conn
            .prepare(&sql)
            .map_err(self.failed(reading(query.table)))?;
        let (mut last, mut next) = (Vec::new(), Vec::new());
        let mut is_sorted = true;
        self.visit_as_stored(
            query.table,
            &mut statement,
            &condition.values,
            &mut |_, row, _| {
                key::build(Identity::ExternalId, query.table, row, &mut next);
                is_sorted = last <= next;
                std::mem::swap(&mut last, &mut next);
                Ok(if is_sorted {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            },
        )?;
        Ok(is_sorted)
    }

    fn scan_dated(
        &self,
        sync_id: Option<&str>,
        table: Table,
        visit: &mut VisitDated<'_>,
    ) -> Result<()> {
        let filter = Filter::default();
        let query = Query {
            sync_id,
            table,
            filter: &filter,
        };
        self.visit_dated(&query, &mut |row, at| {
            visit(row, at)?;
            Ok(ControlFlow::Continue(()))
        })
    }

    fn page(&self, query: &Query<'_>, size: u32, after: Option<&[u8]>) -> Result<StorePage> {
        let after = match after {
            None => i64::MIN,
            Some(position) => {
                i64::from_be_bytes(position.try_into().map_err(|_| Error::Cursor {
                    reason: "it belongs to another format",
                })?)
            }
        };
        let condition = Condition::new(query)?;
        let sql = format!(
            "select {}{} and id > {after} order by id limit {}",
            columns(query.table),
            condition.sql,
            u64::from(size) + 1
        );
        let mut statement = self
            .conn
            .prepare(&sql)
            .map_err(self.failed(reading(query.table)))?;
        let mut page = StorePage::default();
        let mut last = after;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.visit(
            query.table,
            &mut statement,
            &condition.values,
            &mut |id, row, _| {
                if page.rows.len() == size {
                    page.next_after = Some(last.to_be_bytes().to_vec());
                    return Ok(ControlFlow::Break(()));
                }
                last = id;
                page.rows.push(row.to_owned());
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(page)
    }

    fn get(&self, sync_id: Option<&str>, table: Table, key: Key<'_>) -> Result<Option<OwnedRow>> {
        Ok(self.first_of(sync_id, table, key, 1)?.pop())
    }

    fn get_only(
        &self,
        sync_id: Option<&str>,
        table: Table,
        key: Key<'_>,
    ) -> Result<Option<OwnedRow>> {
        let mut found = self.first_of(sync_id, table, key, 2)?;
        match found.pop() {
            Some(row) if !found.is_empty() => Err(Error::DuplicateId { table, id: row.id }),
            only => Ok(only),
        }
    }

    fn count(&self, query: &Query<'_>) -> Result<u64> {
        let condition = Condition::new(query)?;
        self.budget.refill();
        self.conn
            .query_row(
                &format!("select count(*){}", condition.sql),
                rusqlite::params_from_iter(&condition.values),
                |row| row.get::<_, i64>(0),
            )
            .map(i64::unsigned_abs)
            .map_err(self.failed("count its rows"))
    }

    fn compute_stats(&self, sync_id: Option<&str>) -> Result<Stats> {
        let count = || {
            let mut counts = Counts::default();
            for table in Table::ALL {
                self.count_into(&mut counts, table, sync_id)?;
            }
            self.budget.refill();
            let assets = self.conn.query_row(
                "select count(*) from v1_assets where ?1 is null or sync_id = ?1",
                [sync_id],
                |row| row.get(0),
            )?;
            counts.add_assets(assets);
            Ok(counts.into_stats())
        };
        count().map_err(self.failed("count its rows"))
    }

    fn asset(&self, sync_id: Option<&str>, id: &str) -> Result<Option<Asset>> {
        self.budget.refill();
        self.conn
            .query_row(
                "select content_type, data from v1_assets
                 where external_id = ?1 and (?2 is null or sync_id = ?2) order by id limit 1",
                (id, sync_id),
                |row| {
                    Ok(Asset {
                        content_type: row.get(0)?,
                        data: bytes(row, 1)?.unwrap_or_default().to_vec(),
                    })
                },
            )
            .optional()
            .map_err(self.failed("read its assets"))
    }

    fn assets(&self, sync_id: Option<&str>, visit: &mut VisitAsset<'_>) -> Result<()> {
        let doing = "read its assets";
        let mut statement = self
            .conn
            .prepare(
                "select external_id, content_type, data, discovered_at from v1_assets
                 where ?1 is null or sync_id = ?1 order by id",
            )
            .map_err(self.failed(doing))?;
        self.budget.refill();
        let mut rows = statement.query([sync_id]).map_err(self.failed(doing))?;
        while let Some(row) = rows.next().map_err(self.failed(doing))? {
            let read = || {
                let asset = Asset {
                    content_type: text(row, 1)?.to_owned(),
                    data: bytes(row, 2)?.unwrap_or_default().to_vec(),
                };
                Ok((text(row, 0)?, asset, time::from_text(text(row, 3)?)))
            };
            let (id, asset, at) = read().map_err(self.failed(doing))?;
            visit(id, asset, at)?;
        }
        Ok(())
    }

    fn sessions(&self, sync_id: Option<&str>, visit: &mut VisitSession<'_>) -> Result<()> {
        let doing = "read its sessions";
        let mut statement = self
            .conn
            .prepare(
                "select key, value from v1_connector_sessions
                 where ?1 is null or sync_id = ?1 order by key",
            )
            .map_err(self.failed(doing))?;
        self.budget.refill();
        let mut rows = statement.query([sync_id]).map_err(self.failed(doing))?;
        while let Some(row) = rows.next().map_err(self.failed(doing))? {
            let read = || Ok((text(row, 0)?, bytes(row, 1)?.unwrap_or_default()));
            let (key, value) = read().map_err(self.failed(doing))?;
            visit(key, value)?;
        }
        Ok(())
    }
}

/// Opens the copy read-only; migrates it first if it is of an older writer.
fn open_migrated(path: &Path, bytes: u64) -> rusqlite::Result<(Connection, Budget)> {
    let (conn, budget) = db::open_read(path, bytes)?;
    if !migrate::is_needed(&conn)? {
        return Ok((conn, budget));
    }
    drop(conn);
    let mut writable = db::open_write(path)?;
    Budget::set(&mut writable, bytes)?;
    migrate::run(&writable)?;
    drop(writable);
    db::open_read(path, bytes)
}

fn reading(table: Table) -> &'static str {
    match table {
        Table::ResourceTypes => "read its resource types",
        Table::Resources => "read its resources",
        Table::Entitlements => "read its entitlements",
        Table::Grants => "read its grants",
    }
}

fn decode<'r>(table: Table, row: &'r rusqlite::Row<'_>) -> rusqlite::Result<Row<'r>> {
    let id = text(row, 1)?;
    let resource_type_id = text(row, 2)?;
    let resource_id = match table {
        // Stored joined; the id begins behind the type.
        Table::Resources => id
            .strip_prefix(resource_type_id)
            .and_then(|rest| rest.strip_prefix(':'))
            .unwrap_or(id),
        _ => text(row, 3)?,
    };
    let parent = match (row.get_ref(4)?, row.get_ref(5)?) {
        (ValueRef::Null, ValueRef::Null) => None,
        _ => Some((text(row, 4)?, text(row, 5)?)),
    };
    let expansion = bytes(row, 10)?.filter(|bytes| !bytes.is_empty());
    // Only a plain 0 means that no expansion is needed.
    let is_off = matches!(row.get_ref(11)?, ValueRef::Integer(0));
    Ok(Row {
        id,
        resource_type_id,
        resource_id,
        parent,
        entitlement_id: text(row, 6)?,
        principal_type_id: text(row, 7)?,
        principal_id: text(row, 8)?,
        data: bytes(row, 9)?.unwrap_or_default(),
        is_expanded: is_off && expansion.is_some(),
        expansion,
        discovered_at: None,
    })
}

fn int(value: ValueRef<'_>) -> rusqlite::Result<i64> {
    value.as_i64().map_err(Into::into)
}

/// A text column, borrowed; absent is empty.
fn text<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(""),
        ValueRef::Text(bytes) => {
            str::from_utf8(bytes).map_err(|e| rusqlite::Error::Utf8Error(column, e))
        }
        other => Err(wrong_type(column, other)),
    }
}

/// A blob column, borrowed. Text is taken for what its bytes are.
fn bytes<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<&'r [u8]>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Ok(Some(bytes)),
        other => Err(wrong_type(column, other)),
    }
}

fn wrong_type(column: usize, value: ValueRef<'_>) -> rusqlite::Error {
    let found: Type = value.data_type();
    rusqlite::Error::InvalidColumnType(column, column.to_string(), found)
}
