//! The results of the searches over all users and groups. Pure: no request, no
//! clock.
//!
//! Only what an answer states counts as a fact. A user is quiet (holds nothing) if
//! the count of resources is 0, the lists of platform roles and of products are
//! empty, and every group of the user is quiet. So nothing depends on whether the
//! count includes what comes from groups. The count covers workspaces that no list
//! has, and unknown roles.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::api::{OverviewGroup, OverviewUser};

/// Most members that one page of grants is made of; larger groups are asked.
const MOST_MEMBERS: usize = 10_000;

/// The overview as it is kept: names once, members by number.
#[derive(Serialize, Deserialize)]
struct Packed {
    users: Vec<(String, bool)>,
    /// Id, number of members, quiet, members.
    groups: Vec<(String, Option<u64>, bool, Vec<u32>)>,
    memberships_unknown: bool,
}

/// The overview.
#[derive(Debug, Default)]
pub(super) struct Facts {
    users: Vec<UserFacts>,
    by_id: HashMap<Arc<str>, u32>,
    groups: HashMap<String, GroupFacts>,
    /// A user's groups are missing, so no list of members is whole.
    memberships_unknown: bool,
}

#[derive(Debug)]
struct UserFacts {
    id: Arc<str>,
    quiet: bool,
}

#[derive(Debug)]
struct GroupFacts {
    /// The group's own number of members.
    told: Option<u64>,
    quiet: bool,
    members: Vec<u32>,
}

impl Facts {
    /// Takes note of a group. Groups come before users.
    pub fn note_group(&mut self, group: OverviewGroup) {
        let counts = group.counts.unwrap_or_default();
        let quiet = counts.resources == Some(0);
        let noted = self.groups.entry(group.id).or_insert(GroupFacts {
            told: counts.users,
            quiet,
            members: Vec::new(),
        });
        // A group that comes twice is what both say of it.
        noted.quiet &= quiet;
        if noted.told != counts.users {
            noted.told = None;
        }
    }

    /// Takes note of a user.
    pub fn note_user(&mut self, user: OverviewUser) {
        if user.account_id.is_empty() {
            return;
        }
        let place = u32::try_from(self.users.len()).unwrap_or(u32::MAX);
        let id: Arc<str> = user.account_id.into();
        let place = *self.by_id.entry(Arc::clone(&id)).or_insert(place);
        if place as usize == self.users.len() {
            self.users.push(UserFacts { id, quiet: true });
        }
        let mut quiet = user.counts.and_then(|counts| counts.resources) == Some(0)
            && user.platform_roles.is_some_and(|roles| roles.is_empty())
            && user.product_access.is_some_and(|access| access.is_empty());
        match user.groups {
            None => {
                self.memberships_unknown = true;
                quiet = false;
            }
            Some(groups) => {
                for group in groups {
                    match self.groups.get_mut(&group.id) {
                        Some(facts) => {
                            quiet &= facts.quiet;
                            facts.members.push(place);
                        }
                        // A group that the overview lacks may hold anything.
                        None => quiet = false,
                    }
                }
            }
        }
        if let Some(noted) = self.users.get_mut(place as usize) {
            noted.quiet &= quiet;
        }
    }

    /// Puts the members in order, each once.
    pub fn finish(mut self) -> Self {
        for group in self.groups.values_mut() {
            group.members.sort_unstable();
            group.members.dedup();
        }
        self
    }

    /// The overview as bytes, to be kept.
    pub fn pack(&self) -> Vec<u8> {
        let users = self.users.iter();
        let groups = self.groups.iter();
        let packed = Packed {
            users: users
                .map(|user| (user.id.to_string(), user.quiet))
                .collect(),
            groups: groups
                .map(|(id, group)| (id.clone(), group.told, group.quiet, group.members.clone()))
                .collect(),
            memberships_unknown: self.memberships_unknown,
        };
        // Strings, numbers and lists: nothing that JSON could refuse.
        serde_json::to_vec(&packed).unwrap_or_default()
    }

    /// Reads what [`Facts::pack`] wrote; `None` if it is anything else.
    pub fn unpack(bytes: &[u8]) -> Option<Self> {
        let packed: Packed = serde_json::from_slice(bytes).ok()?;
        let mut facts = Self {
            memberships_unknown: packed.memberships_unknown,
            ..Self::default()
        };
        for (place, (id, quiet)) in (0..).zip(packed.users) {
            let id: Arc<str> = id.into();
            facts.by_id.insert(Arc::clone(&id), place);
            facts.users.push(UserFacts { id, quiet });
        }
        for (id, told, quiet, members) in packed.groups {
            if members
                .iter()
                .any(|place| *place as usize >= facts.users.len())
            {
                return None;
            }
            let group = GroupFacts {
                told,
                quiet,
                members,
            };
            facts.groups.insert(id, group);
        }
        Some(facts)
    }

    /// Whether the user is known to hold no role of any kind.
    pub fn user_has_no_role(&self, id: &str) -> bool {
        let place = self.by_id.get(id);
        place.is_some_and(|place| self.users[*place as usize].quiet)
    }

    /// Whether the user is known, and may hold something. That stays so
    /// whatever else is noted.
    pub fn user_has_roles(&self, id: &str) -> bool {
        let place = self.by_id.get(id);
        place.is_some_and(|place| !self.users[*place as usize].quiet)
    }

    /// The same of a group.
    pub fn group_has_roles(&self, id: &str) -> bool {
        self.groups.get(id).is_some_and(|group| !group.quiet)
    }

    /// Whether the group is known to hold no role of any kind.
    pub fn group_has_no_role(&self, id: &str) -> bool {
        self.groups.get(id).is_some_and(|group| group.quiet)
    }

    /// The members of a group, where users and group agree on their number.
    pub fn members(&self, id: &str) -> Option<impl ExactSizeIterator<Item = &str>> {
        let group = self.groups.get(id)?;
        let whole = !self.memberships_unknown
            && group.told == Some(group.members.len() as u64)
            && group.members.len() <= MOST_MEMBERS;
        let ids = |place: &u32| &*self.users[*place as usize].id;
        whole.then(|| group.members.iter().map(ids))
    }

    /// All quiet users.
    pub fn users_without_roles(&self) -> impl Iterator<Item = &str> {
        let quiet = self.users.iter().filter(|user| user.quiet);
        quiet.map(|user| &*user.id)
    }

    /// All quiet groups.
    pub fn groups_without_roles(&self) -> impl Iterator<Item = &str> {
        let quiet = self.groups.iter().filter(|(_, group)| group.quiet);
        quiet.map(|(id, _)| id.as_str())
    }

    /// All groups whose members are known.
    pub fn whole_groups(&self) -> impl Iterator<Item = &str> {
        let ids = self.groups.keys().map(String::as_str);
        ids.filter(|id| self.members(id).is_some())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::overview_row;

    fn group(value: &Value) -> OverviewGroup {
        overview_row(value)
    }

    fn user(value: &Value) -> OverviewUser {
        overview_row(value)
    }

    fn quiet(id: &str, groups: &[&str]) -> Value {
        let groups: Vec<Value> = groups.iter().map(|id| json!({ "id": id })).collect();
        json!({
            "accountId": id, "counts": {"resources": 0}, "platformRoles": [],
            "productAccess": [], "groups": groups,
        })
    }

    fn with(mut value: Value, field: &str, other: Value) -> Value {
        value[field] = other;
        value
    }

    fn facts(groups: &[Value], users: &[Value]) -> Facts {
        let mut facts = Facts::default();
        for value in groups {
            facts.note_group(group(value));
        }
        for value in users {
            facts.note_user(user(value));
        }
        facts.finish()
    }

    #[test]
    fn only_what_is_said_outright_makes_a_user_quiet() {
        let groups = [
            json!({"id": "still", "counts": {"resources": 0, "users": 1}}),
            json!({"id": "busy", "counts": {"resources": 2, "users": 1}}),
            json!({"id": "mute"}),
        ];
        let cases = [
            (quiet("a", &[]), true),
            (quiet("a", &["still"]), true),
            (quiet("a", &["still", "busy"]), false),
            (quiet("a", &["mute"]), false),
            (quiet("a", &["unheard-of"]), false),
            (
                with(quiet("a", &[]), "counts", json!({"resources": 1})),
                false,
            ),
            (
                with(quiet("a", &[]), "counts", json!({"resources": "0"})),
                false,
            ),
            (with(quiet("a", &[]), "counts", json!(null)), false),
            (with(quiet("a", &[]), "platformRoles", json!(["x"])), false),
            (with(quiet("a", &[]), "platformRoles", json!(null)), false),
            (with(quiet("a", &[]), "productAccess", json!([{}])), false),
            (with(quiet("a", &[]), "productAccess", json!("none")), false),
            (with(quiet("a", &[]), "groups", json!(null)), false),
            (with(quiet("a", &[]), "groups", json!([{"id": 5}])), false),
        ];
        for (case, expected) in cases {
            let found = facts(&groups, std::slice::from_ref(&case));
            assert_eq!(found.user_has_no_role("a"), expected, "{case}");
            assert!(!found.user_has_no_role("b"), "no answer is about b");
        }
    }

    #[test]
    fn a_user_that_comes_twice_is_what_both_say() {
        let busy = with(quiet("a", &[]), "counts", json!({"resources": 3}));
        for users in [[quiet("a", &[]), busy.clone()], [busy, quiet("a", &[])]] {
            assert!(!facts(&[], &users).user_has_no_role("a"));
        }
    }

    #[test]
    fn members_count_only_where_users_and_group_agree() {
        let groups = [
            json!({"id": "two", "counts": {"users": 2}}),
            json!({"id": "more", "counts": {"users": 3}}),
            json!({"id": "mute", "counts": {}}),
            json!({"id": "none", "counts": {"users": 0}}),
        ];
        let everywhere = ["two", "more", "mute"];
        let users = [
            quiet("b", &everywhere),
            quiet("a", &everywhere),
            quiet("b", &["two"]),
        ];
        let found = facts(&groups, &users);
        assert_eq!(
            found.members("two").unwrap().collect::<Vec<_>>(),
            ["b", "a"]
        );
        assert!(found.members("more").is_none());
        assert!(found.members("mute").is_none());
        assert!(found.members("unheard-of").is_none());
        assert_eq!(found.members("none").unwrap().len(), 0);
        assert_eq!(found.whole_groups().count(), 2);
    }

    #[test]
    fn what_is_kept_says_the_same() {
        let groups = [
            json!({"id": "g", "counts": {"users": 1, "resources": 0}}),
            json!({"id": "h", "counts": {"users": 5}}),
        ];
        let users = [quiet("a", &["g"]), quiet("b", &["h"])];
        let found = facts(&groups, &users);
        let again = Facts::unpack(&found.pack()).unwrap();
        assert!(again.user_has_no_role("a") && !again.user_has_no_role("b"));
        assert!(again.group_has_no_role("g") && !again.group_has_no_role("h"));
        assert_eq!(again.members("g").unwrap().collect::<Vec<_>>(), ["a"]);
        assert!(again.members("h").is_none());
        assert!(Facts::unpack(b"[]").is_none());
        let astray = br#"{"users":[],"groups":[["g",1,true,[0]]],"memberships_unknown":false}"#;
        assert!(Facts::unpack(astray).is_none());
    }

    #[test]
    fn one_user_whose_groups_are_unstated_leaves_every_group_open() {
        let groups = [json!({"id": "g", "counts": {"users": 1}})];
        let users = [
            quiet("a", &["g"]),
            with(quiet("b", &[]), "groups", json!(null)),
        ];
        assert!(facts(&groups, &users).members("g").is_none());
    }
}
