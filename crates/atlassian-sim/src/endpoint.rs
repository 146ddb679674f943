//! The route table: every path that is served or retired, with its scope, quota and handler.
//!
//! One table instead of one axum route each, because the request log, quotas, faults and cursors all go by the same
//! template. Writes get rows here when they are built.

use crate::api::{access, events, groups, lifecycle, managed, orgs, roles, users, workspaces};
use crate::call::Call;
use crate::errors::{ApiError, Family};
use crate::model::Organization;
use crate::query::decode_segment;

/// Answers a request with the JSON of a 200, or refuses.
pub(crate) type Handler = fn(&Call<'_>, &Organization) -> Result<Vec<u8>, ApiError>;

/// Which generation of the API a path belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Current,
    /// `GET` lists that end in mid-2027.
    GetList,
    /// `POST` searches, their successors.
    Search,
    /// Ended in mid-2026.
    RetiredV1,
}

/// A row of the route table.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Method and short template, for example `GET v2/users`: how the log, quotas and faults call it.
    pub name: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub family: Family,
    /// Any of these scopes will do; none: no scope covers it, scoped keys are refused.
    pub scopes: &'static [&'static str],
    /// Default quota per key.
    pub per_minute: u32,
    pub life: Life,
    /// Cursors can be kept and polled.
    pub cursors_last: bool,
    pub handler: Option<Handler>,
}

const READS_PER_MINUTE: u32 = 500;
const WRITES_PER_MINUTE: u32 = 100;
const EVENTS_PER_MINUTE: u32 = 10;
const STREAM_PER_MINUTE: u32 = 100;

const fn read(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    scopes: &'static [&'static str],
    handler: Handler,
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
        handler: Some(handler),
    }
}

const fn retired(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    handler: Option<Handler>,
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
        handler,
    }
}

const DIRECTORIES: &[&str] = &["read:directories:admin"];
const GROUPS: &[&str] = &["read:groups:admin"];
const TOKENS: &[&str] = &["read:tokens:admin"];
const EVENT_SCOPE: &[&str] = &["read:events:admin"];

/// All endpoints.
pub(crate) static ENDPOINTS: [Endpoint; 40] = [
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
    retired(
        "POST v1/users/search",
        "POST",
        "/v1/orgs/{org}/users/search",
        Some(users::search_everywhere),
    ),
    retired(
        "POST v1/groups/search",
        "POST",
        "/v1/orgs/{org}/groups/search",
        Some(groups::search_everywhere),
    ),
    retired(
        "POST v1/users/invite",
        "POST",
        "/v1/orgs/{org}/users/invite",
        None,
    ),
    retired(
        "POST v1/users/{id}/suspend-access",
        "POST",
        "/v1/orgs/{org}/directory/users/{id}/suspend-access",
        None,
    ),
    retired(
        "POST v1/users/{id}/restore-access",
        "POST",
        "/v1/orgs/{org}/directory/users/{id}/restore-access",
        None,
    ),
    retired(
        "DELETE v1/users/{id}",
        "DELETE",
        "/v1/orgs/{org}/directory/users/{id}",
        None,
    ),
    retired(
        "POST v1/groups",
        "POST",
        "/v1/orgs/{org}/directory/groups",
        None,
    ),
    retired(
        "DELETE v1/groups/{id}",
        "DELETE",
        "/v1/orgs/{org}/directory/groups/{id}",
        None,
    ),
    retired(
        "POST v1/groups/{id}/roles/assign",
        "POST",
        "/v1/orgs/{org}/directory/groups/{id}/roles/assign",
        None,
    ),
    retired(
        "POST v1/groups/{id}/roles/revoke",
        "POST",
        "/v1/orgs/{org}/directory/groups/{id}/roles/revoke",
        None,
    ),
    retired(
        "POST v1/groups/{id}/memberships",
        "POST",
        "/v1/orgs/{org}/directory/groups/{id}/memberships",
        None,
    ),
    retired(
        "DELETE v1/groups/{id}/memberships/{member}",
        "DELETE",
        "/v1/orgs/{org}/directory/groups/{id}/memberships/{member}",
        None,
    ),
];

/// Values of a path's placeholders.
pub(crate) type Params = Vec<(&'static str, String)>;

/// Where a request leads.
#[derive(Debug)]
pub(crate) enum Route {
    Found(&'static Endpoint, Params),
    /// The path exists, the method does not; the endpoint is one that has the path.
    WrongMethod(&'static Endpoint),
    Unknown,
}

/// Finds the endpoint of a method and path. Admin paths work with and without `/admin`, account paths at the root only.
pub(crate) fn route(method: &str, path: &str) -> Route {
    let inner = path
        .strip_prefix("/admin")
        .filter(|rest| rest.starts_with('/'));
    let candidates = ENDPOINTS.iter().filter_map(|e| {
        let path = if e.family == Family::Lifecycle {
            path
        } else {
            inner.unwrap_or(path)
        };
        matched(e.path, path).map(|params| (e, params))
    });
    let mut best: Vec<(&'static Endpoint, Params)> = Vec::new();
    for (endpoint, params) in candidates {
        // `users/count` is never the user `count`: the path with fewer placeholders wins whatever the method.
        match best.first().map(|(_, p)| p.len()) {
            Some(fewest) if params.len() > fewest => continue,
            Some(fewest) if params.len() < fewest => best.clear(),
            _ => {}
        }
        best.push((endpoint, params));
    }
    let any = best.first().map(|(e, _)| *e);
    match best.into_iter().find(|(e, _)| e.method == method) {
        Some((endpoint, params)) => Route::Found(endpoint, params),
        None => any.map_or(Route::Unknown, Route::WrongMethod),
    }
}

fn matched(template: &'static str, path: &str) -> Option<Params> {
    let mut params = Params::new();
    let mut parts = path.split('/');
    for expected in template.split('/') {
        let part = parts.next()?;
        match expected.strip_prefix('{').and_then(|e| e.strip_suffix('}')) {
            Some(name) if !part.is_empty() => params.push((name, decode_segment(part))),
            None if expected == part => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(method: &str, path: &str) -> String {
        match route(method, path) {
            Route::Found(e, _) => e.name.to_owned(),
            Route::WrongMethod(e) => format!("wrong method for {}", e.path),
            Route::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn paths_lead_to_their_endpoints() {
        assert_eq!(
            name("GET", "/v2/orgs/o/directories/-/users/count"),
            "GET v2/users/count"
        );
        assert_eq!(
            name("GET", "/admin/v2/orgs/o/directories/-/users/712020:ab"),
            "GET v2/users/{id}"
        );
        assert!(name("GET", "/v2/orgs/o/directories/-/users/search").starts_with("wrong method"));
        assert_eq!(name("GET", "/admin/v1/orgs"), "GET v1/orgs");
        assert_eq!(name("GET", "/admin/users/a/manage"), "unknown");
        assert_eq!(name("GET", "/users/a/manage"), "GET users/{id}/manage");
        for path in [
            "/",
            "",
            "/admin",
            "/v1/orgs/",
            "/v1/orgs/o/",
            "/adminv1/orgs",
            "/admin/admin/v1/orgs",
        ] {
            assert_eq!(name("GET", path), "unknown", "{path}");
        }
    }

    #[test]
    fn names_are_unique_and_begin_with_the_method() {
        let mut names: Vec<&str> = ENDPOINTS.iter().map(|e| e.name).collect();
        assert!(ENDPOINTS.iter().all(|e| e.name.starts_with(e.method)));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ENDPOINTS.len());
    }

    #[test]
    fn ids_in_paths_are_decoded() {
        let Route::Found(_, params) = route("GET", "/v2/orgs/o/directories/-/users/712020%3Aa%2Fb")
        else {
            panic!("no endpoint");
        };
        assert_eq!(params.last().map(|p| p.1.as_str()), Some("712020:a/b"));
    }
}
