//! A copy of one sync with its expansion undone.
//!
//! The sources of each grant decide, row by row: see [`crate::grant_origin`]. Only
//! the copy is changed; the source is only read.

use std::path::Path;

use rusqlite::{Connection, params};

use super::db;
use super::reader::Reader;
use super::rewrite::copy_sync;
use super::writer::save_database;
use crate::error::{Error, Result};
use crate::grant_origin::{Origin, origin_of, unreadable, without_sources};
use crate::maintain::RewriteOptions;
use crate::room::Work;
use crate::save::Saver;
use crate::scratch::Scratch;

/// Grants that are read before they are changed.
const BATCH_ROWS: i64 = 1_000;

/// Copies the sync `id` of `source` into the new file `target` and undoes its
/// expansion there. `token` is the state that the copied run gets. `report` is
/// called with the origin of every grant; suspects are deleted unless kept.
pub(crate) fn roll_back(
    source: Reader,
    id: &str,
    paths: (&Path, &Path),
    options: &RewriteOptions,
    token: &str,
    report: &mut dyn FnMut(Origin),
    keep_suspects: bool,
) -> Result<()> {
    let (source_path, target) = paths;
    let needed = source.rewritten_bytes()?;
    let Some(old) = source.into_copy() else {
        return Err(Error::NoSuchSync {
            path: source_path.to_owned(),
            id: id.to_owned(),
        });
    };
    let scratch = Scratch::with_room(options.temp_dir.as_deref(), needed, Work::CopySync)?;
    drop(scratch.create_file()?);
    let mut conn =
        db::open_write(scratch.file_path()).map_err(db::write_error(target, "create a file"))?;
    let bytes = old.file_bytes()?;
    copy_sync(&mut conn, &old, bytes, id).map_err(db::read_error(source_path, "copy its sync"))?;
    drop(old);
    let failed = db::write_error(target, "undo the expansion");
    begin(&conn).map_err(failed)?;
    let grants = undo_expansion(&conn, paths, report, keep_suspects)?;
    let failed = db::write_error(target, "undo the expansion");
    end(&conn, token, grants > 0).map_err(failed)?;
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

fn begin(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("begin")
}

/// A sync without grants keeps its state and its counts.
fn end(conn: &Connection, token: &str, changed: bool) -> rusqlite::Result<()> {
    if changed {
        conn.execute(
            "update v1_sync_runs set sync_token = ?, stats = null",
            [token],
        )?;
    }
    conn.execute_batch("commit")
}

/// A stored grant that may change: its number, id, entitlement and message.
struct Stored {
    number: i64,
    id: String,
    entitlement_id: String,
    data: Vec<u8>,
}

/// Visits all grants; returns how many there were.
fn undo_expansion(
    conn: &Connection,
    (source, target): (&Path, &Path),
    report: &mut dyn FnMut(Origin),
    keep_suspects: bool,
) -> Result<u64> {
    let failed = |e| db::write_error(target, "undo the expansion")(e);
    let mut count = 0;
    let mut last = i64::MIN;
    loop {
        let batch = read_batch(conn, last).map_err(failed)?;
        let Some(end) = batch.last() else {
            return Ok(count);
        };
        last = end.number;
        count += batch.len() as u64;
        for grant in &batch {
            let unreadable = |_| unreadable(source, &grant.id);
            let origin = origin_of(&grant.data, &grant.entitlement_id).map_err(unreadable)?;
            report(origin);
            match origin {
                Origin::Untouched => {}
                Origin::Suspect if keep_suspects => {}
                Origin::Derived | Origin::Suspect => {
                    let sql = "delete from v1_grants where id = ?";
                    conn.prepare_cached(sql)
                        .and_then(|mut delete| delete.execute([grant.number]))
                        .map_err(failed)?;
                }
                Origin::Direct => {
                    let data = without_sources(&grant.data).map_err(unreadable)?;
                    let sql = "update v1_grants set data = ?2 where id = ?1";
                    conn.prepare_cached(sql)
                        .and_then(|mut update| update.execute(params![grant.number, data]))
                        .map_err(failed)?;
                }
            }
        }
    }
}

fn read_batch(conn: &Connection, after: i64) -> rusqlite::Result<Vec<Stored>> {
    conn.prepare_cached(
        "select id, external_id, entitlement_id, data from v1_grants
         where id > ? order by id limit ?",
    )?
    .query_map(params![after, BATCH_ROWS], |row| {
        Ok(Stored {
            number: row.get(0)?,
            id: row.get(1)?,
            entitlement_id: row.get(2)?,
            data: row.get(3)?,
        })
    })?
    .collect()
}
