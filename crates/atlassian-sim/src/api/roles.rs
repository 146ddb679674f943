//! Role assignments of users (effective) and groups (§7.1, §7.2): one item per resource.

use serde::{Deserialize, Serialize};

use super::{groups, users};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::profile::{Character, Member};
use crate::model::roles::{Holding, Methods};
use crate::model::{Membership, Organization, Resource, Scope};
use crate::paging::{LIST, ListRequest, Page, size_from_text};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct AssignmentFilter {
    directory_ids: Vec<String>,
    resource_owners: Vec<String>,
    resource_ids: Vec<String>,
    role_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Assignment<'a> {
    resource_id: &'a str,
    resource_owner: &'a str,
    #[serde(skip_serializing_if = "Member::is_missing")]
    roles: Member<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    role_assignments: Member<Vec<RoleJson<'a>>>,
    directory_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    user_directory_status: Member<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RoleJson<'a> {
    role: &'a str,
    role_assignment_methods: Vec<&'static str>,
}

/// How an answer shows roles: the deprecated list, the new one, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Both,
    Old,
    New,
}

pub(crate) fn of_user(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let scope = call.scope(org)?;
    let number = users::find(call, org, scope)?;
    let shape = match org.character(number) {
        Character::OldShapeRoles => Shape::Old,
        Character::NewShapeRoles => Shape::New,
        _ => Shape::Both,
    };
    let membership = |resource: &Resource| match (resource.directory, org.user(number)) {
        (Some(d), Some(user)) => match user.membership(d) {
            Membership::None => Member::Null,
            found => Member::Value(found.as_str()),
        },
        _ => Member::Null,
    };
    page(call, org, scope, &org.effective(number), shape, membership)
}

pub(crate) fn of_group(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let scope = call.scope(org)?;
    let number = groups::find(call, org, scope)?;
    page(
        call,
        org,
        scope,
        &org.group_holdings(number),
        Shape::Both,
        |_| Member::Missing,
    )
}

fn page(
    call: &Call<'_>,
    org: &Organization,
    scope: Scope,
    holdings: &[Holding],
    shape: Shape,
    membership: impl Fn(&Resource) -> Member<&'static str>,
) -> Result<Vec<u8>, ApiError> {
    let query = &call.query;
    let request = ListRequest::open(call, query.get("cursor"), || {
        let filter = AssignmentFilter {
            directory_ids: query.all("directoryIds"),
            resource_owners: query.all("resourceOwners"),
            resource_ids: query.all("resourceIds"),
            role_ids: query.all("roleIds"),
        };
        Ok((
            filter,
            size_from_text("limit", query.get_raw("limit"), LIST)?,
        ))
    })?;
    let rows: Vec<(&Holding, &Resource)> = holdings
        .iter()
        .filter_map(|h| org.resources.get(h.resource as usize).map(|r| (h, r)))
        .filter(|(h, r)| matches(org, &request.filters, scope, h, r))
        .collect();
    // The resource's number is the key: a role more or less on one resource moves no other item.
    let slice = request.slice(call, |after| {
        rows.iter()
            .map(|(h, _)| u64::from(h.resource))
            .filter(move |k| after.is_none_or(|a| *k > a))
    });
    let shown = rows
        .iter()
        .filter(|(h, _)| slice.keys.binary_search(&u64::from(h.resource)).is_ok());
    let data: Vec<Assignment<'_>> = shown
        .map(|(h, r)| render(org, h, r, shape, membership(r)))
        .collect();
    Ok(Page::render(call, &slice, data))
}

fn matches(
    org: &Organization,
    filter: &AssignmentFilter,
    scope: Scope,
    holding: &Holding,
    resource: &Resource,
) -> bool {
    let directory_id = resource
        .directory
        .and_then(|d| org.directories.get(usize::from(d)))
        .map(|d| &d.id);
    // Platform items belong to no directory and are shown in each (assumed).
    let in_scope = match (scope, resource.directory) {
        (Scope::One(wanted), Some(d)) => wanted == d,
        _ => true,
    };
    let has_role = |roles: &[String]| {
        holding
            .roles
            .iter()
            .any(|(r, _)| roles.iter().any(|wanted| wanted == org.role_name(*r)))
    };
    in_scope
        && (filter.directory_ids.is_empty()
            || directory_id.is_some_and(|d| filter.directory_ids.contains(d)))
        && (filter.resource_owners.is_empty() || filter.resource_owners.contains(&resource.owner))
        && (filter.resource_ids.is_empty() || filter.resource_ids.contains(&resource.ari))
        && (filter.role_ids.is_empty() || has_role(&filter.role_ids))
}

fn render<'a>(
    org: &'a Organization,
    holding: &Holding,
    resource: &'a Resource,
    shape: Shape,
    status: Member<&'static str>,
) -> Assignment<'a> {
    let names = || {
        holding
            .roles
            .iter()
            .map(|(r, _)| org.role_name(*r))
            .collect::<Vec<_>>()
    };
    let json = |(role, methods): &(u16, Methods)| RoleJson {
        role: org.role_name(*role),
        role_assignment_methods: methods.words().collect(),
    };
    let empty = holding.roles.is_empty();
    let roles = match shape {
        Shape::New => Member::Missing,
        _ if empty => Member::Null,
        _ => Member::Value(names()),
    };
    let role_assignments = match shape {
        Shape::Old => Member::Missing,
        _ => Member::Value(holding.roles.iter().map(json).collect()),
    };
    Assignment {
        resource_id: &resource.ari,
        resource_owner: &resource.owner,
        roles,
        role_assignments,
        directory_id: resource
            .directory
            .and_then(|d| org.directories.get(usize::from(d)))
            .map(|d| d.id.as_str()),
        user_directory_status: status,
    }
}
