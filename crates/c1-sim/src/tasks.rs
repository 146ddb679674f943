//! Tasks that are handed out, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use baton_proto::c1::connectorapi::baton::v1::Task;
use baton_proto::c1::connectorapi::baton::v1::task::TaskType;
use baton_proto::json;
use prost::Message as _;

use crate::Error;

/// Length of a task id that a client can finish.
pub const TASK_ID_LENGTH: usize = 27;

/// A task, and how it is handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTask {
    pub(crate) id: String,
    /// The encoded task: it can have parts that `Task` does not know.
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: Option<TaskKind>,
    pub(crate) debug: bool,
    pub(crate) at: Duration,
    pub(crate) after_finished: usize,
    pub(crate) times: u32,
    pub(crate) host: Option<String>,
    pub(crate) foreign: bool,
    pub(crate) next_poll: Option<Duration>,
    pub(crate) cancel_at_heartbeat: Option<u64>,
    pub(crate) next_heartbeats: BTreeMap<u64, prost_types::Duration>,
}

impl PlannedTask {
    /// A task with this id.
    pub fn new(id: &str, task: TaskType) -> Self {
        Self::of(Task {
            id: id.to_owned(),
            task_type: Some(task),
            ..Task::default()
        })
    }

    /// A task in full.
    pub fn of(task: Task) -> Self {
        let bytes = task.encode_to_vec();
        Self::with_bytes(task, bytes)
    }

    /// A task as the bytes of the wire, which may have fields that are not known.
    ///
    /// # Errors
    /// The bytes are not a message.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let task = Task::decode(bytes).map_err(|source| baton_proto::Error::Decode {
            message: "c1.connectorapi.baton.v1.Task".to_owned(),
            source,
        })?;
        Ok(Self::with_bytes(task, bytes.to_vec()))
    }

    /// A task in protobuf JSON: `{"id": "…", "grant": {…}}`.
    ///
    /// # Errors
    /// The text is not a task.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Ok(Self::of(json::from_str(text)?))
    }

    /// A task with an arm that no client knows.
    pub fn unknown_arm(id: &str) -> Self {
        /// A field number that no version has.
        const UNKNOWN: u32 = 199;
        let mut planned = Self::of(Task {
            id: id.to_owned(),
            ..Task::default()
        });
        baton_proto::wire::put_bytes(&mut planned.bytes, UNKNOWN, &[]);
        planned
    }

    fn with_bytes(task: Task, bytes: Vec<u8>) -> Self {
        Self {
            kind: task.task_type.as_ref().map(TaskKind::of),
            id: task.id,
            bytes,
            debug: task.debug,
            at: Duration::ZERO,
            after_finished: 0,
            times: 1,
            host: None,
            foreign: false,
            next_poll: None,
            cancel_at_heartbeat: None,
            next_heartbeats: BTreeMap::new(),
        }
    }

    /// Not before this time since the start of the simulator.
    #[must_use]
    pub fn at(mut self, at: Duration) -> Self {
        self.at = at;
        self
    }

    /// Not before this many tasks are finished.
    #[must_use]
    pub fn after_finished(mut self, count: usize) -> Self {
        self.after_finished = count;
        self
    }

    /// Handed out so often, with the same id.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Handed out to this host only.
    #[must_use]
    pub fn for_host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Handed out although it belongs to another host: every later call for it is refused
    /// with `PermissionDenied`.
    #[must_use]
    pub fn foreign(mut self) -> Self {
        self.foreign = true;
        self
    }

    /// `next_poll` of the answer that hands it out.
    #[must_use]
    pub fn next_poll(mut self, wait: Duration) -> Self {
        self.next_poll = Some(wait);
        self
    }

    /// The heartbeat with this number, from 1, and all later ones are answered with
    /// `cancelled`.
    #[must_use]
    pub fn cancel_at_heartbeat(mut self, nth: u64) -> Self {
        self.cancel_at_heartbeat = Some(nth);
        self
    }

    /// `next_heartbeat` of the answer to the heartbeat with this number, from 1.
    #[must_use]
    pub fn next_heartbeat(mut self, nth: u64, wait: prost_types::Duration) -> Self {
        self.next_heartbeats.insert(nth, wait);
        self
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the client has to finish it with `FinishTask`.
    pub(crate) fn must_be_finished(&self) -> bool {
        let finishable = is_task_id(&self.id);
        finishable && !matches!(self.kind, Some(TaskKind::None | TaskKind::Hello))
    }
}

/// Whether a request may have this id.
pub(crate) fn is_task_id(id: &str) -> bool {
    id.len() == TASK_ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The arms of `Task`, with the message of a successful response.
macro_rules! kinds {
    ($($kind:ident $name:literal => $response:expr,)*) => {
        /// What a task asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names of the arms")]
        pub enum TaskKind {
            $($kind,)*
        }

        impl TaskKind {
            /// The kind of a task.
            pub const fn of(task: &TaskType) -> Self {
                match task {
                    $(TaskType::$kind(_) => Self::$kind,)*
                }
            }

            /// The name of the arm.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The message in the response of a success; `None` if there is no response.
            pub const fn response(self) -> Response {
                match self {
                    $(Self::$kind => $response,)*
                }
            }
        }
    };
}

/// The response that a success may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// The task has no success: clients do not support it, or it is not finished.
    Never,
    /// A success without a response.
    Empty,
    /// A success with a message of this name in `c1.connector.v2`.
    Of(&'static str),
}

kinds! {
    None "none" => Response::Never,
    Hello "hello" => Response::Never,
    SyncFull "sync_full" => Response::Empty,
    Grant "grant" => Response::Of("GrantManagerServiceGrantResponse"),
    Revoke "revoke" => Response::Of("GrantManagerServiceRevokeResponse"),
    CreateAccount "create_account" => Response::Of("CreateAccountResponse"),
    CreateResource "create_resource" => Response::Of("CreateResourceResponse"),
    DeleteResource "delete_resource" => Response::Of("DeleteResourceResponse"),
    RotateCredentials "rotate_credentials" => Response::Of("RotateCredentialResponse"),
    EventFeed "event_feed" => Response::Never,
    CreateTicketTask "create_ticket_task" => Response::Of("TicketsServiceCreateTicketResponse"),
    ListTicketSchemas "list_ticket_schemas" => Response::Of("TicketsServiceListTicketSchemasResponse"),
    GetTicket "get_ticket" => Response::Of("TicketsServiceGetTicketResponse"),
    BulkCreateTickets "bulk_create_tickets" => Response::Of("TicketsServiceBulkCreateTicketsResponse"),
    BulkGetTickets "bulk_get_tickets" => Response::Of("TicketsServiceBulkGetTicketsResponse"),
    ActionListSchemas "action_list_schemas" => Response::Of("ListActionSchemasResponse"),
    ActionGetSchema "action_get_schema" => Response::Of("GetActionSchemaResponse"),
    ActionInvoke "action_invoke" => Response::Of("InvokeActionResponse"),
    ActionStatus "action_status" => Response::Of("GetActionStatusResponse"),
    CreateSyncDiff "create_sync_diff" => Response::Never,
    CompactSyncs "compact_syncs" => Response::Never,
    ListEventFeeds "list_event_feeds" => Response::Of("ListEventFeedsResponse"),
    ListEvents "list_events" => Response::Of("ListEventsResponse"),
    IssueCredential "issue_credential" => Response::Of("IssueCredentialResponse"),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_from_json_with_its_kind() {
        let id = "T".repeat(27);
        let text =
            format!(r#"{{"id": "{id}", "debug": true, "syncFull": {{"skipGrants": true}}}}"#);
        let task = PlannedTask::from_json(&text).unwrap();
        assert_eq!(
            (task.id(), task.kind),
            (id.as_str(), Some(TaskKind::SyncFull))
        );
        assert!(task.debug && task.must_be_finished());
        assert!(PlannedTask::from_json(r#"{"sync": {}}"#).is_err());
    }

    #[test]
    fn an_unknown_arm_is_in_the_bytes_and_has_no_kind() {
        let task = PlannedTask::unknown_arm(&"U".repeat(27));
        assert_eq!(task.kind, None);
        assert!(task.must_be_finished());
        let fields = baton_proto::wire::values(&task.bytes).map(|field| field.unwrap().0);
        assert_eq!(fields.collect::<Vec<_>>(), [1, 199]);
        assert_eq!(PlannedTask::from_bytes(&task.bytes).unwrap(), task);
    }

    #[test]
    fn ids_that_no_request_may_have_need_not_be_finished() {
        for id in ["", "short", &"-".repeat(27), &"T".repeat(28)] {
            assert!(!PlannedTask::unknown_arm(id).must_be_finished(), "{id}");
        }
    }
}
