//! The workspace list (§6): a `POST` with its cursor in the body, its own errors, and a small query language.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::past_millis;
use crate::call::Call;
use crate::clock::{from_millis, iso_seconds};
use crate::errors::ApiError;
use crate::model::{Organization, Resource, ResourceKind};
use crate::paging::{LONG_LIST, Links, ListRequest, size_from_json, to_json};
use crate::random::{below, draw};

/// Deepest nesting of a query.
const MAX_QUERY_DEPTH: usize = 16;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct WorkspaceFilter {
    query: Value,
    /// Dotted name of the member to sort by, and whether downwards.
    sort: Option<(String, bool)>,
}

pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let body = call.json_object()?;
    let cursor = super::filters::text(&body, "cursor")?;
    if cursor.is_some() && body.len() > 1 {
        return Err(ApiError::bad_body(
            "with `cursor` no other member is allowed",
        ));
    }
    let request = ListRequest::open(call, cursor.as_deref(), || {
        let query = body.get("query").cloned().unwrap_or_default();
        check_query(&query, 0)?;
        let filter = WorkspaceFilter {
            query,
            sort: sort_of(&body)?,
        };
        Ok((
            filter,
            size_from_json("limit", body.get("limit"), LONG_LIST)?,
        ))
    })?;
    let rows: Vec<(u64, Value)> = (0..)
        .zip(
            org.resources
                .iter()
                .filter(|r| r.kind == ResourceKind::Workspace),
        )
        .map(|(n, r)| (n, render(org, n, r)))
        .filter(|(_, json)| accepts(&request.filters.query, json))
        .collect();
    let keys = |after: Option<u64>| {
        rows.iter()
            .map(|(n, _)| *n)
            .filter(move |n| after.is_none_or(|a| *n > a))
    };
    let row = |key: u64| {
        rows.binary_search_by_key(&key, |(n, _)| *n)
            .ok()
            .map(|place| &rows[place].1)
    };
    let slice = match &request.filters.sort {
        Some((field, descending)) => {
            let name = |key| {
                row(key)
                    .and_then(|json| member(json, field))
                    .map(plain_text)
                    .unwrap_or_default()
            };
            request.slice_by_name(call, keys, name, *descending)
        }
        None => request.slice(call, keys),
    };
    let data: Vec<&Value> = slice.keys.iter().filter_map(|k| row(*k)).collect();
    let links = Links::new(call, &slice, |cursor| {
        if call.paging.workspace_next_is_url {
            call.url_with_cursor(cursor)
        } else {
            cursor.to_owned()
        }
    });
    let end = (request.served + data.len() as u64).saturating_sub(1);
    let meta = json!({ "pageSize": request.page_size, "startIndex": request.served, "endIndex": end, "total": rows.len() });
    Ok(to_json(
        &json!({ "data": data, "links": links, "meta": meta }),
    ))
}

fn sort_of(body: &Map<String, Value>) -> Result<Option<(String, bool)>, ApiError> {
    let wrong = || ApiError::bad_body("`sort` must be a list of one `{field, order}`");
    let entry = match body.get("sort") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) if list.is_empty() => return Ok(None),
        Some(Value::Array(list)) if list.len() == 1 => &list[0],
        Some(_) => return Err(wrong()),
    };
    let field = entry
        .get("field")
        .and_then(Value::as_str)
        .ok_or_else(wrong)?;
    match entry.get("order").and_then(Value::as_str).unwrap_or("asc") {
        "asc" => Ok(Some((field.to_owned(), false))),
        "desc" => Ok(Some((field.to_owned(), true))),
        _ => Err(wrong()),
    }
}

/// Refuses what is not one of the query forms.
fn check_query(query: &Value, depth: usize) -> Result<(), ApiError> {
    let wrong = || {
        ApiError::bad_body(
            "`query` must be one of and, nor, field, searchWorkspaces, features, policies",
        )
    };
    if depth > MAX_QUERY_DEPTH {
        return Err(ApiError::bad_body(format!(
            "`query` is nested deeper than {MAX_QUERY_DEPTH}"
        )));
    }
    let form = match query {
        Value::Null => return Ok(()),
        Value::Object(form) if form.len() == 1 => form,
        _ => return Err(wrong()),
    };
    let (name, inner) = form.iter().next().ok_or_else(wrong)?;
    match (name.as_str(), inner) {
        ("and" | "nor", Value::Array(parts)) => {
            parts.iter().try_for_each(|p| check_query(p, depth + 1))
        }
        ("field", Value::Object(field)) if field.get("name").is_some_and(Value::is_string) => {
            match field.get("values") {
                None | Some(Value::Null | Value::Array(_)) => Ok(()),
                Some(_) => Err(wrong()),
            }
        }
        // Their inner forms are not documented: accepted, and they filter nothing out.
        ("searchWorkspaces" | "features" | "policies", _) => Ok(()),
        _ => Err(wrong()),
    }
}

fn accepts(query: &Value, workspace: &Value) -> bool {
    let Some((name, inner)) = query.as_object().and_then(|form| form.iter().next()) else {
        return true;
    };
    let parts = inner.as_array().map(Vec::as_slice).unwrap_or_default();
    match name.as_str() {
        "and" => parts.iter().all(|p| accepts(p, workspace)),
        "nor" => !parts.iter().any(|p| accepts(p, workspace)),
        "field" => {
            let values = inner
                .get("values")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let found = inner
                .get("name")
                .and_then(Value::as_str)
                .and_then(|n| member(workspace, n));
            values.is_empty() || found.is_some_and(|f| values.iter().any(|v| v == f))
        }
        _ => true,
    }
}

/// The member with a dotted name; `.raw` at the end means the unprocessed text and changes nothing here.
fn member<'a>(json: &'a Value, dotted: &str) -> Option<&'a Value> {
    let dotted = dotted.strip_suffix(".raw").unwrap_or(dotted);
    dotted.split('.').try_fold(json, |at, part| at.get(part))
}

fn plain_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn product_name(key: &str) -> &str {
    match key {
        "jira-software" => "Jira Software",
        "confluence" => "Confluence",
        "jira-servicedesk" => "Jira Service Management",
        "compass" => "Compass",
        "jira-core" => "Jira Work Management",
        "rovo" => "Rovo",
        other => other,
    }
}

fn render(org: &Organization, place: u64, resource: &Resource) -> Value {
    let seed = org.seed;
    let word = draw(seed, 0x3e5, place);
    let status = match below(word, 20) {
        0 if org.odd_data => "offline",
        1 if org.odd_data => "deprecated",
        _ => "online",
    };
    let odd = |n: u64| org.odd_data && place % 7 == n;
    json!({
        "id": resource.ari,
        "type": "workspace",
        "attributes": {
            "name": resource.name,
            "typeKey": resource.owner,
            "type": product_name(&resource.owner),
            "owner": null,
            "status": status,
            "statusDetails": [],
            "icons": {},
            "avatars": {},
            "labels": if odd(3) { Value::Null } else { json!([]) },
            "sandbox": if odd(5) { Value::Null } else { json!({ "type": "NONE" }) },
            "usage": null,
            "capacity": if odd(2) { Value::Null } else { json!(100 * (1 + below(word.rotate_left(9), 50))) },
            "createdAt": iso_seconds(from_millis(past_millis(seed, 0x3e6, place, 2000))),
            "createdBy": format!("ari:cloud:identity::user/{}", org.account_id(0)),
            "updatedAt": null,
            "hostUrl": format!("https://{}.atlassian.net", resource.name),
            "realm": "",
            "regions": [],
        },
        "links": { "self": format!("https://api.atlassian.com/admin/v2/orgs/{}/workspaces/{}", org.id, resource.ari) },
        "relationships": {},
    })
}
