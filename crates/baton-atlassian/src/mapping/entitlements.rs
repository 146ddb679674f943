//! What a group, a workspace or the organization can grant. Display names and
//! descriptions take part in comparisons of files, so they are fixed texts.

use baton_connector::Result;
use baton_connector::resource::{EntitlementBuilder, Profile};
use baton_proto::c1::connector::v2;
use prost_types::value::Kind;

use super::{Fidelity, ORGANIZATION, group_type, profile_keys, user_type};
use crate::api::models;
use crate::roles::{ORGANIZATION_ROLES, WORKSPACE_ROLES, role_of_slug, role_slug};

/// The slug of a group's one entitlement.
pub(crate) const MEMBER: &str = "member";

/// Who manages a group that an identity provider fills, in the API's words.
const EXTERNAL: &str = "external";

/// Added to the description of a role that only grants name.
const UNLISTED: &str = " No list has this role; it was found in a grant.";

/// Membership. A group that an identity provider fills cannot be changed here.
pub(crate) fn group_entitlements(
    group: &v2::Resource,
    fidelity: Fidelity,
) -> Result<Vec<v2::Entitlement>> {
    let name = &group.display_name;
    let mut builder = EntitlementBuilder::assignment(group, MEMBER)
        .display_name(format!("{name} member"))
        .description(format!("Member of the {name} group"))
        .grantable_to([&user_type()]);
    if fidelity.is_full() && is_stored_as_managed_elsewhere(group) {
        builder = builder.immutable(Profile::new());
    }
    Ok(vec![builder.build()?])
}

/// Whether an identity provider fills the group, as a sync has stored it.
pub(crate) fn is_stored_as_managed_elsewhere(group: &v2::Resource) -> bool {
    let Some(profile) = &group.profile else {
        return false;
    };
    let kind = |key: &str| {
        profile
            .fields
            .get(key)
            .and_then(|value| value.kind.as_ref())
    };
    matches!(
        kind(profile_keys::EXTERNAL_SYNCED),
        Some(Kind::BoolValue(true))
    ) || matches!(kind(profile_keys::MANAGED_BY), Some(Kind::StringValue(word)) if word == EXTERNAL)
}

/// The same, as the API shows it now.
pub(crate) fn is_managed_elsewhere(group: &models::Group) -> bool {
    group.external_synced == Some(true) || group.managed_by.as_deref() == Some(EXTERNAL)
}

/// Every role that a workspace can have, applicable to its product or not.
pub(crate) fn workspace_entitlements(workspace: &v2::Resource) -> Result<Vec<v2::Entitlement>> {
    WORKSPACE_ROLES
        .iter()
        .map(|role| workspace_role(workspace, role))
        .collect()
}

/// One role of a workspace.
fn workspace_role(workspace: &v2::Resource, role: &str) -> Result<v2::Entitlement> {
    let name = &workspace.display_name;
    EntitlementBuilder::permission(workspace, role_slug(role))
        .display_name(format!("{role} on {name}"))
        .description(format!("Role '{role}' applied in {name}."))
        .grantable_to([&user_type(), &group_type()])
        .build()
}

/// The roles of the organization itself.
pub(crate) fn organization_entitlements(
    organization: &v2::Resource,
) -> Result<Vec<v2::Entitlement>> {
    ORGANIZATION_ROLES
        .iter()
        .map(|role| organization_role(organization, role))
        .collect()
}

/// One role of the organization.
fn organization_role(organization: &v2::Resource, role: &str) -> Result<v2::Entitlement> {
    EntitlementBuilder::permission(organization, role_slug(role))
        .display_name(format!("{role} on {}", organization.display_name))
        .description(format!("Role '{role}' applied at organization level."))
        .grantable_to([&user_type()])
        .build()
}

/// A role of a workspace or of the organization that only grants name. `None`
/// if the slug is not one of a role.
pub(crate) fn unlisted_role(
    resource: &v2::Resource,
    slug: &str,
) -> Result<Option<v2::Entitlement>> {
    let Some(role) = role_of_slug(slug) else {
        return Ok(None);
    };
    let of_organization = resource
        .id
        .as_ref()
        .is_some_and(|id| id.resource_type == ORGANIZATION);
    let mut entitlement = if of_organization {
        organization_role(resource, role)?
    } else {
        workspace_role(resource, role)?
    };
    entitlement.description.push_str(UNLISTED);
    Ok(Some(entitlement))
}
