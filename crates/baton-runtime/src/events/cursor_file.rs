//! The file that keeps a reader's place in a feed.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A cursor has at most so many bytes; so the file has, with its line end.
const MAX_BYTES: u64 = baton_connector::MAX_EVENT_CURSOR_BYTES as u64 + 2;

/// A file that holds one cursor.
pub(super) struct CursorFile {
    path: PathBuf,
}

impl CursorFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, source: std::io::Error) -> Error {
        Error::CursorFile {
            path: self.path.clone(),
            source,
        }
    }

    /// The cursor in the file; `None` if there is no file, or an empty one.
    #[expect(
        clippy::disallowed_methods,
        reason = "a small file that the user names"
    )]
    pub(super) fn read(&self) -> Result<Option<String>> {
        let file = match std::fs::OpenOptions::new().read(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.error(error)),
        };
        let mut text = String::new();
        let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
        let read = read.map_err(|error| self.error(error))?;
        let cursor = text.trim_end_matches(['\r', '\n']);
        if read as u64 > MAX_BYTES || cursor.contains(['\r', '\n']) {
            return Err(Error::NotACursorFile {
                path: self.path.clone(),
            });
        }
        Ok((!cursor.is_empty()).then(|| cursor.to_owned()))
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Fails if the file could not be written later.
    pub(super) fn check(&self) -> Result<()> {
        let made = NamedTempFile::new_in(self.folder());
        made.map(drop).map_err(|error| self.error(error))
    }

    /// Replaces the cursor, whole or not.
    pub(super) fn replace(&self, cursor: &str) -> Result<()> {
        let write = || {
            let mut file = NamedTempFile::new_in(self.folder())?;
            writeln!(file, "{cursor}")?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(|error| self.error(error))
    }
}
