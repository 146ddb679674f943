//! Creating and deleting groups (§5.4).

use serde_json::{Map, Value, json};

use super::writes::{Outcome, directory, group, members, optional, required};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::Change;
use crate::model::step::Step;
use crate::model::{Group, Organization};

/// Longest name of a group (assumed).
const MAX_NAME_CHARS: usize = 255;

pub(crate) fn create(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let directory = directory(call, org)?;
    create_in(org, directory, &members(call)?)
}

/// Creates the group of a body, whatever the path looked like.
pub(super) fn create_in(
    org: &Organization,
    directory: u8,
    body: &Map<String, Value>,
) -> Result<Outcome, ApiError> {
    let name = required(body, "name")?.trim();
    let description = optional(body, "description")?;
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
        return Err(ApiError::bad_parameter(format!(
            "`name` must have 1 to {MAX_NAME_CHARS} characters"
        )));
    }
    let wanted = name.to_lowercase();
    let has_name = |g: &&Group| g.directory == directory && g.name.to_lowercase() == wanted;
    let mut named = org.group_ordinals(None).filter_map(|n| org.group(n));
    if let Some(existing) = named.find(has_name) {
        return Err(if existing.default {
            ApiError::default_group_exists()
        } else {
            ApiError::conflict("a group has this name")
        });
    }
    let ordinal = u32::try_from(org.groups.len()).unwrap_or(u32::MAX);
    let directory_id = org.directories.get(usize::from(directory)).map(|d| &d.id);
    let answer = json!({ "data": {
        "id": org.group_id(ordinal),
        "name": name,
        "description": description.unwrap_or_default(),
        "directoryId": directory_id,
    } });
    let step = Step::AddGroup {
        name: name.to_owned(),
        description: description.map(str::to_owned),
        directory,
    };
    Ok(Outcome::answered(&answer, vec![step]))
}

pub(crate) fn delete(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    delete_one(call, org, group(call, org)?)
}

/// Deletes a group, whatever the path looked like.
pub(super) fn delete_one(
    call: &Call<'_>,
    org: &Organization,
    group: u32,
) -> Result<Outcome, ApiError> {
    let group_id = org.group_id(group);
    let record = org
        .group(group)
        .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-3", "group", &group_id))?;
    let admins = org.gives_organization_admin(group);
    if admins || record.default {
        return Err(ApiError::default_group(admins));
    }
    if record.synced {
        return Err(ApiError::forbidden(
            "an identity provider manages this group",
        ));
    }
    if call.writes.only_empty_groups_go && !record.members.is_empty() {
        return Err(ApiError::group_not_empty());
    }
    Ok(Outcome::done(vec![Change::RemoveGroup { group_id }]))
}
