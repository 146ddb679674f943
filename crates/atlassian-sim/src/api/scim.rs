//! Users of an identity provider (§11): create, list, read, replace, patch, delete.

use http::StatusCode;
use serde_json::{Value, json};

use super::scim_objects::{
    ATLASSIAN_SCHEMA, Attributes, Listing, Projection, body, directory, invalid, not_found,
    same_name, shown, taken, writable,
};
use super::scim_patch::{apply, operations};
use super::writes::Outcome;
use crate::call::Call;
use crate::errors::ApiError;
use crate::model::change::Change;
use crate::model::scim::{ScimAccountId, ScimRecord, ScimTimes, UnverifiedDomain, primary_email};
use crate::model::step::{AccountChange, Step};
use crate::model::{Membership, Organization};
use crate::paging::to_json;

const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn record<'a>(call: &Call<'_>, org: &'a Organization) -> Result<(u32, &'a ScimRecord), ApiError> {
    let id = call.param("id");
    org.find_scim(directory(call, org)?, id)
        .ok_or_else(|| not_found(id))
}

pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let directory = directory(call, org)?;
    let listing = Listing::of(call, &["userName", "externalId"])?;
    let projection = Projection::of(call)?;
    let found: Vec<_> = org
        .scim_of(directory)
        .filter(|(_, r)| listing.holds(&r.attributes))
        .collect();
    Ok(listing.page(&found, |(n, r)| render(call, org, &projection, *n, r)))
}

pub(crate) fn get(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let projection = Projection::of(call)?;
    let (number, record) = record(call, org)?;
    Ok(to_json(&render(call, org, &projection, number, record)))
}

pub(crate) fn create(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let directory = directory(call, org)?;
    let projection = Projection::of(call)?;
    let attributes = writable(body(call)?);
    check(call, org, directory, None, &attributes)?;
    let known = org.find_email(primary_email(&attributes).unwrap_or_default());
    let next = u32::try_from(org.users.len()).unwrap_or(u32::MAX);
    let account_id = call.scim_account_id;
    let record = ScimRecord {
        directory,
        times: ScimTimes::new(call.elapsed),
        attributes,
        account: known.unwrap_or(next),
        shows_account: account_id == ScimAccountId::AtOnce,
        gone: false,
    };
    let number = u32::try_from(org.scim.len()).unwrap_or(u32::MAX);
    let mut steps = vec![Step::AddScim {
        directory,
        attributes: record.attributes.clone(),
        account: known,
        account_id,
    }];
    steps.extend(known.and_then(|user| joining(call, org, directory, user)));
    if !record.is_active() {
        steps.push(Step::ChangeAccount(record.account, AccountChange::Disable));
    } else if known.is_some_and(|user| org.is_deactivated(user)) {
        steps.push(Step::ChangeAccount(record.account, AccountChange::Enable));
    }
    Ok(Outcome {
        status: StatusCode::CREATED,
        body: to_json(&render(call, org, &projection, number, &record)),
        steps,
    })
}

/// Puts an account that exists into the provider's directory, if it is not there.
fn joining(call: &Call<'_>, org: &Organization, directory: u8, user: u32) -> Option<Step> {
    let account = org.user(user)?;
    (account.managed && account.membership(directory) == Membership::None).then(|| {
        Step::Change(Change::SetMembership {
            account_id: org.account_id(user),
            directory_id: call.param("directory").to_owned(),
            membership: Membership::Active,
        })
    })
}

pub(crate) fn replace(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, record) = record(call, org)?;
    let attributes = writable(body(call)?);
    update(call, org, number, record, attributes)
}

pub(crate) fn patch(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, record) = record(call, org)?;
    let body = body(call)?;
    let mut changed = record.attributes.clone();
    for operation in operations(&body)? {
        apply(&mut changed, &operation)?;
    }
    update(call, org, number, record, writable(changed))
}

fn update(
    call: &Call<'_>,
    org: &Organization,
    number: u32,
    record: &ScimRecord,
    attributes: Attributes,
) -> Result<Outcome, ApiError> {
    let projection = Projection::of(call)?;
    check(call, org, record.directory, Some(number), &attributes)?;
    let mut changed = ScimRecord {
        attributes,
        ..record.clone()
    };
    if changed.attributes != record.attributes {
        changed.times.modified = call.elapsed;
    }
    let answer = render(call, org, &projection, number, &changed);
    let switch = match (record.is_active(), changed.is_active()) {
        (true, false) => Some(AccountChange::Disable),
        (false, true) => Some(AccountChange::Enable),
        _ => None,
    };
    let switch = switch.map(|change| Step::ChangeAccount(record.account, change));
    let first = Step::SetScim(number, changed.attributes);
    let steps = std::iter::once(first).chain(switch).collect();
    Ok(Outcome::answered(&answer, steps))
}

pub(crate) fn delete(call: &Call<'_>, org: &Organization) -> Result<Outcome, ApiError> {
    let (number, record) = record(call, org)?;
    let mut steps = vec![Step::RemoveScim(number)];
    for (place, group) in org.scim_groups_with(number) {
        let mut members = group.members.clone();
        members.retain(|m| *m != number);
        steps.push(Step::SetScimGroup(place, group.attributes.clone(), members));
        steps.push(Step::Change(Change::RemoveMember {
            group_id: org.group_id(group.group),
            account_id: org.account_id(record.account),
        }));
    }
    steps.push(Step::ChangeAccount(record.account, AccountChange::Disable));
    Ok(Outcome {
        status: StatusCode::NO_CONTENT,
        body: Vec::new(),
        steps,
    })
}

/// Refuses attributes that lack something, an unverified domain, and a name or address that another record has.
fn check(
    call: &Call<'_>,
    org: &Organization,
    directory: u8,
    own: Option<u32>,
    attributes: &Attributes,
) -> Result<(), ApiError> {
    let name = attributes.get("userName").and_then(Value::as_str);
    let name = name
        .filter(|n| !n.is_empty())
        .ok_or_else(|| invalid("`userName` is required"))?;
    if !matches!(attributes.get("active"), None | Some(Value::Bool(_))) {
        return Err(invalid("`active` must be true or false"));
    }
    let email = primary_email(attributes)
        .ok_or_else(|| invalid("`emails` needs exactly one primary address"))?;
    if !org.has_verified(email) && call.writes.unverified_domains == UnverifiedDomain::Refused {
        let detail = format!("the domain of the address {email} is not verified");
        return Err(invalid(detail));
    }
    let same = |r: &ScimRecord| {
        same_name(r.text("userName"), name)
            || primary_email(&r.attributes).is_some_and(|e| same_name(e, email))
    };
    let mut records = org.scim_of(directory);
    if records.any(|(n, r)| Some(n) != own && same(r)) {
        return Err(taken(
            "USER",
            &format!("email[{email}] or userName[{name}]"),
        ));
    }
    Ok(())
}

fn render(
    call: &Call<'_>,
    org: &Organization,
    projection: &Projection,
    number: u32,
    record: &ScimRecord,
) -> Value {
    let mut user = record.attributes.clone();
    user.insert("active".to_owned(), json!(record.is_active()));
    let groups: Vec<Value> = org
        .scim_groups_with(number)
        .map(|(n, g)| json!({ "value": org.scim_group_id(n), "display": g.text("displayName"), "type": "direct" }))
        .collect();
    user.insert("groups".to_owned(), json!(groups));
    if record.shows_account {
        let account = json!({ "atlassianAccountId": org.account_id(record.account) });
        user.insert(ATLASSIAN_SCHEMA.to_owned(), account);
    }
    shown(
        call,
        projection,
        "User",
        &[USER_SCHEMA, ATLASSIAN_SCHEMA],
        (&org.scim_id(number), record.times),
        user,
    )
}
