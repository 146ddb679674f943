//! Changes that tasks of ConductorOne make, in the audit log.

use std::path::Path;
use std::sync::{Arc, Mutex};

use baton_connector::{ChangeSettings, Clock, Random, Recorder, v2};
use baton_proto::c1::connectorapi::baton::v1::Task;
use baton_proto::c1::connectorapi::baton::v1::task::TaskType;

use super::audit::{AuditLog, Party};
use super::making::open_log;
use super::record::Record;
use super::subject::Subject;
use super::{party, subject_of_grant, subject_of_revoke};
use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::Result;
use crate::flags;

/// Records what tasks change.
#[derive(Clone)]
pub(crate) struct TaskChanges {
    log: Arc<Mutex<AuditLog>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl TaskChanges {
    /// Changes that are recorded in the log of `--audit-log`; `None` without it.
    pub(crate) async fn of_settings(
        context: &CommandContext,
        built: &Built,
        target: &Path,
    ) -> Result<Option<Self>> {
        let Some(path) = context.config().get(&flags::AUDIT_LOG) else {
            return Ok(None);
        };
        let log = open_log(context, built, path.to_owned(), target).await?;
        let env = context.connector_env();
        let (clock, random) = (Arc::clone(&env.clock), Arc::clone(&env.random));
        Ok(Some(Self::new(log, clock, random)))
    }

    /// Changes that are recorded in `log`.
    pub(crate) fn new(log: AuditLog, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            log: Arc::new(Mutex::new(log)),
            clock,
            random,
        }
    }

    /// How the changes of a task are made: with a record of their own. Its id begins
    /// with that of the task, and is another one where the task comes again.
    pub(crate) fn settings(&self, task: &Task) -> ChangeSettings {
        let Some(subject) = subject(task) else {
            return ChangeSettings::default();
        };
        let id = format!("{}-{:016x}", task.id, self.random.next_u64());
        let log = Some(Arc::clone(&self.log));
        let record = Record::new(id, subject, log, Arc::clone(&self.clock));
        ChangeSettings {
            recorder: Some(Arc::new(record) as Arc<dyn Recorder>),
            ..ChangeSettings::default()
        }
    }
}

/// What a task changes; `None` for one that only reads.
fn subject(task: &Task) -> Option<Subject> {
    Some(match task.task_type.as_ref()? {
        TaskType::Grant(task) => {
            subject_of_grant(task.entitlement.as_ref()?, task.principal.as_ref())
        }
        TaskType::Revoke(task) => subject_of_revoke(task.grant.as_ref()?),
        TaskType::CreateAccount(task) => {
            let info = task.account_info.as_ref()?;
            Subject::CreateAccount(super::accounts::party(info, &task.resource_type_id))
        }
        TaskType::CreateResource(task) => {
            Subject::CreateResource(party(Some(task.resource.as_ref()?)))
        }
        TaskType::DeleteResource(task) => Subject::Delete(by_id(task.resource_id.as_ref()?)),
        TaskType::RotateCredentials(task) => Subject::Rotate(by_id(task.resource_id.as_ref()?)),
        TaskType::IssueCredential(task) => {
            Subject::IssueCredential(by_id(task.identity_id.as_ref()?))
        }
        TaskType::CreateTicketTask(task) => {
            Subject::CreateTicket(task.ticket_request.as_ref()?.display_name.clone())
        }
        TaskType::BulkCreateTickets(task) => Subject::CreateTickets(task.ticket_requests.len()),
        TaskType::ActionInvoke(task) => Subject::Action(Party {
            type_id: task.resource_type_id.clone(),
            id: task.name.clone(),
            name: String::new(),
        }),
        _ => return None,
    })
}

fn by_id(id: &v2::ResourceId) -> Party {
    Party {
        type_id: id.resource_type.clone(),
        id: id.resource.clone(),
        name: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use baton_connector::{Held, SplitMix, SystemClock};
    use baton_connector::{Operation, Outcome, Plan, Report};
    use baton_proto::c1::connectorapi::baton::v1::task;
    use baton_term::TextGate;
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::change::audit::Facts;
    use crate::change::operator::Operator;

    fn changes(path: &std::path::Path) -> TaskChanges {
        let facts = Facts {
            program: "p".to_owned(),
            version: "1".to_owned(),
            operator: Operator::of_process(),
            connector: BTreeMap::new(),
            file: String::new(),
            gate: TextGate::new([]),
        };
        let (log, _) = AuditLog::open(path, facts, Timestamp::UNIX_EPOCH).unwrap();
        TaskChanges::new(log, Arc::new(SystemClock), Arc::new(SplitMix::seeded(1)))
    }

    fn resource(kind: &str, id: &str) -> v2::Resource {
        v2::Resource {
            id: Some(v2::ResourceId {
                resource_type: kind.to_owned(),
                resource: id.to_owned(),
                ..v2::ResourceId::default()
            }),
            ..v2::Resource::default()
        }
    }

    fn task(id: &str, arm: TaskType) -> Task {
        Task {
            id: id.to_owned(),
            task_type: Some(arm),
            ..Task::default()
        }
    }

    fn grant(id: &str) -> Task {
        let entitlement = v2::Entitlement {
            id: "group:g:member".to_owned(),
            resource: Some(resource("group", "g")),
            ..v2::Entitlement::default()
        };
        let arm = task::GrantTask {
            entitlement: Some(entitlement),
            principal: Some(resource("user", "u")),
            ..task::GrantTask::default()
        };
        task(id, TaskType::Grant(arm))
    }

    /// Makes a change as a connector does.
    async fn change(settings: ChangeSettings, outcome: Outcome) {
        let recorder = settings.recorder.unwrap();
        let plan = Plan {
            operation: Operation::Grant,
            before: &Held::No,
            writes: Vec::new(),
            adds: Vec::new(),
            removes: Vec::new(),
            warnings: &[],
            refusal: None,
            dry_run: false,
        };
        recorder.planned(&plan).await.unwrap();
        recorder.intended(&plan).await.unwrap();
        let report = Report {
            outcome,
            code: baton_connector::Code::Ok,
            error: None,
            request_ids: &[],
            added: &[],
            removed: &[],
            read_back: false,
            visible: None,
        };
        recorder.finished(&report).await.unwrap();
    }

    #[tokio::test]
    async fn changes_of_tasks_at_once_have_records_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let changes = changes(&path);
        let revoke = task::RevokeTask {
            grant: Some(v2::Grant {
                id: "g1".to_owned(),
                ..v2::Grant::default()
            }),
            ..task::RevokeTask::default()
        };
        tokio::join!(
            change(changes.settings(&grant("T1")), Outcome::Done),
            change(changes.settings(&grant("T1")), Outcome::Already),
            change(
                changes.settings(&task("T2", TaskType::Revoke(revoke))),
                Outcome::Done
            ),
        );
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<Value> = lines.collect();
        assert_eq!(lines.len(), 6);
        let mut ids = BTreeMap::<_, Vec<_>>::new();
        for line in &lines {
            let id = line["id"].as_str().unwrap();
            ids.entry(id).or_default().push(line);
        }
        assert_eq!(ids.len(), 3, "{text}");
        for (id, lines) in ids {
            assert_eq!(lines[0]["event"], "intent");
            assert_eq!(lines[1]["event"], "outcome");
            let is_grant = id.starts_with("T1-");
            let operation = if is_grant { "grant" } else { "revoke" };
            assert_eq!(lines[0]["operation"], operation, "{id}");
        }
    }

    #[test]
    fn each_arm_that_changes_something_has_a_subject() {
        let id = resource("user", "u").id;
        let arms = [
            (
                grant("T").task_type.unwrap(),
                "grant `group:g:member` to user `u`",
            ),
            (
                TaskType::CreateResource(task::CreateResourceTask {
                    resource: Some(resource("user", "u")),
                }),
                "create user `u`",
            ),
            (
                TaskType::DeleteResource(task::DeleteResourceTask {
                    resource_id: id.clone(),
                    parent_resource_id: None,
                }),
                "delete user `u`",
            ),
            (
                TaskType::RotateCredentials(task::RotateCredentialsTask {
                    resource_id: id.clone(),
                    ..task::RotateCredentialsTask::default()
                }),
                "replace the credentials of user `u`",
            ),
            (
                TaskType::IssueCredential(task::IssueCredentialTask {
                    identity_id: id,
                    ..task::IssueCredentialTask::default()
                }),
                "create a credential of user `u`",
            ),
            (
                TaskType::CreateTicketTask(task::CreateTicketTask {
                    ticket_request: Some(v2::TicketRequest {
                        display_name: "t".to_owned(),
                        ..v2::TicketRequest::default()
                    }),
                    ..task::CreateTicketTask::default()
                }),
                "create ticket `t`",
            ),
            (
                TaskType::BulkCreateTickets(task::BulkCreateTicketsTask {
                    ticket_requests: vec![task::CreateTicketTask::default(); 2],
                }),
                "create 2 tickets",
            ),
            (
                TaskType::ActionInvoke(task::ActionInvokeTask {
                    name: "lock".to_owned(),
                    ..task::ActionInvokeTask::default()
                }),
                "run action `lock`",
            ),
            (
                TaskType::CreateAccount(task::CreateAccountTask {
                    account_info: Some(v2::AccountInfo::default()),
                    ..task::CreateAccountTask::default()
                }),
                "create an account",
            ),
        ];
        for (arm, sentence) in arms {
            let subject = subject(&task("T", arm)).unwrap();
            assert_eq!(subject.infinitive(), sentence);
        }
    }

    #[test]
    fn tasks_that_read_or_lack_what_they_change_are_not_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let changes = changes(&dir.path().join("audit.jsonl"));
        for arm in [
            TaskType::ListEvents(task::ListEventsTask::default()),
            TaskType::Grant(task::GrantTask::default()),
            TaskType::RotateCredentials(task::RotateCredentialsTask::default()),
        ] {
            assert!(changes.settings(&task("T", arm)).recorder.is_none());
        }
    }
}
