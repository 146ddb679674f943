//! Groups of an identity provider (§11): create, list, read, replace, patch of members, delete.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};

use super::scim_objects::{
    Attributes, Listing, Projection, body, directory, invalid, not_found, same_name, shown, taken,
    writable,
};
use super::scim_patch::{Kind, Operation, apply, no_path, operations};
use super::writes::Outcome;
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::Organization;
use crate::model::change::Change;
use crate::model::scim::ScimTimes;
use crate::model::scim_groups::ScimGroup;
use crate::model::step::Step;
use crate::paging::to_json;

const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const MEMBERS: &str = "members";

fn group<'a>(call: &Call<'_>, org: &'a Organization) -> Result<(u32, &'a ScimGroup), ApiError> {
    let id = call.param("id");
    org.find_scim_group(directory(call, org)?, id)
        .ok_or_else(|| not_found(id))
}

pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let directory = directory(call, org)?;
    let listing = Listing::of(call, &["displayName", "externalId"])?;
    let projection = Projection::of(call)?;
    let found: Vec<_> = org
        .scim_groups_of(directory)
        .filter(|(_, g)| listing.holds(&g.attributes))
        .collect();
    Ok(listing.page(&found, |(n, g)| render(call, org, &projection, *n, g)))
}

pub(crate) fn get(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let projection = Projection::of(call)?;
    let (number, group) = group(call, org)?;
    Ok(to_json(&render(call, org, &projection, number, group)))
}

pub(crate) fn create(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let directory = directory(call, org)?;
    let projection = Projection::of(call)?;
    let (attributes, members) = parts(org, directory, body(call)?)?;
    let name = display_name(&attributes)?;
    let has_name = |n: u32| {
        org.group(n)
            .is_some_and(|g| g.directory == directory && same_name(&g.name, name))
    };
    let provided = |g: &ScimGroup| same_name(g.text("displayName"), name);
    if org.group_ordinals(None).any(has_name)
        || org.scim_groups_of(directory).any(|(_, g)| provided(g))
    {
        return Err(taken("GROUP", &format!("displayName[{name}]")));
    }
    let number = u32::try_from(org.scim_groups.len()).unwrap_or(u32::MAX);
    let ordinal = u32::try_from(org.groups.len()).unwrap_or(u32::MAX);
    let created = ScimGroup {
        directory,
        times: ScimTimes::new(call.elapsed),
        attributes,
        members,
        group: ordinal,
        gone: false,
    };
    let mut steps = vec![Step::AddScimGroup {
        directory,
        attributes: created.attributes.clone(),
        members: created.members.clone(),
    }];
    steps.extend(memberships(org, ordinal, &[], &created.members));
    Ok(Outcome {
        status: StatusCode::CREATED,
        body: to_json(&render(call, org, &projection, number, &created)),
        steps,
    })
}

pub(crate) fn replace(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, group) = group(call, org)?;
    let (attributes, members) = parts(org, group.directory, body(call)?)?;
    update(call, org, number, group, attributes, members)
}

pub(crate) fn patch(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, group) = group(call, org)?;
    let body = body(call)?;
    let (mut attributes, mut members) = (group.attributes.clone(), group.members.clone());
    for operation in operations(&body)? {
        if operation.path.is_some_and(|p| p.starts_with(MEMBERS)) {
            change_members(org, group.directory, &operation, &mut members)?;
            continue;
        }
        apply(&mut attributes, &operation)?;
        // Without a path, members may be among the attributes.
        if let Some(given) = attributes.remove(MEMBERS) {
            let inner = Operation {
                path: Some(MEMBERS),
                value: Some(&given),
                ..operation
            };
            change_members(org, group.directory, &inner, &mut members)?;
        }
    }
    update(call, org, number, group, writable(attributes), members)
}

/// Carries out an operation on `members`, or on the one that `members[value eq "…"]` selects.
fn change_members(
    org: &Organization,
    directory: u8,
    operation: &Operation<'_>,
    members: &mut Vec<u32>,
) -> Result<(), ApiError> {
    let path = operation.path.unwrap_or(MEMBERS);
    let selected = match path.strip_prefix(MEMBERS) {
        Some("") => None,
        Some(filter) => Some(selection(filter).ok_or_else(|| no_path(path))?),
        None => return Err(no_path(path)),
    };
    let given = match (&selected, operation.value) {
        (Some(id), _) => vec![member(org, directory, id)?],
        (None, None | Some(Value::Null)) => Vec::new(),
        (None, Some(value)) => members_of(org, directory, value)?,
    };
    match operation.kind {
        Kind::Remove if given.is_empty() => members.clear(),
        Kind::Remove => members.retain(|m| !given.contains(m)),
        Kind::Add | Kind::Replace if selected.is_some() => return Err(no_path(path)),
        Kind::Replace => *members = given,
        Kind::Add => {
            let new = given.into_iter().filter(|m| !members.contains(m));
            let new: Vec<u32> = new.collect();
            members.extend(new);
        }
    }
    Ok(())
}

/// The id in `[value eq "…"]`.
fn selection(filter: &str) -> Option<String> {
    let inner = filter.strip_prefix('[')?.strip_suffix(']')?.trim();
    let (name, rest) = inner.split_once(' ')?;
    let (operator, id) = rest.trim().split_once(' ')?;
    let is_value = name.eq_ignore_ascii_case("value") && operator.eq_ignore_ascii_case("eq");
    is_value.then(|| serde_json::from_str(id.trim()).ok())?
}

fn update(
    call: &Call<'_>,
    org: &Organization,
    number: u32,
    group: &ScimGroup,
    attributes: Attributes,
    members: Vec<u32>,
) -> Result<Outcome, ApiError> {
    let projection = Projection::of(call)?;
    if display_name(&attributes)? != group.text("displayName") {
        let detail = "`displayName` cannot be changed";
        return Err(ApiError::scim(
            StatusCode::BAD_REQUEST,
            "mutability",
            detail,
        ));
    }
    let mut changed = ScimGroup {
        attributes,
        members,
        ..group.clone()
    };
    if changed.attributes != group.attributes || changed.members != group.members {
        changed.times.modified = call.elapsed;
    }
    let answer = render(call, org, &projection, number, &changed);
    let moved = memberships(org, group.group, &group.members, &changed.members);
    let first = Step::SetScimGroup(number, changed.attributes, changed.members);
    let steps = std::iter::once(first).chain(moved).collect();
    Ok(Outcome::answered(&answer, steps))
}

pub(crate) fn delete(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, group) = group(call, org)?;
    Ok(Outcome {
        status: StatusCode::NO_CONTENT,
        body: Vec::new(),
        steps: vec![
            Step::RemoveScimGroup(number),
            Step::Change(Change::RemoveGroup {
                group_id: org.group_id(group.group),
            }),
        ],
    })
}

/// The attributes and members of a whole group.
fn parts(
    org: &Organization,
    directory: u8,
    body: Attributes,
) -> Result<(Attributes, Vec<u32>), ApiError> {
    let mut attributes = writable(body);
    let members = match attributes.remove(MEMBERS) {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => members_of(org, directory, &value)?,
    };
    Ok((attributes, members))
}

fn display_name(attributes: &Attributes) -> Result<&str, ApiError> {
    let name = attributes.get("displayName").and_then(Value::as_str);
    name.filter(|n| !n.trim().is_empty())
        .ok_or_else(|| invalid("`displayName` is required"))
}

/// The provider's users that a value of `members` names, each once.
fn members_of(org: &Organization, directory: u8, value: &Value) -> Result<Vec<u32>, ApiError> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        Value::Object(_) => std::slice::from_ref(value),
        _ => return Err(invalid("`members` must be a list")),
    };
    let mut found = Vec::new();
    for entry in list {
        let id = entry["value"].as_str();
        let id = id.ok_or_else(|| invalid("a member needs a `value`"))?;
        let member = member(org, directory, id)?;
        if !found.contains(&member) {
            found.push(member);
        }
    }
    Ok(found)
}

fn member(org: &Organization, directory: u8, id: &str) -> Result<u32, ApiError> {
    org.find_scim(directory, id)
        .map(|(number, _)| number)
        .ok_or_else(|| invalid(format!("no user {id}")))
}

/// The changes of the directory's group. An account that is not in the directory does not become a member.
fn memberships(org: &Organization, group: u32, before: &[u32], after: &[u32]) -> Vec<Step> {
    let accounts = |records: &[u32]| -> BTreeSet<u32> {
        let found = records.iter().filter_map(|n| org.scim.get(*n as usize));
        found.map(|r| r.account).collect()
    };
    let (before, after) = (accounts(before), accounts(after));
    let group_id = org.group_id(group);
    let removed = before.difference(&after).map(|n| Change::RemoveMember {
        group_id: group_id.clone(),
        account_id: org.account_id(*n),
    });
    let added = after.difference(&before).map(|n| Change::AddMember {
        group_id: group_id.clone(),
        account_id: org.account_id(*n),
    });
    removed.chain(added).map(Step::Change).collect()
}

fn render(
    call: &Call<'_>,
    org: &Organization,
    projection: &Projection,
    number: u32,
    group: &ScimGroup,
) -> Value {
    let members = group.members.iter().filter_map(|n| {
        let record = org.scim.get(*n as usize).filter(|r| !r.gone)?;
        let named = [record.text("displayName"), record.text("userName")];
        let display = named.into_iter().find(|t| !t.is_empty());
        Some(json!({ "value": org.scim_id(*n), "display": display, "type": "User" }))
    });
    let mut object = group.attributes.clone();
    object.insert(MEMBERS.to_owned(), members.collect());
    shown(
        call,
        projection,
        "Group",
        &[GROUP_SCHEMA],
        (&org.scim_group_id(number), group.times),
        object,
    )
}
