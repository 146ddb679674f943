//! How an entitlement is held, and what changes it.

use baton_proto::c1::connector::v2;

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
    /// At most three of them for a sentence, or `others` if none is known, as in `` `Welders`, `Smiths` ``.
    pub(crate) fn names(through: &[Self]) -> String {
        if through.is_empty() {
            return "others".to_owned();
        }
        let mut names: Vec<_> = through.iter().take(3).map(Self::name).collect();
        if through.len() > names.len() {
            names.push(format!("and {} more", through.len() - names.len()));
        }
        names.join(", ")
    }

    /// The id of the resource; empty if it has none.
    pub(crate) fn resource_id(&self) -> &str {
        self.resource.id.as_ref().map_or("", |id| &id.resource)
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
    /// An account is created.
    CreateAccount,
    /// A resource is created.
    CreateResource,
    /// The credential of a resource is replaced.
    RotateCredential,
    /// A further credential is made.
    IssueCredential,
    /// An action of the connector is run.
    Action,
    /// A ticket is created.
    CreateTicket,
}

impl Operation {
    /// The operation as one word, as records have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Delete => "delete",
            Self::CreateAccount => "create_account",
            Self::CreateResource => "create_resource",
            Self::RotateCredential => "rotate_credential",
            Self::IssueCredential => "issue_credential",
            Self::Action => "action",
            Self::CreateTicket => "create_ticket",
        }
    }
}
