//! The API's JSON, as far as it is read. What decides rows (ids, owners,
//! roles, cursors) is strict: another type, a missing one or bad text there is
//! an error, since guessing would lose access silently. What only describes is
//! lenient: see [`Fields`]. Unknown fields are ignored. These types never leave
//! the crate.

use baton_connector::http::{FieldError, Fields};

use super::answer::Read;
use crate::roles::Owner;

type Reading<T> = Result<T, FieldError>;

#[derive(Debug)]
pub(crate) struct Organization {
    pub id: String,
    pub name: Option<String>,
}

impl Read for Organization {
    fn read(fields: &Fields<'_>) -> Reading<Self> {
        Ok(Self {
            id: fields.id("id")?,
            name: fields
                .part("attributes")
                .and_then(|about| about.text("name")),
        })
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct User {
    pub account_id: String,
    pub account_type: Option<String>,
    pub status: Option<String>,
    pub account_status: Option<String>,
    pub membership_status: Option<String>,
    pub added_to_org: Option<String>,
    pub name: Option<String>,
    pub nickname: Option<String>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub claim_status: Option<String>,
    pub management_source: Option<String>,
    pub mfa_enabled: Option<bool>,
    pub job_title: Option<String>,
    pub department: Option<String>,
    pub organization: Option<String>,
    pub location: Option<String>,
    pub time_zone: Option<String>,
    /// When each product was used last.
    pub last_active: Vec<String>,
}

impl Read for User {
    fn read(fields: &Fields<'_>) -> Reading<Self> {
        Ok(Self {
            account_id: fields.id("accountId")?,
            account_type: fields.text("accountType"),
            status: fields.text("status"),
            account_status: fields.text("accountStatus"),
            membership_status: fields.text("membershipStatus"),
            added_to_org: fields.text("addedToOrg"),
            name: fields.text("name"),
            nickname: fields.text("nickname"),
            email: fields.text("email"),
            email_verified: fields.flag("emailVerified"),
            claim_status: fields.text("claimStatus"),
            management_source: fields.text("managementSource"),
            mfa_enabled: fields.flag("mfaEnabled"),
            job_title: fields.text("jobTitle"),
            department: fields.text("department"),
            organization: fields.text("organization"),
            location: fields.text("location"),
            time_zone: fields.text("timeZone"),
            last_active: last_active(fields),
        })
    }
}

fn last_active(fields: &Fields<'_>) -> Vec<String> {
    let products = fields.parts("productAccess").into_iter().flatten();
    products
        .filter_map(|product| product.text("lastActiveTimestamp"))
        .collect()
}

/// A user of whom only the id matters: members of a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub account_id: String,
}

impl Read for Member {
    fn read(fields: &Fields<'_>) -> Reading<Self> {
        Ok(Self {
            account_id: fields.id("accountId")?,
        })
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Group {
    pub id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub directory_id: Option<String>,
    pub external_synced: Option<bool>,
    pub managed_by: Option<String>,
    /// How many members it has by its own word, if that was asked for.
    pub users: Option<u64>,
}

impl Read for Group {
    fn read(fields: &Fields<'_>) -> Reading<Self> {
        Ok(Self {
            id: fields.id("id")?,
            name: fields.text("name"),
            description: fields.text("description"),
            directory_id: fields.reference("directoryId"),
            external_synced: fields.flag("externalSynced"),
            managed_by: fields.text("managedBy"),
            users: fields
                .part("counts")
                .and_then(|counts| counts.count("users")),
        })
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Workspace {
    pub id: String,
    pub attributes: WorkspaceAttributes,
}

impl Read for Workspace {
    fn read(fields: &Fields<'_>) -> Reading<Self> {
        Ok(Self {
            id: fields.id("id")?,
            attributes: fields
                .part("attributes")
                .map(|about| WorkspaceAttributes::read(&about))
                .unwrap_or_default(),
        })
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct WorkspaceAttributes {
    pub name: Option<String>,
    pub product: Option<String>,
    pub type_key: Option<String>,
    pub status: Option<String>,
    pub host_url: Option<String>,
    pub created_at: Option<String>,
    pub sandbox: Option<String>,
}

impl WorkspaceAttributes {
    fn read(fields: &Fields<'_>) -> Self {
        Self {
            name: fields.text("name"),
            product: fields.text("type"),
            type_key: fields.text("typeKey"),
            status: fields.text("status"),
            host_url: fields.text("hostUrl"),
            created_at: fields.text("createdAt"),
            sandbox: fields
                .part("sandbox")
                .and_then(|sandbox| sandbox.text("type")),
        }
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct ApiToken {
    pub id: String,
    pub label: Option<String>,
    pub status: Option<String>,
    pub created_at: Option<String>,
    pub expires_at: Option<String>,
    pub last_active_at: Option<String>,
    /// Account id of the owner.
    pub owner_id: Option<String>,
    pub scopes: Option<Vec<String>>,
}

impl Read for ApiToken {
    fn read(fields: &Fields<'_>) -> Reading<Self> {
        Ok(Self {
            id: fields.id("id")?,
            label: fields.text("label"),
            status: fields.text("status"),
            created_at: fields.text("createdAt"),
            expires_at: fields.text("expiresAt"),
            last_active_at: fields.text("lastActiveAt"),
            owner_id: fields.part("user").and_then(|owner| owner.reference("id")),
            scopes: fields.texts("scopes"),
        })
    }
}

/// The roles of one principal on one resource.
#[derive(Debug, Default, Clone)]
pub(crate) struct RoleAssignment {
    pub resource_id: String,
    pub resource_owner: String,
    pub roles: Vec<String>,
    pub role_assignments: Vec<AssignedRole>,
}

impl Read for RoleAssignment {
    fn read(fields: &Fields<'_>) -> Reading<Self> {
        let resource_owner = fields.id("resourceOwner")?;
        let resource_id = match Owner::of(&resource_owner) {
            Owner::Workspace => fields.id("resourceId")?,
            Owner::Platform | Owner::InProduct => {
                fields.maybe_id("resourceId")?.unwrap_or_default()
            }
        };
        let role_assignments = fields.objects("roleAssignments")?;
        let assignment = Self {
            resource_id,
            resource_owner,
            roles: fields.ids("roles")?,
            role_assignments: role_assignments
                .iter()
                .map(AssignedRole::read)
                .collect::<Reading<_>>()?,
        };
        let lists = ["roles", "roleAssignments"];
        let mut lists = lists.iter().map(|name| fields.member(name));
        if lists.all(|list| matches!(list, Ok(None))) {
            return Err(fields.field_error("roles", "it is missing, and so is `roleAssignments`"));
        }
        Ok(assignment)
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct AssignedRole {
    pub role: String,
    /// Empty where the answer has none.
    pub role_assignment_methods: Vec<String>,
}

impl Read for AssignedRole {
    fn read(fields: &Fields<'_>) -> Reading<Self> {
        Ok(Self {
            role: fields.id("role")?,
            role_assignment_methods: fields.texts("roleAssignmentMethods").unwrap_or_default(),
        })
    }
}
