//! Tickets: the author's side and the engine's side.

mod check;

use async_trait::async_trait;
use baton_proto::c1::connector::v2;
use v2::{
    TicketsServiceBulkCreateTicketsRequest as BulkCreateRequest,
    TicketsServiceBulkCreateTicketsResponse as BulkCreateResponse,
    TicketsServiceBulkGetTicketsRequest as BulkGetRequest,
    TicketsServiceBulkGetTicketsResponse as BulkGetResponse,
    TicketsServiceCreateTicketRequest as CreateRequest,
    TicketsServiceCreateTicketResponse as CreateResponse,
    TicketsServiceGetTicketRequest as GetRequest, TicketsServiceGetTicketResponse as GetResponse,
};

use crate::call::Call;
use crate::change::{Creation, create};
use crate::error::{Error, Result};
use crate::held::Operation;
use crate::page::Page;

pub use check::{TicketFault, check_ticket};

/// Reads and creates the tickets of an application. Registered with
/// [`Types::tickets`](crate::Types::tickets).
#[async_trait]
pub trait TicketManager: Send + Sync {
    /// The kinds of ticket, page by page.
    async fn schemas(&self, call: &Call) -> Result<Page<v2::TicketSchema>>;

    /// One kind of ticket.
    ///
    /// # Errors
    /// Code `NotFound` if there is none with this id.
    async fn schema(&self, call: &Call, id: &str) -> Result<v2::TicketSchema>;

    /// What creates a ticket as `draft` describes it, which has no id yet. Sends
    /// reads only. [`check_ticket`] compares the draft with the schema.
    ///
    /// # Errors
    /// Why it must not be created.
    async fn create(
        &self,
        call: &Call,
        draft: &v2::Ticket,
        schema: &v2::TicketSchema,
    ) -> Result<Creation<v2::Ticket>>;

    /// One ticket; `None` if there is none with this id.
    async fn get(&self, call: &Call, id: &str) -> Result<Option<v2::Ticket>>;
}

/// Tickets, as an engine asks for them: `TicketsService`.
#[async_trait]
pub trait Tickets: Send + Sync {
    /// A page of the kinds of ticket.
    async fn list_schemas(&self, call: &Call) -> Result<Page<v2::TicketSchema>>;

    /// One kind of ticket.
    async fn get_schema(&self, call: &Call, id: &str) -> Result<v2::TicketSchema>;

    /// Creates a ticket; the answer has none in a dry run.
    ///
    /// # Errors
    /// Code `InvalidArgument` without a request.
    async fn create_ticket(&self, call: &Call, request: &CreateRequest) -> Result<CreateResponse>;

    /// Creates tickets one after another; each has its own error.
    ///
    /// # Errors
    /// Code `InvalidArgument` without items.
    async fn bulk_create_tickets(
        &self,
        call: &Call,
        request: &BulkCreateRequest,
    ) -> Result<BulkCreateResponse>;

    /// Reads a ticket; the answer has none if there is none.
    async fn get_ticket(&self, call: &Call, request: &GetRequest) -> Result<GetResponse>;

    /// Reads tickets one after another; each has its own error.
    ///
    /// # Errors
    /// Code `InvalidArgument` without items.
    async fn bulk_get_tickets(
        &self,
        call: &Call,
        request: &BulkGetRequest,
    ) -> Result<BulkGetResponse>;
}

/// The ticket that a request asks for, before it has an id. The type is copied
/// as well, which the Go SDK leaves out.
fn draft(request: &v2::TicketRequest) -> v2::Ticket {
    v2::Ticket {
        display_name: request.display_name.clone(),
        description: request.description.clone(),
        status: request.status.clone(),
        r#type: request.r#type.clone(),
        labels: request.labels.clone(),
        custom_fields: request.custom_fields.clone(),
        requested_for: request.requested_for.clone(),
        ..v2::Ticket::default()
    }
}

fn no_items() -> Error {
    Error::EmptyRequest {
        reason: "request body had no items",
    }
}

pub(crate) async fn create_ticket(
    manager: &dyn TicketManager,
    call: &Call,
    request: &CreateRequest,
) -> Result<CreateResponse> {
    let nothing = || Error::EmptyRequest {
        reason: "request body is nil",
    };
    let wanted = request.request.as_ref().ok_or_else(nothing)?;
    let schema = request.schema.clone().unwrap_or_default();
    let creation = manager.create(call, &draft(wanted), &schema).await?;
    let ids = |ticket: &v2::Ticket| vec![ticket.id.clone()];
    let ticket = create(call, Operation::CreateTicket, creation, ids).await?;
    Ok(CreateResponse {
        ticket,
        ..CreateResponse::default()
    })
}

pub(crate) async fn bulk_create(
    manager: &dyn TicketManager,
    call: &Call,
    request: &BulkCreateRequest,
) -> Result<BulkCreateResponse> {
    if request.ticket_requests.is_empty() {
        return Err(no_items());
    }
    let mut tickets = Vec::with_capacity(request.ticket_requests.len());
    for one in &request.ticket_requests {
        let created = create_ticket(manager, call, one).await;
        tickets.push(created.unwrap_or_else(|error| CreateResponse {
            error: in_one_line(&error),
            ..CreateResponse::default()
        }));
    }
    Ok(BulkCreateResponse { tickets })
}

pub(crate) async fn get_ticket(
    manager: &dyn TicketManager,
    call: &Call,
    request: &GetRequest,
) -> Result<GetResponse> {
    Ok(GetResponse {
        ticket: manager.get(call, &request.id).await?,
        ..GetResponse::default()
    })
}

pub(crate) async fn bulk_get(
    manager: &dyn TicketManager,
    call: &Call,
    request: &BulkGetRequest,
) -> Result<BulkGetResponse> {
    if request.ticket_requests.is_empty() {
        return Err(no_items());
    }
    let mut tickets = Vec::with_capacity(request.ticket_requests.len());
    for one in &request.ticket_requests {
        let read = get_ticket(manager, call, one).await;
        tickets.push(read.unwrap_or_else(|error| GetResponse {
            error: in_one_line(&error),
            ..GetResponse::default()
        }));
    }
    Ok(BulkGetResponse { tickets })
}

/// An error and its causes in one line.
fn in_one_line(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
