//! What a sync file holds, as sorted ids.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tempfile::TempDir;

use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};

/// A sync file that a program wrote. It stays as long as this value.
#[derive(Debug, Clone)]
pub struct SyncFile {
    path: PathBuf,
    /// Where it is.
    _folder: Arc<TempDir>,
    now: SystemTime,
}

impl SyncFile {
    pub(crate) fn new(path: &Path, folder: &Arc<TempDir>, now: SystemTime) -> Self {
        Self {
            path: path.to_owned(),
            _folder: Arc::clone(folder),
            now,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ids of the resources, as `type:id`, sorted.
    pub fn resources(&self) -> Vec<String> {
        self.ids(Table::Resources)
    }

    /// Ids of the entitlements, sorted.
    pub fn entitlements(&self) -> Vec<String> {
        self.ids(Table::Entitlements)
    }

    /// Ids of the grants, derived ones included, sorted.
    pub fn grants(&self) -> Vec<String> {
        self.ids(Table::Grants)
    }

    #[allow(clippy::expect_used, reason = "a panic is how a test fails")]
    fn ids(&self, table: Table) -> Vec<String> {
        assert!(self.path.exists(), "there is no {}", self.path.display());
        let file = C1zFile::open(&self.path, &ReadOptions::default()).expect("a sync file");
        let view = file.view(View::Default { now: self.now }).expect("a sync");
        let mut ids = Vec::new();
        view.scan(table, &Filter::default(), &mut |row| {
            ids.push(row.id.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .expect("readable rows");
        ids.sort();
        ids
    }
}
