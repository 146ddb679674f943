//! The route table: every path that is served or retired, with its scope, quota and handler.
//!
//! One table instead of one axum route each, because the request log, quotas, faults and cursors all go by the same
//! template.

mod reads;
mod retired;
mod scim;
mod writes;

use crate::api::writes::Outcome;
use crate::call::Call;
use crate::errors::{ApiError, Family};
use crate::model::Organization;
use crate::query::decode_segment;

/// Answers a request with the JSON of a 200, or refuses.
pub(crate) type ReadHandler = fn(&Call<'_>, &Organization) -> Result<Vec<u8>, ApiError>;

/// Decides what a request changes and how it is answered, or refuses. Changes nothing itself.
pub(crate) type WriteHandler = fn(&Call<'_>, &Organization) -> Result<Outcome, ApiError>;

/// What serves an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handler {
    Read(ReadHandler),
    Write(WriteHandler),
}

/// Default quota of writes.
const WRITES_PER_MINUTE: u32 = 100;

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
    /// A client must never call it.
    pub alarming: bool,
    pub handler: Handler,
}

impl Endpoint {
    /// Whether requests for it are meant to change something.
    pub(crate) fn writes(&self) -> bool {
        match self.handler {
            Handler::Read(_) => false,
            Handler::Write(_) => true,
        }
    }
}

/// All endpoints.
pub(crate) fn all() -> impl Iterator<Item = &'static Endpoint> {
    reads::READS
        .iter()
        .chain(&writes::WRITES)
        .chain(&scim::SCIM)
        .chain(&retired::RETIRED)
}

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
    let candidates = all().filter_map(|e| {
        let path = if matches!(e.family, Family::Lifecycle | Family::Scim) {
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
        let mut names: Vec<&str> = all().map(|e| e.name).collect();
        assert!(all().all(|e| e.name.starts_with(e.method)));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count());
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
