//! The rows of a sync file, to be compared with those of another one.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
use baton_connector::v2;

use baton_proto::json::{MessageId, Registry};

use super::{Verdict, canonical};
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
            let message = message_of(table);
            view.scan(table, &Filter::default(), &mut |row| {
                // Within one process it is the same for the same bytes.
                let mut hasher = DefaultHasher::new();
                (canonical::of_bytes(message, row.data), row.expansion).hash(&mut hasher);
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
        Verdict::of(found)
    }
}

/// The message of the rows of a table.
fn message_of(table: Table) -> Option<MessageId> {
    let registry = Registry::get();
    let message = match table {
        Table::ResourceTypes => registry.message_of::<v2::ResourceType>(),
        Table::Resources => registry.message_of::<v2::Resource>(),
        Table::Entitlements => registry.message_of::<v2::Entitlement>(),
        Table::Grants => registry.message_of::<v2::Grant>(),
    };
    message.ok()
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
