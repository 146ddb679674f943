//! Event feeds and tickets of a [`BuiltConnector`].

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

use crate::builder::BuiltConnector;
use crate::call::Call;
use crate::error::{Error, Result};
use crate::event_feed::EventFeeds;
use crate::page::Page;
use crate::ticket::{self, TicketManager, Tickets};

#[async_trait]
impl EventFeeds for BuiltConnector {
    async fn list_feeds(&self, _call: &Call) -> Result<Vec<v2::EventFeedMetadata>> {
        Ok(self.feeds.metadata())
    }

    async fn list_events(
        &self,
        call: &Call,
        request: &v2::ListEventsRequest,
    ) -> Result<v2::ListEventsResponse> {
        self.feeds.events(call, request).await
    }
}

impl BuiltConnector {
    fn ticket_manager(&self) -> Result<&dyn TicketManager> {
        self.tickets.as_deref().ok_or_else(|| {
            let text = "ticket manager not implemented";
            Error::stated(baton_proto::Code::Unimplemented, text)
        })
    }
}

#[async_trait]
impl Tickets for BuiltConnector {
    async fn list_schemas(&self, call: &Call) -> Result<Page<v2::TicketSchema>> {
        let page = self.ticket_manager()?.schemas(call).await?;
        page.advanced(call.token(), || "ticket schemas".to_owned())
    }

    async fn get_schema(&self, call: &Call, id: &str) -> Result<v2::TicketSchema> {
        self.ticket_manager()?.schema(call, id).await
    }

    async fn create_ticket(&self, call: &Call, request: &CreateRequest) -> Result<CreateResponse> {
        ticket::create_ticket(self.ticket_manager()?, call, request).await
    }

    async fn bulk_create_tickets(
        &self,
        call: &Call,
        request: &BulkCreateRequest,
    ) -> Result<BulkCreateResponse> {
        ticket::bulk_create(self.ticket_manager()?, call, request).await
    }

    async fn get_ticket(&self, call: &Call, request: &GetRequest) -> Result<GetResponse> {
        ticket::get_ticket(self.ticket_manager()?, call, request).await
    }

    async fn bulk_get_tickets(
        &self,
        call: &Call,
        request: &BulkGetRequest,
    ) -> Result<BulkGetResponse> {
        ticket::bulk_get(self.ticket_manager()?, call, request).await
    }
}
