//! Grants, revokes, creation and deletion of resources.

use std::sync::Arc;

use baton_connector::{Any, Error};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use v2::{
    GrantManagerServiceGrantRequest as GrantRequest,
    GrantManagerServiceGrantResponse as GrantResponse,
    GrantManagerServiceRevokeRequest as RevokeRequest,
    GrantManagerServiceRevokeResponse as RevokeResponse,
};

use super::shared::Shared;
use super::texts::{failed, unimplemented};
use crate::methods::connector_v2::{
    grant_manager_service, resource_deleter_service, resource_manager_service,
};
use crate::{Context, Router, Status};

pub(crate) fn refused() -> Status {
    Status::new(Code::FailedPrecondition, "provisioning is not enabled")
}

pub(crate) fn refuse(router: &mut Router) {
    let status = refused();
    router.refuse(grant_manager_service::GRANT, &status);
    router.refuse(grant_manager_service::REVOKE, &status);
    router.refuse(resource_manager_service::CREATE_RESOURCE, &status);
    router.refuse(resource_manager_service::DELETE_RESOURCE, &status);
    router.refuse(resource_deleter_service::DELETE_RESOURCE_V2, &status);
}

pub(crate) fn add(router: &mut Router, shared: &Arc<Shared>) {
    macro_rules! write {
        ($method:expr, $serve:expr) => {{
            let shared = Arc::clone(shared);
            router.write($method, move |request, context| {
                let shared = Arc::clone(&shared);
                async move { ($serve)(&*shared, request, &context).await }
            });
        }};
    }
    write!(grant_manager_service::GRANT, grant);
    write!(grant_manager_service::REVOKE, revoke);
    write!(resource_manager_service::CREATE_RESOURCE, create);
    write!(resource_manager_service::DELETE_RESOURCE, delete_v1);
    write!(resource_deleter_service::DELETE_RESOURCE_V2, delete_v2);
}

fn no_provisioner(type_id: &str) -> Status {
    unimplemented(format!(
        "resource type {type_id} does not have provisioner configured"
    ))
}

/// The type of the entitlement's resource, which decides who serves the call.
fn type_of(entitlement: Option<&v2::Entitlement>) -> &str {
    let resource = entitlement.and_then(|entitlement| entitlement.resource.as_ref());
    let id = resource.and_then(|resource| resource.id.as_ref());
    id.map_or("", |id| &id.resource_type)
}

async fn grant(
    shared: &Shared,
    request: GrantRequest,
    context: &Context,
) -> Result<GrantResponse, Status> {
    let type_id = type_of(request.entitlement.as_ref());
    let provisioning = shared.connector.provisioning();
    let provisioning = provisioning.filter(|_| !type_id.is_empty());
    let provisioning = provisioning.ok_or_else(|| no_provisioner(type_id))?;
    let call = Shared::call(context, request.annotations);
    let entitlement = request.entitlement.clone().unwrap_or_default();
    let principal = request.principal.unwrap_or_default();
    match provisioning.grant(&call, &entitlement, &principal).await {
        Ok(granted) => Ok(GrantResponse {
            annotations: granted.annotations,
            grants: granted.grants,
        }),
        Err(Error::NoProvisioner { type_id }) => Err(no_provisioner(&type_id)),
        Err(error) => Err(failed("grant failed: ", &error)),
    }
}

async fn revoke(
    shared: &Shared,
    request: RevokeRequest,
    context: &Context,
) -> Result<RevokeResponse, Status> {
    let grant = request.grant.unwrap_or_default();
    let type_id = type_of(grant.entitlement.as_ref());
    let provisioning = shared.connector.provisioning();
    let provisioning = provisioning.filter(|_| !type_id.is_empty());
    let provisioning = provisioning.ok_or_else(|| no_provisioner(type_id))?;
    let call = Shared::call(context, request.annotations);
    match provisioning.revoke(&call, &grant).await {
        Ok(revoked) => Ok(RevokeResponse {
            annotations: revoked.annotations,
        }),
        Err(Error::NoProvisioner { type_id }) => Err(no_provisioner(&type_id)),
        Err(error) => Err(failed("revoke failed: ", &error)),
    }
}

async fn create(
    shared: &Shared,
    request: v2::CreateResourceRequest,
    context: &Context,
) -> Result<v2::CreateResourceResponse, Status> {
    let resource = request.resource.unwrap_or_default();
    let id = resource.id.as_ref();
    let type_id = id.map_or("", |id| id.resource_type.as_str());
    let none = || {
        unimplemented(format!(
            "resource type {type_id} does not have resource Create() configured"
        ))
    };
    let creating = shared.connector.creating();
    let creating = creating.filter(|_| !type_id.is_empty()).ok_or_else(none)?;
    let call = Shared::call(context, Vec::new());
    match creating.create(&call, &resource).await {
        Ok(created) => Ok(v2::CreateResourceResponse {
            created,
            annotations: Vec::new(),
        }),
        Err(Error::Unimplemented { .. }) => Err(none()),
        Err(error) => Err(failed("error: create resource failed: ", &error)),
    }
}

async fn delete_v1(
    shared: &Shared,
    request: v2::DeleteResourceRequest,
    context: &Context,
) -> Result<v2::DeleteResourceResponse, Status> {
    let annotations = delete(
        shared,
        request.resource_id,
        request.parent_resource_id,
        context,
    );
    Ok(v2::DeleteResourceResponse {
        annotations: annotations.await?,
    })
}

async fn delete_v2(
    shared: &Shared,
    request: v2::DeleteResourceV2Request,
    context: &Context,
) -> Result<v2::DeleteResourceV2Response, Status> {
    let annotations = delete(
        shared,
        request.resource_id,
        request.parent_resource_id,
        context,
    );
    Ok(v2::DeleteResourceV2Response {
        annotations: annotations.await?,
    })
}

async fn delete(
    shared: &Shared,
    id: Option<v2::ResourceId>,
    parent_resource_id: Option<v2::ResourceId>,
    context: &Context,
) -> Result<Vec<Any>, Status> {
    let type_id = id.as_ref().map_or("", |id| id.resource_type.as_str());
    let type_id = type_id.to_owned();
    let none = || {
        unimplemented(format!(
            "resource type {type_id} does not have resource Delete() configured"
        ))
    };
    let deleting = shared.connector.deleting();
    let deleting = deleting.filter(|_| !type_id.is_empty()).ok_or_else(none)?;
    let call = Shared::call(context, Vec::new());
    let resource = v2::Resource {
        id,
        parent_resource_id,
        ..v2::Resource::default()
    };
    match deleting.delete(&call, &resource).await {
        Ok(deleted) => Ok(deleted.annotations),
        Err(Error::Unimplemented { .. }) => Err(none()),
        Err(error) => Err(failed("error: delete resource failed: ", &error)),
    }
}
