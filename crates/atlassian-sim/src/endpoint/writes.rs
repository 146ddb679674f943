//! Endpoints that change the organization. Few are covered by a scope: the others need a key without scopes.

use super::{Endpoint, Handler, Life, WRITES_PER_MINUTE, WriteHandler};
use crate::api::{
    access_writes, group_writes, invitations, lifecycle_writes, memberships, profile_writes,
    role_writes, suspension,
};
use crate::errors::Family;

const fn write(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    handler: WriteHandler,
) -> Endpoint {
    Endpoint {
        name,
        method,
        path,
        family: Family::Admin,
        scopes: &[],
        per_minute: WRITES_PER_MINUTE,
        life: Life::Current,
        cursors_last: false,
        alarming: false,
        handler: Handler::Write(handler),
    }
}

/// A write of roles: a proxy in front answers 401 and 429.
const fn role(name: &'static str, path: &'static str, handler: WriteHandler) -> Endpoint {
    Endpoint {
        family: Family::Roles,
        ..write(name, "POST", path, handler)
    }
}

/// A write of the account API, at the root path.
const fn account(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    handler: WriteHandler,
) -> Endpoint {
    Endpoint {
        family: Family::Lifecycle,
        ..write(name, method, path, handler)
    }
}

pub(super) static WRITES: [Endpoint; 24] = [
    write(
        "POST v2/groups/{id}/memberships",
        "POST",
        "/v2/orgs/{org}/directories/{directory}/groups/{id}/memberships",
        memberships::add,
    ),
    write(
        "DELETE v2/groups/{id}/memberships/{member}",
        "DELETE",
        "/v2/orgs/{org}/directories/{directory}/groups/{id}/memberships/{member}",
        memberships::remove,
    ),
    role(
        "POST v1/users/{id}/roles/assign",
        "/v1/orgs/{org}/users/{id}/roles/assign",
        role_writes::assign_to_user,
    ),
    role(
        "POST v1/users/{id}/roles/revoke",
        "/v1/orgs/{org}/users/{id}/roles/revoke",
        role_writes::revoke_from_user,
    ),
    role(
        "POST v2/groups/{id}/role-assignments/assign",
        "/v2/orgs/{org}/directories/{directory}/groups/{id}/role-assignments/assign",
        role_writes::assign_to_group,
    ),
    role(
        "POST v2/groups/{id}/role-assignments/revoke",
        "/v2/orgs/{org}/directories/{directory}/groups/{id}/role-assignments/revoke",
        role_writes::revoke_from_group,
    ),
    role(
        "POST v1/users/{id}/role-assignments/assign",
        "/v1/orgs/{org}/users/{id}/role-assignments/assign",
        role_writes::assign_organization_role,
    ),
    role(
        "POST v1/users/{id}/role-assignments/revoke",
        "/v1/orgs/{org}/users/{id}/role-assignments/revoke",
        role_writes::revoke_organization_role,
    ),
    write(
        "POST v2/users/{id}/suspend",
        "POST",
        "/v2/orgs/{org}/directories/{directory}/users/{id}/suspend",
        suspension::suspend,
    ),
    write(
        "POST v2/users/{id}/restore",
        "POST",
        "/v2/orgs/{org}/directories/{directory}/users/{id}/restore",
        suspension::restore,
    ),
    write(
        "DELETE v2/users/{id}",
        "DELETE",
        "/v2/orgs/{org}/directories/{directory}/users/{id}",
        suspension::remove,
    ),
    write(
        "POST v2/groups",
        "POST",
        "/v2/orgs/{org}/directories/{directory}/groups",
        group_writes::create,
    ),
    write(
        "DELETE v2/groups/{id}",
        "DELETE",
        "/v2/orgs/{org}/directories/{directory}/groups/{id}",
        group_writes::delete,
    ),
    write(
        "POST v2/users/invite",
        "POST",
        "/v2/orgs/{org}/users/invite",
        invitations::invite,
    ),
    account(
        "POST users/{id}/manage/lifecycle/delete",
        "POST",
        "/users/{id}/manage/lifecycle/delete",
        lifecycle_writes::delete,
    ),
    account(
        "POST users/{id}/manage/lifecycle/cancel-delete",
        "POST",
        "/users/{id}/manage/lifecycle/cancel-delete",
        lifecycle_writes::cancel_delete,
    ),
    account(
        "POST users/{id}/manage/lifecycle/disable",
        "POST",
        "/users/{id}/manage/lifecycle/disable",
        lifecycle_writes::disable,
    ),
    account(
        "POST users/{id}/manage/lifecycle/enable",
        "POST",
        "/users/{id}/manage/lifecycle/enable",
        lifecycle_writes::enable,
    ),
    account(
        "DELETE users/{id}/manage/api-tokens/{token}",
        "DELETE",
        "/users/{id}/manage/api-tokens/{token}",
        lifecycle_writes::revoke_token,
    ),
    account(
        "PATCH users/{id}/manage/profile",
        "PATCH",
        "/users/{id}/manage/profile",
        profile_writes::set_profile,
    ),
    account(
        "PUT users/{id}/manage/email",
        "PUT",
        "/users/{id}/manage/email",
        profile_writes::set_email,
    ),
    Endpoint {
        scopes: &["write:keys:admin"],
        ..write(
            "POST api-access/v1/api-keys",
            "POST",
            "/api-access/v1/orgs/{org}/api-keys",
            access_writes::create_key,
        )
    },
    Endpoint {
        scopes: &["delete:keys:admin"],
        ..write(
            "PATCH api-access/v1/api-keys/revoke/{key}",
            "PATCH",
            "/api-access/v1/orgs/{org}/api-keys/revoke/{key}",
            access_writes::revoke_key,
        )
    },
    Endpoint {
        scopes: &["delete:tokens:admin"],
        alarming: true,
        ..write(
            "DELETE api-access/v1/api-tokens",
            "DELETE",
            "/api-access/v1/orgs/{org}/api-tokens",
            access_writes::revoke_all_tokens,
        )
    },
];
