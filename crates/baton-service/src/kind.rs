//! The kinds of tasks.

use std::fmt;

use baton_proto::c1::connectorapi::baton::v1::task::TaskType;

/// The kind of a task, as logs and metrics name it (`service-mode.md` §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKind(&'static str);

impl TaskKind {
    /// The kind of an arm; `unknown` for a task without one.
    pub fn of(arm: Option<&TaskType>) -> Self {
        Self(match arm {
            None => "unknown",
            Some(TaskType::None(_)) => "none",
            Some(TaskType::Hello(_)) => "hello",
            Some(TaskType::SyncFull(_)) => "sync_full",
            Some(TaskType::Grant(_)) => "grant",
            Some(TaskType::Revoke(_)) => "revoke",
            Some(TaskType::CreateAccount(_)) => "create_account",
            Some(TaskType::CreateResource(_)) => "create_resource",
            Some(TaskType::DeleteResource(_)) => "delete_resource",
            Some(TaskType::RotateCredentials(_)) => "rotate_credential",
            Some(TaskType::EventFeed(_)) => "event_feed",
            Some(TaskType::CreateTicketTask(_)) => "create_ticket",
            Some(TaskType::ListTicketSchemas(_)) => "list_ticket_schemas",
            Some(TaskType::GetTicket(_)) => "get_ticket",
            Some(TaskType::BulkCreateTickets(_)) => "bulk_create_tickets",
            Some(TaskType::BulkGetTickets(_)) => "bulk_get_tickets",
            Some(TaskType::ActionListSchemas(_)) => "list_action_schemas",
            Some(TaskType::ActionGetSchema(_)) => "get_action_schema",
            Some(TaskType::ActionInvoke(_)) => "invoke_action",
            Some(TaskType::ActionStatus(_)) => "action_status",
            Some(TaskType::CreateSyncDiff(_)) => "create_sync_diff",
            Some(TaskType::CompactSyncs(_)) => "compact_syncs",
            Some(TaskType::ListEventFeeds(_)) => "list_event_feeds",
            Some(TaskType::ListEvents(_)) => "list_events",
            Some(TaskType::IssueCredential(_)) => "issue_credential",
        })
    }

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
