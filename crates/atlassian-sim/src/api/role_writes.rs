//! Writes of roles (§7.3): of users on products and sites, of groups on products, and of organization admins.

use super::writes::{Outcome, directory, group, members, required, user};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::{Change, Principal};
use crate::model::role_rules::{self, Holder};
use crate::model::roles::ORG_ADMIN;
use crate::model::{AccountStatus, Membership, Organization, Resource, User};

const ORGANIZATION_ADMIN: &str = "atlassian/org-admin";

/// Whether a role is given or taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Assign,
    Revoke,
}

impl Direction {
    fn change(self, principal: Principal, resource_id: &str, role: &str) -> Change {
        let (resource_id, role) = (resource_id.to_owned(), role.to_owned());
        match self {
            Self::Assign => Change::AssignRole {
                principal,
                resource_id,
                role,
            },
            Self::Revoke => Change::RevokeRole {
                principal,
                resource_id,
                role,
            },
        }
    }
}

pub(crate) fn assign_to_user(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    of_user(call, org, Direction::Assign)
}

pub(crate) fn revoke_from_user(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    of_user(call, org, Direction::Revoke)
}

pub(crate) fn assign_to_group(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    of_group(call, org, Direction::Assign)
}

pub(crate) fn revoke_from_group(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    of_group(call, org, Direction::Revoke)
}

pub(crate) fn assign_organization_role(
    call: &Call<'_>,
    org: &Organization,
) -> Result<Outcome, ApiError> {
    on_organization(call, org, Direction::Assign)
}

pub(crate) fn revoke_organization_role(
    call: &Call<'_>,
    org: &Organization,
) -> Result<Outcome, ApiError> {
    on_organization(call, org, Direction::Revoke)
}

/// `roles/assign` and `roles/revoke` of a user.
fn of_user(call: &Call<'_>, org: &Organization, direction: Direction) -> Result<Outcome, ApiError> {
    let body = members(call)?;
    let role = required(&body, "role")?;
    if role == ORGANIZATION_ADMIN {
        return organization_admin(call, org, direction);
    }
    let resource_id = resource_of(&body, "resource")?;
    let id = call.param("id");
    let (number, account) = user(org, id)?;
    let (resource, record) = resource(org, resource_id)?;
    if !role_rules::is_valid(Holder::User, role, record) {
        return Err(ApiError::invalid_role(role));
    }
    let held = account
        .roles
        .iter()
        .any(|e| e.resource == resource && org.role_name(e.role) == role && !e.inferred);
    let outside = record
        .directory
        .is_some_and(|d| account.membership(d) == Membership::None);
    if outside && !held {
        return Err(ApiError::unknown(
            "ADMIN-UAM-404-1",
            "user in the resource's directory",
            id,
        ));
    }
    if direction == Direction::Assign && !held {
        require_active(account, id)?;
        if !org.has_seats(resource, &[number]) {
            return Err(ApiError::licence_limit(resource_id));
        }
    }
    let principal = Principal::User(id.to_owned());
    Ok(Outcome::done(vec![direction.change(
        principal,
        resource_id,
        role,
    )]))
}

/// `role-assignments/assign` and `role-assignments/revoke` of a group.
fn of_group(
    call: &Call<'_>,
    org: &Organization,
    direction: Direction,
) -> Result<Outcome, ApiError> {
    directory(call, org)?;
    let body = members(call)?;
    let role = required(&body, "roleId")?;
    let resource_id = resource_of(&body, "resourceId")?;
    let group = group(call, org)?;
    role_of_group(org, direction, group, resource_id, role)
}

/// Gives a role to a group or takes it, whatever the path looked like.
pub(super) fn role_of_group(
    org: &Organization,
    direction: Direction,
    group: u32,
    resource_id: &str,
    role: &str,
) -> Result<Outcome, ApiError> {
    let unknown = || ApiError::unknown("ADMIN-UAM-404-3", "group", &org.group_id(group));
    let record = org.group(group).ok_or_else(unknown)?;
    let (resource, place) = resource(org, resource_id)?;
    if place.directory.is_some_and(|d| d != record.directory) {
        return Err(ApiError::unknown(
            "ADMIN-UAM-404-3",
            "resource in the group's directory",
            resource_id,
        ));
    }
    if record.synced || org.gives_organization_admin(group) {
        return Err(ApiError::forbidden(
            "the roles of this group cannot be changed here",
        ));
    }
    if !role_rules::is_valid(Holder::Group, role, place) {
        return Err(ApiError::invalid_role(role));
    }
    if direction == Direction::Assign && !org.has_seats(resource, &record.members) {
        return Err(ApiError::licence_limit(resource_id));
    }
    let principal = Principal::Group(org.group_id(group));
    Ok(Outcome::done(vec![direction.change(
        principal,
        resource_id,
        role,
    )]))
}

/// `role-assignments/assign` and `role-assignments/revoke` of a user: roles on the organization.
fn on_organization(
    call: &Call<'_>,
    org: &Organization,
    direction: Direction,
) -> Result<Outcome, ApiError> {
    let body = members(call)?;
    let role = required(&body, "role")?;
    if role != ORGANIZATION_ADMIN {
        return Err(ApiError::invalid_role(role));
    }
    organization_admin(call, org, direction)
}

fn organization_admin(
    call: &Call<'_>,
    org: &Organization,
    direction: Direction,
) -> Result<Outcome, ApiError> {
    let id = call.param("id");
    let (number, account) = user(org, id)?;
    let resource = org.organization_resource();
    let held = account
        .roles
        .iter()
        .any(|e| Some(e.resource) == resource && e.role == ORG_ADMIN && !e.inferred);
    let lost = |user: u32, source: Option<u32>| user == number && source.is_none();
    match direction {
        Direction::Assign if !held => {
            if account.directories().next().is_none() {
                return Err(ApiError::unknown(
                    "ADMIN-UAM-404-1",
                    "user in a directory",
                    id,
                ));
            }
            require_active(account, id)?;
        }
        Direction::Revoke
            if held && call.writes.protect_last_admin && org.leaves_no_admin(lost) =>
        {
            return Err(ApiError::last_admin());
        }
        _ => {}
    }
    let resource_id = resource.map_or("", |r| org.ari(r));
    let principal = Principal::User(id.to_owned());
    Ok(Outcome::done(vec![direction.change(
        principal,
        resource_id,
        ORGANIZATION_ADMIN,
    )]))
}

fn require_active(account: &User, id: &str) -> Result<(), ApiError> {
    if account.account == AccountStatus::Active && !account.for_deletion {
        Ok(())
    } else {
        Err(ApiError::inactive_user(id))
    }
}

/// The resource of a body; a missing or empty one has a code of its own.
pub(super) fn resource_of<'a>(
    body: &'a serde_json::Map<String, serde_json::Value>,
    name: &str,
) -> Result<&'a str, ApiError> {
    match body.get(name) {
        Some(serde_json::Value::String(id)) if !id.is_empty() => Ok(id),
        None | Some(serde_json::Value::String(_) | serde_json::Value::Null) => {
            Err(ApiError::resource_missing(name))
        }
        Some(_) => Err(ApiError::bad_parameter(format!("`{name}` must be a text"))),
    }
}

pub(super) fn resource<'a>(
    org: &'a Organization,
    id: &str,
) -> Result<(u32, &'a Resource), ApiError> {
    org.resource_index
        .get(id)
        .and_then(|n| org.resources.get(*n as usize).map(|r| (*n, r)))
        .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-3", "resource", id))
}
