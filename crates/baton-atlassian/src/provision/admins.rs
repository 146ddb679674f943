//! Organization admins, of whom one must remain.

use std::sync::Arc;

use async_trait::async_trait;
use baton_connector::{Call, Protected, Result};

use crate::api::{Api, Organization, RoleFilter};
use crate::provision::held::Holding;
use crate::roles::{ORGANIZATION_ADMIN, Owner};
use crate::syncers::Shared;

/// As many active organization admins must remain.
const MINIMUM: u32 = 1;

/// Roles on the organization and its sites.
const ADMIN: RoleFilter<'_> = RoleFilter {
    role: ORGANIZATION_ADMIN,
    resource: None,
};

/// What a change takes from an organization admin.
#[derive(Debug)]
pub(crate) struct Loss {
    user: String,
    /// The user stays one in another way.
    stays: bool,
}

/// The active organization admins, but for the one who ceases to be one.
#[derive(Debug)]
pub(crate) struct OrganizationAdmins {
    organization: Arc<Organization>,
    loss: Loss,
}

impl OrganizationAdmins {
    /// The user's own role ends, or the account; groups may still give the role.
    pub fn lost(user: &str, stays: bool) -> Loss {
        Loss {
            user: user.to_owned(),
            stays,
        }
    }

    /// Whether a user is one, in whatever way.
    pub async fn include(api: &Api, user: &str) -> Result<bool> {
        let items = api.held_by_user(user, ADMIN).await?.unwrap_or_default();
        Ok(holding(&items).present)
    }

    /// A membership ends: `None` if the group does not make admins.
    pub async fn lost_with_group(api: &Api, user: &str, group: &str) -> Result<Option<Loss>> {
        let giving = api.groups_giving(user, ADMIN).await?;
        if giving.iter().all(|giving| giving.id != group) {
            return Ok(None);
        }
        let mut stays = giving.iter().any(|giving| giving.id != group);
        if !stays {
            let items = api.held_by_user(user, ADMIN).await?.unwrap_or_default();
            stays = holding(&items).direct;
        }
        Ok(Some(Self::lost(user, stays)))
    }
}

impl Loss {
    pub fn of(self, shared: &Shared) -> OrganizationAdmins {
        OrganizationAdmins {
            organization: Arc::clone(&shared.organization),
            loss: self,
        }
    }
}

/// How the role is held on the organization, by a user's assignments.
pub(super) fn holding(items: &[crate::api::models::RoleAssignment]) -> Holding {
    Holding::of(items, ORGANIZATION_ADMIN, |item| {
        Owner::of(&item.resource_owner) == Owner::Platform
    })
}

#[async_trait]
impl Protected for OrganizationAdmins {
    fn name(&self) -> String {
        format!(
            "`{ORGANIZATION_ADMIN}` of organization `{}`",
            self.organization.id
        )
    }

    fn minimum(&self) -> u32 {
        MINIMUM
    }

    async fn remaining(&self, call: &Call) -> Result<u32> {
        let api = self.organization.on(call);
        let except = (!self.loss.stays).then_some(self.loss.user.as_str());
        api.active_holders(ORGANIZATION_ADMIN, except).await
    }
}
