//! A change as a value.

use std::pin::Pin;
use std::sync::Arc;

use baton_proto::c1::connector::v2;

use super::protected::Protected;
use super::write::Write;
use crate::call::Call;
use crate::error::Result;
use crate::held::{Held, Operation};

type Looking = Pin<Box<dyn Future<Output = Result<bool>> + Send>>;
pub(super) type Look = Box<dyn Fn(Call) -> Looking + Send + Sync>;

/// A change that has not happened.
///
/// Without writes there is nothing to do, and neither where things are as wanted
/// already.
#[must_use]
pub struct Change {
    pub(crate) operation: Operation,
    /// Things are as wanted already.
    pub(crate) already: bool,
    /// What is to be deleted is gone, as opposed to waiting for its deletion.
    pub(crate) is_gone: bool,
    /// How the entitlement is held before, for grants and revokes.
    pub(crate) before: Held,
    /// In order.
    pub(crate) writes: Vec<Write>,
    /// What the grants are afterwards.
    pub(crate) grants: Vec<v2::Grant>,
    /// Ids of grants that the change removes.
    pub(crate) removed: Vec<String>,
    /// The grant in whose place the new one comes.
    pub(crate) replaced: Option<String>,
    /// What the user must know, besides what is asked for.
    pub(crate) warnings: Vec<String>,
    /// What the change takes from the principal that must not run out.
    pub(crate) protected: Vec<Arc<dyn Protected>>,
    /// How to look whether it was made, if not by asking the provisioner.
    pub(crate) look: Option<Look>,
}

impl Change {
    /// A grant, as it will be, to a principal that now holds the entitlement as
    /// `before` shows.
    pub fn grant(grant: v2::Grant, before: Held) -> Self {
        Self {
            already: before.is_direct(),
            before,
            grants: vec![grant],
            ..Self::new(Operation::Grant)
        }
    }

    /// The end of the grant with this id.
    pub fn revoke(grant_id: impl Into<String>, before: Held) -> Self {
        Self {
            already: !before.is_direct(),
            before,
            removed: vec![grant_id.into()],
            ..Self::new(Operation::Revoke)
        }
    }

    /// The end of a resource, which is there now or not. One that waits for its
    /// deletion is there, and [`Change::already`] as wanted.
    pub fn delete(exists: bool) -> Self {
        Self {
            already: !exists,
            is_gone: !exists,
            ..Self::new(Operation::Delete)
        }
    }

    /// The creation of an account, a resource or a credential, or the work of an
    /// action; `Change::gives` adds what comes of it.
    pub fn create() -> Self {
        Self::new(Operation::CreateResource)
    }

    fn new(operation: Operation) -> Self {
        Self {
            operation,
            already: false,
            is_gone: false,
            before: Held::No,
            writes: Vec::new(),
            grants: Vec::new(),
            removed: Vec::new(),
            replaced: None,
            warnings: Vec::new(),
            protected: Vec::new(),
            look: None,
        }
    }

    /// Things are as wanted already: no write is sent.
    pub fn already(mut self) -> Self {
        self.already = true;
        self
    }

    /// Adds a write, to be sent after those before it.
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// The new grant takes the place of the one with this id, which needs no
    /// revoke of its own (`GrantReplaced`).
    pub fn replaces(mut self, grant_id: impl Into<String>) -> Self {
        let id = grant_id.into();
        self.removed.push(id.clone());
        self.replaced = Some(id);
        self
    }

    /// Adds a sentence that the user must read, as that access stays through a
    /// group.
    pub fn warning(mut self, sentence: impl Into<String>) -> Self {
        self.warnings.push(sentence.into());
        self
    }

    /// The change takes a protected entitlement from the principal.
    pub fn takes(mut self, protected: Arc<dyn Protected>) -> Self {
        self.protected.push(protected);
        self
    }

    /// Reads back with `look` when the answer to a write was lost, in place of
    /// [`Provisioner::holds`](super::Provisioner::holds): for changes that the
    /// entitlement and the principal do not describe whole, and for creations.
    pub fn read_back<F, R>(mut self, look: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<bool>> + Send + 'static,
    {
        self.look = Some(Box::new(move |call| Box::pin(look(call))));
        self
    }

    /// True if nothing has to be sent.
    pub(crate) fn is_done(&self) -> bool {
        self.already || self.writes.is_empty()
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change")
            .field("operation", &self.operation)
            .field("before", &self.before)
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}
