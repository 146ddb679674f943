//! Who holds what, from memberships and role assignments.
//!
//! A user's assignments are the effective ones: roles of the user's own and
//! roles that come from groups. The Go connector does not tell them apart; in
//! full fidelity a role that comes from groups alone is marked immutable,
//! since revoking it from the user does nothing.

use std::collections::{BTreeMap, BTreeSet};

use baton_connector::Result;
use baton_connector::resource::{GrantBuilder, Profile, resource_id};
use baton_proto::c1::connector::v2;

use super::entitlements::{MEMBER, organization_role, workspace_role};
use super::{Fidelity, ORGANIZATION, USER, WORKSPACE};
use crate::api::models::RoleAssignment;
use crate::roles::{ORGANIZATION_ROLES, Owner, WORKSPACE_ROLES, role_slug};

/// How the API says that a role comes from a membership.
const FROM_GROUP: &str = "group_direct";
/// How the API says that a role is the principal's own.
const OWN: &str = "direct";

/// What turning assignments into grants depends on besides the assignments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleContext<'a> {
    /// The configured organization: platform roles are granted on it.
    pub organization_id: &'a str,
    pub fidelity: Fidelity,
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
) -> Result<Vec<v2::Grant>> {
    role_grants(user, assignments, cx, |owner| owner != Owner::InProduct)
}

/// Grants of a group's roles on workspaces. Platform roles of groups are not
/// granted to the group: they appear with its members.
pub(crate) fn group_role_grants(
    group: &v2::Resource,
    assignments: &[RoleAssignment],
    cx: RoleContext<'_>,
) -> Result<Vec<v2::Grant>> {
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

/// A role on a thing, with all that the page says about how it is held.
#[derive(Default)]
struct Held<'a> {
    methods: BTreeSet<&'a str>,
    /// One of the assignments does not say how.
    untold: bool,
    /// The platform things behind an organization role.
    scopes: BTreeSet<&'a str>,
}

fn role_grants(
    principal: &v2::Resource,
    assignments: &[RoleAssignment],
    cx: RoleContext<'_>,
    counts: impl Fn(Owner) -> bool,
) -> Result<Vec<v2::Grant>> {
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
    order
        .into_iter()
        .map(|key| grant(principal, key, &held[&key], cx))
        .collect()
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
    let told = item
        .role_assignments
        .iter()
        .find(|assigned| assigned.role == role && !assigned.role_assignment_methods.is_empty());
    match told {
        Some(assigned) => held
            .methods
            .extend(assigned.role_assignment_methods.iter().map(String::as_str)),
        None => held.untold = true,
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
        let only_groups =
            !held.untold && held.methods.contains(FROM_GROUP) && !held.methods.contains(OWN);
        if only_groups {
            let methods = held.methods.iter().copied();
            builder = builder.immutable(Profile::new().texts("role_assignment_methods", methods));
        }
        // An organization role can really be one of a site: say of which.
        let own = format!("ari:cloud:platform::org/{}", cx.organization_id);
        let scopes: Vec<&str> = held.scopes.iter().copied().filter(|s| *s != own).collect();
        if !scopes.is_empty() {
            builder = builder.metadata(Profile::new().texts("resource_ids", scopes));
        }
    }
    builder.build()
}

/// Entitlements that grants of roles outside the fixed lists point to. Their
/// resource is embedded by id alone, and the id stands for its name.
pub(crate) fn missing_entitlements(grants: &[v2::Grant]) -> Result<Vec<v2::Entitlement>> {
    let mut seen = BTreeSet::new();
    let mut made = Vec::new();
    for grant in grants {
        let Some(resource) = grant.entitlement.as_ref().and_then(|e| e.resource.as_ref()) else {
            continue;
        };
        let Some(id) = &resource.id else { continue };
        let Some(role) = role_of(grant, id) else {
            continue;
        };
        let known: &[&str] = match id.resource_type.as_str() {
            ORGANIZATION => &ORGANIZATION_ROLES,
            WORKSPACE => &WORKSPACE_ROLES,
            _ => continue,
        };
        if known.contains(&role)
            || !seen.insert((
                id.resource_type.clone(),
                id.resource.clone(),
                role.to_owned(),
            ))
        {
            continue;
        }
        let named = v2::Resource {
            display_name: id.resource.clone(),
            ..resource.clone()
        };
        let mut entitlement = match id.resource_type.as_str() {
            ORGANIZATION => organization_role(&named, role)?,
            _ => workspace_role(&named, role)?,
        };
        entitlement.resource = Some(resource.clone());
        made.push(entitlement);
    }
    Ok(made)
}

/// The role that a grant was made for. The id's parts are known here, so its
/// end is compared with what this crate itself put there, never split.
fn role_of<'a>(grant: &'a v2::Grant, resource: &v2::ResourceId) -> Option<&'a str> {
    let head = format!("{}:{}:role:", resource.resource_type, resource.resource);
    grant.entitlement.as_ref()?.id.strip_prefix(&head)
}
