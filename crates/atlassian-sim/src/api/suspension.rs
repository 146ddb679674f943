//! Suspending, restoring and removing a user, in one directory (§8).

use super::writes::{Outcome, directory, user};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::Change;
use crate::model::{Membership, Organization};

pub(crate) fn suspend(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let directory = directory(call, org)?;
    change(call, org, directory, Membership::Suspended).map(|c| Outcome::done(vec![c]))
}

pub(crate) fn restore(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let directory = directory(call, org)?;
    change(call, org, directory, Membership::Active).map(|c| Outcome::done(vec![c]))
}

pub(crate) fn remove(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let directory = directory(call, org)?;
    change(call, org, directory, Membership::None).map(|c| Outcome::done(vec![c]))
}

/// The change of the path's user in one directory, which the user must be in.
pub(super) fn change(
    call: &Call<'_>,
    org: &Organization,
    directory: u8,
    to: Membership,
) -> Result<Change, ApiError> {
    let id = call.param("id");
    let (number, account) = user(org, id)?;
    if account.membership(directory) == Membership::None {
        return Err(ApiError::unknown(
            "ADMIN-UAM-404-1",
            "user in the directory",
            id,
        ));
    }
    if to == Membership::Suspended && org.is_organization_admin(number) {
        return Err(ApiError::organization_admin());
    }
    let only = account.directories().all(|d| d == directory);
    let lost = |user: u32, source: Option<u32>| {
        let from_here = source.is_none_or(|g| {
            org.group(g)
                .is_some_and(|g| only || g.directory == directory)
        });
        user == number && (only || (source.is_some() && from_here))
    };
    if to == Membership::None && call.writes.protect_last_admin && org.leaves_no_admin(lost) {
        return Err(ApiError::last_admin());
    }
    let directory_id = org
        .directories
        .get(usize::from(directory))
        .map_or_else(String::new, |d| d.id.clone());
    Ok(Change::SetMembership {
        account_id: id.to_owned(),
        directory_id,
        membership: to,
    })
}
