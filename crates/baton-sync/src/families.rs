//! Lists that are made up of several: a page of one names the tokens with
//! which others begin (sync-runtime.md §1.4). A family is in the file as a
//! whole or not at all, so what its ended members have brought stays known
//! until the end.

use std::collections::{BTreeMap, BTreeSet};

use baton_c1z::ListId;

use crate::records::Skip;
use crate::report::Dropped;

/// What a list has brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Brought {
    pub(crate) rows: u64,
    pub(crate) dropped: Dropped,
}

#[derive(Debug, Default)]
struct Family {
    /// First tokens of the further lists.
    tokens: BTreeSet<String>,
    /// Members that have ended, as long as they count.
    ended: BTreeMap<ListId, Brought>,
    /// Why none of it counts.
    dropped: Option<Skip>,
    /// Members whose rows are known not to count.
    out: BTreeSet<ListId>,
}

/// All of them, each by its first list.
#[derive(Debug, Default)]
pub(crate) struct Families {
    all: BTreeMap<ListId, Family>,
    /// Tokens that were named more than once.
    pub(crate) repeated: u64,
}

impl Families {
    fn get(&self, list: &ListId) -> Option<&Family> {
        if self.all.is_empty() {
            return None;
        }
        self.all.get(&list.with_cursor(""))
    }

    fn get_mut(&mut self, list: &ListId) -> Option<&mut Family> {
        if self.all.is_empty() {
            return None;
        }
        self.all.get_mut(&list.with_cursor(""))
    }

    /// Takes note of the further tokens that a page of `list` names, and
    /// gives the lists that begin with them, each once.
    pub(crate) fn spawn(&mut self, list: &ListId, tokens: &[String]) -> Vec<ListId> {
        if tokens.is_empty() {
            return Vec::new();
        }
        let root = list.with_cursor("");
        let family = self.all.entry(root.clone()).or_default();
        let mut spawned = Vec::new();
        for token in tokens {
            if family.tokens.insert(token.clone()) {
                spawned.push(root.with_cursor(token));
            } else {
                self.repeated += 1;
            }
        }
        spawned
    }

    /// Whether a list is one of several.
    pub(crate) fn contain(&self, list: &ListId) -> bool {
        self.get(list).is_some()
    }

    /// Whether a list is one of several that do not count any more.
    pub(crate) fn is_dropped(&self, list: &ListId) -> bool {
        self.get(list).is_some_and(|f| f.dropped.is_some())
    }

    /// All lists that make up what `list` is one part of: itself first.
    pub(crate) fn members(&self, list: &ListId) -> Vec<ListId> {
        let mut all = vec![list.clone()];
        if let Some(family) = self.get(list) {
            let root = list.with_cursor("");
            let further = family.tokens.iter().map(|token| root.with_cursor(token));
            let others = std::iter::once(root.clone()).chain(further);
            all.extend(others.filter(|other| other != list));
        }
        all
    }

    /// A member has been read to its end.
    pub(crate) fn end(&mut self, list: &ListId, brought: Brought) {
        if let Some(family) = self.get_mut(list) {
            family.ended.insert(list.clone(), brought);
        }
    }

    /// Forgets what a member that had ended has brought.
    pub(crate) fn take_back(&mut self, list: &ListId) -> Option<Brought> {
        self.get_mut(list)?.ended.remove(list)
    }

    /// A member's rows do not count. Tells whether the family is thereby
    /// known to be out; `None`: the list belongs to no family.
    pub(crate) fn drop_member(&mut self, list: &ListId, skip: &Skip) -> Option<bool> {
        let family = self.get_mut(list)?;
        family.out.insert(list.clone());
        let first = family.dropped.is_none();
        family.dropped.get_or_insert_with(|| skip.clone());
        Some(first)
    }

    /// Members of dropped families that are not yet out: a run was stopped
    /// while it took them out one by one.
    pub(crate) fn half_dropped(&self) -> Vec<(ListId, Skip)> {
        let mut left = Vec::new();
        for (root, family) in &self.all {
            let Some(skip) = &family.dropped else {
                continue;
            };
            let members = self.members(root).into_iter();
            let missing = members.filter(|member| !family.out.contains(member));
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
    fn a_token_is_followed_once_whichever_member_names_it() {
        let mut families = Families::default();
        let root = ListId::grants("group", "g");
        let first = families.spawn(&root, &tokens(&["a", "b"]));
        assert_eq!(first, [root.with_cursor("a"), root.with_cursor("b")]);
        let again = families.spawn(&first[0], &tokens(&["b", "c"]));
        assert_eq!(again, [root.with_cursor("c")]);
        assert_eq!(families.repeated, 1);
        let members = families.members(&first[1]);
        let others = [root.clone(), root.with_cursor("a"), root.with_cursor("c")];
        assert_eq!(members[0], first[1]);
        assert_eq!(members[1..], others);
        let alone = ListId::grants("group", "other");
        assert_eq!(families.members(&alone), [alone]);
    }

    #[test]
    fn a_family_is_out_once_and_as_a_whole() {
        let mut families = Families::default();
        let root = ListId::grants("group", "g");
        let spawned = families.spawn(&root, &tokens(&["a", "b"]));
        assert!(families.half_dropped().is_empty());
        assert_eq!(families.drop_member(&spawned[0], &skip()), Some(true));
        let left = families.half_dropped();
        let left: Vec<&ListId> = left.iter().map(|(list, _)| list).collect();
        assert_eq!(left, [&root, &spawned[1]]);
        assert_eq!(families.drop_member(&root, &skip()), Some(false));
        assert_eq!(families.drop_member(&spawned[1], &skip()), Some(false));
        assert!(families.half_dropped().is_empty());
        assert!(families.is_dropped(&root));
        let alone = ListId::grants("group", "other");
        assert_eq!(families.drop_member(&alone, &skip()), None);
    }

    #[test]
    fn what_a_member_has_brought_is_taken_back_once() {
        let mut families = Families::default();
        let root = ListId::grants("group", "g");
        let brought = Brought {
            rows: 2,
            ..Brought::default()
        };
        families.end(&root, brought);
        assert_eq!(families.take_back(&root), None, "no family, nothing kept");
        families.spawn(&root, &tokens(&["a"]));
        families.end(&root, brought);
        assert_eq!(families.take_back(&root), Some(brought));
        assert_eq!(families.take_back(&root), None);
    }
}
