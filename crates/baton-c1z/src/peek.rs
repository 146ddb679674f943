//! Answering for a file's syncs without unpacking its rows.

use std::path::Path;

use crate::envelope::{Detected, detect};
use crate::error::Result;
use crate::file::C1zFile;
use crate::run::{SyncRun, SyncType, latest_finished};
use crate::{Format, Migration, ReadOptions, v1};

/// What is known of a file from its beginning.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Peek {
    /// Its format. An empty store counts as v1.
    pub format: Format,
    /// Its syncs in storage order, with their stored counts. A finished sync
    /// without counts must be opened to be counted.
    pub runs: Vec<SyncRun>,
    /// As [`C1zFile::migration`].
    pub migration: Option<Migration>,
}

impl Peek {
    /// As [`C1zFile::latest_finished`].
    pub fn latest_finished(&self, kinds: Option<&[SyncType]>) -> Option<&SyncRun> {
        latest_finished(&self.runs, kinds)
    }
}

/// Reads the syncs of `path` from the beginning of its stream, in a few
/// milliseconds whatever the file's size. Opens the whole file where that
/// is not enough; damage behind what is read goes unnoticed.
///
/// # Errors
/// As [`C1zFile::open`].
pub fn peek(path: &Path, options: &ReadOptions) -> Result<Peek> {
    let mut migration = None;
    let (format, runs) = match detect(path)? {
        Detected::Missing | Detected::Empty => (Format::V1, Vec::new()),
        // Opening reads no rows, unless they are in an earlier layout.
        Detected::V3 => {
            let file = C1zFile::open(path, options)?;
            migration = file.migration();
            (Format::V3, file.sync_runs().to_vec())
        }
        Detected::V1 => match v1::runs_in_prefix(path, options)? {
            Some(runs) => (Format::V1, runs),
            None => (
                Format::V1,
                C1zFile::open(path, options)?.sync_runs().to_vec(),
            ),
        },
    };
    Ok(Peek {
        format,
        runs,
        migration,
    })
}
