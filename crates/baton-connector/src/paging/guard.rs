//! Notices lists that never end: the same token answered with the same items,
//! or page after page without a new item.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{FNV_START, fnv128};
use crate::error::{Error, Result};
use crate::limits::MAX_PAGES_WITHOUT_NEW_ROWS;
use crate::page::shorten;

/// Ids that a guard remembers. With more ids than that, every page counts as
/// one with new items.
const MAX_REMEMBERED_IDS: usize = 1 << 20;

/// A digest of the ids on a page, whatever their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemSet {
    sum: u64,
    count: u64,
}

impl ItemSet {
    /// Adds an item by the parts of its id.
    pub fn add(&mut self, parts: &[&str]) {
        self.sum = self.sum.wrapping_add(digest(parts));
        self.count += 1;
    }
}

#[expect(clippy::disallowed_methods, reason = "compared within one process")]
fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Notices when a list returns to a page: the same token, answered with the
/// same items. A server may reuse a token for other items, and many pages may
/// be empty or alike: neither is a loop. Memory: 24 bytes per page.
#[derive(Debug, Clone, Default)]
pub struct LoopGuard {
    seen: BTreeSet<(u64, ItemSet)>,
}

impl LoopGuard {
    /// Records the page that `token` was answered with. `false` if the same
    /// token was answered with the same items before.
    pub fn admit(&mut self, token: &str, items: ItemSet) -> bool {
        self.seen.insert((digest(token), items))
    }
}

/// Checks the pages of a list that one caller reads from beginning to end.
///
/// Refuses a page whose next token is its own, a page that came before
/// ([`LoopGuard`]), and [`MAX_PAGES_WITHOUT_NEW_ROWS`] pages in a row without
/// a new id. Memory: 24 bytes per page, and 16 per id of the first million.
#[derive(Debug, Clone)]
pub struct ListGuard {
    list: String,
    loops: LoopGuard,
    pages: u64,
    /// Ids of the items so far.
    ids: HashSet<u128>,
    /// Pages in a row without any other id.
    without_new: u32,
}

impl ListGuard {
    /// The guard of one list, which `list` names in errors.
    pub fn new(list: impl Into<String>) -> Self {
        Self {
            list: list.into(),
            loops: LoopGuard::default(),
            pages: 0,
            ids: HashSet::new(),
            without_new: 0,
        }
    }

    /// Records a page: the token of its request, the token of the next page
    /// (empty after the last one), and the ids of its items.
    ///
    /// # Errors
    /// [`Error::TokenUnchanged`], [`Error::PagingLoop`] and
    /// [`Error::NothingNew`].
    pub fn check<'a, I>(&mut self, token: &str, next: &str, ids: I) -> Result<()>
    where
        I: IntoIterator,
        I::Item: Into<Cow<'a, str>>,
    {
        self.pages += 1;
        if !token.is_empty() && next == token {
            return Err(Error::TokenUnchanged {
                list: self.list.clone(),
                token: shorten(token),
            });
        }
        // The last page cannot be part of a loop.
        if next.is_empty() {
            return Ok(());
        }
        let ids: BTreeSet<Cow<'a, str>> = ids.into_iter().map(Into::into).collect();
        let mut items = ItemSet::default();
        for id in &ids {
            items.add(&[id]);
        }
        if !self.loops.admit(token, items) {
            return Err(Error::PagingLoop {
                list: self.list.clone(),
                token: shorten(token),
                pages: self.pages,
            });
        }
        self.check_new(&ids)
    }

    /// Counts pages without new ids.
    fn check_new(&mut self, ids: &BTreeSet<Cow<'_, str>>) -> Result<()> {
        let mut has_new = false;
        for id in ids {
            let mark = fnv128(FNV_START, id.as_bytes());
            has_new |= if self.ids.len() < MAX_REMEMBERED_IDS {
                self.ids.insert(mark)
            } else {
                !self.ids.contains(&mark)
            };
        }
        self.without_new = if has_new { 0 } else { self.without_new + 1 };
        if self.without_new < MAX_PAGES_WITHOUT_NEW_ROWS {
            return Ok(());
        }
        Err(Error::NothingNew {
            list: self.list.clone(),
            pages: self.pages,
        })
    }

    /// Number of pages recorded.
    pub fn pages(&self) -> u64 {
        self.pages
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
    fn a_repeated_token_with_the_same_items_in_any_order_is_a_loop() {
        let mut guard = LoopGuard::default();
        assert!(guard.admit("", items(&["a"])));
        assert!(guard.admit("t", items(&["b", "c"])));
        assert!(!guard.admit("t", items(&["c", "b"])));
    }

    #[test]
    fn a_repeated_token_with_other_items_is_no_loop() {
        let mut guard = LoopGuard::default();
        assert!(guard.admit("t", items(&["a"])));
        assert!(guard.admit("t", items(&["b"])));
        assert!(guard.admit("t", items(&["b", "b"])));
    }

    #[test]
    fn the_parts_of_an_id_are_kept_apart() {
        let (mut one, mut two) = (ItemSet::default(), ItemSet::default());
        one.add(&["a", "bc"]);
        two.add(&["ab", "c"]);
        assert_ne!(one, two);
    }
}
