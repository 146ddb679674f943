//! FinishTask: results, repeats of them, and results that contradict what happened.

use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::baton_service_finish_task_request::FinalState;
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceFinishTaskRequest, BatonServiceFinishTaskResponse,
};
use baton_proto::encode;
use baton_proto::wire::type_name;

use super::State;
use super::records::Held;
use crate::tasks::{Response, TaskKind};

/// How long after its cancellation a task may be finished.
const MAX_AFTER_CANCELLATION: Duration = Duration::from_secs(30);

/// A task that was finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// When, since the start of the simulator.
    pub at: Duration,
    /// What the task asked for; `None` if it had no arm that is known.
    pub kind: Option<TaskKind>,
    /// The request.
    pub request: BatonServiceFinishTaskRequest,
    /// The request, encoded.
    pub bytes: Vec<u8>,
    /// How often the same request came again.
    pub repeats: u32,
}

impl Finished {
    /// Whether the task succeeded.
    pub fn is_success(&self) -> bool {
        matches!(self.request.final_state, Some(FinalState::Success(_)))
    }

    /// The code of the status; 0 for a success.
    pub fn code(&self) -> i32 {
        self.request.status.as_ref().map_or(0, |status| status.code)
    }
}

impl State {
    pub(crate) fn finish(
        &mut self,
        number: u64,
        request: &BatonServiceFinishTaskRequest,
    ) -> Result<BatonServiceFinishTaskResponse, Status> {
        let bytes = encode::to_vec(request);
        let id = request.task_id.clone();
        let now = self.elapsed();
        self.held(number, &request.host_id, &id)?;
        self.note_late(number, &id);
        let place = self.finished.len();
        let task = self.held(number, &request.host_id, &id)?;
        if let Some(first) = task.finished {
            return self.finished_again(number, first, &id, &bytes);
        }
        let mut wrong = contradictions(task, request);
        if let Some(cancelled) = task.cancelled {
            let after = now.saturating_sub(cancelled.at);
            if after > MAX_AFTER_CANCELLATION {
                let seconds = after.as_secs();
                wrong.push(format!(
                    "task {id} is finished {seconds} s after it was cancelled"
                ));
            }
        }
        task.finished = Some(place);
        task.finished_at = now;
        let kind = task.plan.kind;
        for text in wrong {
            self.complain(number, text);
        }
        if self.config.keep_records {
            self.finished.push(Finished {
                at: now,
                kind,
                request: request.clone(),
                bytes,
                repeats: 0,
            });
        } else {
            self.tasks.remove(&id);
            self.forgotten += 1;
        }
        Ok(BatonServiceFinishTaskResponse::default())
    }

    /// The same result again is harmless: its answer was lost. Another one is wrong.
    fn finished_again(
        &mut self,
        number: u64,
        first: usize,
        id: &str,
        bytes: &[u8],
    ) -> Result<BatonServiceFinishTaskResponse, Status> {
        if let Some(first) = self.finished.get_mut(first)
            && first.bytes == bytes
        {
            first.repeats += 1;
            return Ok(BatonServiceFinishTaskResponse::default());
        }
        let text = format!("task {id} was finished before with another result");
        self.complain(number, text.clone());
        Err(Status::new(Code::FailedPrecondition, text))
    }
}

/// What in a result contradicts the task, or what was done for it.
fn contradictions(task: &Held, request: &BatonServiceFinishTaskRequest) -> Vec<String> {
    let mut wrong = Vec::new();
    let id = &task.plan.id;
    let code = request.status.as_ref().map_or(0, |status| status.code);
    match &request.final_state {
        Some(FinalState::Success(success)) => {
            if code != 0 {
                wrong.push(format!("task {id} succeeds with the code {code}"));
            }
            let response = success.response.as_ref();
            let response = response.map(|any| type_name(&any.type_url).to_owned());
            wrong.extend(wrong_success(task, response.as_deref()));
        }
        Some(FinalState::Error(error)) => {
            if code == 0 {
                wrong.push(format!("task {id} fails without a code"));
            }
            if error.response.is_some() {
                wrong.push(format!("task {id} fails with a response"));
            }
        }
        // A rule refuses it before.
        None => {}
    }
    wrong
}

fn wrong_success(task: &Held, response: Option<&str>) -> Vec<String> {
    const PACKAGE: &str = "c1.connector.v2.";
    let mut wrong = Vec::new();
    let id = &task.plan.id;
    let kind = task.plan.kind;
    let expected = kind.map_or(Response::Never, TaskKind::response);
    match (expected, response) {
        (Response::Never, _) => {
            let name = kind.map_or("a kind that is not known", TaskKind::name);
            wrong.push(format!("task {id} succeeds, but its kind is `{name}`"));
        }
        (Response::Empty, Some(found)) => {
            wrong.push(format!(
                "task {id} has the response `{found}`; expected none"
            ));
        }
        // A connector may have given no response.
        (Response::Empty | Response::Of(_), None) => {}
        (Response::Of(expected), Some(found)) => {
            if found.strip_prefix(PACKAGE) != Some(expected) {
                let text = format!("task {id} has the response `{found}`; expected `{expected}`");
                wrong.push(text);
            }
        }
    }
    if kind == Some(TaskKind::SyncFull) && task.files.is_empty() {
        wrong.push(format!("the full sync {id} succeeds without an upload"));
    }
    if task
        .cancelled
        .is_some_and(|cancelled| cancelled.before_start)
    {
        wrong.push(format!(
            "task {id} was cancelled before its start and succeeds"
        ));
    }
    wrong
}
