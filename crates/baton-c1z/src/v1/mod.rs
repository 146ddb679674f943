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
mod header;
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
mod vacuum;
mod writer;

pub(crate) use cleanup::{Cleanup, Moment};
pub(crate) use diff::{diff, diff_files};
pub(crate) use lazy::Lazy;
pub(crate) use peek::runs_in_prefix;
pub(crate) use reader::Reader;
pub(crate) use rewrite::{clone_sync, restat, write_empty};
pub(crate) use rollback::roll_back;
pub(crate) use vacuum::vacuum;
pub(crate) use writer::{Phase, WriteOptions, Writer};

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::Limits;
use crate::envelope::{Content, Identity};
use crate::error::{Error, Result};
use crate::paths::open_regular;
use crate::room::Work;
use crate::scratch::Scratch;
use header::{HEADER_BYTES, Length};

/// Bytes of content that are read at first.
const FIRST_BYTES: usize = 4096;

/// Offset of the two header bytes with the journal mode of the database.
const JOURNAL_BYTES_OFFSET: u64 = 18;
const WRITE_AHEAD: [u8; 2] = [2, 2];
const ROLLBACK: [u8; 2] = [1, 1];

/// Decompresses the v1 file `path` into a private copy. Its first page is
/// looked at before anything is written, and no more is than the database's
/// header allows.
fn unpack(path: &Path, limits: &Limits, parent: Option<&Path>) -> Result<(Scratch, Identity)> {
    let file = open_regular(path)?;
    unpack_file(path, &file, limits, parent)
}

/// As [`unpack`], of an open file, whatever `path` leads to now.
fn unpack_file(
    path: &Path,
    file: &File,
    limits: &Limits,
    parent: Option<&Path>,
) -> Result<(Scratch, Identity)> {
    let opened = open_content_of(path, file, limits)?;
    let scratch = Scratch::with_room(parent, opened.needed, Work::Unpack)?;
    let mut file = scratch.create_file()?;
    file.write_all(&opened.first)
        .map_err(|e| Error::io("write", scratch.file_path(), e))?;
    let identity = opened.content.copy_to(&mut file, scratch.file_path())?;
    drop(file);
    leave_write_ahead_mode(scratch.file_path())?;
    Ok((scratch, identity))
}

/// The content of a v1 file, of which the beginning was read.
pub(crate) struct Opened<'p> {
    pub content: Content<'p>,
    pub first: Vec<u8>,
    /// How many bytes it can have at most.
    pub limit: u64,
    /// How many it has, as far as that is known.
    pub needed: u64,
}

/// Opens the content of the v1 file `path`: a database, or nothing.
pub(crate) fn open_content<'p>(path: &'p Path, limits: &Limits) -> Result<Opened<'p>> {
    let file = open_regular(path)?;
    open_content_of(path, &file, limits)
}

/// As [`open_content`], of an open file, whatever `path` leads to now.
fn open_content_of<'p>(path: &'p Path, file: &File, limits: &Limits) -> Result<Opened<'p>> {
    let mut content = Content::of_file(path, file, limits)?;
    let first = read_first(&mut content)?;
    let length = match first.as_slice() {
        [] => Length::Announced(0),
        // SQLite itself would take a few stray bytes for an empty database.
        first => header::length(first, content.file_bytes()).ok_or_else(|| Error::Database {
            path: path.to_owned(),
            doing: "find its header",
            source: "the content is not a SQLite database".into(),
        })?,
    };
    let (Length::Announced(limit) | Length::AtMost(limit)) = length;
    content.bound(limit);
    let announced = match length {
        Length::Announced(bytes) => bytes,
        Length::AtMost(_) => 0,
    };
    Ok(Opened {
        needed: content.declared().unwrap_or(announced).min(limit),
        content,
        first,
        limit,
    })
}

/// The beginning of the content, which holds the header if there is one.
fn read_first(content: &mut Content<'_>) -> Result<Vec<u8>> {
    let mut first = vec![0; FIRST_BYTES];
    let mut len = 0;
    while len < HEADER_BYTES {
        match content.read(first.get_mut(len..).unwrap_or_default())? {
            0 => break,
            n => len += n,
        }
    }
    first.truncate(len);
    Ok(first)
}

/// A database that was saved in write-ahead mode opens read-only only
/// without it. Nothing is lost: the log is never part of a c1z.
#[expect(
    clippy::disallowed_methods,
    reason = "the scratch database is never read after a crash"
)]
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
