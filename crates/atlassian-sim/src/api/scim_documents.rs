//! The static documents of an identity provider API (§11): what it can do, and which objects and attributes it has.

use serde_json::{Value, json};

use super::scim_objects::{ATLASSIAN_SCHEMA, MAX_COUNT};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::Organization;
use crate::paging::to_json;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// What a schema states of one attribute: its name, type, and words for all that is not usual.
type Row = (&'static str, &'static str, &'static str);

const USER: [Row; 15] = [
    ("userName", "string", "required unique"),
    ("name", "complex", ""),
    ("displayName", "string", ""),
    ("nickName", "string", ""),
    ("title", "string", ""),
    ("preferredLanguage", "string", ""),
    ("department", "string", ""),
    ("organization", "string", ""),
    ("timezone", "string", ""),
    ("active", "boolean", ""),
    ("emails", "complex", "required many"),
    ("phoneNumbers", "complex", "many"),
    ("externalId", "string", ""),
    ("groups", "complex", "many read"),
    ("id", "string", "read unique"),
];
const GROUP: [Row; 4] = [
    ("displayName", "string", "required unique immutable"),
    ("members", "complex", "many"),
    ("externalId", "string", ""),
    ("id", "string", "read unique"),
];
const EXTENSION: [Row; 3] = [
    ("organization", "string", ""),
    ("department", "string", ""),
    ("employeeNumber", "string", ""),
];
const ACCOUNT: [Row; 1] = [("atlassianAccountId", "string", "read")];

fn schema(id: &str, name: &str, rows: &[Row]) -> Value {
    let attribute = |(name, kind, words): &Row| {
        let has = |word: &str| words.split(' ').any(|w| w == word);
        let mutability = match (has("read"), has("immutable")) {
            (true, _) => "readOnly",
            (_, true) => "immutable",
            _ => "readWrite",
        };
        json!({
            "name": name,
            "type": kind,
            "multiValued": has("many"),
            "required": has("required"),
            "caseExact": *name == "externalId",
            "mutability": mutability,
            "returned": if *name == "id" { "always" } else { "default" },
            "uniqueness": if has("unique") { "server" } else { "none" },
        })
    };
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": id,
        "name": name,
        "attributes": rows.iter().map(attribute).collect::<Vec<_>>(),
    })
}

fn listed(resources: &[Value]) -> Vec<u8> {
    to_json(&json!({
        "schemas": [LIST],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    }))
}

#[allow(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn schemas(_: &Call<'_>, _: &Organization) -> Result<Vec<u8>, ApiError> {
    Ok(listed(&[
        schema("urn:ietf:params:scim:schemas:core:2.0:User", "User", &USER),
        schema(
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            "Group",
            &GROUP,
        ),
        schema(ENTERPRISE, "Enterprise User", &EXTENSION),
        schema(ATLASSIAN_SCHEMA, "Atlassian External", &ACCOUNT),
    ]))
}

#[allow(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn resource_types(_: &Call<'_>, _: &Organization) -> Result<Vec<u8>, ApiError> {
    let one = |name: &str, extensions: &[&str]| {
        let extensions = extensions.iter();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": format!("/{name}s"),
            "schema": format!("urn:ietf:params:scim:schemas:core:2.0:{name}"),
            "schemaExtensions": extensions
                .map(|s| json!({ "schema": s, "required": false }))
                .collect::<Vec<_>>(),
        })
    };
    Ok(listed(&[
        one("User", &[ENTERPRISE, ATLASSIAN_SCHEMA]),
        one("Group", &[]),
    ]))
}

#[allow(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn provider_config(_: &Call<'_>, _: &Organization) -> Result<Vec<u8>, ApiError> {
    Ok(to_json(&json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false },
        "filter": { "supported": true, "maxResults": MAX_COUNT },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": false },
        "authenticationSchemes": [{ "type": "oauthbearertoken", "name": "Bearer token", "primary": true }],
    })))
}
