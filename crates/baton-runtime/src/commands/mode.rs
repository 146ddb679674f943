//! The mode of the root command, decided once from its flags.

use baton_flags::{Config, Field};

use super::{action_schemas, sync};
use crate::change;
use crate::child_process::Served;
use crate::events;
use crate::flags;
use crate::signals::StopMessages;
use crate::task::{Body, Runs, Task, Writes, body};
use crate::tickets;

/// What the root command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
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

    /// All that depends on the mode.
    pub(crate) fn task(self, config: &Config) -> Task {
        match self {
            Self::Sync => Task {
                doing: "syncing".to_owned(),
                stop_messages: StopMessages::SYNC,
                writes: Writes::SyncFile,
                body: body(sync::sync),
            },
            Self::Grant => change_task("granting", config, body(change::grant)),
            Self::Revoke => change_task("revoking", config, body(change::revoke)),
            Self::Events => Task {
                stop_messages: StopMessages::EVENTS,
                ..read_task("reading events", body(events::events))
            },
            Self::CreateAccount => {
                change_task("creating an account", config, body(change::create_account))
            }
            Self::InvokeAction => change_task("running an action", config, body(change::invoke)),
            Self::ListActions => read_task("listing actions", body(action_schemas::list)),
            Self::Delete => change_task("deleting a resource", config, body(change::delete)),
            Self::Rotate => change_task("replacing credentials", config, body(change::rotate)),
            Self::CreateTicket => change_task("creating a ticket", config, body(tickets::create)),
            Self::BulkCreateTicket => {
                change_task("creating tickets", config, body(tickets::bulk_create))
            }
            Self::ListTicketSchemas => {
                read_task("listing ticket schemas", body(tickets::list_schemas))
            }
            Self::GetTicket => read_task("reading a ticket", body(tickets::get)),
            Self::Diff => Task {
                doing: "comparing syncs".to_owned(),
                stop_messages: StopMessages::FILES,
                writes: Writes::SyncFile,
                body: body(sync::diff),
            },
            Self::Compact => Task {
                doing: "compacting syncs".to_owned(),
                stop_messages: StopMessages::FILES,
                writes: Writes::Compaction,
                body: body(sync::compact),
            },
        }
    }
}

/// Work that only reads.
fn read_task(doing: &str, body: Body) -> Task {
    Task {
        doing: doing.to_owned(),
        stop_messages: StopMessages::FILES,
        writes: Writes::Nothing,
        body,
    }
}

/// A change of access; with `--sync-after` it writes the file that it reads.
fn change_task(doing: &str, config: &Config, body: Body) -> Task {
    Task {
        doing: doing.to_owned(),
        stop_messages: StopMessages::CHANGE,
        writes: if config.get(&flags::SYNC_AFTER) {
            Writes::SyncFile
        } else {
            Writes::Nothing
        },
        body,
    }
}

/// What runs the root command.
pub(crate) fn runs() -> Runs {
    Runs::Work(std::sync::Arc::new(|config| Mode::of(config).task(config)))
}
