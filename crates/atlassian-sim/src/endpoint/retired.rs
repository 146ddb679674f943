//! Endpoints of the v1 API that ended in mid-2026.

use super::{Endpoint, Handler, Life, WRITES_PER_MINUTE};
use crate::api::{groups, retired as retired_writes, users};
use crate::errors::Family;

const fn retired(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    handler: Handler,
) -> Endpoint {
    Endpoint {
        name,
        method,
        path,
        family: Family::Admin,
        scopes: &[],
        per_minute: WRITES_PER_MINUTE,
        life: Life::RetiredV1,
        cursors_last: false,
        alarming: false,
        handler,
    }
}

pub(super) static RETIRED: [Endpoint; 12] = [
    retired(
        "POST v1/users/search",
        "POST",
        "/v1/orgs/{org}/users/search",
        Handler::Read(users::search_everywhere),
    ),
    retired(
        "POST v1/groups/search",
        "POST",
        "/v1/orgs/{org}/groups/search",
        Handler::Read(groups::search_everywhere),
    ),
    retired(
        "POST v1/users/invite",
        "POST",
        "/v1/orgs/{org}/users/invite",
        Handler::Write(retired_writes::invite),
    ),
    retired(
        "POST v1/users/{id}/suspend-access",
        "POST",
        "/v1/orgs/{org}/directory/users/{id}/suspend-access",
        Handler::Write(retired_writes::suspend),
    ),
    retired(
        "POST v1/users/{id}/restore-access",
        "POST",
        "/v1/orgs/{org}/directory/users/{id}/restore-access",
        Handler::Write(retired_writes::restore),
    ),
    retired(
        "DELETE v1/users/{id}",
        "DELETE",
        "/v1/orgs/{org}/directory/users/{id}",
        Handler::Write(retired_writes::remove_user),
    ),
    retired(
        "POST v1/groups",
        "POST",
        "/v1/orgs/{org}/directory/groups",
        Handler::Write(retired_writes::create_group),
    ),
    retired(
        "DELETE v1/groups/{id}",
        "DELETE",
        "/v1/orgs/{org}/directory/groups/{id}",
        Handler::Write(retired_writes::delete_group),
    ),
    retired(
        "POST v1/groups/{id}/roles/assign",
        "POST",
        "/v1/orgs/{org}/directory/groups/{id}/roles/assign",
        Handler::Write(retired_writes::assign_to_group),
    ),
    retired(
        "POST v1/groups/{id}/roles/revoke",
        "POST",
        "/v1/orgs/{org}/directory/groups/{id}/roles/revoke",
        Handler::Write(retired_writes::revoke_from_group),
    ),
    retired(
        "POST v1/groups/{id}/memberships",
        "POST",
        "/v1/orgs/{org}/directory/groups/{id}/memberships",
        Handler::Write(retired_writes::add_member),
    ),
    retired(
        "DELETE v1/groups/{id}/memberships/{member}",
        "DELETE",
        "/v1/orgs/{org}/directory/groups/{id}/memberships/{member}",
        Handler::Write(retired_writes::remove_member),
    ),
];
