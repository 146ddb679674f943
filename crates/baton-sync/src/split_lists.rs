//! Lists that are split: a page of one part enqueues the tokens with which
//! other parts start (sync-runtime.md §1.4). A split list is in the file as a
//! whole or not, so the row counts of parts that ended are kept until the end.

use std::collections::{BTreeMap, BTreeSet};

use baton_c1z::ListId;

use crate::records::Skip;
use crate::report::Dropped;

/// Rows that a list has so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RowCounts {
    pub(crate) rows: u64,
    pub(crate) dropped: Dropped,
}

#[derive(Debug, Default)]
struct SplitList {
    /// First tokens of the further parts.
    tokens: BTreeSet<String>,
    /// Row counts of the parts that have ended, as long as they count.
    ended: BTreeMap<ListId, RowCounts>,
    /// Why none of it counts.
    dropped: Option<Skip>,
    /// Parts whose rows do not count.
    out: BTreeSet<ListId>,
}

/// All split lists, each by its first part.
#[derive(Debug, Default)]
pub(crate) struct SplitLists {
    all: BTreeMap<ListId, SplitList>,
    /// Tokens that were listed more than once.
    pub(crate) repeated: u64,
}

impl SplitLists {
    fn get(&self, list: &ListId) -> Option<&SplitList> {
        if self.all.is_empty() {
            return None;
        }
        self.all.get(&list.with_cursor(""))
    }

    fn get_mut(&mut self, list: &ListId) -> Option<&mut SplitList> {
        if self.all.is_empty() {
            return None;
        }
        self.all.get_mut(&list.with_cursor(""))
    }

    /// Adds the further tokens that a page of `list` names, and returns the
    /// lists that start with them, each once.
    pub(crate) fn enqueue(&mut self, list: &ListId, tokens: &[String]) -> Vec<ListId> {
        if tokens.is_empty() {
            return Vec::new();
        }
        let root = list.with_cursor("");
        let split = self.all.entry(root.clone()).or_default();
        let mut enqueued = Vec::new();
        for token in tokens {
            if split.tokens.insert(token.clone()) {
                enqueued.push(root.with_cursor(token));
            } else {
                self.repeated += 1;
            }
        }
        enqueued
    }

    /// Whether a list is a part of a split list.
    pub(crate) fn contains(&self, list: &ListId) -> bool {
        self.get(list).is_some()
    }

    /// Whether a list is a part of a split list that no longer counts.
    pub(crate) fn is_dropped(&self, list: &ListId) -> bool {
        self.get(list).is_some_and(|f| f.dropped.is_some())
    }

    /// All parts of the list that `list` is a part of: itself first.
    pub(crate) fn parts(&self, list: &ListId) -> Vec<ListId> {
        let mut all = vec![list.clone()];
        if let Some(split) = self.get(list) {
            let root = list.with_cursor("");
            let further = split.tokens.iter().map(|token| root.with_cursor(token));
            let others = std::iter::once(root.clone()).chain(further);
            all.extend(others.filter(|other| other != list));
        }
        all
    }

    /// A part has been read to its end.
    pub(crate) fn end(&mut self, list: &ListId, row_counts: RowCounts) {
        if let Some(split) = self.get_mut(list) {
            split.ended.insert(list.clone(), row_counts);
        }
    }

    /// Removes the row counts of a part that had ended.
    pub(crate) fn remove_counts(&mut self, list: &ListId) -> Option<RowCounts> {
        self.get_mut(list)?.ended.remove(list)
    }

    /// The rows of a part do not count. Returns whether this is the first such
    /// part of its split list; `None`: the list is not split.
    pub(crate) fn drop_member(&mut self, list: &ListId, skip: &Skip) -> Option<bool> {
        let split = self.get_mut(list)?;
        split.out.insert(list.clone());
        let first = split.dropped.is_none();
        split.dropped.get_or_insert_with(|| skip.clone());
        Some(first)
    }

    /// Parts of dropped split lists that are not yet dropped: a run was stopped
    /// while it dropped them one by one.
    pub(crate) fn partly_dropped(&self) -> Vec<(ListId, Skip)> {
        let mut left = Vec::new();
        for (root, split) in &self.all {
            let Some(skip) = &split.dropped else {
                continue;
            };
            let members = self.parts(root).into_iter();
            let missing = members.filter(|member| !split.out.contains(member));
            left.extend(missing.map(|member| (member, skip.clone())));
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::SkipKind;

    fn skip() -> Skip {
        Skip {
            kind: SkipKind::Forbidden,
            reason: "no".to_owned(),
            advice: Vec::new(),
        }
    }

    fn tokens(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_token_is_followed_once_whichever_part_names_it() {
        let mut split_lists = SplitLists::default();
        let root = ListId::grants("group", "g");
        let first = split_lists.enqueue(&root, &tokens(&["a", "b"]));
        assert_eq!(first, [root.with_cursor("a"), root.with_cursor("b")]);
        let again = split_lists.enqueue(&first[0], &tokens(&["b", "c"]));
        assert_eq!(again, [root.with_cursor("c")]);
        assert_eq!(split_lists.repeated, 1);
        let members = split_lists.parts(&first[1]);
        let others = [root.clone(), root.with_cursor("a"), root.with_cursor("c")];
        assert_eq!(members[0], first[1]);
        assert_eq!(members[1..], others);
        let alone = ListId::grants("group", "other");
        assert_eq!(split_lists.parts(&alone), [alone]);
    }

    #[test]
    fn a_split_list_is_dropped_once_and_as_a_whole() {
        let mut split_lists = SplitLists::default();
        let root = ListId::grants("group", "g");
        let enqueued = split_lists.enqueue(&root, &tokens(&["a", "b"]));
        assert!(split_lists.partly_dropped().is_empty());
        assert_eq!(split_lists.drop_member(&enqueued[0], &skip()), Some(true));
        let left = split_lists.partly_dropped();
        let left: Vec<&ListId> = left.iter().map(|(list, _)| list).collect();
        assert_eq!(left, [&root, &enqueued[1]]);
        assert_eq!(split_lists.drop_member(&root, &skip()), Some(false));
        assert_eq!(split_lists.drop_member(&enqueued[1], &skip()), Some(false));
        assert!(split_lists.partly_dropped().is_empty());
        assert!(split_lists.is_dropped(&root));
        let alone = ListId::grants("group", "other");
        assert_eq!(split_lists.drop_member(&alone, &skip()), None);
    }

    #[test]
    fn counts_of_a_part_are_removed_once() {
        let mut split_lists = SplitLists::default();
        let root = ListId::grants("group", "g");
        let row_counts = RowCounts {
            rows: 2,
            ..RowCounts::default()
        };
        split_lists.end(&root, row_counts);
        assert_eq!(
            split_lists.remove_counts(&root),
            None,
            "not split, nothing kept"
        );
        split_lists.enqueue(&root, &tokens(&["a"]));
        split_lists.end(&root, row_counts);
        assert_eq!(split_lists.remove_counts(&root), Some(row_counts));
        assert_eq!(split_lists.remove_counts(&root), None);
    }
}
