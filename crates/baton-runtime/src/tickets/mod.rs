//! Tickets from the command line: their kinds, one ticket, and new ones.

mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use baton_connector::{Call, Connector, Run, Tickets, v2};
use baton_flags::Field;
use baton_term::Block;
use serde::Serialize;
use serde_json::Value;
use v2::{
    TicketsServiceBulkCreateTicketsRequest as BulkCreateRequest,
    TicketsServiceCreateTicketRequest as CreateRequest,
    TicketsServiceGetTicketRequest as GetRequest,
};

use crate::change::{Brought, Making, Subject, TicketPart, json_of};
use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags::{self, ResultForm};
use crate::panics;
use crate::refused_flags;

use template::Template;

/// The JSON object of `--list-ticket-schemas`.
#[derive(Serialize)]
struct Schemas {
    schemas: Vec<Value>,
}

/// The JSON object of `--get-ticket`.
#[derive(Serialize)]
struct One {
    ticket: Option<Value>,
}

fn tickets(connector: &dyn Connector) -> Result<&dyn Tickets> {
    connector.tickets().ok_or(Error::NoTickets)
}

/// Lists the kinds of ticket, all pages.
pub(crate) async fn list_schemas(context: CommandContext) -> Result<ExitStatus> {
    let (context, built) = reading(context).await?;
    let schemas = panics::guard_async("listing ticket schemas", async {
        let tickets = tickets(built.connector.as_ref())?;
        let run = Run::begin(None);
        let mut call = run.call().stopped_by(context.cancel().clone());
        let mut schemas: Vec<v2::TicketSchema> = Vec::new();
        loop {
            let page = tickets.list_schemas(&call).await?;
            let next = page.next.clone();
            schemas.extend(page.into_items());
            if next.is_last() {
                return Ok(schemas);
            }
            call = call.at(next.into_string());
        }
    })
    .await?;
    tracing::info!(resp = logged(&schemas), "Ticket Schemas");
    let mut text = Block::new();
    for schema in &schemas {
        text.line(named(&schema.display_name, &schema.id));
        for kind in &schema.types {
            text.indented(2, format!("type {}", named(&kind.display_name, &kind.id)));
        }
        for status in &schema.statuses {
            let status = named(&status.display_name, &status.id);
            text.indented(2, format!("status {status}"));
        }
        let fields: BTreeMap<_, _> = schema.custom_fields.iter().collect();
        for (id, field) in fields {
            let required = if field.required { ", required" } else { "" };
            let field = named(&field.display_name, id);
            text.indented(2, format!("field {field}{required}"));
        }
    }
    let schemas: Vec<_> = schemas.iter().filter_map(json_of).collect();
    show(&context, &text, &Schemas { schemas })
}

/// Shows one ticket.
pub(crate) async fn get(context: CommandContext) -> Result<ExitStatus> {
    let id = context.config().get(&flags::TICKET_ID).to_owned();
    if id.is_empty() {
        let flag = flags::TICKET_ID.name();
        return Err(Error::NoTicketValue { flag });
    }
    let (context, built) = reading(context).await?;
    let answer = panics::guard_async("reading a ticket", async {
        let run = Run::begin(None);
        let call = run.call().stopped_by(context.cancel().clone());
        let request = GetRequest {
            id: id.clone(),
            annotations: Vec::new(),
        };
        let tickets = tickets(built.connector.as_ref())?;
        Ok(tickets.get_ticket(&call, &request).await?)
    })
    .await?;
    let ticket = answer.ticket.as_ref().and_then(json_of);
    let resp = ticket.as_ref().map(ToString::to_string);
    tracing::info!(resp, "ticket");
    let mut text = Block::new();
    match &answer.ticket {
        Some(ticket) => describe(&mut text, ticket),
        None => {
            text.line(format!("there is no ticket `{id}`"));
        }
    }
    show(&context, &text, &One { ticket })
}

/// Creates the ticket of a template.
pub(crate) async fn create(context: CommandContext) -> Result<ExitStatus> {
    let template = template::one(&path(&context, &flags::TICKET_TEMPLATE_PATH)?)?;
    let target = Making::check(&context)?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let request = one_request(&context, &built, &template).await?;
    let subject = Subject::CreateTicket(template.name());
    let making = Making::new(context, built, target, subject).await?;
    making
        .make(async |connector, call| {
            let answer = tickets(connector.as_ref())?
                .create_ticket(&call, &request)
                .await?;
            tracing::info!(
                resp = answer
                    .ticket
                    .as_ref()
                    .map(|ticket| logged(std::slice::from_ref(ticket))),
                "created ticket"
            );
            Ok(Brought {
                tickets: answer.ticket.iter().map(TicketPart::of).collect(),
                ..Brought::default()
            })
        })
        .await
}

/// Creates the tickets of a template; each has its own outcome.
pub(crate) async fn bulk_create(context: CommandContext) -> Result<ExitStatus> {
    let templates = template::many(&path(&context, &flags::BULK_TICKET_TEMPLATE_PATH)?)?;
    let target = Making::check(&context)?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    let ticket_requests = requests(&context, &built, &templates).await?;
    let subject = Subject::CreateTickets(templates.len());
    let making = Making::new(context, built, target, subject).await?;
    let names: Vec<_> = templates.iter().map(Template::name).collect();
    making
        .make(async |connector, call| create_all(connector, &call, ticket_requests, &names).await)
        .await
}

async fn create_all(
    connector: Arc<dyn Connector>,
    call: &Call,
    ticket_requests: Vec<CreateRequest>,
    names: &[String],
) -> Result<Brought> {
    let wanted = ticket_requests.len();
    let request = BulkCreateRequest { ticket_requests };
    let answers = tickets(connector.as_ref())?
        .bulk_create_tickets(call, &request)
        .await?
        .tickets;
    if answers.len() != wanted {
        return Err(Error::TicketAnswers {
            wanted,
            found: answers.len(),
        });
    }
    let created: Vec<_> = answers
        .iter()
        .filter_map(|one| one.ticket.clone())
        .collect();
    tracing::info!(resp = logged(&created), "created tickets");
    let parts = answers
        .into_iter()
        .zip(names)
        .map(|(answer, name)| match answer.ticket {
            Some(ticket) if answer.error.is_empty() => TicketPart::of(&ticket),
            ticket => TicketPart::failed(name, ticket.as_ref(), answer.error),
        });
    Ok(Brought {
        tickets: parts.collect(),
        ..Brought::default()
    })
}

/// Prepares a mode that changes nothing.
async fn reading(context: CommandContext) -> Result<(CommandContext, Built)> {
    refused_flags::refuse_change_flags_of_reads(context.config())?;
    context.check_settings()?;
    let built = context.connect()?;
    context.check_announced(&built).await?;
    Ok((context, built))
}

fn path(context: &CommandContext, flag: &Field<String>) -> Result<PathBuf> {
    let path = context.config().get(flag);
    if path.is_empty() {
        return Err(Error::NoTicketValue { flag: flag.name() });
    }
    Ok(context.cwd().join(path))
}

async fn one_request(
    context: &CommandContext,
    built: &Built,
    template: &Template,
) -> Result<CreateRequest> {
    let requests = requests(context, built, std::slice::from_ref(template));
    Ok(requests.await?.pop().unwrap_or_default())
}

/// The requests of templates; each schema is read once.
async fn requests(
    context: &CommandContext,
    built: &Built,
    templates: &[Template],
) -> Result<Vec<CreateRequest>> {
    panics::guard_async("reading ticket schemas", async {
        let tickets = tickets(built.connector.as_ref())?;
        let run = Run::begin(None);
        let call = run.call().stopped_by(context.cancel().clone());
        let mut schemas: BTreeMap<&str, v2::TicketSchema> = BTreeMap::new();
        let mut requests = Vec::with_capacity(templates.len());
        for template in templates {
            let id = template.schema_id.as_str();
            if !schemas.contains_key(id) {
                schemas.insert(id, tickets.get_schema(&call, id).await?);
            }
            let schema = schemas.get(id).cloned().unwrap_or_default();
            requests.push(CreateRequest {
                request: Some(template.request(&schema)?),
                schema: Some(schema),
                annotations: Vec::new(),
            });
        }
        Ok(requests)
    })
    .await
}

/// Messages in protobuf JSON, for the log.
fn logged<M: prost::Message + prost::Name>(messages: &[M]) -> String {
    let list: Vec<_> = messages.iter().filter_map(json_of).collect();
    Value::Array(list).to_string()
}

fn named(name: &str, id: &str) -> String {
    if name.is_empty() || name == id {
        return format!("`{id}`");
    }
    format!("`{name}` (`{id}`)")
}

fn describe(text: &mut Block, ticket: &v2::Ticket) {
    text.line(named(&ticket.display_name, &ticket.id));
    if let Some(status) = &ticket.status {
        let status = named(&status.display_name, &status.id);
        text.indented(2, format!("status {status}"));
    }
    for (what, value) in [("at", &ticket.url), ("", &ticket.description)] {
        if !value.is_empty() {
            text.indented(2, format!("{what} {value}").trim_start().to_owned());
        }
    }
}

fn show(context: &CommandContext, text: &Block, json: &impl Serialize) -> Result<ExitStatus> {
    let gate = context.stderr.gate();
    let printed = if context.config().get(&flags::OUTPUT) == ResultForm::Json {
        let line = serde_json::to_string(json).map_err(|source| Error::ResultJson { source })?;
        format!("{}\n", gate.pass_json(&line))
    } else {
        text.render(&gate, false)
    };
    context.print(printed.as_bytes())?;
    Ok(ExitStatus::Success)
}
