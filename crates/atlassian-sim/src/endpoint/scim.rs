//! Endpoints of identity providers, at the root path, each with a token of its directory.

use super::{Endpoint, Handler, Life, ReadHandler, WriteHandler};
use crate::api::{scim, scim_documents, scim_groups};
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
        alarming: false,
        handler,
    }
}

const fn read(name: &'static str, path: &'static str, handler: ReadHandler) -> Endpoint {
    row(name, "GET", path, Handler::Read(handler))
}

const fn write(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    handler: WriteHandler,
) -> Endpoint {
    row(name, method, path, Handler::Write(handler))
}

const USERS: &str = "/scim/directory/{directory}/Users";
const USER: &str = "/scim/directory/{directory}/Users/{id}";
const GROUPS: &str = "/scim/directory/{directory}/Groups";
const GROUP: &str = "/scim/directory/{directory}/Groups/{id}";

pub(super) static SCIM: [Endpoint; 15] = [
    read("GET scim/Users", USERS, scim::list),
    write("POST scim/Users", "POST", USERS, scim::create),
    read("GET scim/Users/{id}", USER, scim::get),
    write("PUT scim/Users/{id}", "PUT", USER, scim::replace),
    write("PATCH scim/Users/{id}", "PATCH", USER, scim::patch),
    write("DELETE scim/Users/{id}", "DELETE", USER, scim::delete),
    read("GET scim/Groups", GROUPS, scim_groups::list),
    write("POST scim/Groups", "POST", GROUPS, scim_groups::create),
    read("GET scim/Groups/{id}", GROUP, scim_groups::get),
    write("PUT scim/Groups/{id}", "PUT", GROUP, scim_groups::replace),
    write("PATCH scim/Groups/{id}", "PATCH", GROUP, scim_groups::patch),
    write(
        "DELETE scim/Groups/{id}",
        "DELETE",
        GROUP,
        scim_groups::delete,
    ),
    read(
        "GET scim/Schemas",
        "/scim/directory/{directory}/Schemas",
        scim_documents::schemas,
    ),
    read(
        "GET scim/ResourceTypes",
        "/scim/directory/{directory}/ResourceTypes",
        scim_documents::resource_types,
    ),
    read(
        "GET scim/ServiceProviderConfig",
        "/scim/directory/{directory}/ServiceProviderConfig",
        scim_documents::provider_config,
    ),
];
