//! The calls that read: lists, single resources, the description of the connector.

use async_trait::async_trait;
use baton_connector::{
    Accounts, Actions, Call, Connector, Creating, Credentials, Deleting, Error, EventFeeds, Page,
    Provisioning, Result, Row, Tickets,
    v2::{
        ConnectorMetadata, ConnectorServiceCleanupRequest, ConnectorServiceGetMetadataRequest,
        ConnectorServiceValidateRequest, Entitlement,
        EntitlementsServiceListEntitlementsRequest as ListEntitlements,
        EntitlementsServiceListStaticEntitlementsRequest as ListStaticEntitlements, Grant,
        GrantsServiceListGrantsRequest as ListGrants, Resource,
        ResourceGetterServiceGetResourceRequest as GetResource, ResourceId, ResourceType,
        ResourceTypesServiceListResourceTypesRequest as ListResourceTypes,
        ResourcesServiceListResourcesRequest as ListResources, TypeScopedEntitlements,
        TypeScopedGrants,
    },
};
use baton_proto::{Code, any, encode};
use prost::{Message, Name};
use prost_types::Any;

use super::{RemoteConnector, decoded, list, unreadable};
use crate::method::Method;
use crate::methods::connector_v2::{
    connector_service, entitlements_service, grants_service, resource_getter_service,
    resource_types_service, resources_service,
};
use crate::notes::{self, MAKE, MakeRequest};

/// Largest page that a request may ask for (the rule of its field).
const MAX_PAGE_SIZE: u32 = 250;

pub(super) fn page_size(call: &Call) -> u32 {
    call.page_size().min(MAX_PAGE_SIZE)
}

/// The annotations of a request for a list of a whole type.
fn marked<M: Message + Name>(call: &Call, marker: &M) -> Vec<Any> {
    let mut annotations = call.annotations().to_vec();
    any::update(&mut annotations, marker);
    annotations
}

/// What stands for all resources of a type.
fn stub(type_id: &str) -> Resource {
    Resource {
        id: Some(ResourceId {
            resource_type: type_id.to_owned(),
            resource: type_id.to_owned(),
            ..ResourceId::default()
        }),
        ..Resource::default()
    }
}

/// The name of a list of one resource.
fn of_resource(what: &str, resource: &Resource) -> String {
    let id = resource.id.as_ref();
    let (kind, id) = id.map_or(("", ""), |id| (&id.resource_type, &id.resource));
    format!("{what} of {kind} `{id}`")
}

impl RemoteConnector {
    pub(super) async fn page<Q: Message, A, T: Message + Default>(
        &self,
        call: &Call,
        method: Method<Q, A>,
        request: &Q,
        list: impl Fn() -> String,
    ) -> Result<Page<T>> {
        let answer = self.read_bytes(call, method, request).await?;
        let mut page = list::page(&answer).map_err(|fault| unreadable(method.path(), fault))?;
        page.notes = notes::take(&mut page.annotations).map_err(|fault| {
            let text = format!("cannot read the notes on a page of {}", list());
            Error::caused(Code::Internal, text, fault)
        })?;
        page.advanced(call.token(), list)
    }
}

#[async_trait]
impl Connector for RemoteConnector {
    async fn metadata(&self, call: &Call) -> Result<ConnectorMetadata> {
        let method = connector_service::GET_METADATA;
        let request = ConnectorServiceGetMetadataRequest::default();
        let answer = self.read(call, method, &request).await?;
        let missing = || Error::stated(Code::Internal, "the connector answered without metadata");
        answer.metadata.ok_or_else(missing)
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        let request = ConnectorServiceValidateRequest::default();
        let answer = self.read(call, connector_service::VALIDATE, &request);
        Ok(answer.await?.annotations)
    }

    async fn list_resource_types(&self, call: &Call) -> Result<Page<ResourceType>> {
        let request = ListResourceTypes {
            page_size: page_size(call),
            page_token: call.token().to_owned(),
            annotations: call.annotations().to_vec(),
            active_sync_id: call.sync_id().to_owned(),
            ..ListResourceTypes::default()
        };
        let method = resource_types_service::LIST_RESOURCE_TYPES;
        let list = || "resource types".to_owned();
        self.page(call, method, &request, list).await
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&ResourceId>,
    ) -> Result<Page<Resource>> {
        let request = ListResources {
            resource_type_id: type_id.to_owned(),
            parent_resource_id: parent.cloned(),
            page_size: page_size(call),
            page_token: call.token().to_owned(),
            annotations: call.annotations().to_vec(),
            active_sync_id: call.sync_id().to_owned(),
            ..ListResources::default()
        };
        let method = resources_service::LIST_RESOURCES;
        let list = || format!("resources of type `{type_id}`");
        self.page(call, method, &request, list).await
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<Entitlement>> {
        let request = ListStaticEntitlements {
            resource_type_id: type_id.to_owned(),
            page_size: page_size(call),
            page_token: call.token().to_owned(),
            annotations: call.annotations().to_vec(),
            active_sync_id: call.sync_id().to_owned(),
        };
        let method = entitlements_service::LIST_STATIC_ENTITLEMENTS;
        let list = || format!("static entitlements of type `{type_id}`");
        self.page(call, method, &request, list).await
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &Resource,
    ) -> Result<Page<Entitlement>> {
        let annotations = call.annotations().to_vec();
        let request = entitlements(call, resource.clone(), annotations);
        let method = entitlements_service::LIST_ENTITLEMENTS;
        let list = || of_resource("entitlements", resource);
        self.page(call, method, &request, list).await
    }

    async fn list_grants(&self, call: &Call, resource: &Resource) -> Result<Page<Grant>> {
        let request = grants(call, resource.clone(), call.annotations().to_vec());
        let method = grants_service::LIST_GRANTS;
        let list = || of_resource("grants", resource);
        self.page(call, method, &request, list).await
    }

    async fn list_entitlements_of_type(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<Entitlement>> {
        let annotations = marked(call, &TypeScopedEntitlements::default());
        let request = entitlements(call, stub(type_id), annotations);
        let method = entitlements_service::LIST_ENTITLEMENTS;
        let list = || format!("entitlements of type `{type_id}`");
        self.page(call, method, &request, list).await
    }

    async fn list_grants_of_type(&self, call: &Call, type_id: &str) -> Result<Page<Grant>> {
        let annotations = marked(call, &TypeScopedGrants::default());
        let request = grants(call, stub(type_id), annotations);
        let method = grants_service::LIST_GRANTS;
        let list = || format!("grants of type `{type_id}`");
        self.page(call, method, &request, list).await
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &ResourceId,
        parent: Option<&ResourceId>,
    ) -> Result<Option<Row<Resource>>> {
        let request = GetResource {
            resource_id: Some(id.clone()),
            parent_resource_id: parent.cloned(),
            annotations: call.annotations().to_vec(),
            active_sync_id: call.sync_id().to_owned(),
        };
        let method = resource_getter_service::GET_RESOURCE;
        match self.read_bytes(call, method, &request).await {
            Ok(answer) => list::resource(&answer).map_err(|fault| unreadable(method.path(), fault)),
            // A server has no other answer for a resource that does not exist.
            Err(error) if error.code() == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn added_entitlement(
        &self,
        call: &Call,
        resource: &Resource,
        slug: &str,
    ) -> Result<Option<Entitlement>> {
        let request = MakeRequest {
            resource: encode::to_vec(resource),
            slug: slug.to_owned(),
            active_sync_id: call.sync_id().to_owned(),
        };
        let answer = self.read(call, MAKE, &request).await?;
        let Some(bytes) = answer.entitlement else {
            return Ok(None);
        };
        let made: Entitlement = decoded(&bytes, MAKE.path())?;
        let id = |of: Option<&Resource>| {
            let id = of.and_then(|of| of.id.clone()).unwrap_or_default();
            (id.resource_type, id.resource)
        };
        if id(made.resource.as_ref()) != id(Some(resource)) {
            let wanted = of_resource(&format!("entitlement `{slug}`"), resource);
            let text = format!(
                "the connector made the entitlement `{}` for {wanted}",
                made.id
            );
            return Err(Error::stated(Code::Internal, text));
        }
        Ok(Some(made))
    }

    async fn cleanup(&self, call: &Call) -> Result<()> {
        let request = ConnectorServiceCleanupRequest {
            annotations: call.annotations().to_vec(),
            active_sync_id: call.sync_id().to_owned(),
        };
        let answer = self.read(call, connector_service::CLEANUP, &request);
        answer.await.map(|_| ())
    }

    // Whether the connector has a part, its answers show.
    fn provisioning(&self) -> Option<&dyn Provisioning> {
        Some(self)
    }

    fn deleting(&self) -> Option<&dyn Deleting> {
        Some(self)
    }

    fn creating(&self) -> Option<&dyn Creating> {
        Some(self)
    }

    fn accounts(&self) -> Option<&dyn Accounts> {
        Some(self)
    }

    fn credentials(&self) -> Option<&dyn Credentials> {
        Some(self)
    }

    fn event_feeds(&self) -> Option<&dyn EventFeeds> {
        Some(self)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        Some(self)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        Some(self)
    }
}

fn entitlements(call: &Call, resource: Resource, annotations: Vec<Any>) -> ListEntitlements {
    ListEntitlements {
        resource: Some(resource),
        page_size: page_size(call),
        page_token: call.token().to_owned(),
        annotations,
        active_sync_id: call.sync_id().to_owned(),
    }
}

fn grants(call: &Call, resource: Resource, annotations: Vec<Any>) -> ListGrants {
    ListGrants {
        resource: Some(resource),
        page_size: page_size(call),
        page_token: call.token().to_owned(),
        annotations,
        active_sync_id: call.sync_id().to_owned(),
    }
}
