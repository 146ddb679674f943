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

/// The scope that a scoped key needs for an endpoint.
pub(crate) fn scope(template: &str) -> &'static str {
    match template {
        ORGANIZATION => "read:orgs:admin",
        GROUP | GROUPS | GROUPS_SEARCH | GROUPS_COUNT | GROUP_ROLES => "read:groups:admin",
        WORKSPACES => "read:workspaces:admin",
        API_TOKENS | API_TOKENS_COUNT => "read:tokens:admin",
        _ => "read:directories:admin",
    }
}
