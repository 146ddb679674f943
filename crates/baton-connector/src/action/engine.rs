//! What an engine sees: `ActionService`.

use std::time::Duration;

use async_trait::async_trait;
use baton_proto::c1::connector::v2;
use prost_types::Struct;

use crate::call::Call;
use crate::error::Result;

/// The actions of a connector.
#[async_trait]
pub trait Actions: Send + Sync {
    /// The schemas of the actions of a type; without one, of all actions. A type
    /// that has none is no error.
    async fn schemas(
        &self,
        call: &Call,
        type_id: Option<&str>,
    ) -> Result<Vec<v2::BatonActionSchema>>;

    /// The schema of an action of the connector itself.
    ///
    /// # Errors
    /// Code `NotFound` for other names, also for those of actions of a type.
    async fn schema(&self, call: &Call, name: &str) -> Result<v2::BatonActionSchema>;

    /// Begins an action, and waits for its end as long as asked for. An action
    /// that failed is a state and not an error.
    ///
    /// The end of the call, or dropping the returned future, does not end the
    /// action: its state is then `FAILED` until it ends, and its real outcome
    /// afterwards.
    ///
    /// # Errors
    /// Code `NotFound` for an unknown action, `InvalidArgument` for arguments that
    /// its schema does not allow, `ResourceExhausted` when too many actions are
    /// under way.
    async fn invoke(&self, call: &Call, wanted: Invoke<'_>) -> Result<ActionState>;

    /// The state of an action that was begun.
    ///
    /// # Errors
    /// Code `NotFound` for an id that is unknown, or no longer kept.
    async fn status(&self, call: &Call, id: &str) -> Result<ActionState>;
}

/// An action to begin.
#[derive(Debug, Clone, Copy)]
pub struct Invoke<'a> {
    /// Its name.
    pub name: &'a str,
    /// The type that it belongs to; `None` or empty for one of the connector.
    pub type_id: Option<&'a str>,
    /// Its arguments.
    pub arguments: &'a Struct,
    /// How long to wait for its end: zero for 1 s, and at most 1 h.
    pub inline_wait: Duration,
}

/// The state of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionState {
    /// Its id, a KSUID.
    pub id: String,
    /// The name of the action.
    pub name: String,
    /// How far it is.
    pub status: v2::BatonActionStatus,
    /// What it answered; of a failed one the text of the failure, as `error`.
    pub response: Option<Struct>,
}

impl ActionState {
    /// True once it will not change any longer, as far as is known now.
    pub fn is_final(&self) -> bool {
        !matches!(
            self.status,
            v2::BatonActionStatus::Pending | v2::BatonActionStatus::Running
        )
    }

    /// Why it failed; `None` if it did not.
    pub fn failure(&self) -> Option<&str> {
        if self.status != v2::BatonActionStatus::Failed {
            return None;
        }
        let error = self.response.as_ref()?.fields.get("error")?;
        match &error.kind {
            Some(prost_types::value::Kind::StringValue(text)) => Some(text),
            _ => None,
        }
    }
}
