//! Which grants were replaced by others.

use std::collections::HashSet;

use super::collect::hash;

/// Hashes of the keys of grants that were replaced.
#[derive(Debug, Default)]
pub(super) struct Replaced(HashSet<u64>);

impl Replaced {
    pub(super) fn insert(&mut self, key: &[u8]) {
        self.0.insert(hash(0, key));
    }

    /// Whether the grant with this key was replaced.
    pub(super) fn contains_key(&self, key: &[u8]) -> bool {
        self.contains(hash(0, key))
    }

    /// The same by the key's hash.
    pub(super) fn contains(&self, key_hash: u64) -> bool {
        self.0.contains(&key_hash)
    }
}
