//! Writes of group memberships (§5.4).

use super::writes::{Outcome, directory, group, members, required, user};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::Change;
use crate::model::{AccountStatus, Group, Membership, Organization};

pub(crate) fn add(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    directory(call, org)?;
    let body = members(call)?;
    let account_id = required(&body, "accountId")?;
    let group = group(call, org)?;
    add_to(call, org, group, account_id)
}

/// Adds an account to a group, whatever the path looked like.
pub(super) fn add_to(
    call: &Call<'_>,
    org: &Organization,
    group: u32,
    account_id: &str,
) -> Result<Outcome, ApiError> {
    let record = modifiable(org, group)?;
    let (number, account) = user(org, account_id)?;
    if account.membership(record.directory) == Membership::None {
        return Err(ApiError::unknown(
            "ADMIN-UAM-404-1",
            "user in the group's directory",
            account_id,
        ));
    }
    let is_member = record.members.binary_search(&number).is_ok();
    if is_member && call.writes.readd_conflicts {
        return Err(ApiError::conflict("the user is a member already"));
    }
    if !is_member {
        if account.account != AccountStatus::Active {
            return Err(ApiError::inactive_user(account_id));
        }
        if call.writes.organization_units && org.gives_organization_admin(group) {
            return Err(ApiError::group_forbidden(
                "organization admins are made by a role assignment",
            ));
        }
        let full = record
            .roles
            .iter()
            .find(|entry| !org.has_seats(entry.resource, &[number]));
        if let Some(entry) = full {
            return Err(ApiError::licence_limit(org.ari(entry.resource)));
        }
    }
    Ok(Outcome::done(vec![Change::AddMember {
        group_id: org.group_id(group),
        account_id: account_id.to_owned(),
    }]))
}

pub(crate) fn remove(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let group = group(call, org)?;
    remove_from(call, org, group)
}

/// Ends the membership of the path's member, whatever else the path looked like.
pub(super) fn remove_from(
    call: &Call<'_>,
    org: &Organization,
    group: u32,
) -> Result<Outcome, ApiError> {
    let account_id = call.param("member");
    let record = modifiable(org, group)?;
    let (number, _) = user(org, account_id)?;
    if record.members.binary_search(&number).is_err() {
        return if call.writes.absent_removal_succeeds {
            Ok(Outcome::done(Vec::new()))
        } else {
            Err(ApiError::unknown("ADMIN-UAM-404-1", "member", account_id))
        };
    }
    let lost = |user: u32, source: Option<u32>| user == number && source == Some(group);
    if call.writes.protect_last_admin && org.leaves_no_admin(lost) {
        return Err(ApiError::last_admin());
    }
    Ok(Outcome::done(vec![Change::RemoveMember {
        group_id: org.group_id(group),
        account_id: account_id.to_owned(),
    }]))
}

/// A group whose members may be changed here.
fn modifiable(org: &Organization, group: u32) -> Result<&Group, ApiError> {
    let record = org
        .group(group)
        .ok_or_else(|| ApiError::unknown("ADMIN-UAM-404-3", "group", &org.group_id(group)))?;
    if record.synced {
        return Err(ApiError::forbidden(
            "an identity provider manages the members of this group",
        ));
    }
    Ok(record)
}
