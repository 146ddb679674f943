//! Searches with wrong results, for clients that rely on searches and must notice.

use crate::random::draw;

/// How the `POST` searches misreport. A number n hits about every n-th object, always the same ones; 0 hits none. The
/// `GET` lists, lists filtered by group, and role assignments stay true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchFlaws {
    /// Users missing from searches that expand their groups.
    pub omit_expanded: u32,
    /// Users missing from searches that do not.
    pub omit_plain: u32,
    /// Users with roles who are shown with none: no count, no platform roles, no products.
    pub hide_roles: u32,
    /// Groups with roles that are shown with a count of none.
    pub hide_group_roles: u32,
    /// Users who are shown without their groups.
    pub hide_memberships: u32,
    /// Users who are shown in the first group, members or not.
    pub invent_memberships: u32,
    /// `counts.users` of groups agrees with memberships that are hidden or users that are omitted.
    pub counts_agree: bool,
    /// Counts and products of users are those of roles they hold themselves; platform roles stay effective.
    pub direct_only: bool,
    /// Members that need `expand` are absent, though asked for.
    pub no_expansions: bool,
}

impl SearchFlaws {
    pub(crate) fn omits(&self, seed: u64, user: u32, expanded: bool) -> bool {
        if expanded {
            hit(seed, 0xf1a0, user, self.omit_expanded)
        } else {
            hit(seed, 0xf1a1, user, self.omit_plain)
        }
    }

    pub(crate) fn hides_roles(&self, seed: u64, user: u32) -> bool {
        hit(seed, 0xf1a2, user, self.hide_roles)
    }

    pub(crate) fn hides_group_roles(&self, seed: u64, group: u32) -> bool {
        hit(seed, 0xf1a3, group, self.hide_group_roles)
    }

    pub(crate) fn hides_memberships(&self, seed: u64, user: u32) -> bool {
        hit(seed, 0xf1a4, user, self.hide_memberships)
    }

    pub(crate) fn invents_membership(&self, seed: u64, user: u32) -> bool {
        hit(seed, 0xf1a5, user, self.invent_memberships)
    }

    /// Whether a member is left out of a group's count.
    pub(crate) fn uncounted(&self, seed: u64, user: u32) -> bool {
        self.counts_agree && (self.hides_memberships(seed, user) || self.omits(seed, user, true))
    }
}

fn hit(seed: u64, purpose: u64, object: u32, every: u32) -> bool {
    every > 0 && draw(seed, purpose, u64::from(object)).is_multiple_of(u64::from(every))
}
