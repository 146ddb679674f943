//! The form of a script.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::span::Span;

/// A script as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct Document {
    pub(super) next_poll: Option<Spanned<Span>>,
    pub(super) next_heartbeat: Option<Spanned<Span>>,
    pub(super) token_lifetime: Option<Spanned<Span>>,
    pub(super) skew_tolerance: Option<Spanned<Span>>,
    pub(super) clock_ahead: Option<Span>,
    pub(super) requeue_on_hello: bool,
    pub(super) require_deadlines: bool,
    pub(super) tasks: Vec<Spanned<TaskEntry>>,
    pub(super) polls: BTreeMap<u64, Span>,
    pub(super) faults: Vec<Spanned<FaultEntry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TaskEntry {
    pub(super) id: Option<String>,
    /// One arm, as protobuf JSON.
    pub(super) task: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    pub(super) unknown_arm: bool,
    #[serde(default)]
    pub(super) empty: bool,
    #[serde(default)]
    pub(super) debug: bool,
    pub(super) copies: Option<u32>,
    pub(super) at: Option<Span>,
    #[serde(default)]
    pub(super) after_finished: usize,
    pub(super) times: Option<u32>,
    pub(super) host: Option<String>,
    #[serde(default)]
    pub(super) foreign: bool,
    pub(super) next_poll: Option<Span>,
    pub(super) cancel_at_heartbeat: Option<u64>,
    #[serde(default)]
    pub(super) next_heartbeats: BTreeMap<u64, Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FaultEntry {
    pub(super) call: String,
    pub(super) nth: Option<u64>,
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
    #[serde(rename = "do")]
    pub(super) action: ActionEntry,
}

/// An action: a word, or a word with its settings.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ActionEntry {
    ExpireToken,
    Html,
    Drop,
    #[serde(rename = "goaway")]
    GoAway,
    Hang,
    LoseAnswer,
    HangAnswer,
    WrongService,
    Status(StatusEntry),
    Http(HttpEntry),
    ResetStream(u32),
    Delay(Span),
    /// Hexadecimal digits.
    Garbage(String),
    /// The answer as protobuf JSON.
    Message(serde_json::Map<String, serde_json::Value>),
    Huge(u64),
    DropAfter(u64),
    StatusAfter(StatusAfterEntry),
    TokenBody(TokenBodyEntry),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusEntry {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HttpEntry {
    pub(super) status: u16,
    pub(super) retry_after: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusAfterEntry {
    pub(super) chunks: u64,
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenBodyEntry {
    pub(super) status: u16,
    pub(super) body: String,
}
