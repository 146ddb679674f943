//! The file of the metrics of a run, for the textfile collector of the node exporter.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use baton_c1z::Error::Io;

/// An earlier file is read up to this size; a larger one is not one of ours.
const MAX_EARLIER_BYTES: u64 = 4 << 20;

type Result<T> = std::result::Result<T, baton_c1z::Error>;

/// A file that is replaced as a whole. A new one can be read by everyone, since the
/// collector runs as another user; an existing one keeps its owner and mode.
#[derive(Debug, Clone)]
pub(super) struct MetricsFile {
    path: PathBuf,
}

impl MetricsFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its name without the folder.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Fails if the file could not be written later. Gives the text of an earlier run.
    pub(super) fn check(&self) -> Result<Option<String>> {
        let target = baton_c1z::check_target(&self.path)?;
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // Permission bits do not show read-only mounts and full quotas; an unnamed file does.
        tempfile::tempfile_in(folder).map_err(|source| Io {
            doing: "write to folder",
            path: folder.to_owned(),
            source,
        })?;
        Ok(self.earlier())
    }

    /// What the file holds. What cannot be read is nothing: the file is replaced anyway.
    #[expect(
        clippy::disallowed_methods,
        reason = "a small file that the user names"
    )]
    fn earlier(&self) -> Option<String> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .open(&self.path)
            .ok()?;
        let is_ours = file.metadata().ok()?.len() <= MAX_EARLIER_BYTES;
        let mut text = String::new();
        let read = file.take(MAX_EARLIER_BYTES).read_to_string(&mut text);
        (is_ours && read.is_ok()).then_some(text)
    }

    /// Replaces the content, whole or not.
    pub(super) fn replace(&self, text: &str) -> Result<()> {
        let is_new = !self.path.exists();
        let written = baton_c1z::replace_file(&self.path, |file| {
            // A failure of the file is noticed without our help.
            let _ = file.write_all(text.as_bytes());
            Ok::<(), baton_c1z::Error>(())
        })?;
        if is_new {
            let_all_read(&written)?;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn let_all_read(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path, readable).map_err(|source| Io {
        doing: "set the mode of",
        path: path.to_owned(),
        source,
    })
}

#[cfg(not(unix))]
fn let_all_read(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_as_a_whole_and_all_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.prom");
        let file = MetricsFile::new(path.clone());
        assert_eq!(file.name(), "x.prom");
        assert_eq!(file.check().unwrap(), None);
        for text in ["one\n", "two\n"] {
            file.replace(text).unwrap();
            assert_eq!(file.check().unwrap().as_deref(), Some(text));
        }
        // No temporary file stays.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o644);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            file.replace("three\n").unwrap();
            assert_eq!(mode(), 0o640);
        }
    }

    #[test]
    fn what_cannot_be_written_is_found_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let missing = MetricsFile::new(folder.path().join("no/x.prom"));
        assert!(missing.check().is_err());
        assert!(MetricsFile::new(folder.path().to_owned()).check().is_err());
        // A text that is not UTF-8 is not an earlier file of ours.
        let odd = folder.path().join("odd.prom");
        std::fs::write(&odd, [0xff, 0xfe]).unwrap();
        assert_eq!(MetricsFile::new(odd).check().unwrap(), None);
    }
}
