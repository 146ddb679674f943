//! What a change came to, for people and as JSON.

use baton_connector::v2;
use baton_proto::json;
use baton_term::Block;
use serde::Serialize;
use serde_json::Value;

use super::audit::{Party, WriteLine};
use super::record::{Record, in_one_line};
use crate::error::Error;

/// The JSON object of `-o json`.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeResult {
    operation: &'static str,
    outcome: &'static str,
    /// The id of the change, as in the audit log.
    id: String,
    dry_run: bool,
    entitlement: Party,
    principal: Party,
    /// What the change would send, or has sent.
    writes: Vec<WriteLine>,
    /// Ids of grants that were added; in a dry run those that would be.
    added: Vec<String>,
    /// Ids of grants that were removed; in a dry run those that would be.
    removed: Vec<String>,
    /// The grants as they now are.
    grants: Vec<Value>,
    request_ids: Vec<String>,
    /// The outcome was found by reading, since the answer was lost.
    read_back: bool,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPart>,
}

#[derive(Debug, Serialize)]
struct ErrorPart {
    code: &'static str,
    message: String,
    hints: Vec<String>,
}

impl ChangeResult {
    /// Of a change that ended with these grants, or with an error.
    pub(crate) fn new(
        record: &Record,
        dry_run: bool,
        ended: &Result<Vec<v2::Grant>, Error>,
    ) -> Self {
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
        let grants = ended.as_deref().unwrap_or_default().iter();
        let end = end.unwrap_or_default();
        Self {
            operation: record.subject.operation,
            outcome,
            id: record.id.clone(),
            dry_run,
            entitlement: record.subject.entitlement.clone(),
            principal: record.subject.principal.clone(),
            writes: planned.writes,
            added,
            removed,
            grants: if dry_run {
                Vec::new()
            } else {
                grants.filter_map(json_of).collect()
            },
            request_ids: end.request_ids,
            read_back: end.read_back,
            warnings,
            error: ended.as_ref().err().map(|error| ErrorPart {
                code: error.code().name(),
                message: in_one_line(error),
                hints: error.hints(),
            }),
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
        let entitlement = &self.entitlement;
        let principal = format!("{} {}", self.principal.type_id, self.principal);
        let (verb, past, link, still) = match self.operation {
            "revoke" => ("revoke", "revoked", "from", "does not hold"),
            _ => ("grant", "granted", "to", "already holds"),
        };
        match self.outcome {
            "done" => text.line(format!("{past} {entitlement} {link} {principal}")),
            "already" => text.line(format!("nothing to do: {principal} {still} {entitlement}")),
            "dry_run" => text.line(format!(
                "dry run: would {verb} {entitlement} {link} {principal}; no write was sent"
            )),
            "refused" if self.dry_run && !self.writes.is_empty() => text.line(format!(
                "dry run: would not {verb} {entitlement} {link} {principal}; no write was sent"
            )),
            _ => &mut text,
        };
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
        for id in &self.added {
            text.indented(2, format!("{adds} grant `{id}`"));
        }
        for id in &self.removed {
            text.indented(2, format!("{removes} grant `{id}`"));
        }
        if self.read_back && self.outcome == "done" {
            text.indented(2, "the answer was lost; reading back showed the change");
        }
        text
    }
}

/// A grant in protobuf JSON.
fn json_of(grant: &v2::Grant) -> Option<Value> {
    let text = json::to_string(grant, &json::Options::default()).ok()?;
    serde_json::from_str(&text).ok()
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
