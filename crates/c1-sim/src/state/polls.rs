//! Polls: which task is handed out to whom, and when the next poll may come.

use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceGetTaskResponse, BatonServiceGetTasksResponse, Task,
};
use baton_proto::wire;
use prost::Message as _;

use super::State;
use super::records::Held;
use crate::Call;
use crate::tasks::PlannedTask;

/// The longest `next_poll` that a client keeps.
const MAX_NEXT_POLL: Duration = Duration::from_mins(5);
/// How much earlier than `next_poll` a poll may arrive.
const SLACK: Duration = Duration::from_millis(10);

/// Field numbers of `BatonServiceGetTaskResponse` and `BatonServiceGetTasksResponse`.
const TASK: u32 = 1;
const NEXT_POLL: u32 = 2;
const NEXT_HEARTBEAT: u32 = 3;

/// The answer of a poll, encoded: tasks can have fields that are not known.
#[derive(Debug)]
pub(crate) struct Polled {
    pub(crate) message: Vec<u8>,
}

impl State {
    /// Hands out up to `most` tasks that the host does not have.
    pub(crate) fn poll(
        &mut self,
        number: u64,
        host: &str,
        most: usize,
        known: &[String],
    ) -> Result<Polled, Status> {
        self.begin_poll(number, host, known)?;
        let scripted = self.polls.get(&self.poll_count).copied();
        let mut message = Vec::new();
        let mut next_poll = scripted.unwrap_or_else(|| duration(self.config.next_poll));
        for _ in 0..most {
            let Some(task) = self.next_task(host, known) else {
                break;
            };
            wire::put_bytes(&mut message, TASK, &task.bytes);
            // A task without its own time is followed by the next poll at once.
            next_poll = duration(task.next_poll.unwrap_or_default());
            self.hand_out(number, host, task);
        }
        wire::put_bytes(&mut message, NEXT_POLL, &next_poll.encode_to_vec());
        if let Some(wait) = self.config.next_heartbeat {
            wire::put_bytes(
                &mut message,
                NEXT_HEARTBEAT,
                &duration(wait).encode_to_vec(),
            );
        }
        self.allow_next_poll(host, next_poll);
        Ok(Polled { message })
    }

    /// An answer that a fault gives: its tasks are handed out.
    pub(crate) fn poll_answered(
        &mut self,
        number: u64,
        host: &str,
        known: &[String],
        message: &[u8],
    ) -> Result<Polled, Status> {
        self.begin_poll(number, host, known)?;
        let batch = self.live(number).map(|live| live.call) == Some(Call::GetTasks);
        let decoded = if batch {
            BatonServiceGetTasksResponse::decode(message)
                .map(|answer| (answer.tasks, answer.next_poll))
        } else {
            BatonServiceGetTaskResponse::decode(message)
                .map(|answer| (answer.task.into_iter().collect(), answer.next_poll))
        };
        // What is not a message hands out nothing.
        if let Ok((tasks, next_poll)) = decoded {
            for task in tasks {
                let task: Task = task;
                self.hand_out(number, host, PlannedTask::of(task));
            }
            self.allow_next_poll(host, next_poll.unwrap_or_default());
        }
        let message = message.to_vec();
        Ok(Polled { message })
    }

    fn begin_poll(&mut self, number: u64, host: &str, known: &[String]) -> Result<(), Status> {
        self.require_hello(number, host)?;
        self.note_pace(number, host);
        self.note_known(number, host, known);
        self.poll_count += 1;
        Ok(())
    }

    /// A poll for many tasks names those that the host has.
    fn note_known(&mut self, number: u64, host: &str, known: &[String]) {
        // Without records a finished task is one that was not handed out.
        let is_batch = self.live(number).map(|live| live.call) == Some(Call::GetTasks);
        if !is_batch || !self.config.keep_records {
            return;
        }
        let unknown = known.iter().filter(|id| !self.tasks.contains_key(*id));
        let unknown = unknown.map(|id| format!("task {id} is known, but was not handed out"));
        let missing = self.tasks.iter().filter(|(id, task)| {
            let held = task.host == host && task.finished.is_none() && !task.orphan;
            held && task.plan.must_be_finished() && !known.contains(id)
        });
        let missing = missing.map(|(id, _)| format!("task {id} is held, but not known"));
        let wrong: Vec<String> = unknown.chain(missing).collect();
        for text in wrong {
            self.complain(number, text);
        }
    }

    fn note_pace(&mut self, number: u64, host: &str) {
        let now = self.elapsed();
        let not_before = self.hosts.get(host).and_then(|host| host.not_before);
        let early = not_before.and_then(|not_before| not_before.checked_sub(now));
        if let Some(early) = early.filter(|early| *early > SLACK) {
            let early = early.as_millis();
            let text = format!("the poll comes {early} ms before `next_poll`");
            self.complain(number, text);
        }
    }

    fn allow_next_poll(&mut self, host: &str, next_poll: prost_types::Duration) {
        // A negative time is none.
        let wait = Duration::try_from(next_poll).unwrap_or_default();
        let next = self.elapsed() + wait.min(MAX_NEXT_POLL);
        if let Some(host) = self.hosts.get_mut(host) {
            host.not_before = Some(next);
        }
    }

    /// Takes the first task that is ready for the host.
    fn next_task(&mut self, host: &str, known: &[String]) -> Option<PlannedTask> {
        let now = self.elapsed();
        let finished = self.finished_count();
        let ready = |task: &PlannedTask| {
            task.at <= now
                && task.after_finished <= finished
                && task.host.as_deref().is_none_or(|only| only == host)
                // A task that a script hands out twice is given to a client that knows it.
                && (!known.contains(&task.id) || self.tasks.contains_key(&task.id))
        };
        let at = self.queue.iter().position(ready)?;
        let task = self.queue.get_mut(at)?;
        task.times = task.times.saturating_sub(1);
        if task.times > 0 {
            // The next one goes first, so that the same poll does not give it again.
            let task = task.clone();
            self.queue.remove(at);
            self.queue.push_back(task.clone());
            return Some(task);
        }
        self.queue.remove(at)
    }

    fn hand_out(&mut self, number: u64, host: &str, task: PlannedTask) {
        let now = self.elapsed();
        if let Some(live) = self.live(number) {
            live.task = Some(task.id.clone());
        }
        if self.tasks.contains_key(&task.id) {
            return;
        }
        let id = task.id.clone();
        self.handed_out += 1;
        self.tasks.insert(id, Held::new(task, host, now));
    }

    /// What a poll of a page size may ask for; rules refuse the rest before.
    pub(crate) fn page(size: u32) -> Result<usize, Status> {
        usize::try_from(size)
            .map_err(|_| Status::new(Code::InvalidArgument, "the page is too large"))
    }
}

/// A time for the wire.
pub(super) fn duration(time: Duration) -> prost_types::Duration {
    time.try_into().unwrap_or_default()
}
