//! Sites of the organization. Some of its roles are really held on one of its
//! sites, and no list of the API has the sites: what is known of them are the
//! ids in role assignments, and the addresses of workspaces.

use std::collections::BTreeSet;

use baton_connector::{Error, Result};
use baton_proto::Code;

use crate::api::models::RoleAssignment;
use crate::api::{Api, RoleFilter};
use crate::roles::{Owner, SITE_ROLES};

/// Of so many holders of site roles the assignments are read, to find sites.
const MOST_HOLDERS: usize = 20;
/// So many sites are named in a message.
const SHOWN: usize = 3;

/// What the id of an organization begins with.
const ORGANIZATION: &str = "ari:cloud:platform::org/";

/// Whether an assignment is one on a site.
pub(super) fn is_on_site(item: &RoleAssignment) -> bool {
    let id = &item.resource_id;
    Owner::of(&item.resource_owner) == Owner::Platform
        && !id.is_empty()
        && !id.starts_with(ORGANIZATION)
}

/// The sites that assignments name.
pub(super) fn named_in(items: &[RoleAssignment]) -> BTreeSet<String> {
    let items = items.iter().filter(|item| is_on_site(item));
    items.map(|item| item.resource_id.clone()).collect()
}

/// The only site of the organization.
///
/// # Errors
/// There are several, or it cannot be shown that there is only one.
pub(super) async fn only(api: &Api, mut known: BTreeSet<String>, role: &str) -> Result<String> {
    for holder in api
        .some_holders(&SITE_ROLES)
        .await?
        .iter()
        .take(MOST_HOLDERS)
    {
        for role in SITE_ROLES {
            let filter = RoleFilter {
                role,
                resource: None,
            };
            let items = api.held_by_user(&holder.account_id, filter).await?;
            known.extend(named_in(&items.unwrap_or_default()));
        }
    }
    let addresses = addresses(api).await?;
    let mut sites = known.iter();
    match (sites.next(), sites.next()) {
        (Some(site), None) if addresses == 1 => Ok(site.clone()),
        _ => Err(which(role, &known)),
    }
}

/// How many addresses the workspaces have.
async fn addresses(api: &Api) -> Result<usize> {
    let mut found = BTreeSet::new();
    let mut token = String::new();
    loop {
        let page = api.workspaces(&token).await?;
        let hosts = page.items.into_iter();
        found.extend(hosts.filter_map(|workspace| workspace.attributes.host_url));
        if page.next.is_empty() {
            return Ok(found.len());
        }
        token = page.next;
    }
}

/// The error of a change that must name a site.
pub(super) fn which(role: &str, known: &BTreeSet<String>) -> Error {
    let mut named: Vec<String> = known.iter().map(|site| format!("`{site}`")).collect();
    let more = named.len().saturating_sub(SHOWN);
    named.truncate(SHOWN);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    let sites = if named.is_empty() {
        "no role assignment names a site".to_owned()
    } else {
        format!("role assignments name {}", named.join(", "))
    };
    let text =
        format!("`{role}` is held on one site, and the entitlement does not say which: {sites}");
    Error::stated(Code::FailedPrecondition, text)
        .with_hint("pass the site with --site ari:cloud:platform::site/<id>")
}
