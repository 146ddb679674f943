//! Tickets.

use std::sync::Arc;

use baton_connector::{Error, Tickets};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use v2::{
    TicketsServiceBulkCreateTicketsRequest as BulkCreateRequest,
    TicketsServiceBulkCreateTicketsResponse as BulkCreateResponse,
    TicketsServiceBulkGetTicketsRequest as BulkGetRequest,
    TicketsServiceBulkGetTicketsResponse as BulkGetResponse,
    TicketsServiceCreateTicketRequest as CreateRequest,
    TicketsServiceCreateTicketResponse as CreateResponse,
    TicketsServiceGetTicketRequest as GetRequest, TicketsServiceGetTicketResponse as GetResponse,
    TicketsServiceGetTicketSchemaRequest as GetSchemaRequest,
    TicketsServiceGetTicketSchemaResponse as GetSchemaResponse,
    TicketsServiceListTicketSchemasRequest as ListSchemasRequest,
    TicketsServiceListTicketSchemasResponse as ListSchemasResponse,
};

use super::shared::Shared;
use super::texts::{failed, unimplemented};
use crate::methods::connector_v2::tickets_service;
use crate::{Context, Router, Status};

pub(crate) fn refuse(router: &mut Router) {
    // The Go stub returns a plain error.
    let status = Status::new(Code::Unknown, "ticketing is not enabled");
    router.refuse(tickets_service::LIST_TICKET_SCHEMAS, &status);
    router.refuse(tickets_service::GET_TICKET_SCHEMA, &status);
    router.refuse(tickets_service::CREATE_TICKET, &status);
    router.refuse(tickets_service::GET_TICKET, &status);
    router.refuse(tickets_service::BULK_CREATE_TICKETS, &status);
    router.refuse(tickets_service::BULK_GET_TICKETS, &status);
}

pub(crate) fn add(router: &mut Router, shared: &Arc<Shared>) {
    macro_rules! add {
        ($kind:ident, $method:expr, $serve:ident) => {{
            let shared = Arc::clone(shared);
            router.$kind($method, move |request, context| {
                let shared = Arc::clone(&shared);
                async move { $serve(tickets_of(&shared)?, request, &context).await }
            });
        }};
    }
    add!(read, tickets_service::LIST_TICKET_SCHEMAS, list_schemas);
    add!(read, tickets_service::GET_TICKET_SCHEMA, get_schema);
    add!(read, tickets_service::GET_TICKET, get);
    add!(read, tickets_service::BULK_GET_TICKETS, bulk_get);
    add!(write, tickets_service::CREATE_TICKET, create);
    add!(write, tickets_service::BULK_CREATE_TICKETS, bulk_create);
}

fn tickets_of(shared: &Shared) -> Result<&dyn Tickets, Status> {
    let none = || unimplemented("ticket manager not implemented");
    shared.connector.tickets().ok_or_else(none)
}

async fn list_schemas(
    tickets: &dyn Tickets,
    request: ListSchemasRequest,
    context: &Context,
) -> Result<ListSchemasResponse, Status> {
    let unchanged = || {
        let text =
            "listing ticket schemas failed: next page token unchanged - likely a connector bug";
        Status::new(Code::Internal, text)
    };
    let call = Shared::call(context, request.annotations)
        .with_page_size(request.page_size)
        .at(request.page_token.as_str());
    let page = tickets
        .list_schemas(&call)
        .await
        .map_err(|error| match error {
            Error::TokenUnchanged { .. } => unchanged(),
            error => failed("error: listing ticket schemas failed: ", &error),
        })?;
    let next_page_token = page.next.as_str().to_owned();
    if !next_page_token.is_empty() && next_page_token == request.page_token {
        return Err(unchanged());
    }
    Ok(ListSchemasResponse {
        next_page_token,
        annotations: page.annotations.clone(),
        list: page.into_items(),
    })
}

async fn get_schema(
    tickets: &dyn Tickets,
    request: GetSchemaRequest,
    context: &Context,
) -> Result<GetSchemaResponse, Status> {
    let call = Shared::call(context, request.annotations);
    let schema = tickets.get_schema(&call, &request.id).await;
    let schema =
        schema.map_err(|error| failed("error: getting ticket metadata failed: ", &error))?;
    Ok(GetSchemaResponse {
        schema: Some(schema),
        annotations: Vec::new(),
    })
}

async fn get(
    tickets: &dyn Tickets,
    request: GetRequest,
    context: &Context,
) -> Result<GetResponse, Status> {
    let call = Shared::call(context, request.annotations.clone());
    let got = tickets.get_ticket(&call, &request).await;
    got.map_err(|error| failed("error: getting ticket failed: ", &error))
}

/// A request that is refused before the connector sees it has no words around its
/// error.
fn of_request(error: &Error, prefix: &str) -> Status {
    match error {
        Error::EmptyRequest { .. } => Status::from(error),
        error => failed(prefix, error),
    }
}

async fn create(
    tickets: &dyn Tickets,
    request: CreateRequest,
    context: &Context,
) -> Result<CreateResponse, Status> {
    let call = Shared::call(context, request.annotations.clone());
    let created = tickets.create_ticket(&call, &request).await;
    created.map_err(|error| of_request(&error, "error: creating ticket failed: "))
}

async fn bulk_create(
    tickets: &dyn Tickets,
    request: BulkCreateRequest,
    context: &Context,
) -> Result<BulkCreateResponse, Status> {
    let call = Shared::call(context, Vec::new());
    let created = tickets.bulk_create_tickets(&call, &request).await;
    created.map_err(|error| of_request(&error, "error: creating tickets failed: "))
}

async fn bulk_get(
    tickets: &dyn Tickets,
    request: BulkGetRequest,
    context: &Context,
) -> Result<BulkGetResponse, Status> {
    let call = Shared::call(context, Vec::new());
    let got = tickets.bulk_get_tickets(&call, &request).await;
    got.map_err(|error| of_request(&error, "error: fetching tickets failed: "))
}
