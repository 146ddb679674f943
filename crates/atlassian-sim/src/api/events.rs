//! Audit events (§12): the searchable log, newest first (assumed), and the stream that clients poll.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event_objects::{EventView, PRODUCTS, ip, place, product};
use crate::call::Call;
use crate::errors::ApiError;
use crate::ids::{self, Kind};
use crate::model::{Event, Organization};
use crate::paging::{EVENTS, Links, ListRequest, PageSlice, size_from_text, to_json};

/// Action, display name and group of every kind of event.
const ACTIONS: [(&str, &str, &str); 35] = [
    ("user_added_to_group", "User added to group", "Groups"),
    (
        "user_removed_from_group",
        "User removed from group",
        "Groups",
    ),
    ("group_created", "Group created", "Groups"),
    ("group_deleted", "Group deleted", "Groups"),
    ("user_token_create", "API token created", "Tokens"),
    ("user_token_revoked", "API token revoked", "Tokens"),
    ("user_added_to_org", "User added", "Users"),
    ("user_removed_from_org", "User removed", "Users"),
    ("role_granted", "Role granted", "Roles"),
    ("role_revoked", "Role revoked", "Roles"),
    ("user_invited", "User invited", "Users"),
    (
        "user_deletion_requested",
        "Account deletion requested",
        "Users",
    ),
    (
        "user_deletion_cancelled",
        "Account deletion cancelled",
        "Users",
    ),
    ("user_deactivated", "Account deactivated", "Users"),
    ("user_reactivated", "Account reactivated", "Users"),
    ("user_suspended", "User suspended", "Users"),
    ("user_restored", "User restored", "Users"),
    ("user_profile_changed", "Account name changed", "Users"),
    ("user_email_changed", "Account address changed", "Users"),
    ("api_key_created", "API key created", "API keys"),
    ("api_key_revoked", "API key revoked", "API keys"),
    ("user_provisioned", "User provisioned", "User provisioning"),
    (
        "user_provisioning_updated",
        "Provisioned user changed",
        "User provisioning",
    ),
    (
        "user_deprovisioned",
        "User deprovisioned",
        "User provisioning",
    ),
    (
        "group_provisioning_updated",
        "Provisioned group changed",
        "User provisioning",
    ),
    (
        "user_removed_from_directory",
        "User removed from directory",
        "Users",
    ),
    ("user_granted_role", "User granted role", "Roles"),
    ("user_revoked_role", "User lost role", "Roles"),
    ("user_login", "User logged in", "Logins"),
    ("user_logout", "User logged out", "Logins"),
    ("user_created", "User created", "Users"),
    ("user_updated", "User changed", "Users"),
    ("page_viewed", "Page viewed", "Products"),
    ("setting_changed", "Setting changed", "Settings"),
    ("site_access_changed", "Site access changed", "Sites"),
];

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct EventFilter {
    from: Option<i64>,
    to: Option<i64>,
    search: Option<String>,
    action: Option<String>,
    actors: Vec<String>,
    ips: Vec<String>,
    products: Vec<String>,
    location: Option<String>,
    descending: bool,
}

fn millis(call: &Call<'_>, name: &str) -> Result<Option<i64>, ApiError> {
    call.query
        .get(name)
        .map(|t| t.parse().map_err(|_| ApiError::bad_date(name)))
        .transpose()
}

/// Refuses where the plan has no audit log.
fn require_log(call: &Call<'_>) -> Result<(), ApiError> {
    if call.audit.absent {
        return Err(ApiError::forbidden(
            "the plan of the organization has no audit log",
        ));
    }
    Ok(())
}

/// How the events of a request are shown.
fn view<'a>(call: &'a Call<'_>, org: &'a Organization) -> EventView<'a> {
    EventView {
        org,
        role_context: call.writes.role_event_context,
        flaws: &call.audit.flaws,
    }
}

pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    require_log(call)?;
    let query = &call.query;
    let request = ListRequest::open(call, query.get("cursor"), || {
        let filter = EventFilter {
            from: millis(call, "from")?,
            to: millis(call, "to")?,
            search: query.get("q").map(str::to_lowercase),
            action: query.get("action").map(str::to_owned),
            actors: query.all("actor"),
            ips: query.all("ip"),
            products: query.all("product"),
            location: query.get("location").map(str::to_lowercase),
            descending: true,
        };
        super::filters::require_known("product", &filter.products, &PRODUCTS)?;
        Ok((
            filter,
            size_from_text("limit", query.get_raw("limit"), EVENTS)?,
        ))
    })?;
    Ok(page(call, org, &request, false))
}

pub(crate) fn stream(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    require_log(call)?;
    let query = &call.query;
    let request = ListRequest::open(call, query.get("cursor"), || {
        let descending = match query.get("sortOrder") {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(ApiError::bad_parameter("`sortOrder` must be asc or desc")),
        };
        let filter = EventFilter {
            from: millis(call, "from")?,
            to: millis(call, "to")?,
            descending,
            ..EventFilter::default()
        };
        Ok((
            filter,
            size_from_text("limit", query.get_raw("limit"), EVENTS)?,
        ))
    })?;
    Ok(page(call, org, &request, true))
}

fn page(
    call: &Call<'_>,
    org: &Organization,
    request: &ListRequest<EventFilter>,
    stream: bool,
) -> Vec<u8> {
    let filter = &request.filters;
    let slice: PageSlice = request.slice(call, |after| {
        let end = org.events.len() as u64;
        let numbers: Box<dyn Iterator<Item = u64>> = if filter.descending {
            Box::new((0..after.unwrap_or(end)).rev())
        } else {
            Box::new(after.map_or(0, |a| a + 1)..end)
        };
        numbers.filter(|n| {
            event_at(org, *n).is_some_and(|(number, event)| accepts(org, number, event, filter))
        })
    });
    let view = view(call, org);
    let data: Vec<Value> = slice
        .keys
        .iter()
        .filter_map(|n| event_at(org, *n))
        .map(|(n, e)| view.render(n, e, stream))
        .collect();
    let links = Links::new(call, &slice, |cursor| call.url_with_cursor(cursor));
    // The stream always has a next cursor, so that a client can poll.
    let next = if stream {
        Some(&slice.resume)
    } else {
        slice.next.as_ref()
    };
    to_json(
        &json!({ "data": data, "meta": { "next": next, "page_size": request.page_size }, "links": links }),
    )
}

fn event_at(org: &Organization, number: u64) -> Option<(u32, &Event)> {
    let number = u32::try_from(number).ok()?;
    org.events.get(number as usize).map(|e| (number, e))
}

fn accepts(org: &Organization, number: u32, event: &Event, filter: &EventFilter) -> bool {
    let one_of = |list: &[String], word: &str| list.is_empty() || list.iter().any(|w| w == word);
    let (country, city) = place(org, number);
    let found = |term: &String| {
        let actor = org.profile(event.actor);
        let email = actor.email.value().map(String::as_str).unwrap_or_default();
        [event.action(), &actor.name, email]
            .iter()
            .any(|t| t.to_lowercase().contains(term))
    };
    filter.from.is_none_or(|f| event.at_millis >= f)
        && filter.to.is_none_or(|t| event.at_millis <= t)
        && filter.action.as_ref().is_none_or(|a| a == event.action())
        && (filter.actors.is_empty() || one_of(&filter.actors, &org.account_id(event.actor)))
        && (filter.ips.is_empty() || one_of(&filter.ips, &ip(org, number)))
        && one_of(&filter.products, product(org, number))
        && filter
            .location
            .as_ref()
            .is_none_or(|l| country.to_lowercase().contains(l) || city.to_lowercase().contains(l))
        && filter.search.as_ref().is_none_or(found)
}

pub(crate) fn get(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    require_log(call)?;
    let id = call.param("id");
    let found = ids::uuid_ordinal(org.seed, Kind::Event, id)
        .and_then(|n| org.events.get(n as usize).map(|e| (n, e)));
    let (number, event) = found.ok_or_else(|| ApiError::unknown("ADMIN-404-4", "event", id))?;
    Ok(to_json(
        &json!({ "data": view(call, org).render(number, event, false) }),
    ))
}

pub(crate) fn actions(call: &Call<'_>, _: &Organization) -> Result<Vec<u8>, ApiError> {
    require_log(call)?;
    let row = |(id, name, group): &(&str, &str, &str)| json!({ "id": id, "type": "event-actions", "attributes": { "displayName": name, "groupDisplayName": group } });
    Ok(to_json(
        &json!({ "data": ACTIONS.iter().map(row).collect::<Vec<_>>() }),
    ))
}
