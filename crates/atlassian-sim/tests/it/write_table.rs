//! Every write, to be sent in the order of the table.

use crate::client::Answer;
use crate::stage::Stage;

/// A write that changes something, and what it answers when it is sent again.
pub struct Write {
    pub endpoint: &'static str,
    pub path: &'static str,
    pub body: &'static str,
    /// Status, and whether it changes something.
    pub again: (u16, bool),
}

impl Write {
    fn method(&self) -> &'static str {
        self.endpoint.split(' ').next().unwrap()
    }

    pub async fn send(&self, stage: &Stage) -> Answer {
        stage.send(self.method(), self.path, self.body).await
    }
}

const fn write(
    endpoint: &'static str,
    path: &'static str,
    body: &'static str,
    again: (u16, bool),
) -> Write {
    Write {
        endpoint,
        path,
        body,
        again,
    }
}

pub const ADD_MEMBER: Write = write(
    "POST v2/groups/{id}/memberships",
    "v2:directories/{dir}/groups/{group}/memberships",
    r#"{"accountId": "{user}"}"#,
    (204, false),
);
pub const ASSIGN: Write = write(
    "POST v1/users/{id}/roles/assign",
    "v1:users/{user}/roles/assign",
    r#"{"role": "atlassian/user", "resource": "{jira}"}"#,
    (204, false),
);
pub const PROMOTE: Write = write(
    "POST v1/users/{id}/role-assignments/assign",
    "v1:users/{user}/role-assignments/assign",
    r#"{"role": "atlassian/org-admin"}"#,
    (204, false),
);

/// Every write, in an order in which each finds something to change.
pub const WRITES: [Write; 32] = [
    ADD_MEMBER,
    write(
        "DELETE v2/groups/{id}/memberships/{member}",
        "v2:directories/{dir}/groups/{group}/memberships/{user}",
        "",
        (404, false),
    ),
    ASSIGN,
    write(
        "POST v1/users/{id}/roles/revoke",
        "v1:users/{user}/roles/revoke",
        r#"{"role": "atlassian/user", "resource": "{jira}"}"#,
        (204, false),
    ),
    write(
        "POST v2/groups/{id}/role-assignments/assign",
        "v2:directories/{dir}/groups/{group}/role-assignments/assign",
        r#"{"roleId": "atlassian/user", "resourceId": "{jira}"}"#,
        (204, false),
    ),
    write(
        "POST v2/groups/{id}/role-assignments/revoke",
        "v2:directories/{dir}/groups/{group}/role-assignments/revoke",
        r#"{"roleId": "atlassian/user", "resourceId": "{jira}"}"#,
        (204, false),
    ),
    PROMOTE,
    write(
        "POST v1/users/{id}/role-assignments/revoke",
        "v1:users/{user}/role-assignments/revoke",
        r#"{"role": "atlassian/org-admin"}"#,
        (204, false),
    ),
    write(
        "POST v2/users/{id}/suspend",
        "v2:directories/{dir}/users/{user}/suspend",
        "",
        (204, false),
    ),
    write(
        "POST v2/users/{id}/restore",
        "v2:directories/{dir}/users/{user}/restore",
        "",
        (204, false),
    ),
    write(
        "POST v2/groups",
        "v2:directories/{dir}/groups",
        r#"{"name": "new"}"#,
        (409, false),
    ),
    write(
        "DELETE v2/groups/{id}",
        "v2:directories/{dir}/groups/{group}",
        "",
        (404, false),
    ),
    write(
        "DELETE v2/users/{id}",
        "v2:directories/{dir}/users/{user}",
        "",
        (404, false),
    ),
    write(
        "POST v2/users/invite",
        "v2:users/invite",
        r#"{"emails": ["new@other.example"]}"#,
        (200, true),
    ),
    write(
        "POST users/{id}/manage/lifecycle/disable",
        "/users/{member}/manage/lifecycle/disable",
        "",
        (204, false),
    ),
    write(
        "POST users/{id}/manage/lifecycle/enable",
        "/users/{member}/manage/lifecycle/enable",
        "",
        (204, false),
    ),
    write(
        "POST users/{id}/manage/lifecycle/delete",
        "/users/{member}/manage/lifecycle/delete",
        "",
        (409, false),
    ),
    write(
        "POST users/{id}/manage/lifecycle/cancel-delete",
        "/users/{member}/manage/lifecycle/cancel-delete",
        "",
        (409, false),
    ),
    write(
        "DELETE users/{id}/manage/api-tokens/{token}",
        "/users/{member}/manage/api-tokens/{token}",
        "",
        (404, false),
    ),
    write(
        "PATCH users/{id}/manage/profile",
        "/users/{member}/manage/profile",
        r#"{"name": "Mem Two"}"#,
        (200, false),
    ),
    write(
        "PUT users/{id}/manage/email",
        "/users/{member}/manage/email",
        r#"{"email": "mem.two@{domain}"}"#,
        (204, false),
    ),
    write(
        "POST api-access/v1/api-keys",
        "api-access/v1:api-keys",
        r#"{"label": "second"}"#,
        (200, true),
    ),
    write(
        "PATCH api-access/v1/api-keys/revoke/{key}",
        "api-access/v1:api-keys/revoke/{key}",
        "",
        (204, true),
    ),
    write(
        "DELETE api-access/v1/api-tokens",
        "api-access/v1:api-tokens",
        "",
        (204, false),
    ),
    write(
        "POST scim/Users",
        "scim:Users",
        r#"{"userName": "kim", "emails": [{"value": "kim@{domain}", "primary": true}]}"#,
        (409, false),
    ),
    write(
        "PUT scim/Users/{id}",
        "scim:Users/{scim_user}",
        r#"{"userName": "kim", "title": "Engineer", "emails": [{"value": "kim@{domain}", "primary": true}]}"#,
        (200, false),
    ),
    write(
        "PATCH scim/Users/{id}",
        "scim:Users/{scim_user}",
        r#"{"Operations": [{"op": "replace", "path": "active", "value": false}]}"#,
        (200, false),
    ),
    write(
        "POST scim/Groups",
        "scim:Groups",
        r#"{"displayName": "provided"}"#,
        (409, false),
    ),
    write(
        "PATCH scim/Groups/{id}",
        "scim:Groups/{scim_group}",
        r#"{"Operations": [{"op": "add", "path": "members", "value": [{"value": "{scim_user}"}]}]}"#,
        (200, false),
    ),
    write(
        "PUT scim/Groups/{id}",
        "scim:Groups/{scim_group}",
        r#"{"displayName": "provided"}"#,
        (200, false),
    ),
    write(
        "DELETE scim/Groups/{id}",
        "scim:Groups/{scim_group}",
        "",
        (404, false),
    ),
    write(
        "DELETE scim/Users/{id}",
        "scim:Users/{scim_user}",
        "",
        (404, false),
    ),
];

/// Writes that ended in mid-2026 and older connectors still send; in order as well.
pub const RETIRED: [Write; 2] = [
    write(
        "POST v1/users/{id}/suspend-access",
        "v1:directory/users/{user}/suspend-access",
        "",
        (200, false),
    ),
    write(
        "POST v1/users/{id}/restore-access",
        "v1:directory/users/{user}/restore-access",
        "",
        (200, false),
    ),
];
