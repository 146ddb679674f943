//! The stream of audit events, in the order in which Atlassian processed them.

use baton_connector::http::{FieldError, Fields, InvalidValues};
use baton_connector::{Error, Result};

use super::Api;
use super::answer::{self, Read};
use super::endpoints::EVENTS_STREAM;

/// The code of a cursor that the server does not know.
const BAD_CURSOR: &str = "ADMIN-400-1";

/// An object that an event names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub id: Option<String>,
    /// The kind of object, as in `users`.
    pub kind: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// For resources of roles: what owns them.
    pub owner: Option<String>,
}

/// An audit event. Nothing of it is certain but that it is an object: the API
/// documents no closed form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AuditEvent {
    pub id: Option<String>,
    pub action: String,
    pub time: Option<String>,
    pub processed_at: Option<String>,
    pub actor: Option<Named>,
    /// What was acted on.
    pub context: Vec<Named>,
    /// Where.
    pub container: Vec<Named>,
}

fn named(fields: &Fields<'_>) -> Named {
    let about = fields.part("attributes");
    let of = |name: &str| {
        let inner = about.as_ref().and_then(|about| about.text(name));
        inner.or_else(|| fields.text(name))
    };
    Named {
        id: fields.reference("id"),
        kind: fields.text("type").unwrap_or_default(),
        name: of("name"),
        email: of("email"),
        owner: of("resourceOwner"),
    }
}

impl Read for AuditEvent {
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError> {
        let Some(about) = fields.part("attributes") else {
            return Ok(Self {
                id: fields.reference("id"),
                ..Self::default()
            });
        };
        let list = |name: &str| {
            let parts = about.parts(name).unwrap_or_default();
            parts.iter().map(named).collect()
        };
        Ok(Self {
            id: fields.reference("id"),
            action: about.text("action").unwrap_or_default(),
            time: about.text("time"),
            processed_at: about.text("processedAt"),
            actor: about.part("actor").as_ref().map(named),
            context: list("context"),
            container: list("container"),
        })
    }
}

/// Where a page of the stream begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StreamStart<'a> {
    /// At the cursor of an earlier page.
    Cursor(&'a str),
    /// At this time, in milliseconds.
    Time(i64),
}

/// A page of the stream. There is always a cursor for what comes later.
#[derive(Debug)]
pub(crate) struct StreamPage {
    pub events: Vec<AuditEvent>,
    pub next: String,
}

impl Api {
    /// A page of audit events, at most `limit`.
    pub async fn audit_events(&self, start: StreamStart<'_>, limit: u32) -> Result<StreamPage> {
        let request = self.get(EVENTS_STREAM, &[])?;
        let request = match start {
            StreamStart::Cursor(cursor) => request.query("cursor", cursor),
            StreamStart::Time(millis) => request.query("from", &millis.to_string()),
        };
        let request = request.query("limit", &limit.to_string());
        let response = self.client.send(&request).await?;
        let invalid = InvalidValues::default();
        let read = answer::stream(&response, &invalid);
        self.odd.note(&invalid, &request);
        let (events, next) = read?;
        Ok(StreamPage { events, next })
    }
}

/// Whether the server refused a cursor of the stream.
pub(crate) fn is_bad_cursor(error: &Error) -> bool {
    let code = error
        .request()
        .and_then(|request| request.api_code.as_deref());
    error.status() == Some(400) && code == Some(BAD_CURSOR)
}
