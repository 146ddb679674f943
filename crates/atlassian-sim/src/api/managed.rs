//! Managed accounts and last active dates of the v1 API (§13): URLs as cursors, snake case, pages of a fixed size.

use serde_json::{Value, json};

use super::users::{account_type, added_millis, find, last_active_millis};
use crate::call::Call;
use crate::clock::{from_millis, iso_seconds};
use crate::errors::ApiError;
use crate::model::profile::Character;
use crate::model::{AccountStatus, Organization, Resource, Scope};
use crate::paging::{FIXED, LIST, Links, ListRequest, to_json};

fn day(millis: i64) -> String {
    from_millis(millis).strftime("%Y-%m-%d").to_string()
}

/// Numbers of managed accounts after `after`.
fn managed(org: &Organization, after: Option<u64>) -> impl Iterator<Item = u64> {
    let from = after.map_or(0, |a| usize::try_from(a + 1).unwrap_or(usize::MAX));
    (0_u64..)
        .zip(&org.users)
        .skip(from)
        .filter(|(_, u)| !u.gone && u.managed)
        .map(|(n, _)| n)
}

pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let request: ListRequest<()> =
        ListRequest::open(call, call.query.get("cursor"), || Ok(((), FIXED.default)))?;
    let slice = request.slice(call, |after| managed(org, after));
    let data: Vec<Value> = slice
        .keys
        .iter()
        .filter_map(|n| render(org, u32::try_from(*n).ok()?))
        .collect();
    let links = Links::new(call, &slice, |cursor| call.url_with_cursor(cursor));
    let total = managed(org, None).count();
    Ok(to_json(
        &json!({ "data": data, "meta": { "total": total }, "links": links }),
    ))
}

fn last_active(org: &Organization, number: u32, products: &[(u32, &Resource)]) -> Option<i64> {
    products
        .iter()
        .filter_map(|(place, _)| last_active_millis(org, number, *place))
        .max()
}

fn render(org: &Organization, number: u32) -> Option<Value> {
    let user = org.user(number)?;
    let profile = org.profile(number);
    let character = org.character(number);
    let holdings = org.effective(number);
    let products = org.products(&holdings);
    let access: Vec<Value> = products
        .iter()
        .map(|(place, r)| {
            let last = last_active_millis(org, number, *place).map(|at| iso_seconds(from_millis(at)));
            json!({ "key": r.owner, "name": r.name, "url": format!("https://{}.atlassian.net", r.name), "last_active": last })
        })
        .collect();
    let mut row = json!({
        "account_id": org.account_id(number),
        "account_type": account_type(character),
        "account_status": user.account.as_str(),
        "name": profile.name,
        "picture": format!("https://avatar.example.com/{number}.png"),
        "access_billable": !access.is_empty() && user.account == AccountStatus::Active && character != Character::App,
        "last_active": last_active(org, number, &products).map(|at| iso_seconds(from_millis(at))),
        "product_access": access,
        "links": { "self": format!("https://api.atlassian.com/users/{}/manage/profile", org.account_id(number)) },
    });
    if let (Some(email), Some(map)) = (profile.email.value(), row.as_object_mut()) {
        map.insert("email".to_owned(), json!(email));
    }
    Some(row)
}

pub(crate) fn last_active_dates(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let number = find(call, org, Scope::All)?;
    let request: ListRequest<()> =
        ListRequest::open(call, call.query.get("cursor"), || Ok(((), LIST.default)))?;
    let holdings = org.effective(number);
    let dates: Vec<(u32, &Resource, i64)> = org
        .products(&holdings)
        .into_iter()
        .filter_map(|(place, r)| last_active_millis(org, number, place).map(|at| (place, r, at)))
        .collect();
    let slice = request.slice(call, |after| {
        dates
            .iter()
            .map(|(p, _, _)| u64::from(*p))
            .filter(move |p| after.is_none_or(|a| *p > a))
    });
    let access: Vec<Value> = dates
        .iter()
        .filter(|(place, _, _)| slice.keys.contains(&u64::from(*place)))
        .map(|(_, r, at)| json!({ "id": r.ari, "key": r.owner, "last_active": day(*at) }))
        .collect();
    let links = Links::new(call, &slice, |cursor| call.url_with_cursor(cursor));
    let added = added_millis(org, number).map(day);
    Ok(to_json(
        &json!({ "data": { "product_access": access, "added_to_org": added }, "links": links }),
    ))
}
