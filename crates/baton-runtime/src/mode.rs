//! The mode of the root command, decided once from its flags.

use baton_flags::{Config, Field};

use crate::flags;

/// What the root command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Carries out the tasks of ConductorOne.
    Service,
    /// Reads an application into a file.
    Sync,
    /// Gives a principal an entitlement.
    Grant,
    /// Takes a grant away.
    Revoke,
    /// Prints the events of a feed.
    Events,
    /// Creates an account.
    CreateAccount,
    /// Runs an action of the connector.
    InvokeAction,
    /// Lists the actions of the connector.
    ListActions,
    /// Deletes a resource.
    Delete,
    /// Replaces the credentials of a resource.
    Rotate,
    /// Creates a ticket.
    CreateTicket,
    /// Creates several tickets.
    BulkCreateTicket,
    /// Lists the kinds of ticket.
    ListTicketSchemas,
    /// Shows a ticket.
    GetTicket,
    /// Adds the difference of two syncs to a file.
    Diff,
    /// Merges the syncs of several files.
    Compact,
}

/// The switches that choose a mode; without one it is a sync.
const CHOSEN_BY: [(Field<bool>, Mode); 6] = [
    (flags::CREATE_TICKET, Mode::CreateTicket),
    (flags::BULK_CREATE_TICKET, Mode::BulkCreateTicket),
    (flags::LIST_TICKET_SCHEMAS, Mode::ListTicketSchemas),
    (flags::GET_TICKET, Mode::GetTicket),
    (flags::DIFF_SYNCS, Mode::Diff),
    (flags::COMPACT_SYNCS, Mode::Compact),
];

impl Mode {
    /// The mode that the flags choose.
    pub(crate) fn of(config: &Config) -> Self {
        let given = |flag: &Field<String>| !config.get(flag).is_empty();
        if given(&flags::CLIENT_ID) {
            return Self::Service;
        }
        if given(&flags::GRANT_ENTITLEMENT) {
            return Self::Grant;
        }
        if given(&flags::REVOKE_GRANT) {
            return Self::Revoke;
        }
        if config.get(&flags::EVENT_FEED) == Some(flags::Switch(true)) {
            return Self::Events;
        }
        let account = [
            flags::CREATE_ACCOUNT_PROFILE,
            flags::CREATE_ACCOUNT_LOGIN,
            flags::CREATE_ACCOUNT_EMAIL,
        ];
        if account.iter().any(given) {
            return Self::CreateAccount;
        }
        if given(&flags::INVOKE_ACTION) || given(&flags::INVOKE_RESOURCE_ACTION) {
            return Self::InvokeAction;
        }
        if config.get(&flags::LIST_ACTION_SCHEMAS) || given(&flags::LIST_RESOURCE_ACTIONS) {
            return Self::ListActions;
        }
        if given(&flags::DELETE_RESOURCE) {
            return Self::Delete;
        }
        if given(&flags::ROTATE_CREDENTIALS) {
            return Self::Rotate;
        }
        CHOSEN_BY
            .iter()
            .find(|(switch, _)| config.get(switch))
            .map_or(Self::Sync, |(_, mode)| *mode)
    }

    /// The stable name, for metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Sync => "sync",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Events => "events",
            Self::CreateAccount => "create_account",
            Self::InvokeAction => "invoke_action",
            Self::ListActions => "list_actions",
            Self::Delete => "delete_resource",
            Self::Rotate => "rotate_credentials",
            Self::CreateTicket => "create_ticket",
            Self::BulkCreateTicket => "bulk_create_tickets",
            Self::ListTicketSchemas => "list_ticket_schemas",
            Self::GetTicket => "get_ticket",
            Self::Diff => "diff",
            Self::Compact => "compact",
        }
    }

    /// The services that a connector must serve for it.
    pub(crate) fn served(self) -> Served {
        let provisioning = matches!(
            self,
            Self::Grant | Self::Revoke | Self::CreateAccount | Self::Delete | Self::Rotate
        );
        let ticketing = matches!(
            self,
            Self::CreateTicket | Self::BulkCreateTicket | Self::ListTicketSchemas | Self::GetTicket
        );
        Served {
            provisioning,
            ticketing,
        }
    }
}

/// Services that a mode needs, and that a connector refuses unless a setting turns
/// them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Served {
    pub provisioning: bool,
    pub ticketing: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_that_change_access_or_tickets_need_their_services() {
        let served = |mode: Mode| (mode.served().provisioning, mode.served().ticketing);
        assert_eq!(served(Mode::Sync), (false, false));
        assert_eq!(served(Mode::InvokeAction), (false, false));
        assert_eq!(served(Mode::Events), (false, false));
        for mode in [
            Mode::Grant,
            Mode::Revoke,
            Mode::CreateAccount,
            Mode::Delete,
            Mode::Rotate,
        ] {
            assert_eq!(served(mode), (true, false), "{mode:?}");
        }
        for mode in [
            Mode::CreateTicket,
            Mode::BulkCreateTicket,
            Mode::ListTicketSchemas,
            Mode::GetTicket,
        ] {
            assert_eq!(served(mode), (false, true), "{mode:?}");
        }
    }
}
