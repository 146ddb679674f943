//! Private copies of file contents: a folder of our own, a file in it that
//! only its owner may read, both gone when the copy is dropped.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

const FOLDER_PREFIX: &str = "c1z";
const FILE_NAME: &str = "db";

/// A private folder with the path of one file in it.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Dropping it removes the folder.
    folder: TempDir,
    file: PathBuf,
}

impl Scratch {
    /// Makes the folder in `parent`, or in the system's folder for temporary
    /// files. The file does not exist yet.
    pub fn new(parent: Option<&Path>) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(FOLDER_PREFIX);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = match parent {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        }
        .map_err(|e| {
            let parent = parent.map_or_else(tempfile::env::temp_dir, Path::to_owned);
            Error::io("create a folder in", &parent, e)
        })?;
        let file = folder.path().join(FILE_NAME);
        Ok(Self { folder, file })
    }

    /// The folder's path.
    pub fn folder_path(&self) -> &Path {
        self.folder.path()
    }

    /// Creates the file, empty.
    pub fn create_file(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&self.file)
            .map_err(|e| Error::io("create", &self.file, e))
    }

    /// The file's size.
    pub fn file_bytes(&self) -> Result<u64> {
        self.file
            .metadata()
            .map(|m| m.len())
            .map_err(|e| Error::io("look at", &self.file, e))
    }

    /// The file's path.
    pub fn file_path(&self) -> &Path {
        &self.file
    }
}
