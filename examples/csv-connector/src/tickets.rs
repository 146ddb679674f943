//! Tickets, one JSON file each, in the folder `tickets` beside the tables.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_connector::{
    Answer, Call, Change, Code, Creation, Error, Page, Result, TicketManager, Write, async_trait,
    check_ticket, v2,
};
use serde::{Deserialize, Serialize};
use v2::ticket_custom_field::Value;

use crate::tables::Tables;

/// The only kind of ticket.
const SCHEMA: &str = "request";
const STATUSES: [(&str, &str); 2] = [("open", "Open"), ("done", "Done")];
const PRIORITIES: [&str; 2] = ["low", "high"];

/// Files tickets.
pub(crate) struct Tickets(pub(crate) Arc<Tables>);

/// A ticket as its file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ticket {
    title: String,
    text: String,
    status: String,
    labels: Vec<String>,
    user: String,
    priority: String,
}

#[async_trait]
impl TicketManager for Tickets {
    async fn schemas(&self, _call: &Call) -> Result<Page<v2::TicketSchema>> {
        Ok(Page::last(vec![schema()]))
    }

    async fn schema(&self, _call: &Call, id: &str) -> Result<v2::TicketSchema> {
        if id == SCHEMA {
            return Ok(schema());
        }
        let text = format!("there is no kind of ticket `{id}`");
        let error = Error::stated(Code::NotFound, text);
        Err(error.with_hint(format!("the only kind of ticket is `{SCHEMA}`")))
    }

    async fn create(
        &self,
        _call: &Call,
        draft: &v2::Ticket,
        schema: &v2::TicketSchema,
    ) -> Result<Creation<v2::Ticket>> {
        check_ticket(schema, draft)?;
        let ticket = Ticket::of(draft);
        let folder = self.folder();
        let (filed, kept) = (Answer::new(), ticket.clone());
        let answer = filed.clone();
        let write = Write::local("file a ticket", move |_call| {
            let filed = file(&folder, &kept).map(|id| answer.keep(id));
            let filed = filed.map_err(|error| failed(&folder, "file a ticket in", error));
            async { filed }
        });
        let change = Change::create().write(write);
        Ok(change.gives(move |_call, _made| async move {
            let missing = || Error::stated(Code::Internal, "the ticket has no number");
            Ok(ticket.to_wire(&filed.take().ok_or_else(missing)?))
        }))
    }

    async fn get(&self, _call: &Call, id: &str) -> Result<Option<v2::Ticket>> {
        // An id is a file name, and nothing else.
        if !id.strip_prefix("T-").is_some_and(is_number) {
            return Ok(None);
        }
        let path = self.folder().join(id).with_extension("json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path, "read", error)),
        };
        let ticket: Ticket = serde_json::from_slice(&text)
            .map_err(|error| failed(&path, "read", io::Error::from(error)))?;
        Ok(Some(ticket.to_wire(id)))
    }
}

impl Tickets {
    fn folder(&self) -> PathBuf {
        self.0.folder().join("tickets")
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn failed(path: &Path, doing: &str, error: io::Error) -> Error {
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::ResourceExhausted,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Code::PermissionDenied,
        _ => Code::Unknown,
    };
    Error::caused(code, format!("cannot {doing} {}", path.display()), error)
}

/// What a ticket is made of.
fn schema() -> v2::TicketSchema {
    let field = |id: &str, name: &str, value| v2::TicketCustomField {
        id: id.to_owned(),
        display_name: name.to_owned(),
        value: Some(value),
        ..v2::TicketCustomField::default()
    };
    let priority = v2::TicketCustomFieldPickStringValue {
        allowed_values: PRIORITIES.map(str::to_owned).to_vec(),
        ..v2::TicketCustomFieldPickStringValue::default()
    };
    let fields = [
        field("user", "User", text("")),
        field("priority", "Priority", Value::PickStringValue(priority)),
    ];
    v2::TicketSchema {
        id: SCHEMA.to_owned(),
        display_name: "Request".to_owned(),
        statuses: STATUSES.map(|(id, name)| status(id, name)).to_vec(),
        custom_fields: fields.map(|field| (field.id.clone(), field)).into(),
        ..v2::TicketSchema::default()
    }
}

fn status(id: &str, name: &str) -> v2::TicketStatus {
    v2::TicketStatus {
        id: id.to_owned(),
        display_name: name.to_owned(),
    }
}

fn text(value: &str) -> Value {
    Value::StringValue(v2::TicketCustomFieldStringValue {
        value: value.to_owned(),
        ..v2::TicketCustomFieldStringValue::default()
    })
}

impl Ticket {
    fn of(draft: &v2::Ticket) -> Self {
        let field = |id: &str| {
            let value = draft.custom_fields.get(id)?.value.as_ref()?;
            Some(match value {
                Value::StringValue(text) => text.value.clone(),
                Value::PickStringValue(text) => text.value.clone(),
                _ => return None,
            })
        };
        let status = draft.status.as_ref().map(|status| status.id.clone());
        Self {
            title: draft.display_name.clone(),
            text: draft.description.clone(),
            status: status.unwrap_or_else(|| STATUSES[0].0.to_owned()),
            labels: draft.labels.clone(),
            user: field("user").unwrap_or_default(),
            priority: field("priority").unwrap_or_default(),
        }
    }

    fn to_wire(&self, id: &str) -> v2::Ticket {
        let priority = Value::PickStringValue(v2::TicketCustomFieldPickStringValue {
            value: self.priority.clone(),
            ..v2::TicketCustomFieldPickStringValue::default()
        });
        let fields = [
            ("user", &self.user, text(&self.user)),
            ("priority", &self.priority, priority),
        ];
        let given = fields.into_iter().filter(|(_, text, _)| !text.is_empty());
        let given = given.map(|(id, _, value)| {
            let field = v2::TicketCustomField {
                id: id.to_owned(),
                value: Some(value),
                ..v2::TicketCustomField::default()
            };
            (id.to_owned(), field)
        });
        let known = STATUSES.iter().find(|(id, _)| *id == self.status);
        v2::Ticket {
            id: id.to_owned(),
            display_name: self.title.clone(),
            description: self.text.clone(),
            status: Some(status(&self.status, known.map_or("", |(_, name)| name))),
            labels: self.labels.clone(),
            custom_fields: given.collect(),
            ..v2::Ticket::default()
        }
    }
}

/// Writes the ticket into a file of the next free number, whole or not; gives its
/// id. A ticket that another process files at the same time is never replaced.
#[expect(
    clippy::disallowed_methods,
    reason = "tickets are the application's; they are no sync files"
)]
fn file(folder: &Path, ticket: &Ticket) -> io::Result<String> {
    fs::create_dir_all(folder)?;
    let draft = folder.join(format!(".{}.draft", std::process::id()));
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(serde_json::to_string_pretty(ticket)?.as_bytes())?;
        file.sync_all()
    });
    let filed = written.and_then(|()| {
        for number in next_number(folder)?.. {
            let id = format!("T-{number}");
            match fs::hard_link(&draft, folder.join(&id).with_extension("json")) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                linked => return linked.map(|()| id),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    });
    let _ = fs::remove_file(&draft);
    let id = filed?;
    File::open(folder)?.sync_all()?;
    Ok(id)
}

/// The number after the largest in use.
fn next_number(folder: &Path) -> io::Result<u64> {
    let mut largest = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let number = name
            .strip_prefix("T-")
            .and_then(|name| name.strip_suffix(".json"));
        largest = number
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
            .max(largest);
    }
    Ok(largest + 1)
}
