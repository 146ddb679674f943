//! Event feeds, tickets and actions.

use async_trait::async_trait;
use baton_connector::{
    ActionState, Actions, Call, Code, Error, EventFeeds, Invoke, Operation, Page, Result, Tickets,
    v2::{
        self, BatonActionSchema, BatonActionStatus, EventFeedMetadata, ListEventsRequest,
        ListEventsResponse, TicketSchema, TicketsServiceBulkCreateTicketsRequest as BulkCreate,
        TicketsServiceBulkCreateTicketsResponse as BulkCreated,
        TicketsServiceBulkGetTicketsRequest as BulkGet,
        TicketsServiceBulkGetTicketsResponse as BulkGot,
        TicketsServiceCreateTicketRequest as CreateTicket,
        TicketsServiceCreateTicketResponse as CreatedTicket,
        TicketsServiceGetTicketRequest as GetTicket, TicketsServiceGetTicketResponse as GotTicket,
    },
};
use prost_types::Struct;

use super::RemoteConnector;
use super::reads::page_size;
use super::writes::Writing;
use crate::methods::connector_v2::{action_service, event_service, tickets_service};

#[async_trait]
impl EventFeeds for RemoteConnector {
    async fn list_feeds(&self, call: &Call) -> Result<Vec<EventFeedMetadata>> {
        let request = v2::ListEventFeedsRequest {
            annotations: call.annotations().to_vec(),
        };
        let method = event_service::LIST_EVENT_FEEDS;
        let mut feeds = self.read(call, method, &request).await?.list;
        // A Go connector lists them in no order.
        feeds.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(feeds)
    }

    async fn list_events(
        &self,
        call: &Call,
        request: &ListEventsRequest,
    ) -> Result<ListEventsResponse> {
        self.read(call, event_service::LIST_EVENTS, request).await
    }
}

fn no_schema() -> Error {
    Error::stated(Code::Internal, "the connector answered without a schema")
}

#[async_trait]
impl Tickets for RemoteConnector {
    async fn list_schemas(&self, call: &Call) -> Result<Page<TicketSchema>> {
        let request = v2::TicketsServiceListTicketSchemasRequest {
            page_size: page_size(call),
            page_token: call.token().to_owned(),
            annotations: call.annotations().to_vec(),
        };
        let method = tickets_service::LIST_TICKET_SCHEMAS;
        let list = || "ticket schemas".to_owned();
        self.page(call, method, &request, list).await
    }

    async fn get_schema(&self, call: &Call, id: &str) -> Result<TicketSchema> {
        let request = v2::TicketsServiceGetTicketSchemaRequest {
            id: id.to_owned(),
            annotations: call.annotations().to_vec(),
        };
        let method = tickets_service::GET_TICKET_SCHEMA;
        let answer = self.read(call, method, &request).await?;
        answer.schema.ok_or_else(no_schema)
    }

    async fn create_ticket(&self, call: &Call, request: &CreateTicket) -> Result<CreatedTicket> {
        let method = tickets_service::CREATE_TICKET;
        let mut writing = Writing::new(Operation::CreateTicket, method, request);
        writing.ids = |answer| {
            answer
                .ticket
                .iter()
                .map(|ticket| ticket.id.clone())
                .collect()
        };
        Ok(self.write(call, writing).await?.unwrap_or_default())
    }

    async fn bulk_create_tickets(&self, call: &Call, request: &BulkCreate) -> Result<BulkCreated> {
        let method = tickets_service::BULK_CREATE_TICKETS;
        let mut writing = Writing::new(Operation::CreateTicket, method, request);
        writing.ids = |answer| {
            let tickets = answer.tickets.iter().flat_map(|made| &made.ticket);
            tickets.map(|ticket| ticket.id.clone()).collect()
        };
        Ok(self.write(call, writing).await?.unwrap_or_default())
    }

    async fn get_ticket(&self, call: &Call, request: &GetTicket) -> Result<GotTicket> {
        self.read(call, tickets_service::GET_TICKET, request).await
    }

    async fn bulk_get_tickets(&self, call: &Call, request: &BulkGet) -> Result<BulkGot> {
        let method = tickets_service::BULK_GET_TICKETS;
        self.read(call, method, request).await
    }
}

fn state(id: String, name: String, status: i32, response: Option<Struct>) -> ActionState {
    ActionState {
        id,
        name,
        status: BatonActionStatus::try_from(status).unwrap_or_default(),
        response,
    }
}

/// The failure of an action that an answer reports.
fn failure(answer: &v2::InvokeActionResponse) -> Option<String> {
    if answer.status() != BatonActionStatus::Failed {
        return None;
    }
    let answer = answer.clone();
    let state = state(answer.id, answer.name, answer.status, answer.response);
    Some(match state.failure() {
        Some(text) => text.to_owned(),
        None => "the action failed".to_owned(),
    })
}

#[async_trait]
impl Actions for RemoteConnector {
    async fn schemas(&self, call: &Call, type_id: Option<&str>) -> Result<Vec<BatonActionSchema>> {
        let request = v2::ListActionSchemasRequest {
            annotations: call.annotations().to_vec(),
            resource_type_id: type_id.unwrap_or_default().to_owned(),
        };
        let method = action_service::LIST_ACTION_SCHEMAS;
        Ok(self.read(call, method, &request).await?.schemas)
    }

    async fn schema(&self, call: &Call, name: &str) -> Result<BatonActionSchema> {
        let request = v2::GetActionSchemaRequest {
            name: name.to_owned(),
            annotations: call.annotations().to_vec(),
        };
        let method = action_service::GET_ACTION_SCHEMA;
        let answer = self.read(call, method, &request).await?;
        answer.schema.ok_or_else(no_schema)
    }

    async fn invoke(&self, call: &Call, wanted: Invoke<'_>) -> Result<ActionState> {
        let request = v2::InvokeActionRequest {
            name: wanted.name.to_owned(),
            args: Some(wanted.arguments.clone()),
            annotations: call.annotations().to_vec(),
            resource_type_id: wanted.type_id.unwrap_or_default().to_owned(),
            inline_wait: wanted.inline_wait.try_into().ok(),
        };
        let method = action_service::INVOKE_ACTION;
        let mut writing = Writing::new(Operation::Action, method, &request);
        writing.failure = failure;
        writing.wait = wanted.inline_wait;
        match self.write(call, writing).await? {
            Some(answer) => Ok(state(
                answer.id,
                answer.name,
                answer.status,
                answer.response,
            )),
            // As an action in this process ends in a dry run.
            None => Ok(ActionState {
                id: String::new(),
                name: wanted.name.to_owned(),
                status: BatonActionStatus::Complete,
                response: None,
            }),
        }
    }

    async fn status(&self, call: &Call, id: &str) -> Result<ActionState> {
        let request = v2::GetActionStatusRequest {
            id: id.to_owned(),
            annotations: call.annotations().to_vec(),
            ..v2::GetActionStatusRequest::default()
        };
        let method = action_service::GET_ACTION_STATUS;
        let answer = self.read(call, method, &request).await?;
        Ok(state(
            answer.id,
            answer.name,
            answer.status,
            answer.response,
        ))
    }
}
