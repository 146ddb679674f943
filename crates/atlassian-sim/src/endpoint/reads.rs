//! Endpoints that read.

use super::{Endpoint, Handler, Life, ReadHandler};
use crate::api::{access, events, groups, lifecycle, managed, orgs, roles, users, workspaces};
use crate::errors::Family;

const READS_PER_MINUTE: u32 = 500;
const EVENTS_PER_MINUTE: u32 = 10;
const STREAM_PER_MINUTE: u32 = 100;

const fn read(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    scopes: &'static [&'static str],
    handler: ReadHandler,
) -> Endpoint {
    Endpoint {
        name,
        method,
        path,
        family: Family::Admin,
        scopes,
        per_minute: READS_PER_MINUTE,
        life: Life::Current,
        cursors_last: false,
        alarming: false,
        handler: Handler::Read(handler),
    }
}

const DIRECTORIES: &[&str] = &["read:directories:admin"];
const GROUPS: &[&str] = &["read:groups:admin"];
const TOKENS: &[&str] = &["read:tokens:admin"];
const EVENT_SCOPE: &[&str] = &["read:events:admin"];

pub(super) static READS: [Endpoint; 28] = [
    read("GET v1/orgs", "GET", "/v1/orgs", &[], orgs::list),
    read(
        "GET v1/orgs/{org}",
        "GET",
        "/v1/orgs/{org}",
        &["read:orgs:admin"],
        orgs::get,
    ),
    read(
        "GET v2/directories",
        "GET",
        "/v2/orgs/{org}/directories",
        DIRECTORIES,
        orgs::directories,
    ),
    Endpoint {
        life: Life::GetList,
        ..read(
            "GET v2/users",
            "GET",
            "/v2/orgs/{org}/directories/{directory}/users",
            DIRECTORIES,
            users::list,
        )
    },
    Endpoint {
        life: Life::Search,
        ..read(
            "POST v2/users/search",
            "POST",
            "/v2/orgs/{org}/directories/{directory}/users/search",
            DIRECTORIES,
            users::search,
        )
    },
    read(
        "GET v2/users/count",
        "GET",
        "/v2/orgs/{org}/directories/{directory}/users/count",
        DIRECTORIES,
        users::count,
    ),
    read(
        "GET v2/users/stats",
        "GET",
        "/v2/orgs/{org}/directories/{directory}/users/stats",
        DIRECTORIES,
        users::stats,
    ),
    read(
        "GET v2/users/{id}",
        "GET",
        "/v2/orgs/{org}/directories/{directory}/users/{id}",
        DIRECTORIES,
        users::get,
    ),
    read(
        "GET v2/users/{id}/role-assignments",
        "GET",
        "/v2/orgs/{org}/directories/{directory}/users/{id}/role-assignments",
        DIRECTORIES,
        roles::of_user,
    ),
    Endpoint {
        life: Life::GetList,
        ..read(
            "GET v2/groups",
            "GET",
            "/v2/orgs/{org}/directories/{directory}/groups",
            GROUPS,
            groups::list,
        )
    },
    Endpoint {
        life: Life::Search,
        ..read(
            "POST v2/groups/search",
            "POST",
            "/v2/orgs/{org}/directories/{directory}/groups/search",
            GROUPS,
            groups::search,
        )
    },
    read(
        "GET v2/groups/count",
        "GET",
        "/v2/orgs/{org}/directories/{directory}/groups/count",
        GROUPS,
        groups::count,
    ),
    read(
        "GET v2/groups/stats",
        "GET",
        "/v2/orgs/{org}/directories/{directory}/groups/stats",
        GROUPS,
        groups::stats,
    ),
    read(
        "GET v2/groups/{id}",
        "GET",
        "/v2/orgs/{org}/directories/{directory}/groups/{id}",
        GROUPS,
        groups::get,
    ),
    read(
        "GET v2/groups/{id}/role-assignments",
        "GET",
        "/v2/orgs/{org}/directories/{directory}/groups/{id}/role-assignments",
        GROUPS,
        roles::of_group,
    ),
    Endpoint {
        family: Family::Workspaces,
        ..read(
            "POST v2/workspaces",
            "POST",
            "/v2/orgs/{org}/workspaces",
            &["read:workspaces:admin"],
            workspaces::list,
        )
    },
    read(
        "GET api-access/v1/api-tokens",
        "GET",
        "/api-access/v1/orgs/{org}/api-tokens",
        TOKENS,
        access::tokens,
    ),
    read(
        "GET api-access/v1/api-tokens/count",
        "GET",
        "/api-access/v1/orgs/{org}/api-tokens/count",
        TOKENS,
        access::token_count,
    ),
    read(
        "GET api-access/v1/api-keys",
        "GET",
        "/api-access/v1/orgs/{org}/api-keys",
        &["read:keys:admin", "read:tokens:admin"],
        access::keys,
    ),
    Endpoint {
        per_minute: EVENTS_PER_MINUTE,
        ..read(
            "GET v1/events",
            "GET",
            "/v1/orgs/{org}/events",
            EVENT_SCOPE,
            events::list,
        )
    },
    Endpoint {
        per_minute: STREAM_PER_MINUTE,
        cursors_last: true,
        ..read(
            "GET v1/events-stream",
            "GET",
            "/v1/orgs/{org}/events-stream",
            EVENT_SCOPE,
            events::stream,
        )
    },
    read(
        "GET v1/events/{id}",
        "GET",
        "/v1/orgs/{org}/events/{id}",
        EVENT_SCOPE,
        events::get,
    ),
    read(
        "GET v1/event-actions",
        "GET",
        "/v1/orgs/{org}/event-actions",
        EVENT_SCOPE,
        events::actions,
    ),
    read(
        "GET v1/users",
        "GET",
        "/v1/orgs/{org}/users",
        &["read:accounts:admin"],
        managed::list,
    ),
    read(
        "GET v1/users/{id}/last-active-dates",
        "GET",
        "/v1/orgs/{org}/directory/users/{id}/last-active-dates",
        DIRECTORIES,
        managed::last_active_dates,
    ),
    Endpoint {
        family: Family::Lifecycle,
        ..read(
            "GET users/{id}/manage",
            "GET",
            "/users/{id}/manage",
            &[],
            lifecycle::permissions,
        )
    },
    Endpoint {
        family: Family::Lifecycle,
        ..read(
            "GET users/{id}/manage/profile",
            "GET",
            "/users/{id}/manage/profile",
            &[],
            lifecycle::profile,
        )
    },
    Endpoint {
        family: Family::Lifecycle,
        ..read(
            "GET users/{id}/manage/api-tokens",
            "GET",
            "/users/{id}/manage/api-tokens",
            &[],
            lifecycle::tokens,
        )
    },
];
