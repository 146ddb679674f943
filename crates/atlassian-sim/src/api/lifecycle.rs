//! Reads of the account API at the root path (§9): what may be managed, the profile, and one account's API tokens.

use serde_json::{Value, json};

use super::access::token_facts;
use super::past_millis;
use crate::call::Call;
use crate::clock::{from_millis, iso_seconds};
use crate::errors::ApiError;
use crate::model::profile::Character;
use crate::model::{AccountStatus, Organization};
use crate::paging::to_json;

const PRIVILEGES: [&str; 7] = [
    "email.set",
    "lifecycle.delete",
    "lifecycle.enablement",
    "profile",
    "profile.write",
    "profile.read",
    "apiToken.read",
];

/// When the account was deactivated; `None`: it is active.
pub(crate) fn deactivated_millis(org: &Organization, number: u32) -> Option<i64> {
    let user = org.user(number)?;
    (user.account != AccountStatus::Active)
        .then(|| past_millis(org.seed, 0xdea, u64::from(number), 400))
}

/// Whether the account is an app's, which lives as long as the app (assumed).
pub(super) fn is_fixed(org: &Organization, number: u32) -> bool {
    org.character(number) == Character::App
}

/// The managed account of the path: unknown ones answer 404, unmanaged ones 403.
pub(super) fn account(call: &Call<'_>, org: &Organization) -> Result<u32, ApiError> {
    let id = call.param("id");
    let number = org
        .find_user(id)
        .ok_or_else(|| ApiError::unknown("ADMIN-404-8", "user account", id))?;
    let managed = org.user(number).is_some_and(|u| u.managed) && !call.foreign;
    if managed {
        Ok(number)
    } else {
        Err(ApiError::of_status(http::StatusCode::FORBIDDEN))
    }
}

pub(crate) fn permissions(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let number = account(call, org)?;
    let wanted: Vec<String> = call
        .query
        .all("privileges")
        .iter()
        .flat_map(|v| v.split(',').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let for_deletion = org.user(number).is_some_and(|u| u.for_deletion);
    let fixed = is_fixed(org, number);
    let rows = PRIVILEGES
        .iter()
        .filter(|p| wanted.is_empty() || wanted.iter().any(|w| w == *p))
        .map(|p| {
            let reason = match *p {
                "lifecycle.delete" if for_deletion => Some("notApplicable.scheduledForDeletion"),
                "lifecycle.delete" | "lifecycle.enablement" if fixed => Some("forbidden.action"),
                _ => None,
            };
            let verdict = match reason {
                Some(key) => json!({ "allowed": false, "reason": { "key": key } }),
                None => json!({ "allowed": true }),
            };
            ((*p).to_owned(), verdict)
        });
    Ok(to_json(&Value::Object(rows.collect())))
}

pub(crate) fn profile(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let number = account(call, org)?;
    let name = org.profile(number).name;
    Ok(to_json(&profile_json(org, number, &name)))
}

/// The profile of an account that has this name.
pub(super) fn profile_json(org: &Organization, number: u32, name: &str) -> Value {
    let profile = org.profile(number);
    let user = org.user(number);
    let status = user.map_or("active", |u| u.account.as_str());
    json!({
        "account": {
            "account_id": org.account_id(number),
            "name": name,
            "nickname": profile.nickname,
            "email": profile.email.value(),
            "email_verified": true,
            "account_type": super::users::account_type(org.character(number)),
            "account_status": status,
            "picture": format!("https://avatar.example.com/{number}.png"),
        },
    })
}

pub(crate) fn tokens(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let number = account(call, org)?;
    let numbers = org
        .tokens_of
        .get(&number)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let date = |millis: i64| iso_seconds(from_millis(millis));
    let rows: Vec<Value> = numbers
        .iter()
        .map(|n| {
            let facts = token_facts(org, *n);
            json!({
                "id": org.token_id(*n),
                "label": facts.label,
                "createdAt": date(facts.created_millis),
                "expiry": facts.expires_millis.map(date),
                "lastAccess": facts.last_active_millis.map(date),
            })
        })
        .collect();
    Ok(to_json(&rows))
}
