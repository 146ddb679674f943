//! From the API's objects to resources, entitlements and grants. Pure: no
//! request, no clock, no state. Ids are the contract with files written by
//! the Go connector; with [`Fidelity::GoCompatible`] every byte is.

mod account_schema;
mod entitlements;
mod grants;
mod resources;
mod time;

pub(crate) use account_schema::{USER_ID, access_schema, account_fields, account_schema};
pub(crate) use entitlements::{
    MEMBER, group_entitlements, is_managed_elsewhere, is_stored_as_managed_elsewhere,
    organization_entitlements, unlisted_role, workspace_entitlements,
};
pub(crate) use grants::{
    RESOURCE_IDS, RoleContext, RoleGrants, group_holds_any, group_role_grants, member_grants,
    methods, user_holds_any, user_role_grants,
};
pub(crate) use resources::{api_token, group, organization, user, user_without_id, workspace};
pub(crate) use time::timestamp;

use baton_connector::resource::ResourceTypeBuilder;
use baton_proto::c1::connector::v2;
use v2::resource_type::Trait;

pub(crate) const USER: &str = "user";
pub(crate) const WORKSPACE: &str = "workspace";
pub(crate) const GROUP: &str = "group";
pub(crate) const ORGANIZATION: &str = "organization";
pub(crate) const API_TOKEN: &str = "api_token";

/// Profile keys that later steps read back from a stored resource.
pub(crate) mod profile_keys {
    pub(crate) const DIRECTORY_ID: &str = "directory_id";
    pub(crate) const EXTERNAL_SYNCED: &str = "external_synced";
    pub(crate) const MANAGED_BY: &str = "managed_by";
}

/// How much of the API's answers is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fidelity {
    /// Exactly what the Go connector writes.
    GoCompatible,
    /// The same rows and ids, with the fields that it loses.
    Full,
}

impl Fidelity {
    pub fn of(go_compatible: bool) -> Self {
        if go_compatible {
            Self::GoCompatible
        } else {
            Self::Full
        }
    }

    pub fn is_full(self) -> bool {
        self == Self::Full
    }
}

/// The resource type of users.
pub(crate) fn user_type() -> v2::ResourceType {
    known_type(USER, "User", Some(Trait::User))
}

/// The resource type of groups.
pub(crate) fn group_type() -> v2::ResourceType {
    known_type(GROUP, "Group", Some(Trait::Group))
}

/// The resource type of workspaces (product sites).
pub(crate) fn workspace_type() -> v2::ResourceType {
    known_type(WORKSPACE, "Workspace", None)
}

/// The resource type of the organization.
pub(crate) fn organization_type() -> v2::ResourceType {
    known_type(ORGANIZATION, "Organization", None)
}

/// The resource type of API tokens.
pub(crate) fn api_token_type() -> v2::ResourceType {
    known_type(API_TOKEN, "API Token", Some(Trait::Secret))
}

fn known_type(id: &str, display_name: &str, declared: Option<Trait>) -> v2::ResourceType {
    let mut builder = ResourceTypeBuilder::new(id, display_name);
    if let Some(declared) = declared {
        builder = builder.with_trait(declared);
    }
    builder
        .build()
        .expect("every id above is a non-empty constant, the only thing that is checked")
}
