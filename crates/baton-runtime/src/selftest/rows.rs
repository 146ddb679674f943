//! The rows of a sync file, to be compared with those of another one.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};

use super::Verdict;
use crate::error::Result;

/// Each row by its table and id, with a digest of its content.
pub(super) struct Rows(BTreeMap<(Table, String), u64>);

impl Rows {
    /// Reads the newest sync of a file.
    pub(super) async fn read(path: PathBuf, now: SystemTime) -> Result<Self> {
        let task = tokio::task::spawn_blocking(move || Self::scan(&path, now));
        match task.await {
            Ok(rows) => rows,
            Err(ended) => Err(crate::panics::error("comparing rows", &*ended.into_panic())),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "compared within one process")]
    fn scan(path: &Path, now: SystemTime) -> Result<Self> {
        let file = C1zFile::open(path, &ReadOptions::default())?;
        let view = file.view(View::Default { now })?;
        let mut rows = BTreeMap::new();
        for table in Table::ALL {
            view.scan(table, &Filter::default(), &mut |row| {
                // Within one process it is the same for the same bytes.
                let mut hasher = DefaultHasher::new();
                (row.data, row.expansion).hash(&mut hasher);
                rows.insert((table, row.id.to_owned()), hasher.finish());
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(Self(rows))
    }

    /// What differs from the first sync.
    pub(super) fn compare(&self, first: &Self) -> Verdict {
        let mut found = Vec::new();
        for (key, digest) in &first.0 {
            match self.0.get(key) {
                None => found.push(format!("{} only in the first sync", named(key))),
                Some(other) if other != digest => {
                    found.push(format!("{} differs from the first sync", named(key)));
                }
                Some(_) => {}
            }
        }
        let added = self.0.keys().filter(|key| !first.0.contains_key(*key));
        found.extend(added.map(|key| format!("{} not in the first sync", named(key))));
        if found.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Fail(found)
        }
    }
}

fn named((table, id): &(Table, String)) -> String {
    let kind = match table {
        Table::ResourceTypes => "resource type",
        Table::Resources => "resource",
        Table::Entitlements => "entitlement",
        Table::Grants => "grant",
    };
    format!("{kind} `{id}`")
}
