//! What the simulator knows: who called, which tasks are where, and what was wrong.

mod end;
mod finish;
mod heartbeats;
mod hello;
mod polls;
mod records;
mod retries;
mod uploads;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use memchr::memmem;
use tokio_util::sync::CancellationToken;

pub use finish::Finished;
pub use heartbeats::HeartbeatRecord;
pub use hello::HelloRecord;
pub use uploads::Upload;

pub(crate) use polls::Polled;
pub(crate) use retries::Ended;
pub(crate) use uploads::Uploading;

use crate::calls::CallRecord;
use crate::faults::{Action, FaultPlan};
use crate::tasks::PlannedTask;
use crate::token::Tokens;
use crate::{Call, Complaint, Config};
use records::Held;
use retries::Failures;

/// Most calls that are kept; counts have no limit.
const MAX_CALLS: usize = 100_000;

/// The shortest token that is searched for.
const MIN_TOKEN_BYTES: usize = 16;

/// A call that has not ended.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) call: Call,
    pub(crate) nth: u64,
    pub(crate) at: Duration,
    pub(crate) action: Option<Action>,
    /// Ends the connection of the call.
    pub(crate) connection: CancellationToken,
    pub(crate) host: Option<String>,
    pub(crate) task: Option<String>,
    /// How long the client waits.
    pub(crate) timeout: Option<String>,
    /// The message of the answer, instead of the handler's.
    pub(crate) message: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Host {
    greeted: bool,
    /// The earliest time of the next poll.
    not_before: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) tokens: Tokens,
    pub(crate) faults: FaultPlan,
    live: BTreeMap<u64, Live>,
    calls: VecDeque<CallRecord>,
    number: u64,
    hosts: BTreeMap<String, Host>,
    queue: VecDeque<PlannedTask>,
    /// `next_poll` of the answers of polls without a task, by their number.
    polls: BTreeMap<u64, prost_types::Duration>,
    poll_count: u64,
    tasks: BTreeMap<String, Held>,
    hellos: Vec<HelloRecord>,
    finished: Vec<Finished>,
    /// Finished tasks that are not kept.
    forgotten: usize,
    handed_out: usize,
    uploads: Vec<Upload>,
    complaints: Vec<Complaint>,
    /// A complaint that does not count if the client has started again.
    early_token: Option<Complaint>,
    failed_polls: Failures,
    failed_hellos: Failures,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            tokens: Tokens::default(),
            faults: FaultPlan::default(),
            live: BTreeMap::new(),
            calls: VecDeque::new(),
            number: 0,
            hosts: BTreeMap::new(),
            queue: VecDeque::new(),
            polls: BTreeMap::new(),
            poll_count: 0,
            tasks: BTreeMap::new(),
            hellos: Vec::new(),
            finished: Vec::new(),
            forgotten: 0,
            handed_out: 0,
            uploads: Vec::new(),
            complaints: Vec::new(),
            early_token: None,
            failed_polls: Failures::default(),
            failed_hellos: Failures::default(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.config.clock.elapsed()
    }

    pub(crate) fn plan(&mut self, task: PlannedTask) {
        self.queue.push_back(task);
    }

    pub(crate) fn plan_poll(&mut self, nth: u64, next_poll: prost_types::Duration) {
        self.polls.insert(nth, next_poll);
    }

    /// A call that arrives; its number.
    pub(crate) fn begin(&mut self, call: Call, connection: CancellationToken) -> u64 {
        self.number += 1;
        let (nth, action) = self.faults.next(call);
        let live = Live {
            call,
            nth,
            at: self.elapsed(),
            action,
            connection,
            host: None,
            task: None,
            timeout: None,
            message: None,
        };
        self.live.insert(self.number, live);
        self.number
    }

    pub(crate) fn live(&mut self, number: u64) -> Option<&mut Live> {
        self.live.get_mut(&number)
    }

    pub(crate) fn action(&self, number: u64) -> Option<Action> {
        self.live.get(&number)?.action.clone()
    }

    /// A call that has ended, once.
    pub(crate) fn end(&mut self, number: u64, outcome: &str, ended: Ended) -> Option<CallRecord> {
        self.note_end(number, ended);
        let live = self.live.remove(&number)?;
        let record = CallRecord {
            number,
            call: live.call,
            nth: live.nth,
            at: live.at,
            host: live.host,
            task: live.task,
            timeout: live.timeout,
            outcome: outcome.to_owned(),
        };
        if self.config.keep_records {
            if self.calls.len() == MAX_CALLS {
                self.calls.pop_front();
            }
            self.calls.push_back(record.clone());
        }
        Some(record)
    }

    pub(crate) fn calls(&self) -> Vec<CallRecord> {
        self.calls.iter().cloned().collect()
    }

    /// Records what a call did wrong.
    pub(crate) fn complain(&mut self, number: u64, text: impl Into<String>) {
        let complaint = self.complaint(number, text);
        self.complaints.push(complaint);
    }

    fn complaint(&self, number: u64, text: impl Into<String>) -> Complaint {
        let call = self.live.get(&number).map(|live| (live.call, live.nth));
        let text = text.into();
        Complaint { call, text }
    }

    /// Records a token that was requested early. If the client has started again, that
    /// is not wrong: its next call is a Hello.
    pub(crate) fn complain_of_early_token(&mut self, number: u64, text: String) {
        let before = self.early_token.take();
        self.complaints.extend(before);
        self.early_token = Some(self.complaint(number, text));
    }

    /// A call arrived; it is a Hello of a start or another one.
    fn settle_early_token(&mut self, is_start: bool) {
        let early = self.early_token.take();
        if !is_start {
            self.complaints.extend(early);
        }
    }

    /// Complains if a request has a text that it must not have.
    pub(crate) fn search_for_forbidden(&mut self, number: u64, bytes: &[u8]) {
        let has = |text: &[u8]| !text.is_empty() && memmem::find(bytes, text).is_some();
        let forbidden = self.config.forbidden.iter();
        let mut found: Vec<String> = forbidden
            .filter(|(_, text)| has(text))
            .map(|(what, _)| what.clone())
            .collect();
        // A short token is found by chance.
        let token = |token: &str| token.len() >= MIN_TOKEN_BYTES && has(token.as_bytes());
        if self.tokens.recent().any(token) {
            found.push("an access token".to_owned());
        }
        for what in found {
            self.complain(number, format!("the request contains {what}"));
        }
    }

    /// A call of a host, which must have greeted before.
    fn require_hello(&mut self, number: u64, host: &str) -> Result<(), Status> {
        self.settle_early_token(false);
        if self.hosts.get(host).is_some_and(|host| host.greeted) {
            return Ok(());
        }
        let text = format!("host `{host}` calls before its Hello");
        self.complain(number, text.clone());
        Err(Status::new(Code::FailedPrecondition, text))
    }

    /// A task that this host holds, or the refusal of a call for it.
    fn held(&mut self, number: u64, host: &str, id: &str) -> Result<&mut Held, Status> {
        self.require_hello(number, host)?;
        let refusal = match self.tasks.get(id) {
            None => {
                let text = format!("task {id} was not handed out");
                Some((Code::NotFound, text, true))
            }
            Some(task) if task.host != host => {
                let text = format!(
                    "host `{host}` does not hold task {id}; `{}` does",
                    task.host
                );
                Some((Code::PermissionDenied, text, true))
            }
            Some(task) if task.plan.foreign => {
                let text = format!("task {id} belongs to another host");
                Some((Code::PermissionDenied, text, false))
            }
            Some(_) => None,
        };
        if let Some((code, text, is_wrong)) = refusal {
            if is_wrong {
                self.complain(number, text.clone());
            }
            return Err(Status::new(code, text));
        }
        self.tasks
            .get_mut(id)
            .ok_or_else(|| Status::new(Code::Internal, "the task has vanished"))
    }

    /// A call that a fault refuses after it was read.
    pub(crate) fn refused_by_fault(&mut self, number: u64, task: Option<&str>) {
        let call = self.live(number).map(|live| live.call);
        match (call, task) {
            (Some(Call::Heartbeat), Some(task)) => self.heartbeat_refused(number, task),
            (Some(Call::Hello), None) => self.settle_early_token(true),
            _ => {}
        }
    }

    pub(crate) fn hellos(&self) -> &[HelloRecord] {
        &self.hellos
    }

    pub(crate) fn finished(&self) -> &[Finished] {
        &self.finished
    }

    pub(crate) fn finished_count(&self) -> usize {
        self.finished.len() + self.forgotten
    }

    pub(crate) fn uploads(&self) -> &[Upload] {
        &self.uploads
    }

    pub(crate) fn heartbeats(&self, id: &str) -> Vec<HeartbeatRecord> {
        let task = self.tasks.get(id);
        task.map(|task| task.heartbeats.clone()).unwrap_or_default()
    }

    pub(crate) fn handed_out(&self) -> usize {
        self.handed_out
    }
}
