//! A connector that finds resources by their ids, for targeted syncs: it asks
//! the real one for the list until the resource turns up.

use async_trait::async_trait;
use baton_connector::{Any, Call, Connector, Error, LocalHooks, Page, Result, Row};
use baton_proto::Code;
use baton_proto::c1::connector::v2;

/// Pages after which a list counts as endless.
const MOST_PAGES: usize = 1000;
/// How often a list is read again from its start because its cursor died.
const RESTARTS: usize = 5;

/// See the module's header.
pub(crate) struct Finding<C>(pub(crate) C);

impl<C: Connector> Finding<C> {
    async fn walk(&self, call: &Call, id: &v2::ResourceId) -> Result<Option<Row<v2::Resource>>> {
        let mut token = String::new();
        let mut restarts = 0;
        for _ in 0..MOST_PAGES {
            let at = call.at(token.as_str());
            let page = self.0.list_resources(&at, &id.resource_type, None);
            let page = match page.await {
                Err(error) if is_dead(&error) && !token.is_empty() && restarts < RESTARTS => {
                    restarts += 1;
                    token.clear();
                    continue;
                }
                page => page?,
            };
            let next = page.next.clone();
            let mut items = page.into_rows();
            let found = items.find(|resource| {
                let found = resource.message().id.as_ref();
                found.is_some_and(|found| found.resource == id.resource)
            });
            if found.is_some() || next.is_last() {
                return Ok(found);
            }
            token = next.into_string();
        }
        Err(Error::stated(Code::Internal, "the list has no end"))
    }
}

fn is_dead(error: &Error) -> bool {
    matches!(error.code(), Code::InvalidArgument | Code::OutOfRange)
}

#[async_trait]
impl<C: Connector> Connector for Finding<C> {
    async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata> {
        self.0.metadata(call).await
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        self.0.validate(call).await
    }

    async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>> {
        self.0.list_resource_types(call).await
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        self.0.list_resources(call, type_id, parent).await
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        self.0.list_static_entitlements(call, type_id).await
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        self.0.list_entitlements(call, resource).await
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        self.0.list_grants(call, resource).await
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        self.walk(call, id).await
    }

    async fn added_entitlement(
        &self,
        call: &Call,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        self.0.added_entitlement(call, resource, slug).await
    }

    async fn cleanup(&self, call: &Call) -> Result<()> {
        self.0.cleanup(call).await
    }

    fn local(&self) -> Option<&dyn LocalHooks> {
        self.0.local()
    }
}
