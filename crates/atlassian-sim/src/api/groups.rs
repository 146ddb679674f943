//! Groups of the v2 API: the `GET` list, its successor the search, one group, their number, statistics (§5.1 to §5.3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::filters::{self, Sort, Union};
use super::user_filter::holdings_match;
use crate::api::users::flaws;
use crate::call::Call;
use crate::errors::ApiError;
use crate::flaws::SearchFlaws;
use crate::model::profile::Member;
use crate::model::{Group, Organization, Scope};
use crate::paging::{LIST, ListRequest, Page, size_from_json, size_from_text, to_json};
use crate::query::Query;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct GroupFilter {
    directory_ids: Vec<String>,
    account_ids: Vec<String>,
    group_ids: Vec<String>,
    group_names: Vec<String>,
    resource_owners: Vec<String>,
    resource_ids: Vec<String>,
    role_ids: Vec<String>,
    search_term: Option<String>,
    sort: Option<Sort>,
    count_users: bool,
    count_resources: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupJson<'a> {
    id: String,
    name: &'a str,
    #[serde(skip_serializing_if = "Member::is_missing")]
    description: &'a Member<String>,
    directory_id: &'a str,
    external_synced: bool,
    managed_by: &'static str,
    management_access: Access,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    links: SelfLink,
}

#[derive(Debug, Serialize)]
struct Access {
    deletable: bool,
    modifiable: bool,
    readable: bool,
}

#[derive(Debug, Serialize)]
struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<usize>,
}

#[derive(Debug, Serialize)]
struct SelfLink {
    #[serde(rename = "self")]
    this: String,
}

pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let scope = call.scope(org)?;
    let query = &call.query;
    let request = ListRequest::open(call, query.get("cursor"), || {
        Ok((
            GroupFilter::from_query(query)?,
            size_from_text("limit", query.get_raw("limit"), LIST)?,
        ))
    })?;
    Ok(page(call, org, scope, &request))
}

pub(crate) fn search(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    search_in(call, org, call.scope(org)?)
}

/// The v1 search, which knew no directories in its path.
pub(crate) fn search_everywhere(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    search_in(call, org, Scope::All)
}

fn search_in(call: &Call<'_>, org: &Organization, scope: Scope) -> Result<Vec<u8>, ApiError> {
    let body = call.json_object()?;
    let cursor = filters::text(&body, "cursor")?;
    let request = ListRequest::open(call, cursor.as_deref(), || {
        let filter = GroupFilter::from_body(&body)?;
        Ok((filter, size_from_json("limit", body.get("limit"), LIST)?))
    })?;
    Ok(page(call, org, scope, &request))
}

impl GroupFilter {
    fn from_query(query: &Query) -> Result<Self, ApiError> {
        let filter = Self {
            directory_ids: query.all("directoryIds"),
            account_ids: query.all("accountIds"),
            group_ids: query.all("groupIds"),
            group_names: Vec::new(),
            resource_owners: query.all("resourceOwners"),
            resource_ids: query.all("resourceIds"),
            role_ids: query.all("roleIds"),
            search_term: query.get("searchTerm").map(str::to_lowercase),
            sort: filters::sort_from_query(query, "name")?,
            count_users: query.flag("counts.includeUsers")? == Some(true),
            count_resources: query.flag("counts.includeResources")? == Some(true),
        };
        filters::require_known_roles(&filter.role_ids)?;
        Ok(filter)
    }

    fn from_body(body: &Map<String, Value>) -> Result<Self, ApiError> {
        let words = |name| filters::words(body, name);
        let expand = words("expand")?;
        filters::require_known("expand", &expand, &["counts.users", "counts.resources"])?;
        let filter = Self {
            directory_ids: words("directoryIds")?,
            account_ids: words("accountIds")?,
            group_ids: words("groupIds")?,
            group_names: words("groupNames")?
                .iter()
                .map(|n| n.to_lowercase())
                .collect(),
            resource_owners: words("resourceOwners")?,
            resource_ids: words("resourceIds")?,
            role_ids: words("roleIds")?,
            search_term: filters::text(body, "searchTerm")?.map(|t| t.to_lowercase()),
            sort: filters::sort_from_body(body, "name")?,
            count_users: expand.iter().any(|e| e == "counts.users"),
            count_resources: expand.iter().any(|e| e == "counts.resources"),
        };
        filters::require_known_roles(&filter.role_ids)?;
        if !filter.group_names.is_empty()
            && (filter.search_term.is_some() || !filter.group_ids.is_empty())
        {
            return Err(ApiError::bad_parameter(
                "`groupNames` excludes `searchTerm` and `groupIds`",
            ));
        }
        Ok(filter)
    }
}

fn page(
    call: &Call<'_>,
    org: &Organization,
    scope: Scope,
    request: &ListRequest<GroupFilter>,
) -> Vec<u8> {
    let keys = |after: Option<u64>| {
        matching(
            org,
            &request.filters,
            scope,
            after.and_then(|a| u32::try_from(a).ok()),
        )
        .map(u64::from)
    };
    let number = |key: u64| u32::try_from(key).unwrap_or(u32::MAX);
    let slice = match request.filters.sort {
        Some(sort) => {
            let name = |key| {
                org.group(number(key))
                    .map(|g| g.name.to_lowercase())
                    .unwrap_or_default()
            };
            request.slice_by_name(call, keys, name, sort.descending)
        }
        None => request.slice(call, keys),
    };
    let flaws = flaws(call);
    let (users, resources) = (request.filters.count_users, request.filters.count_resources);
    let data: Vec<_> = slice
        .keys
        .iter()
        .filter_map(|k| render(org, number(*k), users, resources, flaws))
        .collect();
    Page::render(call, &slice, data)
}

/// Numbers of matching groups after `after`, in creation order.
fn matching<'a>(
    org: &'a Organization,
    filter: &'a GroupFilter,
    scope: Scope,
    after: Option<u32>,
) -> impl Iterator<Item = u32> + 'a {
    let mut ids: Vec<u32> = filter
        .group_ids
        .iter()
        .filter_map(|id| org.find_group(id))
        .collect();
    ids.sort_unstable();
    let resources = (!filter.resource_ids.is_empty()).then(|| {
        let mut found: Vec<u32> = filter
            .resource_ids
            .iter()
            .filter_map(|id| org.resource_index.get(id).copied())
            .collect();
        found.sort_unstable();
        found
    });
    let directories: Vec<u8> = filter
        .directory_ids
        .iter()
        .filter_map(|d| org.find_directory(d))
        .collect();
    let candidates: Box<dyn Iterator<Item = u32> + 'a> = if filter.account_ids.is_empty() {
        Box::new(org.group_ordinals(after))
    } else {
        let users = filter
            .account_ids
            .iter()
            .filter_map(|id| org.find_user(id))
            .filter_map(|n| org.user(n));
        Box::new(Union::new(
            users.map(|u| u.groups.as_slice()).collect(),
            after,
        ))
    };
    candidates.filter(move |n| {
        let Some(group) = org.group(*n) else {
            return false;
        };
        let in_scope = scope == Scope::All || scope == Scope::One(group.directory);
        let named =
            |names: &[String]| names.is_empty() || names.contains(&group.name.to_lowercase());
        in_scope
            && (filter.group_ids.is_empty() || ids.binary_search(n).is_ok())
            && (filter.directory_ids.is_empty() || directories.contains(&group.directory))
            && named(&filter.group_names)
            && filter
                .search_term
                .as_ref()
                .is_none_or(|t| group.name.to_lowercase().contains(t))
            && roles_match(org, *n, filter, resources.as_deref())
    })
}

fn roles_match(
    org: &Organization,
    number: u32,
    filter: &GroupFilter,
    resources: Option<&[u32]>,
) -> bool {
    if filter.role_ids.is_empty() && filter.resource_owners.is_empty() && resources.is_none() {
        return true;
    }
    let mut holdings = org.group_holdings(number);
    if !filter.resource_owners.is_empty() {
        holdings.retain(|h| {
            org.resources
                .get(h.resource as usize)
                .is_some_and(|r| filter.resource_owners.contains(&r.owner))
        });
    }
    holdings_match(org, &holdings, resources, &filter.role_ids)
}

/// Default groups, the admins' group and groups of an identity provider cannot be deleted.
fn access(group: &Group) -> Access {
    Access {
        deletable: !group.synced && !group.default,
        modifiable: !group.synced,
        readable: true,
    }
}

fn render(
    org: &Organization,
    number: u32,
    count_users: bool,
    count_resources: bool,
    flaws: SearchFlaws,
) -> Option<GroupJson<'_>> {
    let group = org.group(number)?;
    let id = org.group_id(number);
    let directory_id = org
        .directories
        .get(usize::from(group.directory))
        .map_or("", |d| d.id.as_str());
    let counted = |user: &&u32| !flaws.uncounted(org.seed, **user);
    let resources = || {
        if flaws.hides_group_roles(org.seed, number) {
            0
        } else {
            org.group_holdings(number).len()
        }
    };
    let counted_on_request = (count_users || count_resources) && !flaws.no_expansions;
    let counts = counted_on_request.then(|| Counts {
        users: count_users.then(|| group.members.iter().filter(counted).count()),
        resources: count_resources.then(resources),
    });
    Some(GroupJson {
        name: &group.name,
        description: &group.description,
        directory_id,
        external_synced: group.synced,
        managed_by: group.managed_by,
        management_access: access(group),
        counts,
        links: SelfLink {
            this: format!(
                "https://api.atlassian.com/admin/v2/orgs/{}/directories/{directory_id}/groups/{id}",
                org.id
            ),
        },
        id,
    })
}

pub(crate) fn get(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let number = find(call, org, call.scope(org)?)?;
    let data = render(org, number, true, true, SearchFlaws::default());
    Ok(to_json(&json!({ "data": data })))
}

/// The group of the path, if the scope holds it.
pub(crate) fn find(call: &Call<'_>, org: &Organization, scope: Scope) -> Result<u32, ApiError> {
    let id = call.param("id");
    org.find_group(id)
        .filter(|n| {
            org.group(*n)
                .is_some_and(|g| scope == Scope::All || scope == Scope::One(g.directory))
        })
        .ok_or_else(|| ApiError::unknown("ADMIN-404-10", "group", id))
}

pub(crate) fn count(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let filter = GroupFilter::from_query(&call.query)?;
    let count = matching(org, &filter, call.scope(org)?, None).count();
    Ok(to_json(&json!({ "count": count })))
}

pub(crate) fn stats(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let scope = call.scope(org)?;
    let groups = || {
        org.group_ordinals(None)
            .filter_map(|n| org.group(n))
            .filter(|g| scope == Scope::All || scope == Scope::One(g.directory))
    };
    let all = groups().count();
    let synced = groups().filter(|g| g.synced).count();
    let teams = groups().filter(|g| g.managed_by == "team-members").count();
    Ok(to_json(&json!({
        "totals": { "all": all, "managed": all - synced, "synced": synced },
        "types": [
            { "type": "USERBASE_GROUP", "count": all - teams },
            { "type": "TEAM", "count": teams },
        ],
    })))
}
