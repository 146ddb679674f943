//! What one sync has that another has not, as runs of their own (c1z
//! specification §3.1, §3.2).
//!
//! Rows are copied by SQLite from table to table, within a private copy that
//! then takes the place of the file.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::db::{self, Budget};
use super::layout::quoted;
use super::reader::Reader;
use super::time;
use super::writer::save_database;
use crate::diff_plan::{DiffPlan, FileDiffPlan};
use crate::error::{Error, Result};
use crate::maintain::RewriteOptions;
use crate::run::SyncType;
use crate::save::Saver;
use crate::scratch::Scratch;
use crate::store::Store;

/// Tables of which a diff within a file has rows.
const DATA_TABLES: [&str; 5] = [
    "v1_resource_types",
    "v1_resources",
    "v1_entitlements",
    "v1_grants",
    "v1_assets",
];
/// Columns of grants that a diff within a file leaves at their defaults.
const EXPANSION: [&str; 2] = ["expansion", "needs_expansion"];
/// How many of the tables a diff between files has rows of.
const FILE_TABLES: usize = 4;

/// Adds the run of a diff to the file `path`.
pub(crate) fn diff(
    reader: Reader,
    plan: &DiffPlan<'_>,
    saver: &Saver,
    options: &RewriteOptions,
) -> Result<()> {
    let runs = reader.runs()?;
    for id in [plan.base_sync_id, plan.applied_sync_id] {
        if !runs.iter().any(|run| run.id == id) {
            return Err(no_such_sync(plan.path, id));
        }
    }
    if runs.iter().any(|run| run.id == plan.new_sync_id) {
        return Err(Error::DuplicateSync {
            path: plan.path.to_owned(),
            id: plan.new_sync_id.to_owned(),
        });
    }
    let now = now(options)?;
    let copy = copy_of(reader, plan.path)?;
    let add = || {
        let (mut conn, budget) = open(&copy)?;
        conn.execute_batch("begin")?;
        for table in DATA_TABLES {
            let columns = columns(&conn, "main", table, &EXPANSION)?;
            budget.refill();
            conn.execute(
                &format!(
                    "insert into {table} ({columns}, sync_id)
                     select {columns}, ?1 from {table} as applied
                     where sync_id = ?2 and not exists (
                        select 1 from {table} as base
                        where base.external_id = applied.external_id and base.sync_id = ?3)
                     order by id"
                ),
                [plan.new_sync_id, plan.applied_sync_id, plan.base_sync_id],
            )?;
        }
        Run {
            id: plan.new_sync_id,
            kind: SyncType::Partial,
            parent: plan.base_sync_id,
            linked: "",
            supports_diff: false,
        }
        .insert(&conn, &now)?;
        Budget::lift(&mut conn)?;
        conn.execute_batch("commit")?;
        conn.close().map_err(|(_, e)| e)
    };
    add().map_err(db::write_error(plan.path, "add the difference"))?;
    // Counted as every reader counts.
    let reader = Reader::of_copy(plan.path, copy)?;
    let stats = reader.compute_stats(Some(plan.new_sync_id))?.to_text();
    let copy = copy_of(reader, plan.path)?;
    let store = || {
        let conn = db::open_write(copy.file_path())?;
        conn.execute(
            "update v1_sync_runs set stats = ?2 where sync_id = ?1",
            params![plan.new_sync_id, stats],
        )?;
        conn.close().map_err(|(_, e)| e)
    };
    store().map_err(db::write_error(plan.path, "store the counts"))?;
    save(&copy, plan.path, saver, options)
}

/// Adds the two runs of a diff between files to the newer file.
pub(crate) fn diff_files(
    old: Reader,
    new: Reader,
    plan: &FileDiffPlan<'_>,
    saver: &Saver,
    options: &RewriteOptions,
) -> Result<()> {
    let runs = new.runs()?;
    let ids = [plan.deletions_sync_id, plan.upserts_sync_id];
    let taken = |id: &&str| runs.iter().any(|run| run.id == **id);
    let repeated = (ids[0] == ids[1]).then_some(ids[0]);
    if let Some(id) = ids.into_iter().find(taken).or(repeated) {
        return Err(Error::DuplicateSync {
            path: plan.new_path.to_owned(),
            id: id.to_owned(),
        });
    }
    let old = copy_of(old, plan.old_path)?;
    let new = copy_of(new, plan.new_path)?;
    must_be_comparable(&old, plan.old_path, plan.old_sync_id)?;
    must_be_comparable(&new, plan.new_path, plan.new_sync_id)?;
    let now = now(options)?;
    let add = || {
        let (mut conn, budget) = open(&new)?;
        conn.execute("attach ? as old", [db::immutable_uri(old.file_path())])?;
        conn.execute_batch("begin")?;
        for (run, sql) in [
            (plan.deletions(), Side::Deletions),
            (plan.upserts(), Side::Upserts),
        ] {
            for table in &DATA_TABLES[..FILE_TABLES] {
                let columns = columns(&conn, sql.source(), table, &[])?;
                budget.refill();
                conn.execute(
                    &sql.statement(table, &columns),
                    [run.0, plan.old_sync_id, plan.new_sync_id],
                )?;
            }
            Run {
                id: run.0,
                kind: run.2,
                parent: plan.old_sync_id,
                linked: run.1,
                supports_diff: true,
            }
            .insert(&conn, &now)?;
        }
        Budget::lift(&mut conn)?;
        conn.execute_batch("commit; detach old")?;
        conn.close().map_err(|(_, e)| e)
    };
    add().map_err(db::write_error(plan.new_path, "add the differences"))?;
    save(&new, plan.new_path, saver, options)
}

/// Which of the two runs between files.
#[derive(Debug, Clone, Copy)]
enum Side {
    Deletions,
    Upserts,
}

impl Side {
    /// The file whose rows are copied.
    fn source(self) -> &'static str {
        match self {
            Self::Deletions => "old",
            Self::Upserts => "main",
        }
    }

    /// Parameters: the run, the old sync, the new sync.
    fn statement(self, table: &str, columns: &str) -> String {
        let from = self.source();
        let (other, from_sync, other_sync) = match self {
            Self::Deletions => ("main", "?2", "?3"),
            Self::Upserts => ("old", "?3", "?2"),
        };
        let same = match self {
            Self::Deletions => String::new(),
            Self::Upserts if table == "v1_grants" => " and theirs.data = ours.data
                  and coalesce(theirs.expansion, x'') = coalesce(ours.expansion, x'')"
                .to_owned(),
            Self::Upserts => " and theirs.data = ours.data".to_owned(),
        };
        format!(
            "insert into main.{table} ({columns}, sync_id)
             select {columns}, ?1 from {from}.{table} as ours
             where sync_id = {from_sync} and not exists (
                select 1 from {other}.{table} as theirs
                where theirs.external_id = ours.external_id
                  and theirs.sync_id = {other_sync}{same})
             order by id"
        )
    }
}

struct Run<'a> {
    id: &'a str,
    kind: SyncType,
    parent: &'a str,
    linked: &'a str,
    supports_diff: bool,
}

impl Run<'_> {
    fn insert(&self, conn: &Connection, now: &str) -> rusqlite::Result<()> {
        conn.execute(
            "insert into v1_sync_runs (sync_id, started_at, ended_at, sync_token, sync_type,
                parent_sync_id, linked_sync_id, supports_diff, grants_backfilled)
             values (?, ?, ?, '', ?, ?, ?, ?, 1)",
            params![
                self.id,
                now,
                now,
                self.kind.as_str(),
                self.parent,
                self.linked,
                self.supports_diff
            ],
        )
        .map(|_| ())
    }
}

/// The columns that the table has both in the database `from` and in the one
/// that is written, but the row's number, the sync, and those that are left out.
fn columns(
    conn: &Connection,
    from: &str,
    table: &str,
    without: &[&str],
) -> rusqlite::Result<String> {
    let mut statement = conn.prepare(
        "select name from main.pragma_table_info(?1, 'main')
         where name not in ('id', 'sync_id') and name collate nocase in
            (select name from main.pragma_table_info(?1, ?2))",
    )?;
    let names = statement.query_map([table, from], |row| row.get::<_, String>(0))?;
    let mut all = names.collect::<rusqlite::Result<Vec<_>>>()?;
    all.retain(|name| !without.contains(&name.as_str()));
    let quoted: Vec<String> = all.iter().map(|name| quoted(name)).collect();
    Ok(quoted.join(", "))
}

fn open(copy: &Scratch) -> rusqlite::Result<(Connection, Budget)> {
    let mut conn = db::open_write(copy.file_path())?;
    let bytes = copy.file_path().metadata().map_or(0, |facts| facts.len());
    let budget = Budget::set(&mut conn, bytes)?;
    Ok((conn, budget))
}

fn copy_of(reader: Reader, path: &Path) -> Result<Scratch> {
    reader.into_copy().ok_or_else(|| Error::NotC1z {
        path: path.to_owned(),
    })
}

fn no_such_sync(path: &Path, id: &str) -> Error {
    Error::NoSuchSync {
        path: path.to_owned(),
        id: id.to_owned(),
    }
}

/// A run that may be compared with one of another file: its expansion columns
/// are complete.
fn must_be_comparable(copy: &Scratch, path: &Path, id: &str) -> Result<()> {
    let read = || -> rusqlite::Result<Option<bool>> {
        let (conn, _) = db::open_read(
            copy.file_path(),
            copy.file_path().metadata().map_or(0, |facts| facts.len()),
        )?;
        conn.query_row(
            "select supports_diff = 1 and grants_backfilled = 1 from v1_sync_runs
             where sync_id = ?",
            [id],
            |row| row.get(0),
        )
        .optional()
    };
    match read().map_err(db::read_error(path, "read its sync runs"))? {
        None => Err(no_such_sync(path, id)),
        Some(true) => Ok(()),
        Some(false) => Err(Error::NotComparable {
            path: path.to_owned(),
            id: id.to_owned(),
        }),
    }
}

fn now(options: &RewriteOptions) -> Result<String> {
    time::to_text(options.now).ok_or(Error::Argument {
        what: "time of the difference",
        reason: "it is outside the years that can be stored",
    })
}

fn save(copy: &Scratch, path: &Path, saver: &Saver, options: &RewriteOptions) -> Result<()> {
    save_database(
        copy.file_path(),
        path,
        saver,
        options.compression_level,
        &mut |_| (),
    )
    .map(|_| ())
}
