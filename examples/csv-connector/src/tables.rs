//! The tables of a folder, as the connector's calls see them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use baton_connector::{Call, Result, RunLocal};

use crate::folder::Folder;
use crate::refused;

/// Tables that are read once in each run. Page tokens are row numbers, so one
/// sync must not see two states of a table; the next one sees what has changed.
pub(crate) struct Tables {
    folder: PathBuf,
    read: RunLocal<OnceLock<Arc<Folder>>>,
}

impl Tables {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            read: RunLocal::new(),
        }
    }

    /// The tables as they were when the run first asked for them.
    pub(crate) fn of(&self, call: &Call) -> Result<Arc<Folder>> {
        let read = self.read.of(call, OnceLock::new);
        if let Some(folder) = read.get() {
            return Ok(Arc::clone(folder));
        }
        let folder = Arc::new(Folder::read(&self.folder).map_err(refused)?);
        Ok(Arc::clone(read.get_or_init(|| folder)))
    }

    /// The tables as they are now, which may differ from those of a run.
    pub(crate) fn now(&self) -> Result<Folder> {
        let folder = Folder::read(&self.folder).map_err(refused)?;
        folder.check().map_err(refused)?;
        Ok(folder)
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}
