//! Roles: their names, and the effective view of a user (own ones and those of the user's groups).

use super::{Organization, Resource, ResourceKind, RoleEntry};

/// Known role names; their place is the role number. Later ones are appended by name.
pub(crate) const ROLE_NAMES: [&str; 14] = [
    "atlassian/user",
    "atlassian/admin",
    "atlassian/guest",
    "atlassian/customer",
    "atlassian/user-access-admin",
    "atlassian/contributor",
    "atlassian/basic",
    "atlassian/stakeholder",
    "atlassian/org-admin",
    "atlassian/site-admin",
    "atlassian/ai-access",
    "atlassian/viewer",
    "atlassian/project-admin",
    "atlassian/goal-owner",
];

pub(crate) const USER: u16 = 0;
pub(crate) const ADMIN: u16 = 1;
pub(crate) const GUEST: u16 = 2;
pub(crate) const CUSTOMER: u16 = 3;
pub(crate) const USER_ACCESS_ADMIN: u16 = 4;
pub(crate) const CONTRIBUTOR: u16 = 5;
pub(crate) const BASIC: u16 = 6;
pub(crate) const STAKEHOLDER: u16 = 7;
pub(crate) const ORG_ADMIN: u16 = 8;
pub(crate) const SITE_ADMIN: u16 = 9;
pub(crate) const AI_ACCESS: u16 = 10;
pub(crate) const VIEWER: u16 = 11;
pub(crate) const PROJECT_ADMIN: u16 = 12;
pub(crate) const GOAL_OWNER: u16 = 13;

/// How many of [`ROLE_NAMES`] the `roleIds` filter knows; the list of the API is closed.
pub(crate) const FILTERABLE_ROLES: usize = 11;

/// Marks an item that is listed without any role.
pub(crate) const NO_ROLE: u16 = u16::MAX;

/// How a user came to a role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Methods {
    /// Assigned to the user.
    pub direct: bool,
    /// Assigned to a group that has the user as a member.
    pub group_direct: bool,
    /// Follows from another role.
    pub inferred: bool,
}

impl Methods {
    /// The API's words, in its order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        [
            (self.direct, "direct"),
            (self.group_direct, "group_direct"),
            (self.inferred, "inferred"),
        ]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
    }

    fn of(entry: RoleEntry, via_group: bool) -> Self {
        if via_group {
            Self {
                group_direct: true,
                ..Self::default()
            }
        } else {
            Self {
                direct: !entry.inferred,
                group_direct: false,
                inferred: entry.inferred,
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.direct |= other.direct;
        self.group_direct |= other.group_direct;
        self.inferred |= other.inferred;
    }
}

/// All roles of one principal on one resource, sorted by role number. [`NO_ROLE`] never appears: an item without roles is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    pub resource: u32,
    pub roles: Vec<(u16, Methods)>,
}

/// Gathers sorted (resource, role, methods) triples into one holding per resource.
fn gather(mut triples: Vec<(u32, u16, Methods)>) -> Vec<Holding> {
    triples.sort_by_key(|(resource, role, _)| (*resource, *role));
    let mut holdings: Vec<Holding> = Vec::new();
    for (resource, role, methods) in triples {
        if holdings.last().is_none_or(|h| h.resource != resource) {
            holdings.push(Holding {
                resource,
                roles: Vec::new(),
            });
        }
        let Some(holding) = holdings.last_mut() else {
            continue;
        };
        if role == NO_ROLE {
            continue;
        }
        match holding.roles.last_mut() {
            Some((last, merged)) if *last == role => merged.merge(methods),
            _ => holding.roles.push((role, methods)),
        }
    }
    holdings
}

impl Organization {
    /// Everything that the user may do: own roles and those that come through groups, one item per resource.
    pub(crate) fn effective(&self, user: u32) -> Vec<Holding> {
        let Some(record) = self.user(user) else {
            return Vec::new();
        };
        let own = record
            .roles
            .iter()
            .map(|e| (e.resource, e.role, Methods::of(*e, false)));
        let inherited = record
            .groups
            .iter()
            .filter_map(|g| self.group(*g))
            .flat_map(|g| {
                g.roles
                    .iter()
                    .map(|e| (e.resource, e.role, Methods::of(*e, true)))
            });
        gather(own.chain(inherited).collect())
    }

    /// The roles of a group, one item per resource.
    pub(crate) fn group_holdings(&self, group: u32) -> Vec<Holding> {
        let Some(record) = self.group(group) else {
            return Vec::new();
        };
        gather(
            record
                .roles
                .iter()
                .map(|e| (e.resource, e.role, Methods::of(*e, false)))
                .collect(),
        )
    }

    /// Names of the roles held on the organization itself, sorted by role number.
    pub(crate) fn platform_roles(&self, holdings: &[Holding]) -> Vec<&str> {
        holdings
            .iter()
            .filter(|h| {
                self.resources
                    .get(h.resource as usize)
                    .is_some_and(|r| r.kind == ResourceKind::Organization)
            })
            .flat_map(|h| h.roles.iter().map(|(role, _)| self.role_name(*role)))
            .collect()
    }

    /// The products among holdings: what their holder can open.
    pub(crate) fn products(&self, holdings: &[Holding]) -> Vec<(u32, &Resource)> {
        holdings
            .iter()
            .filter(|h| !h.roles.is_empty())
            .filter_map(|h| {
                self.resources
                    .get(h.resource as usize)
                    .map(|r| (h.resource, r))
            })
            .filter(|(_, r)| matches!(r.kind, ResourceKind::Workspace | ResourceKind::Unlisted))
            .collect()
    }

    /// The number of a role, adding it when it is new.
    pub(crate) fn intern_role(&mut self, name: &str) -> u16 {
        if let Some(place) = self.role_names.iter().position(|n| n == name) {
            return u16::try_from(place).unwrap_or(NO_ROLE);
        }
        let place = u16::try_from(self.role_names.len()).unwrap_or(NO_ROLE);
        self.role_names.push(name.to_owned());
        place
    }
}
