//! The tickets of the connector of the recordings.

use baton_connector::{Call, Page, Result, Tickets, v2};
use v2::{
    TicketsServiceBulkCreateTicketsRequest as BulkCreateRequest,
    TicketsServiceBulkCreateTicketsResponse as BulkCreateResponse,
    TicketsServiceBulkGetTicketsRequest as BulkGetRequest,
    TicketsServiceBulkGetTicketsResponse as BulkGetResponse,
    TicketsServiceCreateTicketRequest as CreateRequest,
    TicketsServiceCreateTicketResponse as CreateResponse,
    TicketsServiceGetTicketRequest as GetRequest, TicketsServiceGetTicketResponse as GetResponse,
};

use crate::rich::{fail_if_asked, raw_id};

/// Schemas on a page.
const PAGE: usize = 40;
/// As many schemas mean that listing them fails.
pub(crate) const FAILS: usize = usize::MAX;
/// As many schemas mean that each page has the token of the one before it.
pub(crate) const REPEATS: usize = usize::MAX - 1;
/// As many schemas mean pages without end, and without schemas.
pub(crate) const ENDLESS: usize = usize::MAX - 2;

/// Tickets, of so many kinds.
pub(crate) struct Desk {
    pub(crate) schemas: usize,
}

fn status() -> v2::TicketStatus {
    v2::TicketStatus {
        id: "open".to_owned(),
        display_name: "Open".to_owned(),
    }
}

fn schema(number: usize) -> v2::TicketSchema {
    v2::TicketSchema {
        id: format!("s{number}"),
        display_name: format!("Schema s{number}"),
        types: vec![v2::TicketType {
            id: "task".to_owned(),
            display_name: "Task".to_owned(),
        }],
        statuses: vec![status()],
        ..v2::TicketSchema::default()
    }
}

fn ticket(id: &str) -> v2::Ticket {
    v2::Ticket {
        id: id.to_owned(),
        display_name: format!("Ticket {id}"),
        status: Some(status()),
        url: format!("https://example.com/{id}"),
        ..v2::Ticket::default()
    }
}

fn name(request: &CreateRequest) -> &str {
    let request = request.request.as_ref();
    request.map_or("", |request| &request.display_name)
}

#[async_trait::async_trait]
impl Tickets for Desk {
    async fn list_schemas(&self, call: &Call) -> Result<Page<v2::TicketSchema>> {
        match self.schemas {
            FAILS => fail_if_asked("denied")?,
            REPEATS => return Ok(Page::new(vec![schema(0)], "again")),
            ENDLESS => {
                let next = format!("{}.", call.token());
                return Ok(Page::new(Vec::new(), next));
            }
            _ => {}
        }
        let from = call.token().parse().unwrap_or(0);
        let to = self.schemas.min(from + PAGE);
        let list = (from..to).map(schema).collect();
        Ok(match to {
            to if to < self.schemas => Page::new(list, to.to_string()),
            _ => Page::last(list),
        })
    }

    async fn get_schema(&self, _call: &Call, _id: &str) -> Result<v2::TicketSchema> {
        Ok(schema(0))
    }

    async fn create_ticket(&self, call: &Call, request: &CreateRequest) -> Result<CreateResponse> {
        fail_if_asked(name(request))?;
        if name(request) == "never" {
            call.unless_stopped(std::future::pending()).await?;
        }
        let wanted = request.request.clone().unwrap_or_default();
        let ticket = v2::Ticket {
            id: "t-1".to_owned(),
            display_name: wanted.display_name,
            description: wanted.description,
            status: wanted.status,
            labels: wanted.labels,
            requested_for: wanted.requested_for,
            ..v2::Ticket::default()
        };
        Ok(CreateResponse {
            ticket: Some(ticket),
            annotations: vec![raw_id("ticket-anno")],
            error: String::new(),
        })
    }

    async fn bulk_create_tickets(
        &self,
        _call: &Call,
        request: &BulkCreateRequest,
    ) -> Result<BulkCreateResponse> {
        let mut tickets = Vec::new();
        for (number, request) in request.ticket_requests.iter().enumerate() {
            let mut answer = CreateResponse::default();
            match name(request) {
                "short" => continue,
                "half" => "rich: this one failed".clone_into(&mut answer.error),
                what => {
                    fail_if_asked(what)?;
                    answer.ticket = Some(ticket(&format!("t-{number}")));
                }
            }
            tickets.push(answer);
        }
        Ok(BulkCreateResponse { tickets })
    }

    async fn get_ticket(&self, _call: &Call, request: &GetRequest) -> Result<GetResponse> {
        fail_if_asked(&request.id)?;
        if request.id == "never" {
            std::future::pending::<()>().await;
        }
        Ok(GetResponse {
            ticket: (request.id != "nil").then(|| ticket(&request.id)),
            annotations: vec![raw_id("dropped")],
            error: String::new(),
        })
    }

    async fn bulk_get_tickets(
        &self,
        call: &Call,
        request: &BulkGetRequest,
    ) -> Result<BulkGetResponse> {
        let mut tickets = Vec::new();
        for request in &request.ticket_requests {
            if request.id != "short" {
                let mut answer = self.get_ticket(call, request).await?;
                answer.annotations.clear();
                tickets.push(answer);
            }
        }
        Ok(BulkGetResponse { tickets })
    }
}
