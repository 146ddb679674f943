//! Who holds what, from memberships and role assignments.
//!
//! A user's assignments are the effective ones: roles of the user's own and
//! roles that come from groups. The Go connector does not tell them apart; in
//! full fidelity a role that comes from groups alone is marked immutable,
//! since revoking it from the user does nothing.

use std::collections::{BTreeMap, BTreeSet};

use baton_connector::resource::{GrantBuilder, Profile, resource_id};
use baton_connector::{Added, Result};
use baton_proto::c1::connector::v2;

use super::entitlements::MEMBER;
use super::resources::unlisted;
use super::{Fidelity, ORGANIZATION, USER, WORKSPACE};
use crate::api::models::RoleAssignment;
use crate::roles::{ORGANIZATION_ROLES, Owner, WORKSPACE_ROLES, role_slug};

/// How a role is held, in the API's words.
pub(crate) mod methods {
    /// It comes from a membership.
    pub(crate) const FROM_GROUP: &str = "group_direct";
    /// It is the principal's own.
    pub(crate) const OWN: &str = "direct";
}

/// The key of a grant's metadata that names the sites of an organization role.
pub(crate) const RESOURCE_IDS: &str = "resource_ids";

/// What turning assignments into grants depends on besides the assignments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleContext<'a> {
    /// The configured organization: platform roles are granted on it.
    pub organization_id: &'a str,
    pub fidelity: Fidelity,
}

/// Grants of roles, and the entitlements that they are on.
#[derive(Debug, Default)]
pub(crate) struct RoleGrants {
    pub grants: Vec<v2::Grant>,
    /// In full fidelity: what the lists may lack.
    pub added: Vec<Added>,
}

/// Memberships of a group.
pub(crate) fn member_grants<'a>(
    group: &v2::Resource,
    members: impl Iterator<Item = &'a str>,
) -> Result<Vec<v2::Grant>> {
    members
        .map(|id| GrantBuilder::new(group, MEMBER, resource_id(USER, id)).build())
        .collect()
}

/// Grants of a user's effective roles.
pub(crate) fn user_role_grants(
    user: &v2::Resource,
    assignments: &[RoleAssignment],
    cx: RoleContext<'_>,
) -> Result<RoleGrants> {
    role_grants(user, assignments, cx, |owner| owner != Owner::InProduct)
}

/// Grants of a group's roles on workspaces. Platform roles of groups are not
/// granted to the group: they appear with its members.
pub(crate) fn group_role_grants(
    group: &v2::Resource,
    assignments: &[RoleAssignment],
    cx: RoleContext<'_>,
) -> Result<RoleGrants> {
    role_grants(group, assignments, cx, |owner| owner == Owner::Workspace)
}

/// Whether grants would come of a user's assignments, in any fidelity.
pub(crate) fn user_holds_any(assignments: &[RoleAssignment]) -> bool {
    holds_any(assignments, |owner| owner != Owner::InProduct)
}

/// Whether grants would come of a group's assignments, in any fidelity.
pub(crate) fn group_holds_any(assignments: &[RoleAssignment]) -> bool {
    holds_any(assignments, |owner| owner == Owner::Workspace)
}

fn holds_any(assignments: &[RoleAssignment], counts: impl Fn(Owner) -> bool) -> bool {
    let mut counted = assignments
        .iter()
        .filter(|item| counts(Owner::of(&item.resource_owner)));
    counted.any(|item| !roles_of(item, Fidelity::Full).is_empty())
}

/// A role on a thing, with all that the page has about how it is held.
#[derive(Default)]
struct Held<'a> {
    methods: BTreeSet<&'a str>,
    /// One of the assignments does not say how.
    unstated: bool,
    /// The last word for who owns the thing.
    owner: &'a str,
    /// The platform things behind an organization role.
    scopes: BTreeSet<&'a str>,
}

fn role_grants(
    principal: &v2::Resource,
    assignments: &[RoleAssignment],
    cx: RoleContext<'_>,
    counts: impl Fn(Owner) -> bool,
) -> Result<RoleGrants> {
    // The same role can stand in several items (one per directory): one grant
    // results, in the place of the first.
    let mut order = Vec::new();
    let mut held: BTreeMap<(&str, &str, &str), Held<'_>> = BTreeMap::new();
    for item in assignments {
        let owner = Owner::of(&item.resource_owner);
        if !counts(owner) {
            continue;
        }
        let (type_id, id) = target(item, owner, cx);
        for role in roles_of(item, cx.fidelity) {
            let key = (type_id, id, role);
            let entry = held.entry(key).or_insert_with(|| {
                order.push(key);
                Held::default()
            });
            note(entry, item, role, owner);
        }
    }
    let mut made = RoleGrants::default();
    for key in order {
        made.grants.push(grant(principal, key, &held[&key], cx)?);
        if cx.fidelity.is_full() {
            made.added.push(added(key, &held[&key])?);
        }
    }
    Ok(made)
}

/// The entitlement that a role is, with its resource as far as the assignment
/// has it.
fn added((type_id, id, role): (&str, &str, &str), held: &Held<'_>) -> Result<Added> {
    let roles: &[&str] = match type_id {
        ORGANIZATION => &ORGANIZATION_ROLES,
        _ => &WORKSPACE_ROLES,
    };
    Ok(Added {
        resource: unlisted(type_id, id, held.owner)?,
        slug: role_slug(role),
        listed_with_resource: roles.contains(&role),
    })
}

fn target<'a>(item: &'a RoleAssignment, owner: Owner, cx: RoleContext<'a>) -> (&'a str, &'a str) {
    match owner {
        Owner::Platform => (ORGANIZATION, cx.organization_id),
        Owner::Workspace | Owner::InProduct => (WORKSPACE, item.resource_id.as_str()),
    }
}

/// The roles of an item, each once: the deprecated plain list first, then what
/// only the newer list names.
fn roles_of(item: &RoleAssignment, fidelity: Fidelity) -> Vec<&str> {
    let mut roles: Vec<&str> = Vec::new();
    let newer = item
        .role_assignments
        .iter()
        .map(|assigned| assigned.role.as_str());
    let newer = newer.filter(|_| fidelity.is_full());
    for role in item.roles.iter().map(String::as_str).chain(newer) {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    roles
}

fn note<'a>(held: &mut Held<'a>, item: &'a RoleAssignment, role: &str, owner: Owner) {
    held.owner = &item.resource_owner;
    let told = item
        .role_assignments
        .iter()
        .find(|assigned| assigned.role == role && !assigned.role_assignment_methods.is_empty());
    match told {
        Some(assigned) => held
            .methods
            .extend(assigned.role_assignment_methods.iter().map(String::as_str)),
        None => held.unstated = true,
    }
    if owner == Owner::Platform && !item.resource_id.is_empty() {
        held.scopes.insert(&item.resource_id);
    }
}

fn grant(
    principal: &v2::Resource,
    (type_id, id, role): (&str, &str, &str),
    held: &Held<'_>,
    cx: RoleContext<'_>,
) -> Result<v2::Grant> {
    let mut builder = GrantBuilder::new(resource_id(type_id, id), role_slug(role), principal);
    if cx.fidelity.is_full() {
        let only_groups = !held.unstated
            && held.methods.contains(methods::FROM_GROUP)
            && !held.methods.contains(methods::OWN);
        if only_groups {
            let methods = held.methods.iter().copied();
            builder = builder.immutable(Profile::new().texts("role_assignment_methods", methods));
        }
        // An organization role can really be one of a site: say of which.
        let own = format!("ari:cloud:platform::org/{}", cx.organization_id);
        let scopes: Vec<&str> = held.scopes.iter().copied().filter(|s| *s != own).collect();
        if !scopes.is_empty() {
            builder = builder.metadata(Profile::new().texts(RESOURCE_IDS, scopes));
        }
    }
    builder.build()
}
