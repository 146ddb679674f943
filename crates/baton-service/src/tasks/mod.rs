//! The handlers of tasks that are one call of the connector, or a few
//! (`service-mode.md` §2.6).
//!
//! A handler checks what the task must have, makes the request that an engine in
//! another process would send, and calls the services of the connector in this process.
//! So texts, request rules and refusals are those of the services.

mod access;
mod accounts;
mod actions;
mod answers;
mod events;
mod resources;
mod tickets;

use baton_grpc::{CallOptions, InProcess, Method, Status};
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::Task;
use baton_proto::c1::connectorapi::baton::v1::task::TaskType;
use prost::Message;

use crate::finish::{Failure, Outcome};

/// Carries out a task. Those that the service itself serves (`hello`, `sync_full`) and
/// those that nothing serves end as unsupported.
///
/// When [`cancel`](CallOptions::cancel) asks for an end, a task that reads ends at once;
/// one that writes ends what it has begun, and then reports its outcome. A task that was
/// cancelled before it began is not carried out.
pub async fn carry_out(task: &Task, calls: &InProcess, options: CallOptions) -> Outcome {
    if options.cancel.is_cancelled() {
        return Failure::retryable(Code::Canceled, "task was cancelled").into();
    }
    let calls = Calls {
        task_id: &task.id,
        in_process: calls,
        options,
    };
    let outcome = match &task.task_type {
        Some(arm) => calls.arm(arm).await,
        None => Err(unsupported()),
    };
    outcome.unwrap_or_else(Outcome::from)
}

/// The calls of a task.
pub(crate) struct Calls<'t> {
    task_id: &'t str,
    in_process: &'t InProcess,
    options: CallOptions,
}

impl Calls<'_> {
    async fn arm(&self, arm: &TaskType) -> Result<Outcome, Failure> {
        match arm {
            TaskType::Grant(task) => access::grant(self, task).await,
            TaskType::Revoke(task) => access::revoke(self, task).await,
            TaskType::CreateAccount(task) => accounts::create(self, task).await,
            TaskType::RotateCredentials(task) => accounts::rotate(self, task).await,
            TaskType::IssueCredential(task) => accounts::issue(self, task).await,
            TaskType::CreateResource(task) => resources::create(self, task).await,
            TaskType::DeleteResource(task) => resources::delete(self, task).await,
            TaskType::CreateTicketTask(task) => tickets::create(self, task).await,
            TaskType::GetTicket(task) => tickets::get(self, task).await,
            TaskType::ListTicketSchemas(_) => tickets::list_schemas(self).await,
            TaskType::BulkCreateTickets(task) => tickets::bulk_create(self, task).await,
            TaskType::BulkGetTickets(task) => tickets::bulk_get(self, task).await,
            TaskType::ListEventFeeds(_) => events::list_feeds(self).await,
            TaskType::ListEvents(task) => events::list(self, task).await,
            TaskType::ActionListSchemas(task) => actions::list_schemas(self, task).await,
            TaskType::ActionGetSchema(task) => actions::get_schema(self, task).await,
            TaskType::ActionInvoke(task) => actions::invoke(self, task).await,
            TaskType::ActionStatus(task) => actions::status(self, task).await,
            TaskType::None(_)
            | TaskType::Hello(_)
            | TaskType::SyncFull(_)
            | TaskType::EventFeed(_)
            | TaskType::CreateSyncDiff(_)
            | TaskType::CompactSyncs(_) => Err(unsupported()),
        }
    }

    /// Calls a method of the connector.
    async fn call<Q, A>(&self, method: Method<Q, A>, request: &Q) -> Result<A, Status>
    where
        Q: Message,
        A: Message + Default,
    {
        let options = self.options.clone();
        self.in_process.call(method, request, options).await
    }

    /// Calls a method that changes something. Its failure is not repeated, unless the
    /// service asked the call to end before anything was changed.
    async fn change<Q, A>(&self, method: Method<Q, A>, request: &Q) -> Result<A, Failure>
    where
        Q: Message,
        A: Message + Default,
    {
        self.call(method, request).await.map_err(|status| {
            if status.code == Code::Canceled && self.options.cancel.is_cancelled() {
                return Failure::of(status);
            }
            Failure::of(answers::with_code(status)).for_good()
        })
    }
}

fn unsupported() -> Failure {
    Failure::retryable(Code::Unknown, "unsupported task type")
}
