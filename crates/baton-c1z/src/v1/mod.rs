//! Storage format v1: a SQLite database inside a zstd stream.
//!
//! SQLite types stay in here. A file is never changed in place: readers work
//! on a private copy, a writer builds a new database and swaps it in whole.

mod batch;
mod bulk;
mod cleanup;
mod db;
mod diff;
mod front;
mod layout;
mod lazy;
mod migrate;
mod peek;
mod query;
mod reader;
mod rewrite;
mod rollback;
mod runs;
mod schema;
mod takeover;
mod time;
mod writer;

pub(crate) use cleanup::{Cleanup, Moment};
pub(crate) use diff::{diff, diff_files};
pub(crate) use lazy::Lazy;
pub(crate) use peek::runs_in_prefix;
pub(crate) use reader::Reader;
pub(crate) use rewrite::{clone_sync, restat, write_empty};
pub(crate) use rollback::roll_back;
pub(crate) use writer::{Phase, WriteOptions, Writer};

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::Limits;
use crate::envelope::{Content, Identity};
use crate::error::{Error, Result};
use crate::scratch::Scratch;

/// What every database that is not empty begins with.
const HEADER_MAGIC: &[u8] = b"SQLite format 3\0";
/// Offset of the two header bytes that say how the database is journaled.
const JOURNAL_BYTES_OFFSET: u64 = 18;
const WRITE_AHEAD: [u8; 2] = [2, 2];
const ROLLBACK: [u8; 2] = [1, 1];

/// Decompresses the v1 file `path` into a private copy.
fn unpack(path: &Path, limits: &Limits, parent: Option<&Path>) -> Result<(Scratch, Identity)> {
    let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
    unpack_file(path, &file, limits, parent)
}

/// As [`unpack`], of an open file, whatever `path` leads to now.
fn unpack_file(
    path: &Path,
    file: &File,
    limits: &Limits,
    parent: Option<&Path>,
) -> Result<(Scratch, Identity)> {
    let content = Content::of_file(path, file, limits)?;
    let scratch = Scratch::new(parent)?;
    let mut file = scratch.create_file()?;
    let identity = content.copy_to(&mut file, scratch.file_path())?;
    drop(file);
    check_header(path, scratch.file_path())?;
    leave_write_ahead_mode(scratch.file_path())?;
    Ok((scratch, identity))
}

/// Content that is neither empty nor begins like a database. SQLite itself
/// would take a few stray bytes for an empty one.
fn check_header(path: &Path, database: &Path) -> Result<()> {
    let mut header = Vec::with_capacity(HEADER_MAGIC.len());
    File::open(database)
        .and_then(|file| {
            file.take(HEADER_MAGIC.len() as u64)
                .read_to_end(&mut header)
        })
        .map_err(|e| Error::io("read", database, e))?;
    if header.is_empty() || header == HEADER_MAGIC {
        return Ok(());
    }
    Err(Error::Database {
        path: path.to_owned(),
        doing: "find its header",
        source: "the content is no SQLite database".into(),
    })
}

/// A database that was saved in write-ahead mode opens read-only only
/// without it. Nothing is lost: the log is never part of a c1z.
fn leave_write_ahead_mode(database: &Path) -> Result<()> {
    let patch = || {
        let mut file = OpenOptions::new().read(true).write(true).open(database)?;
        let mut mode = [0; 2];
        file.seek(SeekFrom::Start(JOURNAL_BYTES_OFFSET))?;
        let n = file.read(&mut mode)?;
        if n == mode.len() && mode == WRITE_AHEAD {
            file.seek(SeekFrom::Start(JOURNAL_BYTES_OFFSET))?;
            file.write_all(&ROLLBACK)?;
        }
        Ok(())
    };
    patch().map_err(|e| Error::io("prepare", database, e))
}
