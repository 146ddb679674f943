//! `demo --service`: the connector as a service. A simulated ConductorOne listens on a
//! loopback port and hands out three tasks: a sync, a grant, and an action.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atlassian_sim::{Principal, Simulator as Atlassian, TruthGroup, TruthUser};
use baton_connector::resource::{EntitlementId, resource_id};
use baton_connector::{Error, Secret, v2};
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::task::{
    ActionInvokeTask, GrantTask, SyncFullTask, TaskType,
};
use baton_runtime::{Built, CommandContext, GivenService, Result};
use c1_sim::{Call, CallRecord, ClientKey, Config, Listener, PlannedTask, Simulator, Timestamp};
use prost_types::Struct;
use prost_types::value::Kind;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::failed;
use crate::mapping::{GROUP, MEMBER, USER, USER_ID};
use crate::roles::ORGANIZATION_ADMIN;

/// The key of the client; it opens nothing but this simulation.
const KEY_SEED: [u8; 32] = *b"the key of a simulated tenant...";
/// Ids of the tasks, in their order.
const TASKS: [&str; 3] = [
    "DemoSync0000000000000000001",
    "DemoGrant000000000000000002",
    "DemoAction00000000000000003",
];
/// The action that the third task asks for.
const ACTION: &str = "disable_user";
/// The service is asked for a task so often.
const NEXT_POLL: Duration = Duration::from_millis(200);
/// All three tasks take less than this, unless something is wrong.
const LIMIT: Duration = Duration::from_mins(1);
/// How long an action that was reported as running may take.
const ACTION_LIMIT: Duration = Duration::from_secs(10);

/// Whom the tasks change.
struct Cast {
    user: TruthUser,
    group: TruthGroup,
}

/// Carries out the three tasks, and saves the file that the simulated ConductorOne got.
pub(super) async fn run(
    context: &CommandContext,
    atlassian: &Atlassian,
    built: &Built,
    target: &Path,
) -> Result<()> {
    let cast = Cast::of(atlassian).ok_or_else(|| failed("find a user to change", &"none fits"))?;
    let key = ClientKey::from_seed(KEY_SEED).map_err(|e| failed("make a key", &e))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = Listener::bind(address, &[])
        .await
        .map_err(|e| failed("listen on a loopback port", &e))?;
    let port = listener.address().port();
    let given = GivenService {
        client_id: format!("demo@localhost:{port}/valet"),
        client_secret: Secret::new(key.client_secret()),
        roots_pem: listener.authority().to_owned(),
    };
    context.print_status(&format!(
        "a simulated ConductorOne is served at https://localhost:{port}, with three tasks:"
    ));
    let labels = cast.labels();
    for (number, label) in (1..).zip(&labels) {
        context.print_status(&format!("  {number}. {label}"));
    }
    context.print_status("");

    let tenant = tenant(context, &given, &key)?;
    for task in cast.tasks() {
        tenant.plan(task);
    }
    let server = tenant.serve(listener);
    let done = CancellationToken::new();
    let finished = async {
        tenant.wait_finished(TASKS.len()).await;
        done.cancel();
        std::future::pending().await
    };
    let served = tokio::select! {
        served = timeout(LIMIT, context.serve_tasks(built, &given, done.clone())) => served,
        never = finished => never,
    };
    server.shutdown().await;
    served.map_err(|_| {
        Error::stated(
            Code::DeadlineExceeded,
            format!("the tasks were not finished within {} s", LIMIT.as_secs()),
        )
    })??;
    context.print_status("");
    judge(context, atlassian, &tenant, &cast).await?;
    let file = tenant.uploads().into_iter().next_back();
    let file = file.ok_or_else(|| failed("save the file", &"nothing was uploaded"))?;
    context.save(target, &file.bytes)
}

/// A ConductorOne that knows this client, and shows each step.
fn tenant(context: &CommandContext, given: &GivenService, key: &ClientKey) -> Result<Simulator> {
    let now = context.connector_env().clock.now();
    let now = Timestamp::try_from(now).map_err(|e| failed("read the clock", &e))?;
    let config = Config::new(&given.client_id, key, now);
    let mut config = config.map_err(|e| failed("simulate ConductorOne", &e))?;
    config.next_poll = NEXT_POLL;
    let shown = context.clone();
    config.observer = Some(Arc::new(move |call| {
        if let Some(step) = step(call) {
            shown.print_status(&format!("{:>6.2} s  {step}", call.at.as_secs_f64()));
        }
    }));
    Ok(Simulator::new(config))
}

/// What a call means for a reader; `None` for one that only asks.
fn step(call: &CallRecord) -> Option<String> {
    let task = call.task.as_deref();
    let number = task.and_then(|id| TASKS.iter().position(|known| *known == id));
    let task = number.map(|at| format!("task {}", at + 1));
    Some(match (call.call, task) {
        (Call::Token, _) => format!("log in: {}", call.outcome),
        (Call::Hello, _) => format!("the connector introduces itself: {}", call.outcome),
        (Call::GetTask | Call::GetTasks, Some(task)) => format!("{task} is handed out"),
        (Call::UploadAsset, Some(task)) => format!("{task}: the file is uploaded"),
        (Call::FinishTask, Some(task)) => format!("{task} is reported"),
        _ => return None,
    })
}

/// Compares the reports with what became of the organization.
async fn judge(
    context: &CommandContext,
    atlassian: &Atlassian,
    tenant: &Simulator,
    cast: &Cast,
) -> Result<()> {
    for id in TASKS {
        let result = tenant.result_of(id);
        let result = result.ok_or_else(|| failed("end the demo", &"a task was not reported"))?;
        if !result.is_success() {
            let status = result.request.status.unwrap_or_default();
            return Err(failed("carry out a task", &status.message).into());
        }
    }
    // The report can be that the action runs: its end comes later.
    let until = Instant::now() + ACTION_LIMIT;
    while !cast.is_suspended(atlassian) && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
    if !cast.is_member(atlassian) || !cast.is_suspended(atlassian) {
        return Err(failed("change the organization", &"a task had no effect").into());
    }
    context.print_status(&format!(
        "in the organization: {} is a member of {} and is suspended",
        cast.user.name, cast.group.name
    ));
    let complaints = tenant.verdict_at_end();
    if let Some(first) = complaints.first() {
        return Err(failed("keep to the rules of ConductorOne", first).into());
    }
    let calls = tenant.calls().len();
    context.print_status(&format!(
        "the simulated ConductorOne checked {calls} calls and found no fault"
    ));
    Ok(())
}

impl Cast {
    /// An active user, and a group of the same directory without that user. Organization
    /// admins cannot be suspended.
    fn of(atlassian: &Atlassian) -> Option<Self> {
        let truth = atlassian.truth();
        let is_member = |group: &TruthGroup, user: &TruthUser| {
            let mut all = truth.memberships.iter();
            all.any(|member| member.group_id == group.id && member.account_id == user.account_id)
        };
        let administers = |principal: &Principal| {
            let mut all = truth.effective_roles.iter().chain(&truth.direct_roles);
            all.any(|role| role.principal == *principal && role.role == ORGANIZATION_ADMIN)
        };
        let mut groups = truth.groups.iter().filter(|group| {
            let ordinary = !administers(&Principal::Group(group.id.clone()));
            ordinary && !group.synced && group.members > 1
        });
        groups.find_map(|group| {
            let user = truth.users.iter().find(|user| {
                user.account_status == "active"
                    && user.membership_status == "active"
                    && user.directory_ids == [group.directory_id.clone()]
                    && !is_member(group, user)
                    && !administers(&Principal::User(user.account_id.clone()))
            })?;
            Some(Self {
                user: user.clone(),
                group: group.clone(),
            })
        })
    }

    fn labels(&self) -> [String; 3] {
        [
            "sync the organization".to_owned(),
            format!(
                "grant: add {} to the group {}",
                self.user.name, self.group.name
            ),
            format!("action {ACTION}: suspend {}", self.user.name),
        ]
    }

    /// The tasks, each after the one before it.
    fn tasks(&self) -> [PlannedTask; 3] {
        let resource = |kind: &str, id: &str, name: &str| v2::Resource {
            id: Some(resource_id(kind, id)),
            display_name: name.to_owned(),
            ..v2::Resource::default()
        };
        let group = resource(GROUP, &self.group.id, &self.group.name);
        let entitlement = v2::Entitlement {
            id: EntitlementId::of(&resource_id(GROUP, &self.group.id), MEMBER).into_string(),
            slug: MEMBER.to_owned(),
            resource: Some(group),
            ..v2::Entitlement::default()
        };
        let grant = GrantTask {
            entitlement: Some(entitlement),
            principal: Some(resource(USER, &self.user.account_id, &self.user.name)),
            ..GrantTask::default()
        };
        let user = prost_types::Value {
            kind: Some(Kind::StringValue(self.user.account_id.clone())),
        };
        let action = ActionInvokeTask {
            name: ACTION.to_owned(),
            args: Some(Struct {
                fields: [(USER_ID.to_owned(), user)].into(),
            }),
            ..ActionInvokeTask::default()
        };
        let arms = [
            TaskType::SyncFull(SyncFullTask::default()),
            TaskType::Grant(grant),
            TaskType::ActionInvoke(action),
        ];
        let mut at = 0;
        arms.map(|arm| {
            let task = PlannedTask::new(TASKS[at], arm).after_finished(at);
            at += 1;
            task
        })
    }

    fn is_member(&self, atlassian: &Atlassian) -> bool {
        let truth = atlassian.truth();
        let mut all = truth.memberships.iter();
        all.any(|member| {
            member.group_id == self.group.id && member.account_id == self.user.account_id
        })
    }

    fn is_suspended(&self, atlassian: &Atlassian) -> bool {
        let truth = atlassian.truth();
        let mut users = truth.users.iter();
        let user = users.find(|user| user.account_id == self.user.account_id);
        user.is_some_and(|user| user.membership_status == "suspended")
    }
}
