//! Builds the database of a new v1 file and renames it over the target.
//!
//! The database is always new. Syncs that stay are copied from a private copy
//! of the old one, so removed syncs leave no free pages and no vacuum is needed.
//! Indexes in another order than the rows are built after them, by SQLite's
//! sorter, in bounded memory. Grants are written as pages where the tables allow
//! it. All other tables lie in front of them, so that a reader without grants
//! unpacks only these. The target is changed only by the final rename.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prost_types::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::batch::Batch;
use super::bulk::{Bulk, Roots};
use super::cleanup::Cleanup;
use super::layout::{Grants, LateIndex, Old, Reserve, create};
use super::schema::table_name;
use super::takeover::{self, GRANTS, Refusal};
use super::{db, time};
use crate::Limits;
use crate::counts::Counts;
use crate::envelope;
use crate::error::{Error, Result};
use crate::room::{self, Work};
use crate::row::{Row, Table};
use crate::run::{NewAsset, NewRun, Stats, SyncRun};
use crate::save::{self, Saver};
use crate::scratch::Scratch;

/// Content type of an asset that states none.
const UNKNOWN_CONTENT_TYPE: &str = "unknown";
/// Bytes between two reports while compressing.
const REPORT_BYTES: u64 = 16 << 20;

/// Where and how a new file is written.
#[derive(Debug, Clone)]
pub(crate) struct WriteOptions {
    /// The file to create or replace. Its finished and unfinished syncs stay,
    /// but for what `cleanup` removes.
    pub target: PathBuf,
    /// How it is put in its place.
    pub saver: Saver,
    /// Folder for private copies; `None`: the system's.
    pub temp_dir: Option<PathBuf>,
    /// Bounds on the target's old content.
    pub limits: Limits,
    /// Level of zstd, 1 being the fastest.
    pub compression_level: i32,
    /// `discovered_at` of every row.
    pub discovered_at: SystemTime,
    /// Which old syncs go; `None`: all stay.
    pub cleanup: Option<Cleanup>,
    /// A sync that has the new one's id is replaced, not an error: a process
    /// that was stopped between saving and clearing up saves again.
    pub replace_same_sync: bool,
}

/// What [`Writer::finish`] is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Building indexes.
    Indexing,
    /// Compressing, and then replacing the target.
    Saving {
        /// Bytes of the database compressed so far.
        done_bytes: u64,
        /// Its size.
        total_bytes: u64,
    },
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// The file, symbolic links resolved.
    pub path: PathBuf,
    /// Counts of the new sync.
    pub stats: Stats,
    /// Ids of the syncs that cleanup removed.
    pub removed_syncs: Vec<String>,
}

/// One new sync on its way into a v1 file.
pub(crate) struct Writer {
    door: Access,
    scratch: Scratch,
    options: WriteOptions,
    run: SyncRun,
    times: Times,
    discovered_at: String,
    /// The time in `discovered_at`, once it was set.
    dated: Option<Timestamp>,
    late_indexes: Vec<LateIndex>,
    /// The old file, as long as its grants are still to be taken over.
    waiting: Option<Old>,
    removed_syncs: Vec<String>,
    counts: Counts,
    batch: Batch,
}

/// How the new database is being written. Only one has it open at a time.
enum Access {
    /// By statements. They may have been found to be the only way.
    Rows { conn: Connection, to_stay: bool },
    /// As pages: the grants.
    Pages(Box<Bulk>),
    /// Not possible after an error.
    Closed,
}

struct Times {
    started_at: String,
    ended_at: Option<String>,
}

impl Writer {
    /// Prepares a new database with everything that stays of the old file.
    ///
    /// # Errors
    /// The old file's own errors; [`Error::DuplicateSync`] if it already
    /// holds the run's id and is not to be replaced.
    pub fn begin(options: WriteOptions, run: &NewRun) -> Result<Self> {
        Self::begin_as(options, sync_run(run))
    }

    /// As [`Writer::begin`], for a run that is written as it is, but for its
    /// counts: with what format v3 recorded of it, and perhaps unfinished.
    pub fn begin_as(options: WriteOptions, run: SyncRun) -> Result<Self> {
        let times = Times {
            started_at: stored_time("start of the sync", run.started_at.unwrap_or_default())?,
            ended_at: run
                .ended_at
                .map(|at| stored_time("end of the sync", at))
                .transpose()?,
        };
        let discovered_at = time_text("time of discovery", options.discovered_at)?;
        if run.id.is_empty() {
            return Err(Error::Argument {
                what: "sync id",
                reason: "it is empty",
            });
        }
        let old = Old::open(&options, &run)?;
        let needed = old.as_ref().map_or(0, Old::staying_bytes);
        let temp_dir = options.temp_dir.as_deref();
        let scratch = Scratch::with_room(temp_dir, needed, Work::KeepSyncs)?;
        drop(scratch.create_file()?);
        let target = options.target.as_path();
        let mut conn = db::open_write(scratch.file_path())
            .map_err(db::write_error(target, "create a file"))?;
        let (late_indexes, grants_wait) = match &old {
            Some(old) => old
                .copy_into(&mut conn)
                .map_err(db::read_error(target, "copy its syncs"))?,
            None => {
                let made = create(&conn, Grants::AsPages);
                (
                    made.map_err(db::write_error(target, "create tables"))?,
                    false,
                )
            }
        };
        let removed_syncs = old.as_ref().map_or(&[][..], Old::cleaned_up).to_vec();
        Ok(Self {
            door: Access::Rows {
                conn,
                to_stay: false,
            },
            scratch,
            run,
            times,
            discovered_at,
            dated: None,
            late_indexes,
            waiting: old.filter(|_| grants_wait),
            removed_syncs,
            counts: Counts::default(),
            batch: Batch::default(),
            options,
        })
    }

    /// Sets when the rows from here on were written.
    pub fn set_discovered_at(&mut self, at: Timestamp) -> Result<()> {
        if self.dated == Some(at) {
            return Ok(());
        }
        let text = stored_time("time of discovery", at)?;
        // The rows of a batch share their time.
        self.flush()?;
        self.discovered_at = text;
        self.dated = Some(at);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let shared = [self.run.id.as_str(), self.discovered_at.as_str()];
        let Access::Rows { conn, .. } = &self.door else {
            // Pages have no batch before them.
            return Ok(());
        };
        self.batch.write(conn, shared, &self.options.target)
    }

    /// Adds one row. Rows come table by table in [`Table::ALL`]'s order, each
    /// id once; `data` is stored as it is, so `GrantExpandable` must already
    /// be in `expansion`. A resource's `id` is not looked at.
    pub fn put(&mut self, table: Table, row: &Row<'_>) -> Result<()> {
        self.counts.add(table, row.resource_type_id);
        if table == Table::Grants {
            self.try_pages()?;
            if let Access::Pages(bulk) = &mut self.door {
                return bulk.put(row, &self.run.id, &self.discovered_at);
            }
        }
        self.by_rows()?;
        let shared = [self.run.id.as_str(), self.discovered_at.as_str()];
        let Access::Rows { conn, .. } = &self.door else {
            return self.conn().map(|_| ());
        };
        self.batch
            .put(conn, shared, table, row, &self.options.target)
    }

    /// Turns from rows to pages, if the database is fit for it, and takes over
    /// the grants that stay.
    fn try_pages(&mut self) -> Result<()> {
        if !matches!(self.door, Access::Rows { to_stay: false, .. }) {
            return Ok(());
        }
        self.flush()?;
        let Access::Rows { conn, .. } = std::mem::replace(&mut self.door, Access::Closed) else {
            return Ok(());
        };
        let (grants, others) = std::mem::take(&mut self.late_indexes)
            .into_iter()
            .partition(|index| index.table == GRANTS);
        self.late_indexes = grants;
        self.build(&conn, others)?;
        let target = self.options.target.as_path();
        let failed = |e| db::write_error(target, "turn to grants")(e);
        // What cleanup would free is only known behind the commit.
        let roots = conn
            .execute_batch("commit")
            .and_then(|()| Roots::find(&conn))
            .map_err(failed)?;
        conn.close().map_err(|(_, e)| failed(e))?;
        let Some(roots) = roots else {
            return self.stay_with_rows();
        };
        let mut bulk = Bulk::begin(self.scratch.file_path(), &roots, self.scratch.folder_path())?;
        if let Some(old) = &self.waiting {
            match takeover::take_over(old, &mut bulk, target) {
                Ok(()) => {}
                Err(Refusal::Failed(e)) => return Err(e),
                Err(Refusal::Odd) => {
                    drop(bulk);
                    self.cut(roots.database_bytes())?;
                    return self.stay_with_rows();
                }
            }
        }
        self.waiting = None;
        self.door = Access::Pages(Box::new(bulk));
        Ok(())
    }

    /// Forgets what lies behind so many bytes of the new database.
    #[expect(
        clippy::disallowed_methods,
        reason = "the scratch database is never read after a crash"
    )]
    fn cut(&self, bytes: u64) -> Result<()> {
        let path = self.scratch.file_path();
        File::options()
            .write(true)
            .open(path)
            .and_then(|file| file.set_len(bytes))
            .map_err(|e| Error::io("cut", path, e))
    }

    /// Continues by statements to the end, beginning with the grants that stay.
    fn stay_with_rows(&mut self) -> Result<()> {
        let target = self.options.target.as_path();
        let mut conn = db::open_write(self.scratch.file_path())
            .map_err(db::write_error(target, "turn to grants"))?;
        match self.waiting.take() {
            Some(old) => old
                .copy_grants(&mut conn)
                .map_err(db::read_error(target, "copy its grants"))?,
            None => conn
                .execute_batch("begin")
                .map_err(db::write_error(target, "turn to grants"))?,
        }
        self.door = Access::Rows {
            conn,
            to_stay: true,
        };
        Ok(())
    }

    /// Completes what was written as pages; statements may follow.
    fn by_rows(&mut self) -> Result<()> {
        if matches!(self.door, Access::Pages(_))
            && let Access::Pages(bulk) = std::mem::replace(&mut self.door, Access::Closed)
        {
            bulk.finish()?;
            let target = self.options.target.as_path();
            let conn = db::open_write(self.scratch.file_path())
                .and_then(|conn| conn.execute_batch("begin").map(|()| conn))
                .map_err(db::write_error(target, "continue after the grants"))?;
            self.door = Access::Rows {
                conn,
                to_stay: true,
            };
        }
        Ok(())
    }

    /// The database as long as statements are run on it.
    fn conn(&self) -> Result<&Connection> {
        match &self.door {
            Access::Rows { conn, .. } => Ok(conn),
            Access::Pages(_) | Access::Closed => Err(Error::Argument {
                what: "writer",
                reason: "it has failed before",
            }),
        }
    }

    /// Adds an asset, unless it is empty.
    pub fn put_asset(&mut self, asset: &NewAsset) -> Result<()> {
        if asset.data.is_empty() {
            return Ok(());
        }
        let content_type = match asset.content_type.as_str() {
            "" => UNKNOWN_CONTENT_TYPE,
            stated => stated,
        };
        self.by_rows()?;
        self.conn()?
            .execute(
                "insert into v1_assets (external_id, content_type, data, sync_id, discovered_at)
                 values (?, ?, ?, ?, ?)",
                params![
                    asset.id,
                    content_type,
                    asset.data,
                    self.run.id,
                    self.discovered_at
                ],
            )
            .map_err(db::write_error(&self.options.target, "add an asset"))?;
        self.counts.add_assets(1);
        Ok(())
    }

    /// Adds what a connector stored under `key` for the sync.
    pub fn put_session(&mut self, key: &str, value: &[u8]) -> Result<()> {
        self.by_rows()?;
        self.conn()?
            .execute(
                "insert into v1_connector_sessions (sync_id, key, value) values (?, ?, ?)",
                params![self.run.id, key, value],
            )
            .map(|_| ())
            .map_err(db::write_error(&self.options.target, "add a session"))
    }

    /// Completes the database, compresses it and replaces the target.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if two rows had one id; the target is then, and
    /// on any other failure, what it was.
    pub fn finish(mut self, progress: &mut dyn FnMut(Phase)) -> Result<Written> {
        self.flush()?;
        progress(Phase::Indexing);
        if self.waiting.is_some() {
            // No new grant has come.
            self.try_pages()?;
        }
        self.by_rows()?;
        let stats = std::mem::take(&mut self.counts).into_stats();
        self.complete(&stats)?;
        let Self {
            door,
            scratch,
            options,
            removed_syncs,
            ..
        } = self;
        if let Access::Rows { conn, .. } = door {
            conn.close()
                .map_err(|(_, e)| db::write_error(&options.target, "close the file")(e))?;
        }
        let path = save_database(
            scratch.file_path(),
            &options.target,
            &options.saver,
            options.compression_level,
            progress,
        )?;
        Ok(Written {
            path,
            stats,
            removed_syncs,
        })
    }

    fn complete(&mut self, stats: &Stats) -> Result<()> {
        let late = std::mem::take(&mut self.late_indexes);
        let target = self.options.target.as_path();
        let conn = self.conn()?;
        self.build(conn, late)?;
        self.insert_run(conn, stats)
            .map_err(db::write_error(target, "complete the sync"))
    }

    fn build(&self, conn: &Connection, late: Vec<LateIndex>) -> Result<()> {
        for index in late {
            let made = Reserve::release(conn).and_then(|()| conn.execute(&index.sql, []));
            if let Err(e) = made {
                return Err(self.duplicate_id(conn).unwrap_or_else(|| {
                    db::write_error(&self.options.target, "build an index")(e)
                }));
            }
        }
        Ok(())
    }

    fn insert_run(&self, conn: &Connection, stats: &Stats) -> rusqlite::Result<()> {
        Reserve::release(conn)?;
        conn.execute(
            "insert into v1_sync_runs (sync_id, started_at, ended_at, sync_token, sync_type,
                parent_sync_id, linked_sync_id, supports_diff, grants_backfilled, stats,
                ingest_invariant_generation, ingest_invariant_coverage, ingest_invariant_mode)
             values (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)",
            params![
                self.run.id,
                self.times.started_at,
                self.times.ended_at,
                self.run.sync_token,
                self.run.sync_type,
                self.run.parent_sync_id,
                self.run.linked_sync_id,
                self.run.supports_diff,
                stats.to_text(),
                self.run.ingest_invariant.generation,
                self.run.ingest_invariant.coverage,
                self.run.ingest_invariant.mode,
            ],
        )?;
        Reserve::drop(conn)?;
        conn.execute_batch("commit")
    }

    /// The first id that two rows of the new sync share, after an index that
    /// should be unique could not be built.
    fn duplicate_id(&self, conn: &Connection) -> Option<Error> {
        Table::ALL.into_iter().find_map(|table| {
            let sql = format!(
                "select external_id from {} where sync_id = ? group by external_id
                 having count(*) > 1 limit 1",
                table_name(table)
            );
            let id = conn
                .query_row(&sql, [&self.run.id], |row| row.get(0))
                .optional();
            id.ok().flatten().map(|id| Error::DuplicateId { table, id })
        })
    }
}

fn time_text(what: &'static str, at: SystemTime) -> Result<String> {
    time::to_text(at).ok_or(Error::Argument {
        what,
        reason: "it is outside the years that can be stored",
    })
}

fn stored_time(what: &'static str, at: Timestamp) -> Result<String> {
    SystemTime::try_from(at)
        .ok()
        .and_then(time::to_text)
        .ok_or(Error::Argument {
            what,
            reason: "it is outside the years that can be stored",
        })
}

fn sync_run(run: &NewRun) -> SyncRun {
    SyncRun {
        id: run.id.clone(),
        sync_type: run.sync_type.as_str().to_owned(),
        started_at: Some(run.started_at.into()),
        ended_at: Some(run.ended_at.into()),
        parent_sync_id: run.parent_sync_id.clone(),
        sync_token: run.token.clone(),
        supports_diff: run.supports_diff,
        ingest_invariant: run.ingest_invariant.clone(),
        ..SyncRun::default()
    }
}

/// Compresses a database into the place of `target`.
pub(super) fn save_database(
    database: &Path,
    target: &Path,
    saver: &Saver,
    compression_level: i32,
    progress: &mut dyn FnMut(Phase),
) -> Result<PathBuf> {
    let content = File::open(database).map_err(|e| Error::io("open", database, e))?;
    let size = content
        .metadata()
        .map_err(|e| Error::io("look at", database, e))?
        .len();
    let mut content = WithProgress {
        content,
        done: 0,
        reported: 0,
        size,
        progress,
    };
    content.report();
    let at_least = size / room::MAX_RATIO;
    save::replace(saver, target, at_least, |out| {
        envelope::encode(&mut content, size, compression_level, out)
    })
}

/// A file that reports how far it was read.
struct WithProgress<'a> {
    content: File,
    done: u64,
    reported: u64,
    size: u64,
    progress: &'a mut dyn FnMut(Phase),
}

impl WithProgress<'_> {
    fn report(&mut self) {
        self.reported = self.done;
        (self.progress)(Phase::Saving {
            done_bytes: self.done,
            total_bytes: self.size,
        });
    }
}

impl Read for WithProgress<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.content.read(buf)?;
        self.done += n as u64;
        if self.done - self.reported >= REPORT_BYTES {
            self.report();
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests;
