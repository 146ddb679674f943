//! Writes of the v1 API that ended in mid-2026, served on request only. They know no directories in their paths.

use super::role_writes::{Direction, resource_of, role_of_group};
use super::writes::{Outcome, members, message, required, user};
use super::{group_writes, invitations, memberships, suspension};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::Change;
use crate::model::{Membership, Organization};

pub(crate) fn invite(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    invitations::invite(call, org)
}

pub(crate) fn suspend(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let changes = everywhere(call, org, Membership::Suspended)?;
    Ok(message("access suspended", changes))
}

pub(crate) fn restore(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let changes = everywhere(call, org, Membership::Active)?;
    Ok(message("access restored", changes))
}

pub(crate) fn remove_user(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    everywhere(call, org, Membership::None).map(Outcome::done)
}

/// The changes of the path's user in all directories that the user is in.
fn everywhere(
    call: &Call<'_>,
    org: &Organization,
    to: Membership,
) -> Result<Vec<Change>, ApiError> {
    let id = call.param("id");
    let (number, account) = user(org, id)?;
    if account.directories().next().is_none() {
        return Err(ApiError::unknown("ADMIN-UAM-404-1", "user", id));
    }
    let all_of_user = |user: u32, _: Option<u32>| user == number;
    if to == Membership::None && call.writes.protect_last_admin && org.leaves_no_admin(all_of_user)
    {
        return Err(ApiError::last_admin());
    }
    account
        .directories()
        .map(|directory| suspension::change(call, org, directory, to))
        .collect()
}

pub(crate) fn create_group(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    group_writes::create_in(org, 0, &members(call)?)
}

pub(crate) fn delete_group(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    group_writes::delete_one(call, org, group(call, org)?)
}

pub(crate) fn assign_to_group(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    of_group(call, org, Direction::Assign)
}

pub(crate) fn revoke_from_group(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    of_group(call, org, Direction::Revoke)
}

fn of_group(
    call: &Call<'_>,
    org: &Organization,
    direction: Direction,
) -> Result<Outcome, ApiError> {
    let body = members(call)?;
    let role = required(&body, "role")?;
    let resource_id = resource_of(&body, "resource")?;
    role_of_group(org, direction, group(call, org)?, resource_id, role)
}

pub(crate) fn add_member(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let body = members(call)?;
    let account_id = required(&body, "account_id")?;
    memberships::add_to(call, org, group(call, org)?, account_id)
}

pub(crate) fn remove_member(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    memberships::remove_from(call, org, group(call, org)?)
}

/// The group of the path, in whatever directory.
fn group(call: &Call<'_>, org: &Organization) -> Result<u32, ApiError> {
    let id = call.param("id");
    org.find_group(id)
        .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-3", "group", id))
}
