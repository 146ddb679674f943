//! A sync file with one finished sync, the newest.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use baton_c1z::{
    C1zFile, Detected, Error as FileError, PROVENANCE_ASSET, ReadOptions, Snapshot, SyncRun, View,
    detect,
};
use serde::Deserialize;

use crate::error::Result;

/// A sync file, open for questions about its newest finished sync.
#[derive(Debug)]
pub struct SyncFile {
    path: PathBuf,
    file: C1zFile,
    run: SyncRun,
}

/// The part of the provenance asset that is read here.
#[derive(Deserialize)]
struct Provenance {
    tool: String,
}

impl SyncFile {
    /// Opens `path` for reading.
    ///
    /// # Errors
    /// Those of [`C1zFile::open`]; [`FileError::NoFile`] for a missing or an
    /// empty file, [`FileError::NoFinishedSync`] if no sync in it has ended.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        if matches!(detect(path)?, Detected::Missing | Detected::Empty) {
            return Err(FileError::NoFile {
                path: path.to_owned(),
            }
            .into());
        }
        let file = C1zFile::open(path, options)?;
        let run = file
            .latest_finished(None)
            .cloned()
            .ok_or_else(|| FileError::NoFinishedSync {
                path: path.to_owned(),
            })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            run,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The sync that is looked at.
    pub fn sync(&self) -> &SyncRun {
        &self.run
    }

    /// When the sync ended. A time that the system cannot hold counts as long
    /// ago.
    pub fn ended_at(&self) -> SystemTime {
        self.run
            .ended_at
            .and_then(|at| SystemTime::try_from(at).ok())
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The connector that wrote the sync, such as `baton-atlassian`; `None` if
    /// the file does not record it.
    pub fn connector(&self) -> Result<Option<String>> {
        let asset = self.snapshot()?.asset(PROVENANCE_ASSET)?;
        let provenance = asset
            .and_then(|asset| serde_json::from_slice::<Provenance>(&asset.data).ok())
            .filter(|provenance| !provenance.tool.is_empty());
        Ok(provenance.map(|provenance| provenance.tool))
    }

    /// The rows of the sync.
    pub(crate) fn snapshot(&self) -> Result<Snapshot<'_>> {
        Ok(self.file.view(View::Sync(&self.run.id))?)
    }
}
