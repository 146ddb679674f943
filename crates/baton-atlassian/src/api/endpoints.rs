//! Path templates of the endpoints in use, below the admin base URL.
//! `docs/permissions.md` names the scope of each.

pub(crate) const ORGANIZATION: &str = "/v1/orgs/{org}";
pub(crate) const USERS: &str = "/v2/orgs/{org}/directories/-/users";
pub(crate) const USER: &str = "/v2/orgs/{org}/directories/-/users/{user}";
pub(crate) const DIRECTORIES: &str = "/v2/orgs/{org}/directories";
pub(crate) const DIRECTORY_USER: &str = "/v2/orgs/{org}/directories/{directory}/users/{user}";
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

pub(crate) const EVENTS_STREAM: &str = "/v1/orgs/{org}/events-stream";

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
pub(crate) const INVITE: &str = "/v2/orgs/{org}/users/invite";
pub(crate) const SUSPEND: &str = "/v2/orgs/{org}/directories/{directory}/users/{user}/suspend";
pub(crate) const RESTORE: &str = "/v2/orgs/{org}/directories/{directory}/users/{user}/restore";
/// For the Go connector's requests only: Atlassian has announced their end.
pub(crate) const OLDER_SUSPEND: &str = "/v1/orgs/{org}/directory/users/{user}/suspend-access";
pub(crate) const OLDER_RESTORE: &str = "/v1/orgs/{org}/directory/users/{user}/restore-access";

// The account API, which lies beside the admin APIs. A key with scopes may do
// nothing there, not even read.
pub(crate) const ACCOUNT_DELETE: &str = "/users/{user}/manage/lifecycle/delete";
pub(crate) const ACCOUNT_TOKENS: &str = "/users/{user}/manage/api-tokens";
pub(crate) const ACCOUNT_TOKEN: &str = "/users/{user}/manage/api-tokens/{token}";

// Below the base URL of an identity provider's directory, with its token.
pub(crate) const SCIM_USERS: &str = "/Users";
pub(crate) const SCIM_USER: &str = "/Users/{id}";

/// Writes that Atlassian support enables for an organization, as support knows
/// them.
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
            | INVITE
            | SUSPEND
            | RESTORE
            | OLDER_SUSPEND
            | OLDER_RESTORE
    )
}

/// Whether an endpoint is one of the account API.
pub(crate) fn is_of_account(template: &str) -> bool {
    matches!(template, ACCOUNT_DELETE | ACCOUNT_TOKENS | ACCOUNT_TOKEN)
}

/// Whether an endpoint is one of an identity provider's directory.
pub(crate) fn is_scim(template: &str) -> bool {
    matches!(template, SCIM_USERS | SCIM_USER)
}

/// The scope that a scoped key needs to read from an endpoint.
pub(crate) fn scope(template: &str) -> &'static str {
    match template {
        ORGANIZATION => "read:orgs:admin",
        GROUP | GROUPS | GROUPS_SEARCH | GROUPS_COUNT | GROUP_ROLES => "read:groups:admin",
        WORKSPACES => "read:workspaces:admin",
        API_TOKENS | API_TOKENS_COUNT => "read:tokens:admin",
        EVENTS_STREAM => "read:events:admin",
        _ => "read:directories:admin",
    }
}
