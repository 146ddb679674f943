//! The parts of a connector that read as well as write: their reads are repeated.

use async_trait::async_trait;
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
};

use super::Retrying;
use crate::action::{ActionState, Actions, Invoke};
use crate::call::Call;
use crate::connector::Connector;
use crate::error::{Error, Result};
use crate::event_feed::EventFeeds;
use crate::page::Page;
use crate::ticket::Tickets;

/// The error of a part that a connector has lost since it was asked for it.
fn missing() -> Error {
    Error::stated(Code::Unimplemented, "the connector has no such service")
}

impl<C: Connector> Retrying<C> {
    fn feeds(&self) -> Result<&dyn EventFeeds> {
        self.inner.event_feeds().ok_or_else(missing)
    }

    fn ticket_calls(&self) -> Result<&dyn Tickets> {
        self.inner.tickets().ok_or_else(missing)
    }

    fn action_calls(&self) -> Result<&dyn Actions> {
        self.inner.actions().ok_or_else(missing)
    }
}

#[async_trait]
impl<C: Connector> EventFeeds for Retrying<C> {
    async fn list_feeds(&self, call: &Call) -> Result<Vec<v2::EventFeedMetadata>> {
        let feeds = self.feeds()?;
        self.repeated(call, || feeds.list_feeds(call)).await
    }

    async fn list_events(
        &self,
        call: &Call,
        request: &v2::ListEventsRequest,
    ) -> Result<v2::ListEventsResponse> {
        let feeds = self.feeds()?;
        self.repeated(call, || feeds.list_events(call, request))
            .await
    }
}

#[async_trait]
impl<C: Connector> Tickets for Retrying<C> {
    async fn list_schemas(&self, call: &Call) -> Result<Page<v2::TicketSchema>> {
        let tickets = self.ticket_calls()?;
        self.repeated(call, || tickets.list_schemas(call)).await
    }

    async fn get_schema(&self, call: &Call, id: &str) -> Result<v2::TicketSchema> {
        let tickets = self.ticket_calls()?;
        self.repeated(call, || tickets.get_schema(call, id)).await
    }

    async fn create_ticket(&self, call: &Call, request: &CreateRequest) -> Result<CreateResponse> {
        self.ticket_calls()?.create_ticket(call, request).await
    }

    async fn bulk_create_tickets(
        &self,
        call: &Call,
        request: &BulkCreateRequest,
    ) -> Result<BulkCreateResponse> {
        let tickets = self.ticket_calls()?;
        tickets.bulk_create_tickets(call, request).await
    }

    async fn get_ticket(&self, call: &Call, request: &GetRequest) -> Result<GetResponse> {
        let tickets = self.ticket_calls()?;
        self.repeated(call, || tickets.get_ticket(call, request))
            .await
    }

    async fn bulk_get_tickets(
        &self,
        call: &Call,
        request: &BulkGetRequest,
    ) -> Result<BulkGetResponse> {
        let tickets = self.ticket_calls()?;
        self.repeated(call, || tickets.bulk_get_tickets(call, request))
            .await
    }
}

#[async_trait]
impl<C: Connector> Actions for Retrying<C> {
    async fn schemas(
        &self,
        call: &Call,
        type_id: Option<&str>,
    ) -> Result<Vec<v2::BatonActionSchema>> {
        let actions = self.action_calls()?;
        self.repeated(call, || actions.schemas(call, type_id)).await
    }

    async fn schema(&self, call: &Call, name: &str) -> Result<v2::BatonActionSchema> {
        let actions = self.action_calls()?;
        self.repeated(call, || actions.schema(call, name)).await
    }

    async fn invoke(&self, call: &Call, wanted: Invoke<'_>) -> Result<ActionState> {
        self.action_calls()?.invoke(call, wanted).await
    }

    async fn status(&self, call: &Call, id: &str) -> Result<ActionState> {
        let actions = self.action_calls()?;
        self.repeated(call, || actions.status(call, id)).await
    }
}
