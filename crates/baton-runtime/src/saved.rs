//! Saves a sync file that came from elsewhere.

use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::context::CommandContext;
use crate::error::{Error, Result};

impl CommandContext {
    /// Replaces the file at `target` with `bytes`, whole or not. [`CommandContext::preflight`]
    /// has checked the target before.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&self, target: &Path, bytes: &[u8]) -> Result<()> {
        let target = self.cwd.join(target);
        let folder = target.parent().unwrap_or(&self.cwd);
        let write = || {
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&target)?;
            Ok(())
        };
        write().map_err(|source| Error::Save {
            path: target.clone(),
            source,
        })
    }
}
