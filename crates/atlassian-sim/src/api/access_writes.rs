//! Writes of API keys and tokens (§10.2): making and revoking a key, and revoking every token that there is.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::access::key_json;
use super::filters::words;
use super::writes::{Outcome, members, optional, required};
use crate::call::Call;
use crate::config::AccessKey;
use crate::errors::ApiError;
use crate::model::Organization;
use crate::model::keys::KeyRecord;
use crate::model::step::Step;
use crate::random::draw;

/// How long a key can live.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Makes a key. Only this answer has its token.
pub(crate) fn create_key(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let body = members(call)?;
    let label = required(&body, "label")?;
    let scopes = words(&body, "scopes").map_err(|e| ApiError::bad_parameter(e.detail))?;
    let expires_at = optional(&body, "expiresAt")?
        .map(|text| expiry(call.now, text))
        .transpose()?;
    let number = u32::try_from(org.keys.len()).unwrap_or(u32::MAX);
    let token = format!("sim-key-{:016x}", draw(org.seed, 0x4e4, u64::from(number)));
    let key = AccessKey {
        scopes: (!scopes.is_empty()).then_some(scopes),
        expires_at,
        ..AccessKey::unscoped(token)
    };
    let record = KeyRecord {
        created: Some(call.elapsed),
        label: label.to_owned(),
        ..KeyRecord::configured(org.keys.len(), key.clone())
    };
    let mut answer = key_json(call, org, number, &record);
    answer["token"] = json!(key.token);
    let step = Step::AddKey(key, label.to_owned());
    Ok(Outcome::answered(&answer, vec![step]))
}

fn expiry(now: Timestamp, text: &str) -> Result<Timestamp, ApiError> {
    let latest = now.saturating_add(LONGEST_LIFE).unwrap_or(now);
    text.parse()
        .ok()
        .filter(|at| now < *at && *at <= latest)
        .ok_or_else(|| ApiError::bad_parameter("`expiresAt` must be a date in the next year"))
}

/// Revokes a key, the one of the request as well.
pub(crate) fn revoke_key(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let id = call.param("key");
    let number = org
        .find_key(id)
        .ok_or_else(|| ApiError::unknown("ADMIN-404-1", "API key", id))?;
    Ok(done(vec![Step::RevokeKey(number)]))
}

/// Revokes the tokens of all managed accounts.
#[allow(clippy::unnecessary_wraps, reason = "all handlers have one type")]
pub(crate) fn revoke_all_tokens(_: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let living = (0..).zip(&org.tokens).filter(|(_, t)| !t.gone);
    let managed = living.filter(|(_, t)| org.user(t.owner).is_some_and(|u| u.managed));
    Ok(done(managed.map(|(n, _)| Step::RevokeToken(n)).collect()))
}

fn done(steps: Vec<Step>) -> Outcome {
    Outcome {
        status: StatusCode::NO_CONTENT,
        body: Vec::new(),
        steps,
    }
}
