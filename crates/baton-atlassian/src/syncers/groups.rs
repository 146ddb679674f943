//! Groups: their members, then their roles on workspaces.

use async_trait::async_trait;
use baton_connector::{
    Call, Error, ExpectedDuplicates, Page, ResourceGetter, ResourceSyncer, Result,
};
use baton_proto::c1::connector::v2;

use super::{Shared, id_of, resources, role_page};
use crate::api::{Api, GroupStep};
use crate::mapping;
use crate::plan::counts::{self, CountedList};

/// Groups of all directories.
#[derive(Debug, Clone)]
pub(crate) struct Groups(pub Shared);

#[async_trait]
impl ResourceSyncer for Groups {
    async fn list(
        &self,
        call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let (api, plan) = self.0.on(call);
        let (api, plan, token) = (&api, &plan, call.token());
        let read = || async {
            let page = api.groups(token).await?;
            if !token.is_empty() || !page.next.is_empty() {
                plan.begin(api).await?;
            }
            Ok::<_, Error>(page)
        };
        let page = plan
            .counted(api, counts::groups(token), read, || api.count_groups())
            .await?;
        if !api.go_compatible() {
            plan.note_group_sizes(&page.items).await?;
        }
        Ok(resources(&page, |group| {
            mapping::group(group, self.0.fidelity)
        }))
    }

    async fn entitlements(
        &self,
        _call: &Call,
        group: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        Ok(Page::last(mapping::group_entitlements(
            group,
            self.0.fidelity,
        )?))
    }

    /// All pages of members, then all pages of role assignments.
    async fn grants(&self, call: &Call, group: &v2::Resource) -> Result<Page<v2::Grant>> {
        let (api, plan) = self.0.on(call);
        let (api, plan, token) = (&api, &plan, call.token());
        let id = id_of(group);
        let roles = Api::roles_token(id);
        if token.is_empty() {
            let known = plan.group(api, id).await?;
            if let Some(members) = known.members {
                let next = if known.quiet { String::new() } else { roles };
                let grants = mapping::member_grants(group, members.iter().map(String::as_str))?;
                return Ok(Page::new(grants, next));
            }
        } else if token == roles && plan.group_has_no_role(api, id).await? {
            return Ok(Page::empty());
        }
        let step = if token.is_empty() {
            let members = || api.members(id, token);
            let list = CountedList {
                end: &roles,
                ..counts::users(token)
            };
            let page = plan.counted(api, list, members, || api.count_members(id));
            let page = plan.sized_members(api, id, &roles, page.await?);
            GroupStep::Members(page.await?)
        } else {
            match api.group_step(id, token).await? {
                GroupStep::Members(page) => {
                    // A later page, which is not read again.
                    let list = CountedList {
                        end: &roles,
                        ..counts::users(token)
                    };
                    let page = plan.counted_after(api, list, page, || api.count_members(id));
                    GroupStep::Members(page.await?)
                }
                roles @ GroupStep::Roles(_) => roles,
            }
        };
        match step {
            GroupStep::Members(page) => {
                let members = page.items.iter().map(|m| m.account_id.as_str());
                let grants = mapping::member_grants(group, members)?;
                let count_ends_here = page.next == roles;
                let counted = Page::new(grants, page.next).upstream_count(page.counted);
                Ok(counted.count_ends_here(count_ends_here))
            }
            GroupStep::Roles(page) => {
                let grants = mapping::group_role_grants(group, &page.items, self.0.roles())?;
                Ok(role_page(grants, &page, token == roles))
            }
        }
    }

    fn expected_duplicates(&self) -> ExpectedDuplicates {
        ExpectedDuplicates {
            resources: None,
            grants: Some("a user in several directories is a member once for each"),
        }
    }
}

#[async_trait]
impl ResourceGetter for Groups {
    async fn get(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        let group = self.0.organization.on(call).group(&id.resource).await?;
        Ok(group.map(|group| mapping::group(&group, self.0.fidelity)))
    }
}
