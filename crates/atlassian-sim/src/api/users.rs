//! Users of the v2 API: the `GET` list, its successor the search, one user, counts and statistics (§4.3 to §4.5).

use serde::Serialize;

use super::user_filter::{Resolved, UserFilter};
use super::{lifecycle, past_millis};
use crate::call::Call;
use crate::clock::{from_millis, iso_millis, iso_seconds};
use crate::errors::ApiError;
use crate::flaws::SearchFlaws;
use crate::model::profile::{self, Character, Member};
use crate::model::roles::Holding;
use crate::model::{AccountStatus, Organization, Scope, User};
use crate::paging::{
    LIST, ListRequest, Page, PageSizes, PageSlice, USER_SEARCH, size_from_json, size_from_text,
    to_json,
};
use crate::random::{below, draw};

/// Keys of user lists: the user's number, then the directory when a user appears once per directory.
const DIRECTORY_BITS: u32 = 4;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserJson<'a> {
    account_id: String,
    account_type: &'static str,
    status: &'a str,
    account_status: &'static str,
    membership_status: &'static str,
    #[serde(skip_serializing_if = "Member::is_missing")]
    added_to_org: Member<String>,
    name: String,
    nickname: String,
    #[serde(skip_serializing_if = "Member::is_missing")]
    email: Member<String>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    email_verified: Member<bool>,
    claim_status: &'static str,
    #[serde(skip_serializing_if = "Member::is_missing")]
    platform_roles: Member<Vec<&'a str>>,
    picture: String,
    avatar: String,
    #[serde(skip_serializing_if = "Member::is_missing")]
    management_source: Member<&'static str>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    mfa_enabled: Member<bool>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    job_title: Member<&'static str>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    department: Member<&'static str>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    organization: Member<&'static str>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    location: Member<&'static str>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    time_zone: Member<&'static str>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    counts: Member<Counts>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    product_access: Member<Vec<ProductAccess<'a>>>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    groups: Member<Vec<GroupRef<'a>>>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    deactivated_on: Member<String>,
    #[serde(skip_serializing_if = "Member::is_missing")]
    for_deletion: Member<bool>,
    links: SelfLink,
}

#[derive(Debug, Serialize)]
struct Counts {
    resources: usize,
}

#[derive(Debug, Serialize)]
struct SelfLink {
    #[serde(rename = "self")]
    this: String,
}

/// A product that the user can open, and when that last happened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductAccess<'a> {
    key: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_active_timestamp: Option<String>,
}

#[derive(Debug, Serialize)]
struct GroupRef<'a> {
    id: String,
    name: &'a str,
    description: Option<&'a str>,
}

/// Which optional parts an answer carries.
#[derive(Clone, Copy, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one member of the answer"
)]
struct Parts {
    platform_roles: bool,
    counts: bool,
    product_access: bool,
    groups: bool,
    deactivation: bool,
}

pub(crate) fn list(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let scope = call.scope(org)?;
    let request = ListRequest::open(call, call.query.get("cursor"), || {
        Ok((
            UserFilter::from_query(&call.query)?,
            size_from_text("limit", call.query.get_raw("limit"), LIST)?,
        ))
    })?;
    let parts = Parts {
        platform_roles: true,
        counts: true,
        ..Parts::default()
    };
    Ok(page(call, org, scope, &request, |_| parts))
}

pub(crate) fn search(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    search_in(call, org, call.scope(org)?, USER_SEARCH)
}

/// The v1 search, which knew no directories in its path.
pub(crate) fn search_everywhere(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    search_in(call, org, Scope::All, USER_SEARCH)
}

fn search_in(
    call: &Call<'_>,
    org: &Organization,
    scope: Scope,
    sizes: PageSizes,
) -> Result<Vec<u8>, ApiError> {
    let body = call.json_object()?;
    let cursor = super::filters::text(&body, "cursor")?;
    let request = ListRequest::open(call, cursor.as_deref(), || {
        Ok((
            UserFilter::from_body(&body)?,
            size_from_json("limit", body.get("limit"), sizes)?,
        ))
    })?;
    Ok(page(call, org, scope, &request, |filter| Parts {
        platform_roles: filter.expands("platformRoles"),
        counts: filter.expands("counts.resources"),
        product_access: filter.expands("productAccess"),
        groups: filter.expands("groups"),
        deactivation: true,
    }))
}

/// What the request's answer misreports: nothing unless it is a search.
pub(super) fn flaws(call: &Call<'_>) -> SearchFlaws {
    if call.endpoint.name.starts_with("POST") {
        call.answers.search_flaws
    } else {
        SearchFlaws::default()
    }
}

fn page(
    call: &Call<'_>,
    org: &Organization,
    scope: Scope,
    request: &ListRequest<UserFilter>,
    parts: impl Fn(&UserFilter) -> Parts,
) -> Vec<u8> {
    let resolved = Resolved::new(org, &request.filters, scope);
    let per_directory = call.answers.user_per_directory && scope == Scope::All;
    let (parts, flaws) = (parts(&request.filters), flaws(call));
    let of_groups = !request.filters.group_ids.is_empty();
    let shown = |key: &u64| of_groups || !flaws.omits(org.seed, number_of(*key), parts.groups);
    let keys = |after: Option<u64>| entries(org, &resolved, per_directory, after).filter(shown);
    let slice: PageSlice = match request.filters.sort {
        Some(sort) => request.slice_by_name(
            call,
            keys,
            |key| profile::nickname(org.seed, number_of(key)),
            sort.descending,
        ),
        None => request.slice(call, keys),
    };
    let data: Vec<UserJson<'_>> = slice
        .keys
        .iter()
        .filter_map(|key| render(org, number_of(*key), scope, parts, flaws))
        .collect();
    Page::render(call, &slice, data)
}

fn number_of(key: u64) -> u32 {
    u32::try_from(key >> DIRECTORY_BITS).unwrap_or(u32::MAX)
}

/// Keys of the list after `after`: one per user, or one per user and directory.
fn entries<'a>(
    org: &'a Organization,
    resolved: &'a Resolved<'_>,
    per_directory: bool,
    after: Option<u64>,
) -> Box<dyn Iterator<Item = u64> + 'a> {
    let key = |number: u32, slot: u64| (u64::from(number) << DIRECTORY_BITS) | slot;
    if !per_directory {
        return Box::new(resolved.users(after.map(number_of)).map(move |n| key(n, 0)));
    }
    // The last user served may have further directories, so the walk starts with that user again.
    let from = after.map(number_of).and_then(|n| n.checked_sub(1));
    let all = resolved.users(from).flat_map(move |n| {
        let directories = org.user(n).map_or(0, |u| u.directories().count()).max(1) as u64;
        (0..directories).map(move |slot| key(n, slot))
    });
    Box::new(all.filter(move |k| after.is_none_or(|a| *k > a)))
}

pub(crate) fn get(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct One<'a> {
        data: UserJson<'a>,
    }
    let scope = call.scope(org)?;
    let number = find(call, org, scope)?;
    let parts = Parts {
        deactivation: true,
        ..Parts::default()
    };
    let data = render(org, number, scope, parts, SearchFlaws::default())
        .ok_or_else(|| ApiError::unknown("ADMIN-404-8", "user", call.param("id")))?;
    Ok(to_json(&One { data }))
}

/// The user of the path, if the scope holds it.
pub(crate) fn find(call: &Call<'_>, org: &Organization, scope: Scope) -> Result<u32, ApiError> {
    let id = call.param("id");
    org.find_user(id)
        .filter(|n| org.user(*n).is_some_and(|u| u.is_listed(scope)))
        .ok_or_else(|| ApiError::unknown("ADMIN-404-8", "user", id))
}

pub(crate) fn count(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let scope = call.scope(org)?;
    let filter = UserFilter::from_query(&call.query)?;
    let count = Resolved::new(org, &filter, scope).users(None).count();
    Ok(to_json(&serde_json::json!({ "count": count })))
}

pub(crate) fn stats(call: &Call<'_>, org: &Organization) -> Result<Vec<u8>, ApiError> {
    let scope = call.scope(org)?;
    let mut by_status = [
        (AccountStatus::Active, 0_u64),
        (AccountStatus::Inactive, 0),
        (AccountStatus::Closed, 0),
    ];
    let mut by_role: std::collections::BTreeMap<u16, u64> = std::collections::BTreeMap::new();
    for (number, user) in (0..).zip(&org.users).filter(|(_, u)| u.is_listed(scope)) {
        for row in by_status.iter_mut().filter(|(s, _)| *s == user.account) {
            row.1 += 1;
        }
        let mut held: Vec<u16> = org
            .effective(number)
            .iter()
            .flat_map(|h| h.roles.iter().map(|(r, _)| *r))
            .collect();
        held.sort_unstable();
        held.dedup();
        for role in held {
            *by_role.entry(role).or_default() += 1;
        }
    }
    let roles: Vec<_> = by_role
        .iter()
        .map(|(r, n)| serde_json::json!({ "roleId": org.role_name(*r), "count": n }))
        .collect();
    let status: Vec<_> = by_status
        .iter()
        .map(|(s, n)| serde_json::json!({ "status": s.as_str(), "count": n }))
        .collect();
    Ok(to_json(
        &serde_json::json!({ "roles": roles, "accountStatus": status }),
    ))
}

pub(crate) fn account_type(character: Character) -> &'static str {
    match character {
        Character::App => "app",
        Character::Customer => "customer",
        _ => "atlassian",
    }
}

/// Whether two-step login is on; unknown for unmanaged accounts.
pub(crate) fn mfa_enabled(org: &Organization, number: u32, user: &User) -> Option<bool> {
    user.managed
        .then(|| below(draw(org.seed, 0x3fa, u64::from(number)), 10) < 7)
}

/// When the user came into the organization, in milliseconds; `None`: never.
pub(crate) fn added_millis(org: &Organization, number: u32) -> Option<i64> {
    let never = matches!(
        org.character(number),
        Character::NoDirectory | Character::NeverAdded
    );
    (!never).then(|| past_millis(org.seed, 0xadd, u64::from(number), 1500))
}

/// When the user last opened a product, in milliseconds; `None`: never.
pub(crate) fn last_active_millis(org: &Organization, number: u32, resource: u32) -> Option<i64> {
    let n = (u64::from(number) << 20) ^ u64::from(resource);
    (!draw(org.seed, 0x1a5, n).is_multiple_of(4)).then(|| past_millis(org.seed, 0x1a7, n, 200))
}

fn render(
    org: &Organization,
    number: u32,
    scope: Scope,
    parts: Parts,
    flaws: SearchFlaws,
) -> Option<UserJson<'_>> {
    let user = org.user(number)?;
    let parts = if flaws.no_expansions {
        Parts {
            deactivation: parts.deactivation,
            ..Parts::default()
        }
    } else {
        parts
    };
    let character = org.character(number);
    let profile = org.profile(number);
    let account_id = org.account_id(number);
    let wanted = parts.platform_roles || parts.counts || parts.product_access;
    let holdings = if wanted && !flaws.hides_roles(org.seed, number) {
        org.effective(number)
    } else {
        Vec::new()
    };
    let mut counted = holdings.clone();
    if flaws.direct_only {
        for holding in &mut counted {
            holding
                .roles
                .retain(|(_, methods)| methods.direct || methods.inferred);
        }
        counted.retain(|holding| !holding.roles.is_empty());
    }
    let platform_roles = match (parts.platform_roles, character) {
        (false, _) => Member::Missing,
        (true, Character::PlatformRolesNull) if org.platform_roles(&holdings).is_empty() => {
            Member::Null
        }
        (true, _) => Member::Value(org.platform_roles(&holdings)),
    };
    let (job_title, department) = profile::job(org.seed, number);
    let managed_only = |value: Option<&'static str>| {
        if user.managed {
            Member::or_null(value)
        } else {
            Member::Missing
        }
    };
    let synced = user.provisioned || !draw(org.seed, 0x5c1, u64::from(number)).is_multiple_of(3);
    let picture = format!("https://avatar.example.com/{number}.png");
    Some(UserJson {
        account_type: account_type(character),
        status: user.status(scope),
        account_status: user.account.as_str(),
        membership_status: user.membership_in(scope).as_str(),
        added_to_org: added_to_org(org, number, character),
        name: profile.name,
        nickname: profile.nickname,
        email_verified: email_verified(org, number, character, &profile.email),
        email: profile.email,
        claim_status: if user.managed { "managed" } else { "unmanaged" },
        platform_roles,
        avatar: picture.clone(),
        picture,
        management_source: managed_only(
            Some(if synced { "synced" } else { "invited" })
                .filter(|_| user.provisioned || !number.is_multiple_of(17)),
        ),
        mfa_enabled: Member::or_missing(mfa_enabled(org, number, user)),
        job_title: managed_only(job_title),
        department: managed_only(department),
        organization: managed_only(None),
        location: managed_only(None),
        time_zone: managed_only(Some("Europe/Berlin").filter(|_| number.is_multiple_of(3))),
        counts: Member::or_missing(parts.counts.then_some(Counts {
            resources: counted.len(),
        })),
        product_access: Member::or_missing(
            parts
                .product_access
                .then(|| product_access(org, number, &counted)),
        ),
        groups: Member::or_missing(
            parts
                .groups
                .then(|| groups_of(org, number, user, scope, flaws)),
        ),
        deactivated_on: if parts.deactivation {
            deactivated_on(org, number)
        } else {
            Member::Missing
        },
        for_deletion: Member::or_missing(parts.deactivation.then_some(user.for_deletion)),
        links: SelfLink {
            this: format!(
                "https://api.atlassian.com/admin/v2/orgs/{}/directories/-/users/{account_id}",
                org.id
            ),
        },
        account_id,
    })
}

fn added_to_org(org: &Organization, number: u32, character: Character) -> Member<String> {
    match (added_millis(org, number), character) {
        (Some(at), _) => Member::Value(iso_millis(from_millis(at))),
        (None, Character::NeverAdded) => Member::Missing,
        (None, _) => Member::Null,
    }
}

fn email_verified(
    org: &Organization,
    number: u32,
    character: Character,
    email: &Member<String>,
) -> Member<bool> {
    match (character, email.value()) {
        (Character::VerifiedNull, _) => Member::Null,
        (_, None) => Member::Missing,
        (_, Some(_)) => Member::Value(!draw(org.seed, 0xe3f, u64::from(number)).is_multiple_of(20)),
    }
}

fn deactivated_on(org: &Organization, number: u32) -> Member<String> {
    Member::or_null(
        lifecycle::deactivated_millis(org, number).map(|at| iso_seconds(from_millis(at))),
    )
}

fn product_access<'a>(
    org: &'a Organization,
    number: u32,
    holdings: &[Holding],
) -> Vec<ProductAccess<'a>> {
    org.products(holdings)
        .into_iter()
        .map(|(place, r)| ProductAccess {
            key: &r.owner,
            id: &r.ari,
            last_active_timestamp: last_active_millis(org, number, place)
                .map(|at| iso_seconds(from_millis(at))),
        })
        .collect()
}

/// Groups of the user in the requested directory; with all directories, all of them.
fn groups_of<'a>(
    org: &'a Organization,
    number: u32,
    user: &User,
    scope: Scope,
    flaws: SearchFlaws,
) -> Vec<GroupRef<'a>> {
    let mut groups = user.groups.clone();
    if flaws.hides_memberships(org.seed, number) {
        groups.clear();
    }
    if flaws.invents_membership(org.seed, number) && !groups.contains(&0) {
        groups.insert(0, 0);
    }
    groups
        .into_iter()
        .filter_map(|n| org.group(n).map(|g| (n, g)))
        .filter(|(_, g)| scope == Scope::All || scope == Scope::One(g.directory))
        .map(|(n, g)| GroupRef {
            id: org.group_id(n),
            name: &g.name,
            description: g.description.value().map(String::as_str),
        })
        .collect()
}
