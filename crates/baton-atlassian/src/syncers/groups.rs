//! Groups: their members, then their roles on workspaces.

use async_trait::async_trait;
use baton_connector::{Page, ResourceSyncer, Result};
use baton_proto::c1::connector::v2;

use super::{Shared, id_of, resources};
use crate::api::GroupStep;
use crate::mapping;

/// Groups of all directories.
#[derive(Debug)]
pub(crate) struct Groups(pub Shared);

#[async_trait]
impl ResourceSyncer for Groups {
    fn resource_type(&self) -> v2::ResourceType {
        mapping::group_type()
    }

    async fn list(
        &self,
        _parent: Option<&v2::ResourceId>,
        token: &str,
    ) -> Result<Page<v2::Resource>> {
        let page = self.0.api.groups(token).await?;
        Ok(resources(&page, |group| {
            mapping::group(group, self.0.fidelity)
        }))
    }

    async fn entitlements(
        &self,
        group: &v2::Resource,
        _token: &str,
    ) -> Result<Page<v2::Entitlement>> {
        Ok(Page::last(mapping::group_entitlements(
            group,
            self.0.fidelity,
        )?))
    }

    /// All pages of members, then all pages of role assignments.
    async fn grants(&self, group: &v2::Resource, token: &str) -> Result<Page<v2::Grant>> {
        match self.0.api.group_step(id_of(group), token).await? {
            GroupStep::Members(page) => Ok(Page::new(
                mapping::member_grants(group, &page.items)?,
                page.next,
            )),
            GroupStep::Roles(page) => {
                let grants = mapping::group_role_grants(group, &page.items, self.0.roles())?;
                self.0.role_page(grants, page.next)
            }
        }
    }
}
