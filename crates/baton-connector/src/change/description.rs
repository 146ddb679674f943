//! A change as a value.

use std::pin::Pin;
use std::sync::Arc;

use baton_proto::c1::connector::v2;

use super::protected::Protected;
use super::write::Write;
use crate::call::Call;
use crate::error::Result;

type Looking = Pin<Box<dyn Future<Output = Result<bool>> + Send>>;
pub(super) type Look = Box<dyn Fn(Call) -> Looking + Send + Sync>;

/// A resource that gives an entitlement to its members, and the grant whose end
/// takes it away.
#[derive(Debug, Clone, PartialEq)]
pub struct Through {
    /// The resource, as a group.
    pub resource: v2::Resource,
    /// The grant that makes the principal a member of it.
    pub grant_id: String,
}

impl Through {
    /// At most three of them for a sentence, as in `` `Welders`, `Smiths` ``.
    pub(crate) fn names(through: &[Self]) -> String {
        let mut names: Vec<_> = through.iter().take(3).map(Self::name).collect();
        if through.len() > names.len() {
            names.push(format!("and {} more", through.len() - names.len()));
        }
        names.join(", ")
    }

    fn name(&self) -> String {
        let id = self.resource.id.as_ref();
        let (kind, id) = id.map_or(("", ""), |id| (&id.resource_type, &id.resource));
        if self.resource.display_name.is_empty() {
            format!("{kind} `{id}`")
        } else {
            format!("{kind} `{}` (`{id}`)", self.resource.display_name)
        }
    }
}

/// Whether a principal holds an entitlement, and how.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// It does not hold it.
    No,
    /// It holds it itself; perhaps through others as well, which then stay
    /// after a revoke.
    Directly {
        /// The resources that give it as well.
        through: Vec<Through>,
    },
    /// It holds it only because of what other resources give it.
    Indirectly {
        /// The resources that give it.
        through: Vec<Through>,
    },
}

impl Held {
    /// Held by the principal itself and through nothing else.
    pub const fn directly() -> Self {
        Self::Directly {
            through: Vec::new(),
        }
    }

    /// True if the principal itself holds it: what grants and revokes change.
    pub fn is_direct(&self) -> bool {
        matches!(self, Self::Directly { .. })
    }

    /// The other resources that give it.
    pub fn through(&self) -> &[Through] {
        match self {
            Self::No => &[],
            Self::Directly { through } | Self::Indirectly { through } => through,
        }
    }
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A principal gets an entitlement.
    Grant,
    /// A grant is taken away.
    Revoke,
    /// A resource is deleted.
    Delete,
}

impl Operation {
    /// The operation as one word, as records have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Delete => "delete",
        }
    }
}

/// A change that has not happened.
///
/// Without writes there is nothing to do, and neither where things are as wanted
/// already.
#[must_use]
pub struct Change {
    pub(crate) operation: Operation,
    /// Things are as wanted already.
    pub(crate) already: bool,
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

    /// The end of a resource, which is there now or not.
    pub fn delete(exists: bool) -> Self {
        Self {
            already: !exists,
            ..Self::new(Operation::Delete)
        }
    }

    fn new(operation: Operation) -> Self {
        Self {
            operation,
            already: false,
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
    /// entitlement and the principal do not describe whole.
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
