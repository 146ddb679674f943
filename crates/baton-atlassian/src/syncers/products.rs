//! The organization and its workspaces. Their grants are found by asking
//! about users and groups.

use async_trait::async_trait;
use baton_connector::{Call, Page, ResourceGetter, ResourceSyncer, Result, UpstreamCount};
use baton_proto::c1::connector::v2;

use super::{Shared, resources};
use crate::mapping;

/// Workspaces: the organization's product sites.
#[derive(Debug, Clone)]
pub(crate) struct Workspaces(pub Shared);

#[async_trait]
impl ResourceSyncer for Workspaces {
    async fn list(
        &self,
        call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let api = self.0.organization.on(call);
        let page = api.workspaces(call.token()).await?;
        let ends_full = page.next.is_empty() && page.full && page.counted == UpstreamCount::Unknown;
        let listed = resources(&page, |workspace| {
            mapping::workspace(workspace, self.0.fidelity)
        });
        Ok(listed.ends_full(ends_full))
    }

    async fn entitlements(
        &self,
        _call: &Call,
        workspace: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        Ok(Page::last(mapping::workspace_entitlements(workspace)?))
    }

    fn added_entitlement(
        &self,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        mapping::unlisted_role(resource, slug)
    }
}

/// The one organization.
#[derive(Debug, Clone)]
pub(crate) struct Organizations(pub Shared);

#[async_trait]
impl ResourceSyncer for Organizations {
    async fn list(
        &self,
        call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let organization = self.0.organization.on(call).organization().await?;
        Ok(Page::last(vec![mapping::organization(&organization)]))
    }

    async fn entitlements(
        &self,
        _call: &Call,
        organization: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        Ok(Page::last(mapping::organization_entitlements(
            organization,
        )?))
    }

    fn added_entitlement(
        &self,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        mapping::unlisted_role(resource, slug)
    }
}

#[async_trait]
impl ResourceGetter for Organizations {
    /// There is only the one that is configured, so any other id is unknown.
    async fn get(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        let api = self.0.organization.on(call);
        if id.resource != api.organization_id() {
            return Ok(None);
        }
        let organization = api.organization().await?;
        Ok(Some(mapping::organization(&organization)))
    }
}
