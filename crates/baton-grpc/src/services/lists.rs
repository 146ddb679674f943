//! Lists of resource types, resources, entitlements and grants, and single
//! resources.

use std::sync::Arc;

use baton_connector::{Any, Error, Page, Result as ConnectorResult, Row};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2::resource_getter_service_get_resource_response::RESOURCE;
// The numbers are the same in all responses of lists.
use baton_proto::field::c1::connector::v2::resources_service_list_resources_response::{
    ANNOTATIONS, LIST, NEXT_PAGE_TOKEN,
};
use baton_proto::{Code, any, encode, wire};
use prost::{Message, Name};
use v2::{
    EntitlementsServiceListEntitlementsRequest as ListEntitlements,
    EntitlementsServiceListStaticEntitlementsRequest as ListStatic,
    GrantsServiceListGrantsRequest as ListGrants, ResourceGetterServiceGetResourceRequest as Get,
    ResourceTypesServiceListResourceTypesRequest as ListTypes,
    ResourcesServiceListResourcesRequest as ListResources,
};

use super::shared::{Asked, Shared};
use super::texts::{failed, go_text, invalid, unimplemented, unknown_type};
use crate::methods::connector_v2::{
    entitlements_service, grants_service, resource_getter_service, resource_types_service,
    resources_service,
};
use crate::notes;
use crate::{Context, MAX_MESSAGE_BYTES, Router, SessionUsage, Status};

/// Which page of which sync a request asks for: the fields that all requests for lists
/// have.
macro_rules! asked {
    ($request:ident) => {
        Asked {
            sync_id: &$request.active_sync_id,
            token: &$request.page_token,
            page_size: $request.page_size,
            annotations: $request.annotations,
        }
    };
}

pub(crate) fn add(router: &mut Router, shared: &Arc<Shared>) {
    macro_rules! list {
        ($method:expr, $serve:ident) => {{
            let shared = Arc::clone(shared);
            router.read_encoded($method, move |request, context| {
                let shared = Arc::clone(&shared);
                async move { $serve(&shared, request, &context).await }
            });
        }};
    }
    list!(resource_types_service::LIST_RESOURCE_TYPES, types);
    list!(resources_service::LIST_RESOURCES, resources);
    list!(entitlements_service::LIST_STATIC_ENTITLEMENTS, statics);
    list!(entitlements_service::LIST_ENTITLEMENTS, entitlements);
    list!(grants_service::LIST_GRANTS, grants);
    list!(resource_getter_service::GET_RESOURCE, get);
}

/// Most bytes before a row: a tag, and a length below 256 MiB.
const ROW_HEADER_BYTES: usize = 5;

/// A list, for its errors.
struct List<'l> {
    /// What was done, as errors about types name it.
    doing: &'static str,
    /// What failed, as other errors name it.
    what: &'l str,
    /// The type that was asked for.
    type_id: &'l str,
    /// The token that was asked for, with more about the request for the error
    /// of a token that does not change.
    token: &'l str,
    asked: String,
}

impl List<'_> {
    fn unchanged(&self) -> Status {
        let text = format!(
            "{} failed: next page token unchanged{} - likely a connector bug",
            self.what, self.asked
        );
        Status::new(Code::Internal, text)
    }

    fn failed(&self, error: &Error) -> Status {
        match error {
            Error::UnknownResourceType { .. } => unknown_type(self.doing, self.type_id),
            Error::TokenUnchanged { .. } => self.unchanged(),
            _ => failed(&format!("error: {} failed: ", self.what), error),
        }
    }

    /// The response; a page that a Go peer would not accept is an error.
    fn answer<T: Message + Name>(
        &self,
        page: ConnectorResult<Page<T>>,
        usage: &SessionUsage,
        context: &Context,
    ) -> Result<Vec<u8>, Status> {
        let page = page.map_err(|error| self.failed(&error))?;
        let next = page.next.as_str().to_owned();
        if !self.token.is_empty() && next == self.token {
            return Err(self.unchanged());
        }
        let mut annotations = page.annotations.clone();
        if let Some(usage) = usage.annotation() {
            any::append(&mut annotations, &usage);
        }
        let version = context.headers.get(notes::HEADER);
        if version.is_some_and(|version| version == notes::VERSION) {
            let put = notes::put(&mut annotations, &page.notes);
            put.map_err(|fault| self.too_large(&fault.to_string()))?;
        }
        let rows: Vec<_> = page.into_rows().map(bytes_of).collect();
        let room = rows.iter().map(|row| row.len() + ROW_HEADER_BYTES).sum();
        let mut out = Vec::with_capacity(room);
        for row in rows {
            wire::put_bytes(&mut out, LIST, &row);
        }
        wire::put_str(&mut out, NEXT_PAGE_TOKEN, &next);
        put_annotations(&mut out, ANNOTATIONS, &annotations);
        if out.len() > MAX_MESSAGE_BYTES {
            let reason = format!(
                "the page has {} bytes, and a message may have {MAX_MESSAGE_BYTES}",
                out.len()
            );
            return Err(self.too_large(&reason));
        }
        Ok(out)
    }

    fn too_large(&self, reason: &str) -> Status {
        let text = format!(
            "{} failed: {reason}; request fewer rows per page",
            self.what
        );
        Status::new(Code::ResourceExhausted, text)
    }
}

/// The bytes that a row came as, or those of its message.
fn bytes_of<T: Message + Name>(row: Row<T>) -> Vec<u8> {
    let (message, bytes) = row.into_parts();
    bytes.unwrap_or_else(|| encode::to_vec(&message))
}

fn put_annotations(out: &mut Vec<u8>, field: u32, annotations: &[Any]) {
    for annotation in annotations {
        wire::put_bytes(out, field, &annotation.encode_to_vec());
    }
}

async fn types(shared: &Shared, request: ListTypes, context: &Context) -> Result<Vec<u8>, Status> {
    let asked = asked!(request);
    let (call, usage) = shared.counted_call(context, asked);
    let list = List {
        doing: "list resource types",
        what: "listing resource types",
        type_id: "",
        token: &request.page_token,
        asked: String::new(),
    };
    list.answer(
        shared.connector.list_resource_types(&call).await,
        &usage,
        context,
    )
}

async fn resources(
    shared: &Shared,
    request: ListResources,
    context: &Context,
) -> Result<Vec<u8>, Status> {
    let asked = asked!(request);
    let (call, usage) = shared.counted_call(context, asked);
    let parent = request.parent_resource_id.as_ref();
    let list = List {
        doing: "list resources",
        what: "listing resources",
        type_id: &request.resource_type_id,
        token: &request.page_token,
        asked: format!(
            " (token={}, type={}, parent={})",
            request.page_token,
            request.resource_type_id,
            go_text(parent)
        ),
    };
    let connector = &shared.connector;
    list.answer(
        connector
            .list_resources(&call, &request.resource_type_id, parent)
            .await,
        &usage,
        context,
    )
}

async fn statics(
    shared: &Shared,
    request: ListStatic,
    context: &Context,
) -> Result<Vec<u8>, Status> {
    let asked = asked!(request);
    let (call, usage) = shared.counted_call(context, asked);
    let list = List {
        doing: "list static entitlements",
        what: "listing static entitlements",
        type_id: &request.resource_type_id,
        token: &request.page_token,
        asked: String::new(),
    };
    let connector = &shared.connector;
    list.answer(
        connector
            .list_static_entitlements(&call, &request.resource_type_id)
            .await,
        &usage,
        context,
    )
}

async fn entitlements(
    shared: &Shared,
    request: ListEntitlements,
    context: &Context,
) -> Result<Vec<u8>, Status> {
    let Some(resource) = &request.resource else {
        return Err(invalid("error: list entitlements requires a resource"));
    };
    let scoped = any::contains::<v2::TypeScopedEntitlements>(&request.annotations);
    let asked = asked!(request);
    let (call, usage) = shared.counted_call(context, asked);
    let id = resource.id.clone().unwrap_or_default();
    let list = List {
        doing: "list entitlements",
        what: "listing entitlements",
        type_id: &id.resource_type,
        token: &request.page_token,
        asked: String::new(),
    };
    if id.resource_type.is_empty() {
        return Err(unknown_type(list.doing, ""));
    }
    let page = if scoped {
        let of_type = shared
            .connector
            .list_entitlements_of_type(&call, &id.resource_type);
        of_type.await
    } else {
        shared.connector.list_entitlements(&call, resource).await
    };
    match page {
        Err(Error::NotTypeScoped { .. } | Error::Unimplemented { .. }) if scoped => {
            Err(not_scoped(
                &id.resource_type,
                "entitlements",
                "TypeScopedEntitlementsSyncer",
            ))
        }
        page => list.answer(page, &usage, context),
    }
}

async fn grants(
    shared: &Shared,
    request: ListGrants,
    context: &Context,
) -> Result<Vec<u8>, Status> {
    let resource = request.resource.unwrap_or_default();
    let scoped = any::contains::<v2::TypeScopedGrants>(&request.annotations);
    let asked = asked!(request);
    let (call, usage) = shared.counted_call(context, asked);
    let id = resource.id.clone().unwrap_or_default();
    let list = List {
        doing: "list grants",
        what: &format!(
            "listing grants for resource {}/{}",
            id.resource_type, id.resource
        ),
        type_id: &id.resource_type,
        token: &request.page_token,
        asked: String::new(),
    };
    if id.resource_type.is_empty() {
        return Err(unknown_type(list.doing, ""));
    }
    let page = if scoped {
        shared
            .connector
            .list_grants_of_type(&call, &id.resource_type)
            .await
    } else {
        shared.connector.list_grants(&call, &resource).await
    };
    match page {
        Err(Error::NotTypeScoped { .. } | Error::Unimplemented { .. }) if scoped => Err(
            not_scoped(&id.resource_type, "grants", "TypeScopedGrantsSyncer"),
        ),
        page => list.answer(page, &usage, context),
    }
}

fn not_scoped(type_id: &str, what: &str, syncer: &str) -> Status {
    invalid(format!(
        "error: type-scoped list {what} for resource type {type_id}, but its syncer does not \
         implement {syncer}"
    ))
}

async fn get(shared: &Shared, request: Get, context: &Context) -> Result<Vec<u8>, Status> {
    let asked = Asked {
        sync_id: &request.active_sync_id,
        token: "",
        page_size: 0,
        annotations: request.annotations,
    };
    let call = shared.call_of(context, asked);
    let id = request.resource_id.unwrap_or_default();
    let parent = request.parent_resource_id.as_ref();
    let row = match shared.connector.get_resource(&call, &id, parent).await {
        Ok(Some(row)) => row,
        Ok(None) => {
            return Err(Status::new(
                Code::NotFound,
                "error: get resource returned nil",
            ));
        }
        Err(Error::Unimplemented { .. } | Error::UnknownResourceType { .. }) => {
            return Err(unimplemented(format!(
                "error: get resource with unknown resource type {}",
                id.resource_type
            )));
        }
        Err(error) => return Err(failed("error: get resource failed: ", &error)),
    };
    let mut out = Vec::new();
    wire::put_bytes(&mut out, RESOURCE, &bytes_of(row));
    Ok(out)
}
