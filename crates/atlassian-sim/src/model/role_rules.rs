//! Which roles can be assigned where (§7.3, §14 rule 7), licence limits, and who administers the organization.

use std::collections::BTreeSet;

use super::roles::ORG_ADMIN;
use super::{AccountStatus, Membership, Organization, Resource, ResourceKind, Scope};

/// Who would hold a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    User,
    Group,
}

/// Roles that every product has.
const OF_EVERY_PRODUCT: [&str; 3] = [
    "atlassian/user",
    "atlassian/admin",
    "atlassian/user-access-admin",
];

/// Further roles of some products (assumed).
const OF_SOME_PRODUCTS: [(&str, &[&str]); 3] = [
    ("confluence", &["atlassian/guest"]),
    (
        "jira-servicedesk",
        &[
            "atlassian/customer",
            "atlassian/stakeholder",
            "atlassian/contributor",
        ],
    ),
    ("compass", &["atlassian/basic"]),
];

const OF_SITES: [&str; 2] = ["atlassian/site-admin", "atlassian/user-access-admin"];
const OF_GROUPS_ONLY: &str = "atlassian/viewer";

/// Whether the role can be held on the resource by such a principal.
pub(crate) fn is_valid(holder: Holder, role: &str, resource: &Resource) -> bool {
    match resource.kind {
        ResourceKind::Workspace | ResourceKind::Unlisted => {
            let of_product = OF_SOME_PRODUCTS
                .iter()
                .any(|(owner, roles)| *owner == resource.owner && roles.contains(&role));
            of_product
                || OF_EVERY_PRODUCT.contains(&role)
                || (holder == Holder::Group && role == OF_GROUPS_ONLY)
        }
        ResourceKind::Site => holder == Holder::User && OF_SITES.contains(&role),
        ResourceKind::Organization | ResourceKind::Project | ResourceKind::Goal => false,
    }
}

impl Organization {
    /// The ARI of a resource.
    pub(crate) fn ari(&self, resource: u32) -> &str {
        self.resources
            .get(resource as usize)
            .map_or("", |r| r.ari.as_str())
    }

    /// The number of the organization itself among the resources.
    pub(crate) fn organization_resource(&self) -> Option<u32> {
        let place = self
            .resources
            .iter()
            .position(|r| r.kind == ResourceKind::Organization)?;
        u32::try_from(place).ok()
    }

    /// Whether members of the group administer the organization.
    pub(crate) fn gives_organization_admin(&self, group: u32) -> bool {
        let organization = self.organization_resource();
        self.group(group).is_some_and(|g| {
            g.roles
                .iter()
                .any(|e| Some(e.resource) == organization && e.role == ORG_ADMIN)
        })
    }

    /// Active organization admins, each with where the role comes from: a group, or the user's own assignment.
    fn admin_sources(&self) -> Vec<(u32, Option<u32>)> {
        let Some((number, organization)) = self
            .organization_resource()
            .and_then(|n| self.resources.get(n as usize).map(|r| (n, r)))
        else {
            return Vec::new();
        };
        let own = organization.users.iter().filter(|user| {
            self.user(**user).is_some_and(|u| {
                u.roles
                    .iter()
                    .any(|e| e.resource == number && e.role == ORG_ADMIN)
            })
        });
        let groups = organization
            .groups
            .iter()
            .filter(|group| self.gives_organization_admin(**group))
            .filter_map(|group| self.group(*group).map(|record| (*group, record)));
        let inherited = groups
            .flat_map(|(group, record)| record.members.iter().map(move |u| (*u, Some(group))));
        own.map(|user| (*user, None))
            .chain(inherited)
            .filter(|(user, _)| {
                self.user(*user)
                    .is_some_and(|u| u.status(Scope::All) == "active")
            })
            .collect()
    }

    /// Whether the user administers the organization, of its own or through a group.
    pub(crate) fn is_organization_admin(&self, user: u32) -> bool {
        let organization = self.organization_resource();
        self.effective(user).iter().any(|h| {
            Some(h.resource) == organization && h.roles.iter().any(|(role, _)| *role == ORG_ADMIN)
        })
    }

    /// Whether the organization would be left without an active admin if the sources that `lost` accepts were removed.
    /// Sources are a user and the group that the role comes from, or `None` for the user's own assignment.
    pub(crate) fn leaves_no_admin(&self, lost: impl Fn(u32, Option<u32>) -> bool) -> bool {
        let sources = self.admin_sources();
        let any_lost = sources.iter().any(|(user, group)| lost(*user, *group));
        any_lost && sources.iter().all(|(user, group)| lost(*user, *group))
    }

    /// Whether the licence of the resource has room for these users besides those who use it already.
    pub(crate) fn has_seats(&self, resource: u32, newcomers: &[u32]) -> bool {
        let Some(limit) = self.licence_limit(resource) else {
            return true;
        };
        let mut seated = self.seated(resource);
        let before = seated.len();
        seated.extend(newcomers.iter().filter(|u| self.is_billed(**u, resource)));
        seated.len() == before || seated.len() <= limit as usize
    }

    /// How many more users the licence of the resource has room for; `None`: any number.
    pub(crate) fn free_seats(&self, resource: u32) -> Option<usize> {
        let limit = self.licence_limit(resource)? as usize;
        Some(limit.saturating_sub(self.seated(resource).len()))
    }

    /// Users of a product, of their own or through groups, who need a seat.
    pub(crate) fn seated(&self, resource: u32) -> BTreeSet<u32> {
        let Some(record) = self.resources.get(resource as usize) else {
            return BTreeSet::new();
        };
        let members = record
            .groups
            .iter()
            .filter_map(|g| self.group(*g))
            .flat_map(|g| &g.members);
        let all = record.users.iter().chain(members);
        all.copied()
            .filter(|u| self.is_billed(*u, resource))
            .collect()
    }

    /// Suspended and deactivated users, and those of other directories, need no seat.
    fn is_billed(&self, user: u32, resource: u32) -> bool {
        let directory = self
            .resources
            .get(resource as usize)
            .and_then(|r| r.directory);
        self.user(user).is_some_and(|u| {
            u.account == AccountStatus::Active
                && directory.is_none_or(|d| u.membership(d) == Membership::Active)
        })
    }

    fn licence_limit(&self, resource: u32) -> Option<u32> {
        let is_product = self
            .resources
            .get(resource as usize)
            .is_some_and(|r| matches!(r.kind, ResourceKind::Workspace | ResourceKind::Unlisted));
        let own = self.licence_limits.get(&resource).copied();
        own.unwrap_or(self.default_licence_limit)
            .filter(|_| is_product)
    }
}
