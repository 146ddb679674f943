//! Users of an identity provider (§11): create, list, read, replace, patch, delete, and the static documents.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::writes::Outcome;
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::Change;
use crate::model::scim::{ScimAccountId, ScimRecord, primary_email};
use crate::model::step::{AccountChange, Step};
use crate::model::{Membership, Organization};
use crate::paging::to_json;

const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ATLASSIAN_SCHEMA: &str = "urn:scim:schemas:extension:atlassian-external:1.0";
const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Attributes that the server decides.
const READ_ONLY: [&str; 5] = ["id", "meta", "schemas", "groups", ATLASSIAN_SCHEMA];
/// Largest page.
const MAX_COUNT: usize = 100;

fn directory(call: &Call<'_>, org: &Organization) -> Result<u8, ApiError> {
    let id = call.param("directory");
    org.find_directory(id)
        .ok_or_else(|| ApiError::scim(StatusCode::NOT_FOUND, "", format!("no directory {id}")))
}

fn record<'a>(call: &Call<'_>, org: &'a Organization) -> Result<(u32, &'a ScimRecord), ApiError> {
    let id = call.param("id");
    org.find_scim(directory(call, org)?, id).ok_or_else(|| {
        ApiError::scim(
            StatusCode::NOT_FOUND,
            "",
            format!("Resource {id} not found"),
        )
    })
}

pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let directory = directory(call, org)?;
    let number = |name: &str, default: usize| match call.query.get(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| invalid(format!("`{name}` is not a number"))),
    };
    let start: usize = number("startIndex", 1)?.max(1);
    let count = number("count", MAX_COUNT)?.min(MAX_COUNT);
    let filter = call.query.get("filter").map(parse_filter).transpose()?;
    let found: Vec<_> = org
        .scim_of(directory)
        .filter(|(_, r)| {
            filter
                .as_ref()
                .is_none_or(|(name, value)| r.text(name).eq_ignore_ascii_case(value))
        })
        .collect();
    let shown = found.iter().skip(start - 1).take(count);
    let resources = shown
        .map(|(n, r)| render(call, org, *n, r, r.shows_account))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(to_json(&json!({
        "schemas": [LIST_SCHEMA],
        "totalResults": found.len(),
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })))
}

/// One `eq` on `userName` or `externalId`.
fn parse_filter(text: &str) -> Result<(&'static str, String), ApiError> {
    let wrong = || ApiError::scim(StatusCode::BAD_REQUEST, "invalidFilter", text.to_owned());
    let (name, rest) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let (operator, value) = rest.trim().split_once(' ').ok_or_else(wrong)?;
    let value: String = serde_json::from_str(value.trim()).map_err(|_| wrong())?;
    let known = ["userName", "externalId"];
    let name = known.into_iter().find(|n| n.eq_ignore_ascii_case(name));
    match name {
        Some(name) if operator.eq_ignore_ascii_case("eq") => Ok((name, value)),
        _ => Err(wrong()),
    }
}

pub(crate) fn get(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let (number, record) = record(call, org)?;
    render(call, org, number, record, record.shows_account).map(|user| to_json(&user))
}

pub(crate) fn create(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let directory = directory(call, org)?;
    let attributes = attributes(body(call)?);
    check(org, directory, None, &attributes)?;
    let email = primary_email(&attributes).unwrap_or_default();
    let known = org.find_email(email);
    let next = u32::try_from(org.users.len()).unwrap_or(u32::MAX);
    let account_id = call.scim_account_id;
    let record = ScimRecord {
        directory,
        attributes,
        account: known.unwrap_or(next),
        shows_account: account_id == ScimAccountId::AtOnce,
        gone: false,
    };
    let number = u32::try_from(org.scim.len()).unwrap_or(u32::MAX);
    let answer = render(call, org, number, &record, record.shows_account)?;
    let mut steps = vec![Step::AddScim {
        directory,
        attributes: record.attributes.clone(),
        account_id,
    }];
    if let Some(user) = known {
        let is_in = org
            .user(user)
            .is_some_and(|u| u.membership(directory) != Membership::None);
        if !is_in {
            steps.push(Step::Change(Change::SetMembership {
                account_id: org.account_id(user),
                directory_id: call.param("directory").to_owned(),
                membership: Membership::Active,
            }));
        }
    }
    if !record.is_active() {
        steps.push(Step::ChangeAccount(record.account, AccountChange::Disable));
    }
    Ok(Outcome {
        status: StatusCode::CREATED,
        body: to_json(&answer),
        steps,
    })
}

pub(crate) fn replace(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let attributes = attributes(body(call)?);
    update(call, org, attributes)
}

pub(crate) fn patch(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (_, record) = record(call, org)?;
    let body = body(call)?;
    let operations = body
        .get("Operations")
        .or(body.get("operations"))
        .and_then(Value::as_array)
        .ok_or_else(|| invalid("`Operations` must be a list"))?;
    let mut changed = record.attributes.clone();
    for operation in operations {
        apply(&mut changed, operation)?;
    }
    update(call, org, attributes(changed))
}

/// Applies one operation of a patch. A path is an attribute, or an attribute and one of its members.
fn apply(attributes: &mut Map<String, Value>, operation: &Value) -> Result<(), ApiError> {
    let op = operation["op"].as_str().unwrap_or_default();
    let op = op.to_ascii_lowercase();
    let value = &operation["value"];
    let path = operation["path"].as_str().filter(|p| !p.is_empty());
    match (op.as_str(), path) {
        ("add" | "replace", None) => {
            let members = value
                .as_object()
                .ok_or_else(|| invalid("`value` must be an object without `path`"))?;
            attributes.extend(members.clone());
        }
        ("add" | "replace", Some(path)) => match path.split_once('.') {
            None => {
                attributes.insert(path.to_owned(), value.clone());
            }
            Some((outer, inner)) => {
                let outer = attributes.entry(outer).or_insert_with(|| json!({}));
                let members = outer
                    .as_object_mut()
                    .ok_or_else(|| invalid(format!("`{path}` is not a path")))?;
                members.insert(inner.to_owned(), value.clone());
            }
        },
        ("remove", Some(path)) => {
            attributes.remove(path);
        }
        _ => return Err(invalid("`op` must be add, replace or remove with a path")),
    }
    Ok(())
}

fn update(
    call: &Call<'_>,
    org: &Organization,
    attributes: Map<String, Value>,
) -> Result<Outcome, ApiError> {
    let (number, record) = record(call, org)?;
    check(org, record.directory, Some(number), &attributes)?;
    let changed = ScimRecord {
        attributes,
        ..record.clone()
    };
    let answer = render(call, org, number, &changed, changed.shows_account)?;
    let step = Step::SetScim(number, changed.attributes);
    Ok(Outcome::answered(&answer, vec![step]))
}

pub(crate) fn delete(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, record) = record(call, org)?;
    Ok(Outcome {
        status: StatusCode::NO_CONTENT,
        body: Vec::new(),
        steps: vec![
            Step::RemoveScim(number),
            Step::ChangeAccount(record.account, AccountChange::Disable),
        ],
    })
}

fn body(call: &Call<'_>) -> Result<Map<String, Value>, ApiError> {
    serde_json::from_slice(call.body).map_err(|_| {
        let detail = "the body is not a JSON object";
        ApiError::scim(StatusCode::BAD_REQUEST, "invalidSyntax", detail)
    })
}

fn attributes(mut body: Map<String, Value>) -> Map<String, Value> {
    body.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
    body
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::scim(StatusCode::BAD_REQUEST, "invalidValue", detail)
}

/// Refuses attributes that lack something, an unverified domain, and a name or address that another record has.
fn check(
    org: &Organization,
    directory: u8,
    own: Option<u32>,
    attributes: &Map<String, Value>,
) -> Result<(), ApiError> {
    let name = attributes.get("userName").and_then(Value::as_str);
    let name = name
        .filter(|n| !n.is_empty())
        .ok_or_else(|| invalid("`userName` is required"))?;
    let email = primary_email(attributes)
        .ok_or_else(|| invalid("`emails` needs exactly one primary address"))?;
    let domain = email.rsplit('@').next().unwrap_or_default();
    if !org.domains.iter().any(|d| d.eq_ignore_ascii_case(domain)) {
        return Err(invalid(format!("the domain {domain} is not verified")));
    }
    let same = |r: &ScimRecord| {
        r.text("userName").eq_ignore_ascii_case(name)
            || primary_email(&r.attributes).is_some_and(|e| e.eq_ignore_ascii_case(email))
    };
    let taken = org
        .scim_of(directory)
        .any(|(n, r)| Some(n) != own && same(r));
    if taken {
        let detail =
            format!("Resource [USER]: with email[{email}] or userName[{name}] already exists.");
        return Err(ApiError::scim(StatusCode::CONFLICT, "uniqueness", detail));
    }
    Ok(())
}

fn render(
    call: &Call<'_>,
    org: &Organization,
    number: u32,
    record: &ScimRecord,
    shows_account: bool,
) -> Result<Value, ApiError> {
    let id = org.scim_id(number);
    let directory = call.param("directory");
    let mut user = record.attributes.clone();
    user.insert("active".to_owned(), json!(record.is_active()));
    if shows_account {
        let account = json!({ "atlassianAccountId": org.account_id(record.account) });
        user.insert(ATLASSIAN_SCHEMA.to_owned(), account);
    }
    let location = format!("https://api.atlassian.com/scim/directory/{directory}/Users/{id}");
    let list = |name: &str| {
        let text = call.query.get(name);
        text.map(|t| {
            t.split(',')
                .map(|a| a.trim().to_owned())
                .collect::<Vec<_>>()
        })
    };
    match (list("attributes"), list("excludedAttributes")) {
        (Some(_), Some(_)) => {
            return Err(invalid("`attributes` excludes `excludedAttributes`"));
        }
        (Some(wanted), None) => user.retain(|name, _| wanted.contains(name)),
        (None, Some(unwanted)) => user.retain(|name, _| !unwanted.contains(name)),
        (None, None) => {}
    }
    user.insert("schemas".to_owned(), json!([USER_SCHEMA, ATLASSIAN_SCHEMA]));
    user.insert("id".to_owned(), json!(id));
    user.insert(
        "meta".to_owned(),
        json!({ "resourceType": "User", "location": location }),
    );
    Ok(Value::Object(user))
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
    })))
}
