//! Organizations and directories (§4.1, §4.2).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::Call;
use crate::errors::ApiError;
use crate::ids::{self, Kind};
use crate::model::{Membership, Organization};
use crate::paging::{FIXED, LIST, Links, ListRequest, Page, size_from_text, to_json};

fn organization_json(id: &str, name: &str) -> Value {
    let own = format!("https://api.atlassian.com/admin/v1/orgs/{id}");
    json!({
        "id": id,
        "type": "orgs",
        "attributes": { "name": name },
        "links": { "self": own },
        "relationships": {
            "domains": { "links": { "related": format!("{own}/domains") } },
            "users": { "links": { "related": format!("{own}/users") } },
        },
    })
}

/// The organizations of the key: one.
pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let request: ListRequest<()> =
        ListRequest::open(call, call.query.get("cursor"), || Ok(((), FIXED.default)))?;
    let slice = request.slice(call, |after| 0..u64::from(after.is_none()));
    let data = slice.keys.iter().map(|_| {
        if call.foreign {
            organization_json(&ids::uuid(org.seed, Kind::Organization, 1), "Other")
        } else {
            organization_json(&org.id, &org.name)
        }
    });
    let links = Links::new(call, &slice, |cursor| call.url_with_cursor(cursor));
    Ok(to_json(&Page {
        data: data.collect(),
        links,
    }))
}

#[allow(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn get(_: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    Ok(to_json(
        &json!({ "data": organization_json(&org.id, &org.name) }),
    ))
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct DirectoryFilter {
    account_id: Option<String>,
    directory_ids: Vec<String>,
    search_term: Option<String>,
}

pub(crate) fn directories(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let request = ListRequest::open(call, call.query.get("cursor"), || {
        let filter = DirectoryFilter {
            account_id: call.query.get("accountId").map(str::to_owned),
            directory_ids: call.query.all("directoryIds"),
            search_term: call.query.get("searchTerm").map(str::to_lowercase),
        };
        Ok((
            filter,
            size_from_text("limit", call.query.get_raw("limit"), LIST)?,
        ))
    })?;
    let filter = &request.filters;
    let user = filter
        .account_id
        .as_deref()
        .map(|id| org.find_user(id).and_then(|n| org.user(n)));
    let slice = request.slice(call, |after| {
        let rows = (0_u8..).zip(&org.directories).filter(move |(n, d)| {
            after.is_none_or(|a| u64::from(*n) > a)
                && user.is_none_or(|u| u.is_some_and(|u| u.membership(*n) != Membership::None))
                && (filter.directory_ids.is_empty() || filter.directory_ids.contains(&d.id))
                && filter
                    .search_term
                    .as_ref()
                    .is_none_or(|t| d.name.to_lowercase().contains(t))
        });
        rows.map(|(n, _)| u64::from(n))
    });
    let data = slice
        .keys
        .iter()
        .filter_map(|k| org.directories.get(usize::try_from(*k).ok()?));
    let data = data
        .map(|d| json!({ "directoryId": d.id, "name": d.name, "icon": null }))
        .collect();
    Ok(Page::render(call, &slice, data))
}
