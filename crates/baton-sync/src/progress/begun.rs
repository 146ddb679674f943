//! A list between its first and its last page: how far it is, and which rows it
//! has so far.

use crate::digest::Digests;
use crate::list::Position;
use crate::split_lists::RowCounts;

/// Rows of one list that are compared with each other. In a longer list
/// duplicates among the rest are not found.
const MAX_KEYS: usize = 1 << 20;

/// A list between its pages.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub(super) position: Position,
    pub(super) row_counts: RowCounts,
    /// Keys of the rows so far; at most [`MAX_KEYS`].
    pub(super) seen: Digests,
    /// Rows that came again.
    pub(super) repeated: u64,
    /// Pages in a row that brought nothing new.
    pub(super) without_new: u32,
    /// Rows of the smallest page that brought any, those included that were
    /// left out.
    pub(super) smallest: Option<u64>,
}

impl Begun {
    /// Takes note of a page's rows, and gives the numbers of those that the
    /// list had before.
    pub(super) fn take(&mut self, keys: &[u64], dropped: u64) -> Vec<usize> {
        let mut repeated = Vec::new();
        for (n, key) in keys.iter().enumerate() {
            let is_new = if self.seen.len() < MAX_KEYS {
                self.seen.insert(*key)
            } else {
                !self.seen.contains(key)
            };
            if !is_new {
                repeated.push(n);
            }
        }
        if repeated.len() < keys.len() {
            self.without_new = 0;
        } else {
            self.without_new += 1;
        }
        self.repeated += repeated.len() as u64;
        let rows = keys.len() as u64 + dropped;
        if rows > 0 {
            self.smallest = Some(self.smallest.map_or(rows, |least| least.min(rows)));
        }
        repeated
    }
}
