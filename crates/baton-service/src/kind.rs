//! The kinds of tasks.

use std::fmt;

use baton_proto::c1::connectorapi::baton::v1::task::TaskType;

const UNKNOWN: &str = "unknown";

/// The kind of a task, as logs and metrics name it (`service-mode.md` §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKind(&'static str);

/// The name of each arm, once for [`TaskKind::of`] and [`TaskKind::ALL`].
macro_rules! kinds {
    ($($arm:ident => $name:literal,)*) => {
        impl TaskKind {
            /// All kinds of tasks that a service carries out or refuses.
            pub const ALL: &'static [Self] = &[Self(UNKNOWN), $(Self($name),)*];

            /// The kind of an arm; `unknown` for a task without one.
            pub fn of(arm: Option<&TaskType>) -> Self {
                Self(match arm {
                    None => UNKNOWN,
                    // An answer without a task.
                    Some(TaskType::None(_)) => "none",
                    $(Some(TaskType::$arm(_)) => $name,)*
                })
            }
        }
    };
}

kinds! {
    Hello => "hello",
    SyncFull => "sync_full",
    Grant => "grant",
    Revoke => "revoke",
    CreateAccount => "create_account",
    CreateResource => "create_resource",
    DeleteResource => "delete_resource",
    RotateCredentials => "rotate_credential",
    EventFeed => "event_feed",
    CreateTicketTask => "create_ticket",
    ListTicketSchemas => "list_ticket_schemas",
    GetTicket => "get_ticket",
    BulkCreateTickets => "bulk_create_tickets",
    BulkGetTickets => "bulk_get_tickets",
    ActionListSchemas => "list_action_schemas",
    ActionGetSchema => "get_action_schema",
    ActionInvoke => "invoke_action",
    ActionStatus => "action_status",
    CreateSyncDiff => "create_sync_diff",
    CompactSyncs => "compact_syncs",
    ListEventFeeds => "list_event_feeds",
    ListEvents => "list_events",
    IssueCredential => "issue_credential",
}

impl TaskKind {
    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
