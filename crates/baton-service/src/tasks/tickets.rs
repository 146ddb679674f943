//! Tickets.

use baton_grpc::methods::connector_v2::tickets_service::{
    BULK_CREATE_TICKETS, BULK_GET_TICKETS, CREATE_TICKET, GET_TICKET, LIST_TICKET_SCHEMAS,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::task::{
    BulkCreateTicketsTask, BulkGetTicketsTask, CreateTicketTask, GetTicketTask,
};
use prost_types::Any;
use v2::{
    TicketsServiceBulkCreateTicketsRequest as BulkCreateRequest,
    TicketsServiceBulkGetTicketsRequest as BulkGetRequest,
    TicketsServiceCreateTicketRequest as CreateRequest,
    TicketsServiceGetTicketRequest as GetRequest, TicketsServiceGetTicketResponse as GetResponse,
    TicketsServiceListTicketSchemasRequest as ListSchemasRequest,
    TicketsServiceListTicketSchemasResponse as ListSchemasResponse,
};

use super::Calls;
use super::answers::{answered, wrong};
use crate::finish::{Failure, Outcome};

/// Most schemas that are reported; the connector is not asked for more.
const MAX_SCHEMAS: usize = 100;
/// Most pages of schemas. A list with more does not end.
const MAX_PAGES: usize = 1000;

/// A failure, with the annotations of its task.
fn noted(mut failure: Failure, annotations: &[Any]) -> Failure {
    failure.annotations = annotations.to_vec();
    failure
}

pub(crate) async fn create(calls: &Calls<'_>, task: &CreateTicketTask) -> Result<Outcome, Failure> {
    let noted = |failure| noted(failure, &task.annotations);
    if task.ticket_request.is_none() {
        return Err(noted(wrong("malformed create ticket task")));
    }
    let mut answer = calls
        .call(CREATE_TICKET, &request_of(task))
        .await
        .map_err(|status| noted(Failure::of(status)))?;
    answer.annotations.extend_from_slice(&task.annotations);
    Ok(answered(&answer, answer.annotations.clone()))
}

fn request_of(task: &CreateTicketTask) -> CreateRequest {
    CreateRequest {
        request: task.ticket_request.clone(),
        schema: task.ticket_schema.clone(),
        annotations: task.annotations.clone(),
    }
}

pub(crate) async fn get(calls: &Calls<'_>, task: &GetTicketTask) -> Result<Outcome, Failure> {
    if task.ticket_id.is_empty() {
        return Err(wrong("malformed get ticket task"));
    }
    let noted = |failure| noted(failure, &task.annotations);
    let request = GetRequest {
        id: task.ticket_id.clone(),
        annotations: Vec::new(),
    };
    let got = calls.call(GET_TICKET, &request).await;
    let got = got.map_err(|status| noted(Failure::of(status)))?;
    if got.ticket.is_none() {
        return Err(noted(wrong("connector returned empty ticket")));
    }
    let answer = GetResponse {
        ticket: got.ticket,
        annotations: task.annotations.clone(),
        error: String::new(),
    };
    Ok(answered(&answer, answer.annotations.clone()))
}

pub(crate) async fn list_schemas(calls: &Calls<'_>) -> Result<Outcome, Failure> {
    let mut request = ListSchemasRequest::default();
    let mut list = Vec::new();
    for _ in 0..MAX_PAGES {
        let page = calls.call(LIST_TICKET_SCHEMAS, &request).await;
        let page = page.map_err(Failure::of)?;
        list.extend(page.list);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || list.len() >= MAX_SCHEMAS {
            return schemas(list);
        }
    }
    let text = format!("connector returned more than {MAX_PAGES} pages of ticket schemas");
    Err(Failure::retryable(Code::Internal, text))
}

/// The report of these schemas.
fn schemas(mut list: Vec<v2::TicketSchema>) -> Result<Outcome, Failure> {
    list.truncate(MAX_SCHEMAS);
    if list.is_empty() {
        let text = "connector returned no ticket schemas";
        return Err(Failure::retryable(Code::Unknown, text));
    }
    let answer = ListSchemasResponse {
        list,
        ..ListSchemasResponse::default()
    };
    Ok(answered(&answer, Vec::new()))
}

/// A failure of a bulk task whose answer lacks tickets, or has too many.
fn check_count(wanted: usize, got: usize) -> Result<(), Failure> {
    if wanted == got {
        return Ok(());
    }
    Err(wrong("connector returned incorrect number of tickets"))
}

pub(crate) async fn bulk_create(
    calls: &Calls<'_>,
    task: &BulkCreateTicketsTask,
) -> Result<Outcome, Failure> {
    if task.ticket_requests.is_empty() {
        return Err(wrong("malformed bulk create ticket task"));
    }
    let request = BulkCreateRequest {
        ticket_requests: task.ticket_requests.iter().map(request_of).collect(),
    };
    let answer = calls.call(BULK_CREATE_TICKETS, &request).await;
    let answer = answer.map_err(Failure::of)?;
    check_count(request.ticket_requests.len(), answer.tickets.len())?;
    Ok(answered(&answer, Vec::new()))
}

pub(crate) async fn bulk_get(
    calls: &Calls<'_>,
    task: &BulkGetTicketsTask,
) -> Result<Outcome, Failure> {
    if task.ticket_requests.is_empty() {
        return Err(wrong("malformed bulk get tickets task"));
    }
    let request_of = |task: &GetTicketTask| GetRequest {
        id: task.ticket_id.clone(),
        annotations: task.annotations.clone(),
    };
    let request = BulkGetRequest {
        ticket_requests: task.ticket_requests.iter().map(request_of).collect(),
    };
    let answer = calls.call(BULK_GET_TICKETS, &request).await;
    let answer = answer.map_err(Failure::of)?;
    check_count(request.ticket_requests.len(), answer.tickets.len())?;
    Ok(answered(&answer, Vec::new()))
}
