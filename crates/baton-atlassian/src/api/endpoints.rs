//! Path templates of the endpoints in use, below the admin base URL.
//! `docs/permissions.md` names the scope of each.

pub(crate) const ORGANIZATION: &str = "/v1/orgs/{org}";
pub(crate) const USERS: &str = "/v2/orgs/{org}/directories/-/users";
pub(crate) const USER: &str = "/v2/orgs/{org}/directories/-/users/{user}";
pub(crate) const USERS_SEARCH: &str = "/v2/orgs/{org}/directories/-/users/search";
pub(crate) const USERS_COUNT: &str = "/v2/orgs/{org}/directories/-/users/count";
pub(crate) const GROUPS: &str = "/v2/orgs/{org}/directories/-/groups";
pub(crate) const GROUP: &str = "/v2/orgs/{org}/directories/-/groups/{group}";
pub(crate) const GROUPS_SEARCH: &str = "/v2/orgs/{org}/directories/-/groups/search";
pub(crate) const GROUPS_COUNT: &str = "/v2/orgs/{org}/directories/-/groups/count";
pub(crate) const WORKSPACES: &str = "/v2/orgs/{org}/workspaces";
pub(crate) const USER_ROLES: &str = "/v2/orgs/{org}/directories/-/users/{user}/role-assignments";
pub(crate) const GROUP_ROLES: &str = "/v2/orgs/{org}/directories/-/groups/{group}/role-assignments";
pub(crate) const API_TOKENS: &str = "/api-access/v1/orgs/{org}/api-tokens";
pub(crate) const API_TOKENS_COUNT: &str = "/api-access/v1/orgs/{org}/api-tokens/count";

// Writes. No scope covers them.
pub(crate) const MEMBERSHIPS: &str =
    "/v2/orgs/{org}/directories/{directory}/groups/{group}/memberships";
pub(crate) const MEMBERSHIP: &str =
    "/v2/orgs/{org}/directories/{directory}/groups/{group}/memberships/{user}";
pub(crate) const USER_ROLE_ASSIGN: &str = "/v1/orgs/{org}/users/{user}/roles/assign";
pub(crate) const USER_ROLE_REVOKE: &str = "/v1/orgs/{org}/users/{user}/roles/revoke";
pub(crate) const GROUP_ROLE_ASSIGN: &str =
    "/v2/orgs/{org}/directories/{directory}/groups/{group}/role-assignments/assign";
pub(crate) const GROUP_ROLE_REVOKE: &str =
    "/v2/orgs/{org}/directories/{directory}/groups/{group}/role-assignments/revoke";
pub(crate) const ORGANIZATION_ROLE_ASSIGN: &str =
    "/v1/orgs/{org}/users/{user}/role-assignments/assign";
pub(crate) const ORGANIZATION_ROLE_REVOKE: &str =
    "/v1/orgs/{org}/users/{user}/role-assignments/revoke";

/// Writes that Atlassian support enables for an organization, as support knows
/// them. The last one is not sent; it is enabled together with the others.
pub(crate) const SUPPORT_ENABLED: [&str; 3] = [
    "users/{id}/roles/assign",
    "users/{id}/roles/revoke",
    "users/invite",
];

/// Whether an endpoint changes something.
pub(crate) fn is_write(template: &str) -> bool {
    matches!(
        template,
        MEMBERSHIPS
            | MEMBERSHIP
            | USER_ROLE_ASSIGN
            | USER_ROLE_REVOKE
            | GROUP_ROLE_ASSIGN
            | GROUP_ROLE_REVOKE
            | ORGANIZATION_ROLE_ASSIGN
            | ORGANIZATION_ROLE_REVOKE
    )
}

/// The scope that a scoped key needs to read from an endpoint.
pub(crate) fn scope(template: &str) -> &'static str {
    match template {
        ORGANIZATION => "read:orgs:admin",
        GROUP | GROUPS | GROUPS_SEARCH | GROUPS_COUNT | GROUP_ROLES => "read:groups:admin",
        WORKSPACES => "read:workspaces:admin",
        API_TOKENS | API_TOKENS_COUNT => "read:tokens:admin",
        _ => "read:directories:admin",
    }
}
