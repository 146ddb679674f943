//! People and their secrets.

use async_trait::async_trait;
use baton_connector::{
    Call, Error, ExpectedDuplicates, Page, ResourceGetter, ResourceSyncer, Result,
};
use baton_proto::c1::connector::v2;

use super::{Shared, id_of, resources, role_page};
use crate::api::endpoints;
use crate::mapping;
use crate::plan::counts::{self, CountedList};

/// Users of all directories, and managed accounts that are in none.
#[derive(Debug)]
pub(crate) struct Users(pub Shared);

#[async_trait]
impl ResourceSyncer for Users {
    async fn list(
        &self,
        call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let (api, plan) = self.0.on(call);
        let (api, plan, token) = (&api, &plan, call.token());
        let read = || async {
            let page = api.users(token).await?;
            if !token.is_empty() || !page.next.is_empty() {
                plan.begin(api).await?;
            }
            Ok::<_, Error>(page)
        };
        let page = plan
            .counted(api, counts::users(token), read, || api.count_users())
            .await?;
        Ok(resources(&page, |user| {
            mapping::user(user, self.0.fidelity)
        }))
    }

    /// The effective roles of one user, on workspaces and the organization.
    async fn grants(&self, call: &Call, user: &v2::Resource) -> Result<Page<v2::Grant>> {
        let (api, plan) = self.0.on(call);
        let (api, plan, token) = (&api, &plan, call.token());
        if token.is_empty() && plan.user_has_no_role(api, id_of(user)).await? {
            return Ok(Page::empty());
        }
        let page = api.user_roles(id_of(user), token).await?;
        let grants = mapping::user_role_grants(user, &page.items, self.0.roles())?;
        Ok(role_page(grants, &page, token.is_empty()))
    }

    fn expected_duplicates(&self) -> ExpectedDuplicates {
        ExpectedDuplicates {
            resources: Some("a user in several directories is listed once for each"),
            grants: None,
        }
    }
}

#[async_trait]
impl ResourceGetter for Users {
    async fn get(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        let user = self.0.organization.on(call).user(&id.resource).await?;
        Ok(user.map(|user| mapping::user(&user, self.0.fidelity)))
    }
}

/// API tokens of the organization's accounts.
#[derive(Debug)]
pub(crate) struct ApiTokens(pub Shared);

#[async_trait]
impl ResourceSyncer for ApiTokens {
    async fn list(
        &self,
        call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let (api, plan) = self.0.on(call);
        let (api, plan, token) = (&api, &plan, call.token());
        let page = plan
            .counted(
                api,
                CountedList {
                    endpoint: endpoints::API_TOKENS_COUNT,
                    ..counts::users(token)
                },
                || api.api_tokens(token),
                || api.count_api_tokens(),
            )
            .await?;
        Ok(resources(&page, |secret| {
            mapping::api_token(secret, self.0.fidelity)
        }))
    }
}
