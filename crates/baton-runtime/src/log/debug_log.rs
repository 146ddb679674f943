//! A second log, of everything at debug level, while a task of a service wants one.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_service::DebugLog;

/// Writes log lines to a file as well, while it is switched on. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct DebugTee(Arc<Tee>);

#[derive(Debug, Default)]
struct Tee {
    is_on: AtomicBool,
    file: Mutex<Option<File>>,
}

/// Switches it off when it is dropped.
struct On(DebugTee);

impl DebugTee {
    pub(super) fn is_on(&self) -> bool {
        self.0.is_on.load(Ordering::Relaxed)
    }

    /// One line, if it is on.
    pub(super) fn write(&self, line: &str) {
        if let Some(file) = self.file().as_mut() {
            // A full disk fails the upload of the file, not the task's work.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }

    fn file(&self) -> MutexGuard<'_, Option<File>> {
        // A file is whole line by line.
        self.0.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn switch(&self, file: Option<File>) {
        self.0.is_on.store(file.is_some(), Ordering::Relaxed);
        *self.file() = file;
        // Which places log is cached.
        tracing::callsite::rebuild_interest_cache();
    }
}

impl Drop for On {
    fn drop(&mut self) {
        self.0.switch(None);
    }
}

impl DebugLog for DebugTee {
    fn begin(&self, path: &Path) -> io::Result<Box<dyn Send>> {
        self.switch(Some(create(path)?));
        Ok(Box::new(On(self.clone())))
    }
}

/// A new file that other users may not read.
#[expect(
    clippy::disallowed_methods,
    reason = "a log of one task, which is uploaded and removed"
)]
fn create(path: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_while_it_is_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("debug.log");
        let tee = DebugTee::default();
        tee.write("before");
        let on = tee.begin(&path).unwrap();
        assert!(tee.is_on());
        tee.write("one");
        tee.write("two");
        drop(on);
        assert!(!tee.is_on());
        tee.write("after");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        // A file of someone else is not overwritten.
        assert!(tee.begin(&path).is_err());
    }
}
