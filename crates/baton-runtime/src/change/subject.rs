//! What a change is about, and the sentences about it.

use baton_proto::figures::counted;
use serde::Serialize;

use super::audit::Party;

/// What a change is about.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// An entitlement for a principal.
    Grant {
        entitlement: Party,
        principal: Party,
    },
    /// The end of a grant.
    Revoke {
        entitlement: Party,
        principal: Party,
        grant: String,
    },
    /// A new account.
    CreateAccount(Party),
    /// A new resource.
    CreateResource(Party),
    /// The end of a resource.
    Delete(Party),
    /// A new credential of a resource, in place of the present one.
    Rotate(Party),
    /// A further credential of a resource.
    IssueCredential(Party),
    /// A new ticket with this name.
    CreateTicket(String),
    /// So many new tickets.
    CreateTickets(usize),
    /// An action, by its name and the type that it belongs to.
    Action(Party),
}

/// The subject in records and results: only what it has.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SubjectParts<'s> {
    pub operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<&'s Party>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<&'s Party>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub grant: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<&'s Party>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub ticket: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'s Party>,
}

impl Subject {
    /// Its parts.
    pub(crate) fn parts(&self) -> SubjectParts<'_> {
        let mut parts = SubjectParts {
            operation: self.operation(),
            entitlement: None,
            principal: None,
            grant: "",
            resource: None,
            ticket: "",
            action: None,
        };
        match self {
            Self::Grant {
                entitlement,
                principal,
            } => {
                parts.entitlement = Some(entitlement);
                parts.principal = Some(principal);
            }
            Self::Revoke {
                entitlement,
                principal,
                grant,
            } => {
                parts.entitlement = Some(entitlement);
                parts.principal = Some(principal);
                parts.grant = grant;
            }
            Self::CreateAccount(resource)
            | Self::CreateResource(resource)
            | Self::Delete(resource)
            | Self::Rotate(resource)
            | Self::IssueCredential(resource) => parts.resource = Some(resource),
            Self::CreateTicket(name) => parts.ticket = name,
            Self::CreateTickets(_) => {}
            Self::Action(action) => parts.action = Some(action),
        }
        parts
    }

    /// The operation as one word.
    fn operation(&self) -> &'static str {
        use baton_connector::Operation;
        let operation = match self {
            Self::Grant { .. } => Operation::Grant,
            Self::Revoke { .. } => Operation::Revoke,
            Self::CreateAccount(_) => Operation::CreateAccount,
            Self::CreateResource(_) => Operation::CreateResource,
            Self::Delete(_) => Operation::Delete,
            Self::Rotate(_) => Operation::RotateCredential,
            Self::IssueCredential(_) => Operation::IssueCredential,
            Self::CreateTicket(_) | Self::CreateTickets(_) => Operation::CreateTicket,
            Self::Action(_) => Operation::Action,
        };
        operation.name()
    }

    /// What is done, as in "granting", for the report of a panic.
    pub(crate) fn doing(&self) -> &'static str {
        match self {
            Self::Grant { .. } => "granting",
            Self::Revoke { .. } => "revoking",
            Self::CreateAccount(_) => "creating an account",
            Self::CreateResource(_) => "creating a resource",
            Self::Delete(_) => "deleting",
            Self::Rotate(_) => "replacing credentials",
            Self::IssueCredential(_) => "issuing a credential",
            Self::CreateTicket(_) | Self::CreateTickets(_) => "creating tickets",
            Self::Action(_) => "running an action",
        }
    }

    /// What is done, behind "cannot", "would" or "would not".
    pub(crate) fn infinitive(&self) -> String {
        if let Self::Action(action) = self {
            return format!("run {}", named_action(action));
        }
        self.sentence(
            "grant",
            "revoke",
            "create",
            "delete",
            "replace the credentials of",
        )
    }

    /// What was done.
    pub(crate) fn past(&self) -> String {
        if let Self::Action(action) = self {
            return format!("ran {}", named_action(action));
        }
        self.sentence(
            "granted",
            "revoked",
            "created",
            "deleted",
            "replaced the credentials of",
        )
    }

    /// Why there was nothing to do.
    pub(crate) fn already(&self) -> String {
        match self {
            Self::Grant {
                entitlement,
                principal,
            } => format!("{} already holds {entitlement}", typed(principal)),
            Self::Revoke {
                entitlement,
                principal,
                ..
            } => format!("{} does not hold {entitlement}", typed(principal)),
            Self::CreateAccount(account) => format!("the account {account} exists already"),
            Self::CreateResource(resource) => format!("{} exists already", typed(resource)),
            Self::Delete(resource) => format!("{} does not exist", typed(resource)),
            Self::Rotate(resource) => {
                format!("the credentials of {} are as wanted", typed(resource))
            }
            Self::IssueCredential(resource) => {
                format!("{} has the credential already", typed(resource))
            }
            Self::CreateTicket(_) | Self::CreateTickets(_) => "the ticket is there".to_owned(),
            Self::Action(action) => format!("{} changed nothing", named_action(action)),
        }
    }

    fn sentence(
        &self,
        grant: &str,
        revoke: &str,
        create: &str,
        delete: &str,
        rotate: &str,
    ) -> String {
        match self {
            Self::Grant {
                entitlement,
                principal,
            } => format!("{grant} {entitlement} to {}", typed(principal)),
            Self::Revoke {
                entitlement,
                principal,
                ..
            } => format!("{revoke} {entitlement} from {}", typed(principal)),
            Self::CreateAccount(account) if account.id.is_empty() => format!("{create} an account"),
            Self::CreateAccount(account) => format!("{create} account {account}"),
            Self::CreateResource(resource) => format!("{create} {}", typed(resource)),
            Self::Delete(resource) => format!("{delete} {}", typed(resource)),
            Self::Rotate(resource) => format!("{rotate} {}", typed(resource)),
            Self::IssueCredential(resource) => {
                format!("{create} a credential of {}", typed(resource))
            }
            Self::CreateTicket(name) => format!("{create} ticket `{name}`"),
            Self::CreateTickets(count) => {
                format!("{create} {}", counted(*count as u64, "ticket", "tickets"))
            }
            Self::Action(action) => named_action(action),
        }
    }
}

fn named_action(action: &Party) -> String {
    match action.type_id.as_str() {
        "" => format!("action {action}"),
        type_id => format!("action {action} of resource type `{type_id}`"),
    }
}

/// A party behind its type.
fn typed(party: &Party) -> String {
    if party.type_id.is_empty() {
        return party.to_string();
    }
    format!("{} {party}", party.type_id)
}
