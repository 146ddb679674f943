//! New files from old ones: a copy of one sync, and replaced counts.
//!
//! The source stays unchanged until a complete new database replaces it or is
//! written beside it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::db;
use super::db::Budget;
use super::layout::{Grants, Reserve, create};
use super::reader::Reader;
use super::schema::{BULK_TABLES, TABLES};
use super::writer::save_database;
use crate::error::Result;
use crate::maintain::{NewStats, RewriteOptions};
use crate::room::Work;
use crate::run::SyncRun;
use crate::save::Saver;
use crate::scratch::Scratch;
use crate::store::Store;

/// Copies the sync `id` of `source` with all that belongs to it, the run
/// itself verbatim, into the new file `target` (c1z specification §3.3).
pub(crate) fn clone_sync(
    source: Reader,
    id: &str,
    source_path: &Path,
    target: &Path,
    options: &RewriteOptions,
) -> Result<()> {
    let needed = source.rewritten_bytes()?;
    let old = source.into_copy();
    let scratch = Scratch::with_room(options.temp_dir.as_deref(), needed, Work::CopySync)?;
    drop(scratch.create_file()?);
    let mut conn =
        db::open_write(scratch.file_path()).map_err(db::write_error(target, "create a file"))?;
    if let Some(old) = &old {
        let bytes = old.file_bytes()?;
        copy_sync(&mut conn, old, bytes, id)
            .map_err(db::read_error(source_path, "copy its sync"))?;
    }
    conn.close()
        .map_err(|(_, e)| db::write_error(target, "close the file")(e))?;
    save_database(
        scratch.file_path(),
        target,
        &Saver::new_file(),
        options.compression_level,
        &mut |_| (),
    )?;
    Ok(())
}

/// Makes a v1 file without syncs.
pub(crate) fn write_empty(target: &Path, options: &RewriteOptions) -> Result<PathBuf> {
    let scratch = Scratch::with_room(options.temp_dir.as_deref(), 0, Work::CopySync)?;
    drop(scratch.create_file()?);
    let make = || {
        let conn = db::open_write(scratch.file_path())?;
        for index in create(&conn, Grants::AsRows)? {
            conn.execute(&index.sql, [])?;
        }
        Reserve::drop(&conn)?;
        conn.execute_batch("commit")?;
        conn.close().map_err(|(_, e)| e)
    };
    make().map_err(db::write_error(target, "create tables"))?;
    save_database(
        scratch.file_path(),
        target,
        &Saver::new_file(),
        options.compression_level,
        &mut |_| (),
    )
}

pub(super) fn copy_sync(
    conn: &mut Connection,
    old: &Scratch,
    bytes: u64,
    id: &str,
) -> rusqlite::Result<()> {
    let budget = Budget::set(conn, bytes)?;
    conn.execute("attach ? as old", [db::immutable_uri(old.file_path())])?;
    let late = create(conn, Grants::AsRows)?;
    // The run first, so that it is found in the first pages; the large
    // tables last, as a sync writes them.
    let (rows, rest): (Vec<_>, Vec<_>) = TABLES
        .iter()
        .partition(|table| BULK_TABLES.contains(&table.name));
    let (run, others): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|table| table.name == "v1_sync_runs");
    for table in run.into_iter().chain(rows).chain(others) {
        let columns = copied_columns(conn, table.name)?.join(", ");
        budget.refill();
        conn.execute(
            &format!(
                "insert into main.{name} ({columns}) select {columns} from old.{name}
                 where sync_id = ? order by id",
                name = table.name
            ),
            [id],
        )?;
    }
    for index in &late {
        Reserve::release(conn)?;
        budget.refill();
        conn.execute(&index.sql, [])?;
    }
    Reserve::drop(conn)?;
    Budget::lift(conn)?;
    conn.execute_batch("commit; detach old")
}

/// The columns of a table of the current schema, without the row's number:
/// a copy renumbers its rows.
fn copied_columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare("select name from main.pragma_table_info(?) where name <> 'id'")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// Counts the rows of `runs` and stores the counts in place of the old ones.
pub(crate) fn restat(
    source: Reader,
    runs: &[SyncRun],
    (path, saver): (&Path, &Saver),
    options: &RewriteOptions,
    report: &mut dyn FnMut(&NewStats<'_>),
) -> Result<()> {
    let mut counted = Vec::with_capacity(runs.len());
    for run in runs {
        let mut stats = source.compute_stats(Some(&run.id))?;
        stats.keep_history_of(run);
        report(&NewStats { run, stats: &stats });
        counted.push((run.id.as_str(), stats.to_text()));
    }
    let Some(copy) = source.into_copy() else {
        return Ok(());
    };
    let store = || {
        let conn = db::open_write(copy.file_path())?;
        conn.execute_batch("begin")?;
        for (id, text) in &counted {
            conn.execute(
                "update v1_sync_runs set stats = ?2 where sync_id = ?1",
                params![id, text],
            )?;
        }
        conn.execute_batch("commit")?;
        conn.close().map_err(|(_, e)| e)
    };
    store().map_err(db::write_error(path, "store the counts"))?;
    save_database(
        copy.file_path(),
        path,
        saver,
        options.compression_level,
        &mut |_| (),
    )?;
    Ok(())
}
