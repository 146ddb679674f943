//! Which layout of keys a directory has. Two stamps in it decide, not the
//! engine's name in the manifest (additions on earlier engines, §2).

use std::ops::Bound;
use std::path::Path;

use baton_pebble::Db;
use bytes::Bytes;

use super::fault::{damaged, tables_error, unsupported};
use super::keys;
use crate::error::Result;

/// What must be done before the rows can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Nothing.
    Current,
    /// Rows are keyed by their external ids.
    ByExternalId,
    /// Only the index of grants by principal lacks rows.
    IndexPending,
}

/// Reads the stamps.
pub(super) fn of(path: &Path, db: &Db) -> Result<Layout> {
    let value = |key| db.get(key).map_err(|e| tables_error(path, e));
    let Some(version) = value(keys::KEYSPACE_VERSION)? else {
        if any_key(path, db, &[keys::ROOT], &[keys::ROOT + 1])? {
            return Err(unsupported(path, "a directory without a key layout"));
        }
        // Nothing was written to it yet.
        return Ok(Layout::Current);
    };
    match number(path, &version)? {
        keys::LAYOUT => {}
        other => return Err(unsupported(path, format!("key layout {other}"))),
    }
    let format = match value(keys::ENTITLEMENT_ID_FORMAT)? {
        None => 0,
        Some(format) => number(path, &format)?,
    };
    match format {
        keys::LAYOUT if value(keys::INDEXES_PENDING)?.is_some() => Ok(Layout::IndexPending),
        keys::LAYOUT => Ok(Layout::Current),
        0 if any_key(path, db, keys::DATA, keys::STAMPS)? => Ok(Layout::ByExternalId),
        0 => Ok(Layout::Current),
        other => Err(unsupported(
            path,
            format!("key layout 2 with ids of form {other}"),
        )),
    }
}

fn number(path: &Path, stamp: &Bytes) -> Result<u32> {
    <[u8; 4]>::try_from(&stamp[..])
        .map(u32::from_be_bytes)
        .map_err(|_| {
            let what = format!(
                "the number of its key layout has {} bytes, not 4",
                stamp.len()
            );
            damaged(path, what)
        })
}

/// Whether there is a key from `from` up to, and without, `to`.
fn any_key(path: &Path, db: &Db, from: &[u8], to: &[u8]) -> Result<bool> {
    let failed = |e| tables_error(path, e);
    let mut keys = db
        .range(Bound::Included(from), Bound::Excluded(to))
        .map_err(failed)?;
    Ok(keys.next().map_err(failed)?.is_some())
}
