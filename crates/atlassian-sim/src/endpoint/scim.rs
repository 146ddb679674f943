//! Endpoints of identity providers, at the root path, each with a token of its directory.

use super::{Endpoint, Handler, Life};
use crate::api::scim;
use crate::errors::Family;

const PER_MINUTE: u32 = 600;

const fn row(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    handler: Handler,
) -> Endpoint {
    Endpoint {
        name,
        method,
        path,
        family: Family::Scim,
        scopes: &[],
        per_minute: PER_MINUTE,
        life: Life::Current,
        cursors_last: false,
        handler,
    }
}

const USERS: &str = "/scim/directory/{directory}/Users";
const USER: &str = "/scim/directory/{directory}/Users/{id}";

pub(super) static SCIM: [Endpoint; 7] = [
    row("GET scim/Users", "GET", USERS, Handler::Read(scim::list)),
    row(
        "POST scim/Users",
        "POST",
        USERS,
        Handler::Write(scim::create),
    ),
    row("GET scim/Users/{id}", "GET", USER, Handler::Read(scim::get)),
    row(
        "PUT scim/Users/{id}",
        "PUT",
        USER,
        Handler::Write(scim::replace),
    ),
    row(
        "PATCH scim/Users/{id}",
        "PATCH",
        USER,
        Handler::Write(scim::patch),
    ),
    row(
        "DELETE scim/Users/{id}",
        "DELETE",
        USER,
        Handler::Write(scim::delete),
    ),
    row(
        "GET scim/ServiceProviderConfig",
        "GET",
        "/scim/directory/{directory}/ServiceProviderConfig",
        Handler::Read(scim::provider_config),
    ),
];
