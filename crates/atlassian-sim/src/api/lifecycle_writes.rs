//! Writes of the account API at the root path (§9): deleting, deactivating and their opposites, and revoking a token.

use http::StatusCode;
use serde_json::json;

use super::lifecycle::{account, is_fixed};
use super::writes::{Outcome, members, optional};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::step::{AccountChange, Step};
use crate::model::{AccountStatus, Organization, User};

pub(crate) fn delete(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, user) = changeable(call, org)?;
    if user.for_deletion {
        return Err(ApiError::lifecycle_conflict(
            "the account is scheduled for deletion",
        ));
    }
    let step = Step::ChangeAccount(number, AccountChange::Delete);
    let answer = json!({ "message": "the account is scheduled to be deleted" });
    Ok(Outcome::answered(&answer, vec![step]))
}

pub(crate) fn cancel_delete(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, user) = changeable(call, org)?;
    if !user.for_deletion {
        return Err(ApiError::lifecycle_conflict(
            "the account is not scheduled for deletion",
        ));
    }
    Ok(done(number, AccountChange::CancelDelete))
}

pub(crate) fn disable(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, user) = changeable(call, org)?;
    optional(&members(call)?, "message")?;
    if user.for_deletion || user.account == AccountStatus::Closed {
        return Err(ApiError::lifecycle_conflict(
            "the account is closed or scheduled for deletion",
        ));
    }
    Ok(done(number, AccountChange::Disable))
}

pub(crate) fn enable(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, user) = changeable(call, org)?;
    if user.for_deletion || user.account == AccountStatus::Closed {
        return Err(ApiError::lifecycle_conflict(
            "the account is closed or scheduled for deletion",
        ));
    }
    Ok(done(number, AccountChange::Enable))
}

pub(crate) fn revoke_token(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, _) = managed(call, org)?;
    let id = call.param("token");
    let owned = |n: &u32| {
        org.tokens
            .get(*n as usize)
            .is_some_and(|t| t.owner == number)
    };
    let token = org
        .find_token(id)
        .filter(owned)
        .ok_or_else(|| ApiError::unknown("notFound", "API token", id))?;
    Ok(Outcome {
        status: StatusCode::NO_CONTENT,
        body: Vec::new(),
        steps: vec![Step::RevokeToken(token)],
    })
}

fn managed<'a>(call: &Call<'_>, org: &'a Organization) -> Result<(u32, &'a User), ApiError> {
    let number = account(call, org)?;
    org.user(number)
        .map(|user| (number, user))
        .ok_or_else(|| ApiError::unknown("ADMIN-404-8", "user account", call.param("id")))
}

/// The account of the path, if its life may be changed.
fn changeable<'a>(call: &Call<'_>, org: &'a Organization) -> Result<(u32, &'a User), ApiError> {
    let (number, user) = managed(call, org)?;
    if is_fixed(org, number) {
        return Err(ApiError::lifecycle_forbidden(
            "forbidden.action",
            "the account of an app is changed with the app",
        ));
    }
    Ok((number, user))
}

fn done(user: u32, change: AccountChange) -> Outcome {
    Outcome {
        status: StatusCode::NO_CONTENT,
        body: Vec::new(),
        steps: vec![Step::ChangeAccount(user, change)],
    }
}
