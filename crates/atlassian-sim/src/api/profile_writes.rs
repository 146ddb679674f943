//! Writes of a managed account's profile (§9): its name and its e-mail address.

use http::StatusCode;

use super::lifecycle::{account, profile_json};
use super::writes::{Outcome, members, optional, required};
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::Organization;
use crate::model::step::Step;

pub(crate) fn set_profile(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let number = account(call, org)?;
    let body = members(call)?;
    let name = optional(&body, "name")?;
    if name.is_some_and(|n| n.trim().is_empty()) {
        return Err(ApiError::bad_parameter("`name` is empty"));
    }
    let before = org.profile(number).name;
    let answer = profile_json(org, number, name.unwrap_or(&before));
    let changed = name.filter(|n| *n != before);
    let steps = changed.map(|n| Step::SetName(number, n.to_owned()));
    Ok(Outcome::answered(&answer, steps.into_iter().collect()))
}

pub(crate) fn set_email(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let number = account(call, org)?;
    let body = members(call)?;
    let email = required(&body, "email")?;
    let is_address = email.contains('@') && !email.contains(char::is_whitespace);
    if !is_address || !org.has_verified(email) {
        return Err(ApiError::bad_parameter(
            "`email` must be an address of a verified domain",
        ));
    }
    match org.find_email(email) {
        Some(owner) if owner != number => {
            return Err(ApiError::lifecycle_conflict(
                "another account has this address",
            ));
        }
        _ => {}
    }
    let is_new = org.profile(number).email.value().map(String::as_str) != Some(email);
    let step = is_new.then(|| Step::SetEmail(number, email.to_owned()));
    Ok(Outcome {
        status: StatusCode::NO_CONTENT,
        body: Vec::new(),
        steps: step.into_iter().collect(),
    })
}
