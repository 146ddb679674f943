//! A connector that finds resources by their ids, for targeted syncs: it asks
//! the real one for the list until the resource turns up.

use async_trait::async_trait;
use baton_connector::http::InFlight;
use baton_connector::session::Session;
use baton_connector::{Any, CallContext, Connector, Error, Page, Remarks, Result, TrafficSnapshot};
use baton_proto::Code;
use baton_proto::c1::connector::v2;

/// Pages after which a list counts as endless.
const MOST_PAGES: usize = 1000;
/// How often a list is begun anew because its cursor died.
const RESTARTS: usize = 5;

/// See the module's header.
pub(crate) struct Finding<C>(pub(crate) C);

impl<C: Connector> Finding<C> {
    async fn walk(&self, cx: &CallContext, id: &v2::ResourceId) -> Result<Option<v2::Resource>> {
        let mut token = String::new();
        let mut restarts = 0;
        for _ in 0..MOST_PAGES {
            let page = self.0.list_resources(cx, &id.resource_type, None, &token);
            let page = match page.await {
                Err(error) if is_dead(&error) && !token.is_empty() && restarts < RESTARTS => {
                    restarts += 1;
                    token.clear();
                    continue;
                }
                page => page?,
            };
            let mut items = page.items.into_iter();
            let found = items.find(|resource| {
                let found = resource.id.as_ref();
                found.is_some_and(|found| found.resource == id.resource)
            });
            if found.is_some() || page.next.is_last() {
                return Ok(found);
            }
            token = page.next.into_string();
        }
        Err(Error::stated(Code::Internal, "the list has no end"))
    }
}

fn is_dead(error: &Error) -> bool {
    matches!(error.code(), Code::InvalidArgument | Code::OutOfRange)
}

#[async_trait]
impl<C: Connector> Connector for Finding<C> {
    async fn metadata(&self) -> Result<v2::ConnectorMetadata> {
        self.0.metadata().await
    }

    async fn validate(&self) -> Result<Vec<Any>> {
        self.0.validate().await
    }

    async fn list_resource_types(
        &self,
        cx: &CallContext,
        token: &str,
    ) -> Result<Page<v2::ResourceType>> {
        self.0.list_resource_types(cx, token).await
    }

    async fn list_resources(
        &self,
        cx: &CallContext,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
        token: &str,
    ) -> Result<Page<v2::Resource>> {
        self.0.list_resources(cx, type_id, parent, token).await
    }

    async fn list_static_entitlements(
        &self,
        cx: &CallContext,
        type_id: &str,
        token: &str,
    ) -> Result<Page<v2::Entitlement>> {
        self.0.list_static_entitlements(cx, type_id, token).await
    }

    async fn list_entitlements(
        &self,
        cx: &CallContext,
        resource: &v2::Resource,
        token: &str,
    ) -> Result<Page<v2::Entitlement>> {
        self.0.list_entitlements(cx, resource, token).await
    }

    async fn list_grants(
        &self,
        cx: &CallContext,
        resource: &v2::Resource,
        token: &str,
    ) -> Result<Page<v2::Grant>> {
        self.0.list_grants(cx, resource, token).await
    }

    fn added_entitlement(
        &self,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        self.0.added_entitlement(resource, slug)
    }

    async fn get_resource(
        &self,
        cx: &CallContext,
        id: &v2::ResourceId,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        self.walk(cx, id).await
    }

    async fn cleanup(&self, cx: &CallContext) -> Result<()> {
        self.0.cleanup(cx).await
    }

    fn traffic(&self) -> Option<TrafficSnapshot> {
        self.0.traffic()
    }

    fn remarks(&self) -> Remarks {
        self.0.remarks()
    }

    fn limit_in_flight(&self, limit: InFlight) {
        self.0.limit_in_flight(limit);
    }

    fn session(&self) -> Option<Session> {
        self.0.session()
    }
}
