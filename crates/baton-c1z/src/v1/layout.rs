//! What a new database is made of before rows come: the tables, those of the
//! old file if there is one, and the order of things on its pages.

use rusqlite::Connection;

use super::db::Budget;
use super::schema::{BULK_TABLES, KEPT_UP, TABLES};
use super::takeover::{self, GRANTS};
use super::writer::WriteOptions;
use super::{db, migrate, runs, unpack};
use crate::envelope::{Detected, detect};
use crate::error::{Error, Result};
use crate::room;
use crate::run::SyncRun;
use crate::scratch::Scratch;

/// Low pages set aside for each schema entry that is written late; see [`Reserve`].
const RESERVED_PAGES: i64 = 4;
const PAGE_BYTES: i64 = 4096;

/// How grants are going to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grants {
    /// By statements.
    AsRows,
    /// By [`super::bulk`].
    AsPages,
}

/// An index that is built when the rows of its table are there.
#[derive(Debug)]
pub(super) struct LateIndex {
    /// Its table.
    pub table: String,
    /// Statement that creates it.
    pub sql: String,
}

impl LateIndex {
    fn new(table: &str, sql: &str) -> Self {
        Self {
            table: table.to_owned(),
            sql: sql.to_owned(),
        }
    }
}

/// Begins the transaction and makes the tables of a new file; gives the
/// indexes that are to follow the rows. None of these are the grants' if
/// their pages are to be written at once.
pub(super) fn create(conn: &Connection, grants: Grants) -> rusqlite::Result<Vec<LateIndex>> {
    conn.execute_batch("begin")?;
    let mut late = Vec::new();
    for table in TABLES {
        conn.execute(table.sql, [])?;
        for index in table.indexes {
            let by_pages = grants == Grants::AsPages && table.name == GRANTS;
            if is_late(table.name, index.name) && !by_pages {
                late.push(LateIndex::new(table.name, index.sql));
            } else {
                conn.execute(index.sql, [])?;
            }
        }
    }
    Reserve::make(conn, late.len())?;
    Ok(late)
}

/// Whether an index is built behind the rows.
fn is_late(table: &str, index: &str) -> bool {
    BULK_TABLES.contains(&table) && !KEPT_UP.contains(&index)
}

/// The file that is about to be replaced.
pub(super) struct Old {
    copy: Scratch,
    /// Size of the copy.
    bytes: u64,
    /// Ids of the syncs that are not copied.
    doomed: Vec<String>,
    /// Those among them that cleanup removes.
    cleaned_up: Vec<String>,
}

impl Old {
    /// Ids of the syncs that cleanup removes.
    pub fn cleaned_up(&self) -> &[String] {
        &self.cleaned_up
    }

    /// What the syncs that stay need at least in another database.
    pub fn staying_bytes(&self) -> u64 {
        room::rewritten(self.bytes, self.doomed.is_empty())
    }

    /// Opens the private copy.
    pub fn open_copy(&self) -> rusqlite::Result<(Connection, Budget)> {
        db::open_read(self.copy.file_path(), self.bytes)
    }

    /// The condition that rows of syncs that stay fulfil, and its values.
    pub fn staying(&self) -> (String, &[String]) {
        // Without a condition SQLite copies page by page.
        if self.doomed.is_empty() {
            return (String::new(), &[]);
        }
        let marks = vec!["?"; self.doomed.len()].join(",");
        let condition = format!(" where sync_id not in ({marks})");
        (condition, &self.doomed)
    }

    /// Unpacks and migrates the target. `None` if there is none, or it is empty.
    pub fn open(options: &WriteOptions, new: &SyncRun) -> Result<Option<Self>> {
        let path = options.target.as_path();
        if options.saver.makes_new_file() {
            return Ok(None);
        }
        match detect(path)? {
            Detected::Missing | Detected::Empty => return Ok(None),
            Detected::V3 => {
                return Err(Error::FormatChanged {
                    path: path.to_owned(),
                });
            }
            Detected::V1 => {}
        }
        let (copy, _) = unpack(path, &options.limits, options.temp_dir.as_deref())?;
        let bytes = copy.file_bytes()?;
        let read_runs = || {
            let mut conn = db::open_write(copy.file_path())?;
            let budget = Budget::set(&mut conn, bytes)?;
            migrate::run(&conn)?;
            budget.refill();
            runs::read(&conn)
        };
        let runs = read_runs().map_err(db::read_error(path, "read its sync runs"))?;
        let (same, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.id == new.id);
        if !same.is_empty() && !options.replace_same_sync {
            return Err(Error::DuplicateSync {
                path: path.to_owned(),
                id: new.id.clone(),
            });
        }
        let cleaned_up = options
            .cleanup
            .map(|cleanup| cleanup.doomed(&others, new))
            .unwrap_or_default();
        Ok(Some(Self {
            copy,
            bytes,
            doomed: same
                .into_iter()
                .map(|run| run.id)
                .chain(cleaned_up.iter().cloned())
                .collect(),
            cleaned_up,
        }))
    }

    /// Begins the transaction, makes the old file's own tables, so that
    /// columns and tables that are unknown here survive, and copies all rows
    /// but those of doomed syncs. The grants' table stays empty, and has all
    /// of its indexes, if its rows can be taken over as pages. Gives all late
    /// indexes, and whether grants are still to come.
    pub fn copy_into(&self, conn: &mut Connection) -> rusqlite::Result<(Vec<LateIndex>, bool)> {
        let budget = self.attach(conn)?;
        let by_pages = takeover::fits(conn)?;
        let is_paged = |table: &str| by_pages && table == GRANTS;
        conn.execute_batch("begin")?;
        let tables = stored_sql(conn, "table")?;
        let indexes = stored_sql(conn, "index")?;
        for (name, _, sql) in tables.iter().filter(|(name, ..)| !is_paged(name)) {
            conn.execute(sql, []).map(|_| name)?;
        }
        let mut late = Vec::new();
        for (name, table, sql) in &indexes {
            if is_paged(table) {
                continue;
            }
            if is_late(table, name) {
                late.push(LateIndex::new(table, sql));
            } else {
                conn.execute(sql, [])?;
            }
        }
        for table in TABLES {
            if is_paged(table.name) {
                conn.execute(table.sql, [])?;
            }
            for index in table.indexes {
                if is_paged(table.name) {
                    conn.execute(index.sql, [])?;
                } else if !indexes.iter().any(|(name, ..)| name == index.name) {
                    late.push(LateIndex::new(table.name, index.sql));
                }
            }
        }
        Reserve::make(conn, late.len())?;
        // The runs first: they are then in the first pages, where a reader
        // finds them without unpacking the rest.
        let (first, rest): (Vec<_>, Vec<_>) = tables
            .iter()
            .filter(|(name, ..)| !is_paged(name))
            .partition(|(name, ..)| name == "v1_sync_runs");
        for (name, ..) in first.into_iter().chain(rest) {
            budget.refill();
            self.copy_rows(conn, name, "*")?;
        }
        Self::detach(conn)?;
        Ok((late, by_pages))
    }

    /// Copies the grants of syncs that stay by statements.
    pub fn copy_grants(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        let budget = self.attach(conn)?;
        budget.refill();
        conn.execute_batch("begin")?;
        self.copy_rows(conn, GRANTS, takeover::COLUMNS)?;
        Self::detach(conn)
    }

    fn attach(&self, conn: &mut Connection) -> rusqlite::Result<Budget> {
        let budget = Budget::set(conn, self.bytes)?;
        conn.execute(
            "attach ? as old",
            [db::immutable_uri(self.copy.file_path())],
        )?;
        Ok(budget)
    }

    /// Ends the transaction, and begins the next one.
    fn detach(conn: &mut Connection) -> rusqlite::Result<()> {
        Budget::lift(conn)?;
        // So that the copy can be removed now, also where open files cannot.
        conn.execute_batch("commit; detach old; begin")
    }

    fn copy_rows(&self, conn: &Connection, table: &str, columns: &str) -> rusqlite::Result<()> {
        let ours = TABLES.iter().any(|t| t.name == table);
        let table = quoted(table);
        let (condition, values) = if ours {
            self.staying()
        } else {
            (String::new(), &[][..])
        };
        let into = if columns == "*" {
            String::new()
        } else {
            format!(" ({columns})")
        };
        let sql =
            format!("insert into main.{table}{into} select {columns} from old.{table}{condition}");
        conn.execute(&sql, rusqlite::params_from_iter(values))
            .map(|_| ())
    }
}

/// Name, table and statement of the old file's plain tables or indexes.
/// Views, triggers and virtual tables have no place in the format.
fn stored_sql(conn: &Connection, kind: &str) -> rusqlite::Result<Vec<(String, String, String)>> {
    conn.prepare(
        "select name, tbl_name, sql from old.sqlite_master
         where type = ? and sql is not null and name not like 'sqlite\\_%' escape '\\'
           and tbl_name in (select name from pragma_table_list where schema = 'old' and type = 'table')
         order by rowid",
    )?
    .query_map([kind], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
    .collect()
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Keeps the schema and the runs in the first pages of the file.
///
/// Readers that want only the runs decompress no more than the beginning.
/// But an index is a schema entry that is written when the rows are already
/// there, and where the schema then needs a page more, it would lie behind
/// all rows. So low pages are filled at first, and freed a few at a time
/// right before each late entry: SQLite takes free pages before new ones.
pub(super) struct Reserve;

impl Reserve {
    pub fn make(conn: &Connection, late_entries: usize) -> rusqlite::Result<()> {
        conn.execute("create table reserve (pages blob)", [])?;
        let mut add = conn.prepare("insert into reserve values (zeroblob(?))")?;
        // One part more than there are indexes: for the run itself.
        for _ in 0..=late_entries {
            add.execute([RESERVED_PAGES * PAGE_BYTES])?;
        }
        Ok(())
    }

    pub fn release(conn: &Connection) -> rusqlite::Result<()> {
        conn.prepare_cached("delete from reserve where rowid = (select max(rowid) from reserve)")?
            .execute([])?;
        Ok(())
    }

    pub fn drop(conn: &Connection) -> rusqlite::Result<()> {
        conn.execute("drop table reserve", []).map(|_| ())
    }
}
