//! Notices a list that never ends: the same cursor answered with the same
//! items as before. Lists whose pages bring nothing new are another matter
//! (`progress`).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// An order-independent digest of the ids on a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ItemSet {
    sum: u64,
    count: u64,
}

impl ItemSet {
    /// Adds an item by the parts of its identity.
    pub(crate) fn add(&mut self, parts: &[&str]) {
        self.sum = self.sum.wrapping_add(digest(parts));
        self.count += 1;
    }
}

#[expect(clippy::disallowed_methods, reason = "compared within one process")]
fn digest(value: impl Hash) -> u64 {
    // `new` has fixed keys: the same input gives the same digest in every run.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What the pages of one list have shown so far; 24 bytes per page.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoopGuard {
    seen: BTreeMap<u64, ItemSet>,
}

impl LoopGuard {
    /// Takes note of the page that `token` was answered with. `false` if
    /// the same token has brought the same items before.
    pub(crate) fn admit(&mut self, token: &str, items: ItemSet) -> bool {
        self.seen.insert(digest(token), items) != Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(ids: &[&str]) -> ItemSet {
        let mut set = ItemSet::default();
        for id in ids {
            set.add(&[id]);
        }
        set
    }

    #[test]
    fn a_repeated_cursor_with_the_same_items_in_any_order_is_a_loop() {
        let mut guard = LoopGuard::default();
        assert!(guard.admit("", items(&["a"])));
        assert!(guard.admit("t", items(&["b", "c"])));
        assert!(!guard.admit("t", items(&["c", "b"])));
    }

    #[test]
    fn a_repeated_cursor_with_new_items_goes_on() {
        let mut guard = LoopGuard::default();
        assert!(guard.admit("t", items(&["a"])));
        assert!(guard.admit("t", items(&["b"])));
        assert!(guard.admit("t", items(&["b", "b"])));
    }

    #[test]
    fn parts_of_an_identity_do_not_run_together() {
        let (mut one, mut two) = (ItemSet::default(), ItemSet::default());
        one.add(&["a", "bc"]);
        two.add(&["ab", "c"]);
        assert_ne!(one, two);
    }
}
