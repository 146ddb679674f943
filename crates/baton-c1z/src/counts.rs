//! Counting the rows of a sync as the Go tools count them.

use std::collections::BTreeMap;

use crate::row::Table;
use crate::run::Stats;

/// Counts rows as they come. Types arrive in runs, so the last counter is
/// kept at hand.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    stats: Stats,
    types: Vec<String>,
    resources: BTreeMap<String, i64>,
    last: Option<(Table, String, i64)>,
}

impl Counts {
    /// Counts one row with its (entitlement's) resource type.
    pub fn add(&mut self, table: Table, type_id: &str) {
        match &mut self.last {
            Some((t, id, n)) if *t == table && id == type_id => *n += 1,
            _ => {
                self.flush();
                self.last = Some((table, type_id.to_owned(), 1));
            }
        }
    }

    /// Counts assets.
    pub fn add_assets(&mut self, n: i64) {
        self.stats.assets += n;
    }

    fn flush(&mut self) {
        let Some((table, type_id, n)) = self.last.take() else {
            return;
        };
        let stats = &mut self.stats;
        match table {
            Table::ResourceTypes => {
                stats.resource_types += n;
                self.types.push(type_id);
            }
            Table::Resources => *self.resources.entry(type_id).or_default() += n,
            Table::Entitlements => {
                stats.entitlements += n;
                *stats.entitlements_by_type.entry(type_id).or_default() += n;
            }
            Table::Grants => {
                stats.grants += n;
                *stats.grants_by_type.entry(type_id).or_default() += n;
            }
        }
    }

    /// Resources count under the known types only, each of which is listed
    /// even without any, as in the Go tools' counts.
    pub fn into_stats(mut self) -> Stats {
        self.flush();
        for type_id in self.types {
            let n = self.resources.get(&type_id).copied().unwrap_or_default();
            self.stats.resources += n;
            self.stats.resources_by_type.insert(type_id, n);
        }
        self.stats
    }
}
