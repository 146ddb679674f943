//! What a change came to, for people and as JSON.

use baton_connector::{ActionState, v2};
use baton_proto::json;
use baton_term::Block;
use serde::Serialize;
use serde_json::Value;

use super::audit::WriteLine;
use super::json_object;
use super::record::{Record, in_one_line};
use super::subject::Subject;
use crate::error::Error;

/// What a change brought about.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    /// The grants as they now are.
    pub grants: Vec<v2::Grant>,
    /// The account that was asked for.
    pub account: Option<AccountPart>,
    /// The action that was run.
    pub action: Option<ActionPart>,
    /// New secrets, encrypted; empty where they are in a file.
    pub secrets: Vec<v2::EncryptedData>,
    /// The file with the encrypted secrets.
    pub secrets_file: Option<String>,
    /// The tickets that were asked for.
    pub tickets: Vec<TicketPart>,
    /// What the user must know besides.
    pub warnings: Vec<String>,
}

/// A ticket that was asked for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TicketPart {
    #[serde(skip_serializing_if = "Value::is_null")]
    ticket: Value,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: String,
    /// The ticket for people.
    #[serde(skip)]
    line: String,
}

impl TicketPart {
    /// A ticket that was created.
    pub(crate) fn of(ticket: &v2::Ticket) -> Self {
        let mut line = format!("ticket `{}`", ticket.id);
        for (text, before) in [(&ticket.display_name, " "), (&ticket.url, " at ")] {
            if !text.is_empty() {
                line.push_str(before);
                line.push_str(text);
            }
        }
        Self {
            ticket: json_of(ticket).unwrap_or_default(),
            error: String::new(),
            line,
        }
    }

    /// A ticket that was not created, or with an error after it.
    pub(crate) fn failed(name: &str, ticket: Option<&v2::Ticket>, error: String) -> Self {
        let error = if error.is_empty() {
            "there is no ticket in the answer".to_owned()
        } else {
            error
        };
        Self {
            ticket: ticket.and_then(json_of).unwrap_or_default(),
            line: format!("not created: `{name}`: {error}"),
            error,
        }
    }

    fn has_failed(&self) -> bool {
        !self.error.is_empty()
    }
}

impl Brought {
    /// How many of the tickets were not created, and how many there are.
    pub(super) fn failed_tickets(&self) -> (usize, usize) {
        let failed = self.tickets.iter().filter(|ticket| ticket.has_failed());
        (failed.count(), self.tickets.len())
    }
}

/// An account that was asked for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AccountPart {
    /// `created`, `already_exists`, `action_required` or `in_progress`.
    pub result: &'static str,
    /// The account in protobuf JSON, as far as it is there.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub resource: Value,
    /// What must be done next.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub message: String,
    /// Until when an invitation can be accepted.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub invitation_expires_at: String,
    /// The account for people.
    #[serde(skip)]
    pub name: String,
}

/// An action that was run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ActionPart {
    id: String,
    status: &'static str,
    /// What it answered.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub response: Value,
}

impl ActionPart {
    pub(crate) fn of(state: &ActionState) -> Self {
        Self {
            id: state.id.clone(),
            status: state.status.as_str_name(),
            response: state
                .response
                .as_ref()
                .map(json_object::of_struct)
                .unwrap_or_default(),
        }
    }
}

/// The JSON object of `-o json`.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeResult {
    #[serde(flatten, serialize_with = "parts")]
    subject: Subject,
    outcome: &'static str,
    /// The id of the change, as in the audit log.
    id: String,
    dry_run: bool,
    /// What the change would send, or has sent.
    writes: Vec<WriteLine>,
    /// Ids of what was added; in a dry run of what would be.
    added: Vec<String>,
    /// Ids of grants that were removed; in a dry run those that would be.
    removed: Vec<String>,
    /// The grants as they now are.
    grants: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountPart>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tickets: Vec<TicketPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_state: Option<ActionPart>,
    /// New secrets, encrypted to their recipients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    encrypted_data: Vec<Value>,
    /// The file with the new secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_out: Option<String>,
    request_ids: Vec<String>,
    /// The outcome was found by reading, since the answer was lost.
    read_back: bool,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPart>,
}

fn parts<S: serde::Serializer>(subject: &Subject, serializer: S) -> Result<S::Ok, S::Error> {
    subject.parts().serialize(serializer)
}

#[derive(Debug, Serialize)]
struct ErrorPart {
    code: &'static str,
    message: String,
    hints: Vec<String>,
}

impl ChangeResult {
    /// Of a change that brought this about, or that ended with an error.
    pub(crate) fn new(record: &Record, dry_run: bool, ended: &Result<Brought, Error>) -> Self {
        let planned = record.planned();
        let end = record.ended();
        let outcome = match (&end, ended) {
            (Some(end), _) => end.outcome,
            (None, Err(_)) => "refused",
            (None, Ok(_)) => match &planned {
                Some(planned) if !planned.writes.is_empty() => "dry_run",
                _ => "already",
            },
        };
        let planned = planned.unwrap_or_default();
        let mut warnings = planned.warnings;
        if end.as_ref().is_some_and(|end| end.visible == Some(false)) {
            warnings.push(
                "the change does not show in the application after 30 s: the sync may not have it"
                    .to_owned(),
            );
        }
        let (added, removed) = match &end {
            Some(end) => (end.added.clone(), end.removed.clone()),
            None if outcome == "dry_run" => (planned.adds, planned.removes),
            None => (Vec::new(), Vec::new()),
        };
        let end = end.unwrap_or_default();
        let error = ended.as_ref().err().map(|error| ErrorPart {
            code: error.code().name(),
            message: in_one_line(error),
            hints: error.hints(),
        });
        let nothing = Brought::default();
        let brought = ended.as_ref().unwrap_or(&nothing);
        warnings.extend(brought.warnings.iter().cloned());
        Self {
            subject: record.subject.clone(),
            outcome,
            id: record.id.clone(),
            dry_run,
            writes: planned.writes,
            added,
            removed,
            grants: if dry_run {
                Vec::new()
            } else {
                brought.grants.iter().filter_map(json_of).collect()
            },
            account: brought.account.clone(),
            tickets: brought.tickets.clone(),
            action_state: match ended {
                Ok(brought) => brought.action.clone(),
                Err(error) => error.action_state().map(ActionPart::of),
            },
            encrypted_data: brought.secrets.iter().filter_map(json_of).collect(),
            credentials_out: brought.secrets_file.clone(),
            request_ids: end.request_ids,
            read_back: end.read_back,
            warnings,
            error,
        }
    }

    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// One line of JSON.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The result for people; nothing for a failure of which nothing was
    /// planned, since the error is enough.
    pub(crate) fn block(&self) -> Block {
        let mut text = Block::new();
        let subject = &self.subject;
        for ticket in &self.tickets {
            text.line(&ticket.line);
        }
        match (self.outcome, &self.account) {
            ("done" | "failed" | "partial", None) if !self.tickets.is_empty() => {}
            ("done" | "already", Some(account)) => account.show(&mut text),
            ("done", None) => {
                text.line(subject.past());
            }
            ("already", None) => {
                text.line(format!("nothing to do: {}", subject.already()));
            }
            ("dry_run", _) => {
                let would = subject.infinitive();
                text.line(format!("dry run: would {would}; no write was sent"));
            }
            ("refused", _) if self.dry_run && !self.writes.is_empty() => {
                let would = subject.infinitive();
                text.line(format!("dry run: would not {would}; no write was sent"));
            }
            _ => {}
        }
        if let (Some(action), None) = (&self.action_state, &self.error)
            && let Value::Object(answer) = &action.response
        {
            for (name, value) in answer {
                text.indented(2, format!("{name}: {}", shown_value(value)));
            }
        }
        if self.dry_run {
            for write in &self.writes {
                text.indented(2, format!("sends {}", shown_write(write)));
            }
        }
        let (adds, removes) = if self.dry_run {
            ("adds", "removes")
        } else {
            ("added", "removed")
        };
        let added = if self.tickets.is_empty() {
            &self.added[..]
        } else {
            &[]
        };
        for id in added {
            let kind = if self.account.is_some() {
                "account"
            } else {
                "grant"
            };
            text.indented(2, format!("{adds} {kind} `{id}`"));
        }
        for id in &self.removed {
            text.indented(2, format!("{removes} grant `{id}`"));
        }
        if self.read_back && self.outcome == "done" {
            text.indented(2, "the answer was lost; reading back showed the change");
        }
        if let Some(path) = &self.credentials_out {
            text.indented(2, format!("wrote the encrypted credentials to {path}"));
        }
        text
    }
}

impl AccountPart {
    fn show(&self, text: &mut Block) {
        let name = &self.name;
        match self.result {
            "created" => text.line(format!("created account {name}")),
            "already_exists" => text.line(format!("nothing to do: account {name} exists already")),
            "action_required" => text.line(format!("account {name} needs another step")),
            _ => text.line(format!(
                "the application has not finished creating account {name}"
            )),
        };
        if !self.message.is_empty() {
            text.indented(2, &self.message);
        }
        if !self.invitation_expires_at.is_empty() {
            let until = &self.invitation_expires_at;
            text.indented(2, format!("the invitation can be accepted until {until}"));
        }
        if self.result == "in_progress" {
            text.indented(
                2,
                "run the same command later to see whether the account is there",
            );
        }
    }
}

/// A message in protobuf JSON.
pub(crate) fn json_of<M: prost::Message + prost::Name>(message: &M) -> Option<Value> {
    let text = json::to_string(message, &json::Options::default()).ok()?;
    serde_json::from_str(&text).ok()
}

/// A value for people: a text without its quotes.
fn shown_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shown_write(write: &WriteLine) -> String {
    let mut text = write.method.clone();
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(&write.target);
    if !write.body.is_null() {
        text.push(' ');
        text.push_str(&write.body.to_string());
    }
    text
}
