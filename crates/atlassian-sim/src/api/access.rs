//! API tokens of accounts and API keys of the organization (§10). Lists take `pageSize`; `limit` has no effect here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::past_millis;
use crate::call::Call;
use crate::clock::{DATA_DATE_SECONDS, from_millis, iso_seconds};
use crate::errors::ApiError;
use crate::ids::{self, Kind};
use crate::model::Organization;
use crate::model::keys::KeyRecord;
use crate::model::profile::Member;
use crate::paging::{LONG_LIST, ListRequest, Page, size_from_text, to_json};
use crate::query::Query;
use crate::random::{draw, pick};

const LABELS: [&str; 8] = [
    "ci",
    "backup job",
    "laptop",
    "Backup – nächtlich",
    "release script",
    "🔑",
    "reporting",
    "terraform",
];
const SCOPES: [&str; 4] = [
    "read:jira-work",
    "write:jira-work",
    "read:confluence-content.all",
    "read:me",
];

/// What an API token looks like; derived, as profiles are.
#[derive(Clone, Debug)]
pub(crate) struct TokenFacts {
    pub label: String,
    pub status: &'static str,
    pub created_millis: i64,
    pub expires_millis: Option<i64>,
    pub last_active_millis: Option<i64>,
    pub scopes: Vec<&'static str>,
}

pub(crate) fn token_facts(org: &Organization, token: u32) -> TokenFacts {
    let n = u64::from(token);
    let word = draw(org.seed, 0x70e, n);
    let created_millis = past_millis(org.seed, 0x70f, n, 700);
    let label = if org.odd_data && token % 9 == 1 {
        String::new()
    } else {
        format!("{} {token}", pick(word, &LABELS).unwrap_or(&"ci"))
    };
    let unlimited = org.odd_data && token % 6 == 3;
    let never_used = token % 5 == 2;
    let used = past_millis(org.seed, 0x711, n, 60).max(created_millis);
    TokenFacts {
        label,
        status: if token % 11 == 7 {
            "BLOCKED"
        } else {
            "ALLOWED"
        },
        created_millis,
        expires_millis: (!unlimited).then_some(created_millis + 365 * 86_400_000),
        last_active_millis: (!never_used).then_some(used.min(DATA_DATE_SECONDS * 1000)),
        scopes: SCOPES
            .iter()
            .take(usize::try_from(word % 4).unwrap_or(0))
            .copied()
            .collect(),
    }
}

/// A condition on a date: older or younger than an age, or between two dates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum DateFilter {
    OlderThanMillis(i64),
    YoungerThanMillis(i64),
    Between(Option<i64>, Option<i64>),
}

impl DateFilter {
    /// Reads the family of parameters that begin with `name`. That `gt` means an age above the value is assumed.
    fn from_query(query: &Query, name: &str, now: Timestamp) -> Result<Option<Self>, ApiError> {
        let part = |suffix: &str| query.get(&format!("{name}{suffix}"));
        let wrong = |suffix: &str| {
            ApiError::bad_parameter(format!("`{name}{suffix}` is missing or not understood"))
        };
        let unit_millis = || match part("Uom").map(str::to_ascii_lowercase).as_deref() {
            Some("minutes" | "minute") => Ok(60_000),
            Some("hours" | "hour") => Ok(3_600_000),
            Some("days" | "day") => Ok(86_400_000),
            Some("weeks" | "week") => Ok(7 * 86_400_000),
            Some("months" | "month") => Ok(30 * 86_400_000),
            Some("years" | "year") => Ok(365 * 86_400_000),
            _ => Err(wrong("Uom")),
        };
        let number = |suffix: &str| {
            part(suffix)
                .map(|t| t.parse::<i64>().map_err(|_| wrong(suffix)))
                .transpose()
        };
        let date = |suffix: &str| {
            part(suffix)
                .map(|t| millis_of(t).ok_or_else(|| wrong(suffix)))
                .transpose()
        };
        let Some(kind) = part("SearchType") else {
            return Ok(None);
        };
        let age = || -> Result<i64, ApiError> {
            let value = number("Value")?
                .filter(|n| *n >= 0)
                .ok_or_else(|| wrong("Value"))?;
            Ok(value.saturating_mul(unit_millis()?))
        };
        match kind.to_ascii_lowercase().as_str() {
            "gt" => Ok(Some(Self::OlderThanMillis(age()?))),
            "lt" => Ok(Some(Self::YoungerThanMillis(age()?))),
            "range" => {
                let relative = |suffix: &str| -> Result<Option<i64>, ApiError> {
                    let Some(ago) = number(suffix)? else {
                        return Ok(None);
                    };
                    Ok(Some(
                        now.as_millisecond()
                            .saturating_sub(ago.saturating_mul(unit_millis()?)),
                    ))
                };
                let from = date("From")?.or(relative("RangeFrom")?);
                let to = date("To")?.or(relative("RangeTo")?);
                if from.is_none() && to.is_none() {
                    return Err(wrong("From"));
                }
                Ok(Some(Self::Between(from, to)))
            }
            _ => Err(wrong("SearchType")),
        }
    }

    fn accepts(&self, at_millis: Option<i64>, now_millis: i64) -> bool {
        let Some(at) = at_millis else { return false };
        match self {
            Self::OlderThanMillis(age) => now_millis - at > *age,
            Self::YoungerThanMillis(age) => now_millis - at < *age,
            Self::Between(from, to) => from.is_none_or(|f| at >= f) && to.is_none_or(|t| at <= t),
        }
    }
}

/// A date as ISO 8601 or as milliseconds since the epoch.
fn millis_of(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().or_else(|| {
        text.parse::<Timestamp>()
            .ok()
            .map(Timestamp::as_millisecond)
    })
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TokenFilter {
    search: Option<String>,
    status: Option<String>,
    created: Option<DateFilter>,
    last_active: Option<DateFilter>,
    /// Member to sort by, and whether downwards.
    sort: Option<(String, bool)>,
}

impl TokenFilter {
    fn from_query(call: &Call<'_>) -> Result<Self, ApiError> {
        let query = &call.query;
        let status = query.get("status").map(str::to_owned);
        super::filters::require_known("status", status.as_slice(), &["ALLOWED", "BLOCKED"])?;
        let sort = query.get("sort").map(|text| {
            // A plus in a query is a blank unless it was escaped.
            let field = text.trim_start_matches(['+', '-', ' ']);
            (field.to_owned(), text.starts_with('-'))
        });
        let known = [
            "createdAt",
            "expiresAt",
            "lastActiveAt",
            "label",
            "status",
            "user.name",
        ];
        if let Some((field, _)) = &sort {
            super::filters::require_known("sort", std::slice::from_ref(field), &known)?;
        }
        Ok(Self {
            search: query.get("q").map(str::to_lowercase),
            status,
            created: DateFilter::from_query(query, "createdAt", call.now)?,
            last_active: DateFilter::from_query(query, "lastActiveAt", call.now)?,
            sort,
        })
    }

    fn accepts(&self, org: &Organization, token: u32, owner: u32, now_millis: i64) -> bool {
        let facts = token_facts(org, token);
        let found = |term: &String| {
            let profile = org.profile(owner);
            let email = profile
                .email
                .value()
                .map(String::as_str)
                .unwrap_or_default();
            [facts.label.as_str(), &profile.name, email]
                .iter()
                .any(|t| t.to_lowercase().contains(term))
        };
        self.status.as_ref().is_none_or(|s| s == facts.status)
            && self
                .created
                .as_ref()
                .is_none_or(|f| f.accepts(Some(facts.created_millis), now_millis))
            && self
                .last_active
                .as_ref()
                .is_none_or(|f| f.accepts(facts.last_active_millis, now_millis))
            && self.search.as_ref().is_none_or(found)
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenJson<'a> {
    id: String,
    label: String,
    status: &'static str,
    created_at: String,
    #[serde(skip_serializing_if = "Member::is_missing")]
    expires_at: Member<String>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    last_active_at: Member<String>,
    user: Owner<'a>,
    scopes: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Owner<'a> {
    id: String,
    org_id: &'a str,
    name: String,
    email: String,
}

fn render(org: &Organization, token: u32) -> Option<TokenJson<'_>> {
    let owner = org.tokens.get(token as usize).filter(|t| !t.gone)?.owner;
    let facts = token_facts(org, token);
    let profile = org.profile(owner);
    let date = |millis: Option<i64>| match millis {
        Some(at) => Member::Value(iso_seconds(from_millis(at))),
        None if token.is_multiple_of(2) => Member::Null,
        None => Member::Missing,
    };
    Some(TokenJson {
        id: org.token_id(token),
        label: facts.label,
        status: facts.status,
        created_at: iso_seconds(from_millis(facts.created_millis)),
        expires_at: date(facts.expires_millis),
        last_active_at: date(facts.last_active_millis),
        user: Owner {
            id: org.account_id(owner),
            org_id: &org.id,
            name: profile.name,
            email: profile.email.value().cloned().unwrap_or_default(),
        },
        scopes: facts.scopes,
    })
}

/// Numbers of living tokens after `after` that the filter accepts.
fn matching<'a>(
    call: &Call<'_>,
    org: &'a Organization,
    filter: &'a TokenFilter,
    after: Option<u64>,
) -> impl Iterator<Item = u64> + 'a {
    let now_millis = call.now.as_millisecond();
    let from = after.map_or(0, |a| usize::try_from(a + 1).unwrap_or(usize::MAX));
    (0_u32..)
        .zip(&org.tokens)
        .skip(from)
        .filter(move |(n, t)| !t.gone && filter.accepts(org, *n, t.owner, now_millis))
        .map(|(n, _)| u64::from(n))
}

pub(crate) fn tokens(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let request = ListRequest::open(call, call.query.get("cursor"), || {
        Ok((
            TokenFilter::from_query(call)?,
            size_from_text("pageSize", call.query.get_raw("pageSize"), LONG_LIST)?,
        ))
    })?;
    let keys = |after| matching(call, org, &request.filters, after);
    let number = |key: u64| u32::try_from(key).unwrap_or(u32::MAX);
    let slice = match &request.filters.sort {
        Some((field, descending)) => request.slice_by_name(
            call,
            keys,
            |key| sort_text(org, number(key), field),
            *descending,
        ),
        None => request.slice(call, keys),
    };
    let data: Vec<_> = slice
        .keys
        .iter()
        .filter_map(|k| render(org, number(*k)))
        .collect();
    Ok(Page::render(call, &slice, data))
}

fn sort_text(org: &Organization, token: u32, field: &str) -> String {
    let facts = token_facts(org, token);
    let date = |millis: Option<i64>| {
        millis
            .map(|at| iso_seconds(from_millis(at)))
            .unwrap_or_default()
    };
    match field {
        "createdAt" => date(Some(facts.created_millis)),
        "expiresAt" => date(facts.expires_millis),
        "lastActiveAt" => date(facts.last_active_millis),
        "status" => facts.status.to_owned(),
        "user.name" => org
            .tokens
            .get(token as usize)
            .map(|t| org.profile(t.owner).name)
            .unwrap_or_default(),
        _ => facts.label,
    }
}

pub(crate) fn token_count(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let filter = TokenFilter::from_query(call)?;
    let count = matching(call, org, &filter, None).count();
    Ok(to_json(&count))
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct KeyFilter {
    search: Option<String>,
}

/// The organization's API keys: those that the simulator accepts.
pub(crate) fn keys(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let request = ListRequest::open(call, call.query.get("cursor"), || {
        let filter = KeyFilter {
            search: call.query.get("q").map(str::to_lowercase),
        };
        Ok((
            filter,
            size_from_text("pageSize", call.query.get_raw("pageSize"), LONG_LIST)?,
        ))
    })?;
    let search = request.filters.search.as_deref();
    let found = |n: &u32| {
        org.own_key(*n)
            .is_some_and(|k| search.is_none_or(|t| k.label.to_lowercase().contains(t)))
    };
    let slice = request.slice(call, |after| {
        let fitting = org.own_keys().filter(found);
        fitting
            .map(u64::from)
            .filter(move |n| after.is_none_or(|a| *n > a))
    });
    let data = slice.keys.iter().filter_map(|n| {
        let number = u32::try_from(*n).ok()?;
        Some(key_json(call, org, number, org.own_key(number)?))
    });
    Ok(Page::render(call, &slice, data.collect()))
}

/// A key as answers have it: without its token.
pub(super) fn key_json(
    call: &Call<'_>,
    org: &Organization,
    number: u32,
    record: &KeyRecord,
) -> Value {
    let created = match record.created {
        Some(at) => call.date_of(at),
        None => from_millis(past_millis(org.seed, 0x4e1, u64::from(number), 300)),
    };
    let year = SignedDuration::from_hours(365 * 24);
    let expires = record.key.expires_at;
    let expires = expires.or_else(|| created.checked_add(year).ok());
    let creator = org.profile(0);
    json!({
        "id": org.key_id(number),
        "label": record.label,
        "createdAt": iso_seconds(created),
        "expiresAt": expires.map(iso_seconds),
        "lastActiveAt": iso_seconds(call.now),
        "systemAccountId": ids::uuid(org.seed, Kind::Key, 1_000_000 + number),
        "resource": format!("ari:cloud:platform::org/{}", org.id),
        "orgId": org.id,
        "createdBy": { "id": org.account_id(0), "name": creator.name, "email": creator.email.value() },
        "scopes": record.key.scopes.clone().unwrap_or_default(),
        "targetResources": [],
    })
}
