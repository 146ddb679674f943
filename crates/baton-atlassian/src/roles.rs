//! The roles for which entitlements exist, and which owners of role
//! assignments count. Both lists are part of the contract: ids of
//! entitlements come from them.

/// Roles of a workspace, in the order in which its entitlements are listed.
/// Every workspace gets all of them, applicable or not.
pub(crate) const WORKSPACE_ROLES: [&str; 10] = [
    "atlassian/user",
    "atlassian/user-access-admin",
    "atlassian/admin",
    "atlassian/guest",
    "atlassian/contributor",
    "atlassian/customer",
    "atlassian/basic",
    "atlassian/stakeholder",
    "atlassian/site-admin",
    "atlassian/org-admin",
];

/// Roles of the organization, in the order in which its entitlements are listed.
pub(crate) const ORGANIZATION_ROLES: [&str; 4] = [
    "atlassian/org-admin",
    "atlassian/site-admin",
    "atlassian/user-access-admin",
    "atlassian/ai-access",
];

/// The role of those who may do everything in the organization.
pub(crate) const ORGANIZATION_ADMIN: &str = "atlassian/org-admin";
/// Roles that count as the organization's, and that are held on one of its
/// sites.
pub(crate) const SITE_ROLES: [&str; 2] = ["atlassian/site-admin", "atlassian/user-access-admin"];

/// What the id of a site begins with.
pub(crate) const SITE: &str = "ari:cloud:platform::site/";

/// What the slugs of roles begin with.
const ROLE_SLUG: &str = "role:";

/// What a role assignment is about, by the word in its `resourceOwner`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The organization and its sites.
    Platform,
    /// Something inside a product (a project, a goal): not synced.
    InProduct,
    /// A workspace of some product; the set of products is open.
    Workspace,
}

impl Owner {
    pub fn of(word: &str) -> Self {
        match word {
            "platform" => Self::Platform,
            "project" | "goal" => Self::InProduct,
            _ => Self::Workspace,
        }
    }
}

/// The slug of the entitlement that stands for a role.
pub(crate) fn role_slug(role: &str) -> String {
    format!("{ROLE_SLUG}{role}")
}

/// The role that an entitlement's slug stands for, if it stands for one.
pub(crate) fn role_of_slug(slug: &str) -> Option<&str> {
    slug.strip_prefix(ROLE_SLUG).filter(|role| !role.is_empty())
}

/// Whether lists can be filtered by the role: filters know a closed set.
pub(crate) fn is_filterable(role: &str) -> bool {
    WORKSPACE_ROLES.contains(&role) || ORGANIZATION_ROLES.contains(&role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_nobody_has_heard_of_is_a_product() {
        assert_eq!(Owner::of("loom"), Owner::Workspace);
        assert_eq!(Owner::of(""), Owner::Workspace);
        assert_eq!(Owner::of("goal"), Owner::InProduct);
        assert_eq!(Owner::of("platform"), Owner::Platform);
    }
}
