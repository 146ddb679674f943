//! Connections to databases of format v1, set up so that a hostile file can
//! do no more than be wrong, and the translation of what SQLite reports.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use baton_proto::Advice;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::ffi::ErrorCode;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use crate::error::Error;
use crate::stop::Stop;

/// Largest single value in a row, in bytes.
const MAX_VALUE_BYTES: i32 = 256 << 20;
/// Longest statement, and with it longest stored schema text, in bytes.
const MAX_SQL_BYTES: i32 = 64 << 10;
/// Page cache of a reader, in KiB. Scans need none, look-ups little.
const READ_CACHE_KIB: i64 = 4 << 10;
/// Page cache of a writer, in KiB; also the memory of one index sort.
const WRITE_CACHE_KIB: i64 = 64 << 10;

/// Steps of SQLite's machine between two looks at the budget.
const STEPS_PER_CALL: i32 = 1000;
/// Steps that a statement may take per byte of the database. A scan takes
/// about one: rows have a dozen columns and hundreds of bytes.
const STEPS_PER_BYTE: u64 = 64;
/// Steps that a statement may take in any case.
const MIN_STEPS: u64 = 1_000_000;

/// Everything but what a URI path may hold as it is.
const URI_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b':');

/// A `file:` URI of a database that does not change while it is open.
pub(super) fn immutable_uri(path: &Path) -> String {
    format!("{}?immutable=1", new_uri(path))
}

/// A `file:` URI of a database.
pub(super) fn new_uri(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let slashes = bytes
        .iter()
        .map(|&b| if cfg!(windows) && b == b'\\' { b'/' } else { b })
        .collect::<Vec<_>>();
    let root = if cfg!(windows) { "/" } else { "" };
    format!("file:{root}{}", percent_encode(&slashes, URI_PATH))
}

/// Bounds what one statement may do, by the size of the database it reads.
///
/// Pages that refer to each other in a circle make a statement without end
/// out of a small file, if none of its rows is ever handed out.
pub(super) struct Budget {
    left: Arc<AtomicU64>,
    full: u64,
}

impl Budget {
    /// Bounds the statements of `conn` by `bytes` of content.
    pub fn set(conn: &mut Connection, bytes: u64) -> rusqlite::Result<Self> {
        let full = bytes
            .saturating_mul(STEPS_PER_BYTE)
            .saturating_add(MIN_STEPS)
            / u64::from(STEPS_PER_CALL.unsigned_abs());
        let left = Arc::new(AtomicU64::new(full));
        let counter = Arc::clone(&left);
        let stop = Stop::current();
        let is_spent = move || stop.is_requested() || counter.fetch_sub(1, Ordering::Relaxed) <= 1;
        conn.progress_handler(STEPS_PER_CALL, Some(is_spent))?;
        Ok(Self { left, full })
    }

    /// To be called before each statement.
    pub fn refill(&self) {
        self.left.store(self.full, Ordering::Relaxed);
    }

    /// Lifts the bound that was set on `conn`.
    pub fn lift(conn: &mut Connection) -> rusqlite::Result<()> {
        end_when_asked(conn)
    }
}

/// Has the statements of `conn` end when the work of this thread is to.
fn end_when_asked(conn: &mut Connection) -> rusqlite::Result<()> {
    let stop = Stop::current();
    conn.progress_handler(STEPS_PER_CALL, Some(move || stop.is_requested()))
}

/// Opens a private copy for reading only, of which `bytes` are content.
pub(super) fn open_read(path: &Path, bytes: u64) -> rusqlite::Result<(Connection, Budget)> {
    let mut conn = Connection::open_with_flags(
        immutable_uri(path),
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    harden(&conn)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -READ_CACHE_KIB)?;
    let budget = Budget::set(&mut conn, bytes)?;
    Ok((conn, budget))
}

/// Opens a private copy for changes. There is no journal: after a failure the
/// copy is dropped.
pub(super) fn open_write(path: &Path) -> rusqlite::Result<Connection> {
    let mut conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    harden(&conn)?;
    conn.execute_batch(
        "pragma journal_mode = off;
         pragma locking_mode = exclusive;
         pragma synchronous = off;
         pragma temp_store = file;",
    )?;
    conn.pragma_update(None, "cache_size", -WRITE_CACHE_KIB)?;
    end_when_asked(&mut conn)?;
    Ok(conn)
}

/// A database without a file, for a store that is missing or empty.
pub(super) fn open_memory() -> rusqlite::Result<Connection> {
    let conn = Connection::open_in_memory()?;
    harden(&conn)?;
    Ok(conn)
}

fn harden(conn: &Connection) -> rusqlite::Result<()> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
    ] {
        conn.set_db_config(setting, on)?;
    }
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)?;
    conn.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES)?;
    conn.execute_batch("pragma cell_size_check = on; pragma mmap_size = 0;")
}

/// Translates what went wrong while reading the database in `path`.
pub(super) fn read_error(
    path: &Path,
    doing: &'static str,
) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| match (system_error(&source), source.sqlite_error_code()) {
        (Some(refusal), _) => Error::io(doing, path, refusal),
        (None, code) => Error::Database {
            path: path.to_owned(),
            doing,
            source: match code {
                Some(ErrorCode::OperationInterrupted) => {
                    "it takes more steps than a database of its size can need".into()
                }
                _ => source.into(),
            },
        },
    }
}

/// Translates what went wrong while writing the database for `target`.
pub(super) fn write_error(
    target: &Path,
    doing: &'static str,
) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| match system_error(&source) {
        Some(refusal) => Error::io(doing, target, refusal),
        None => Error::Store {
            path: target.to_owned(),
            doing,
            source: source.into(),
        },
    }
}

/// What the system is at fault for, as opposed to the file.
fn system_error(e: &rusqlite::Error) -> Option<io::Error> {
    match e.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(io::ErrorKind::StorageFull.into()),
        ErrorCode::PermissionDenied => Some(io::ErrorKind::PermissionDenied.into()),
        ErrorCode::OutOfMemory => Some(io::ErrorKind::OutOfMemory.into()),
        ErrorCode::CannotOpen => no_handles(),
        _ => None,
    }
}

/// The refusal to open any file. SQLite does not report why it could not open
/// one; if too many files are open, another attempt fails for the same reason.
fn no_handles() -> Option<io::Error> {
    let refusal = std::fs::File::open(".").err()?;
    let is_limit =
        Advice::of_io(&refusal) == Some(Advice::RaiseLimit(baton_proto::advice::Limit::OpenFiles));
    is_limit.then_some(refusal)
}
