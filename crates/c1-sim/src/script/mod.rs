//! Scripts: settings, tasks and faults in YAML.

mod document;
mod span;
#[cfg(test)]
mod tests;

use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::Task;
use baton_proto::json;
use jiff::SignedDuration;
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::faults::{Action, Fault, FaultPlan, Which};
use crate::tasks::PlannedTask;
use crate::{Call, Config, Error, Simulator};
use document::{ActionEntry, Document, FaultEntry, TaskEntry};
use span::Span;

/// Most tasks of a script.
pub const MAX_SCRIPT_TASKS: usize = 100_000;

/// A script that was read.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Script {
    next_poll: Option<Duration>,
    next_heartbeat: Option<Duration>,
    token_lifetime: Option<Duration>,
    skew_tolerance: Option<Duration>,
    clock_ahead: i64,
    requeue_on_hello: bool,
    require_deadlines: bool,
    tasks: Vec<PlannedTask>,
    polls: Vec<(u64, prost_types::Duration)>,
    faults: Vec<Fault>,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The text is not YAML, a key is not known, or a value does not fit; the error names the
    /// line.
    pub fn from_yaml(text: &str) -> Result<Self, Error> {
        let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if text.lines().all(blank) {
            return Ok(Self::default());
        }
        let options = serde_saphyr::options! { with_snippet: false };
        let document: Document =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| Error::Script {
                what: error.to_string().lines().collect::<Vec<_>>().join(" "),
            })?;
        Self::of(document)
    }

    fn of(document: Document) -> Result<Self, Error> {
        let mut tasks = Vec::new();
        for entry in document.tasks {
            let line = entry.referenced.line();
            plan(&mut tasks, &entry.value).map_err(|what| at(line, &what))?;
        }
        let mut faults = Vec::new();
        for entry in document.faults {
            let line = entry.referenced.line();
            let fault = fault(entry.value).map_err(|what| at(line, &what))?;
            // The plan refuses actions that a call cannot have.
            FaultPlan::default()
                .add(fault.clone())
                .map_err(|error| at(line, &error.to_string()))?;
            faults.push(fault);
        }
        let polls = document.polls.into_iter();
        Ok(Self {
            next_poll: positive(document.next_poll)?,
            next_heartbeat: positive(document.next_heartbeat)?,
            token_lifetime: positive(document.token_lifetime)?,
            skew_tolerance: positive(document.skew_tolerance)?,
            clock_ahead: document.clock_ahead.map_or(0, Span::seconds),
            requeue_on_hello: document.requeue_on_hello,
            require_deadlines: document.require_deadlines,
            tasks,
            polls: polls.map(|(nth, wait)| (nth, wait.on_wire())).collect(),
            faults,
        })
    }

    /// Sets the settings of the script.
    pub fn configure(&self, config: &mut Config) {
        let set = |setting: &mut Duration, value: Option<Duration>| {
            *setting = value.unwrap_or(*setting);
        };
        set(&mut config.next_poll, self.next_poll);
        set(&mut config.token_lifetime, self.token_lifetime);
        set(&mut config.skew_tolerance, self.skew_tolerance);
        config.next_heartbeat = self.next_heartbeat.or(config.next_heartbeat);
        config.requeue_on_hello |= self.requeue_on_hello;
        config.require_deadlines |= self.require_deadlines;
        let ahead = SignedDuration::from_secs(self.clock_ahead);
        let date = config.clock.now().saturating_add(ahead);
        if let Ok(date) = date {
            config.clock = config.clock.set_to(date);
        }
    }

    /// Adds the tasks and the faults to a simulator.
    ///
    /// # Errors
    /// None of a script that was read: its faults fit their calls.
    pub fn run(&self, simulator: &Simulator) -> Result<(), Error> {
        for task in &self.tasks {
            simulator.plan(task.clone());
        }
        for (nth, next_poll) in &self.polls {
            simulator.plan_poll(*nth, *next_poll);
        }
        for fault in &self.faults {
            simulator.fault(fault.clone())?;
        }
        Ok(())
    }
}

fn at(line: u64, what: &str) -> Error {
    let what = format!("{what} (line {line})");
    Error::Script { what }
}

fn positive(span: Option<Spanned<Span>>) -> Result<Option<Duration>, Error> {
    let Some(span) = span else { return Ok(None) };
    let line = span.referenced.line();
    match span.value.positive() {
        Some(time) => Ok(Some(time)),
        None => Err(at(line, "the time is negative")),
    }
}

fn plan(tasks: &mut Vec<PlannedTask>, entry: &TaskEntry) -> Result<(), String> {
    let copies = entry.copies.unwrap_or(1);
    if entry.id.is_some() && copies > 1 {
        return Err("a task with an id has no copies".to_owned());
    }
    for _ in 0..copies {
        if tasks.len() >= MAX_SCRIPT_TASKS {
            return Err(format!("there are more than {MAX_SCRIPT_TASKS} tasks"));
        }
        let number = tasks.len() + 1;
        let id = entry.id.clone().unwrap_or_else(|| format!("T{number:026}"));
        tasks.push(planned(entry, &id)?);
    }
    Ok(())
}

fn planned(entry: &TaskEntry, id: &str) -> Result<PlannedTask, String> {
    let mut task = match (&entry.task, entry.unknown_arm, entry.empty) {
        (Some(arm), false, false) => {
            if arm.len() != 1 {
                return Err("`task` has not one arm".to_owned());
            }
            let mut whole = arm.clone();
            whole.insert("id".to_owned(), Value::from(id));
            whole.insert("debug".to_owned(), Value::from(entry.debug));
            let task: Task = json::from_str(&Value::from(whole).to_string())
                .map_err(|error| format!("`task` is not a task: {error}"))?;
            PlannedTask::of(task)
        }
        (None, true, false) => PlannedTask::unknown_arm(id),
        (None, false, true) => PlannedTask::of(Task::default()),
        _ => return Err("expected one of `task`, `unknown-arm`, `empty`".to_owned()),
    };
    let time = |span: Option<Span>, name: &str| match span {
        None => Ok(None),
        Some(span) => match span.positive() {
            Some(time) => Ok(Some(time)),
            None => Err(format!("`{name}` is negative")),
        },
    };
    task.at = time(entry.at, "at")?.unwrap_or_default();
    task.next_poll = time(entry.next_poll, "next-poll")?;
    task.after_finished = entry.after_finished;
    task.times = entry.times.unwrap_or(1);
    task.host.clone_from(&entry.host);
    task.foreign = entry.foreign;
    task.cancel_at_heartbeat = entry.cancel_at_heartbeat;
    for (nth, wait) in &entry.next_heartbeats {
        task.next_heartbeats.insert(*nth, wait.on_wire());
    }
    Ok(task)
}

fn fault(entry: FaultEntry) -> Result<Fault, String> {
    let Some(call) = Call::named(&entry.call) else {
        let names: Vec<&str> = Call::ALL.into_iter().map(Call::name).collect();
        let names = names.join("`, `");
        let name = entry.call;
        return Err(format!("unknown call `{name}`; expected one of `{names}`"));
    };
    let which = match (entry.nth, entry.from, entry.to) {
        (None, None, None) => Which::All,
        (Some(nth), None, None) => Which::Nth(nth),
        (None, Some(first), last) => Which::Range(first, last.unwrap_or(u64::MAX)),
        _ => return Err("expected `nth`, or `from` with or without `to`, or none".to_owned()),
    };
    let action = action(call, entry.action)?;
    Ok(Fault {
        call,
        which,
        action,
    })
}

fn action(call: Call, entry: ActionEntry) -> Result<Action, String> {
    Ok(match entry {
        ActionEntry::ExpireToken => Action::ExpireToken,
        ActionEntry::Html => Action::Html,
        ActionEntry::Drop => Action::Drop,
        ActionEntry::GoAway => Action::GoAway,
        ActionEntry::Hang => Action::Hang,
        ActionEntry::LoseAnswer => Action::LoseAnswer,
        ActionEntry::HangAnswer => Action::HangAnswer,
        ActionEntry::WrongService => Action::WrongService,
        ActionEntry::Status(entry) => Action::Status(status(&entry.code, &entry.message)?),
        ActionEntry::Http(entry) => Action::Http {
            status: entry.status,
            retry_after: entry.retry_after,
        },
        ActionEntry::ResetStream(code) => Action::ResetStream(code),
        ActionEntry::Delay(time) => {
            let time = time.positive();
            Action::Delay(time.ok_or_else(|| "the delay is negative".to_owned())?)
        }
        ActionEntry::Garbage(digits) => Action::Garbage(unhex(&digits)?),
        ActionEntry::Message(message) => Action::Message(message_of(call, message)?),
        ActionEntry::Huge(bytes) => Action::Huge(bytes),
        ActionEntry::DropAfter(chunks) => Action::DropAfter(chunks),
        ActionEntry::StatusAfter(entry) => {
            Action::StatusAfter(entry.chunks, status(&entry.code, &entry.message)?)
        }
        ActionEntry::TokenBody(entry) => Action::TokenBody {
            status: entry.status,
            body: entry.body,
        },
    })
}

fn status(code: &str, message: &str) -> Result<Status, String> {
    let known = Code::ALL.into_iter().find(|known| known.name() == code);
    match known {
        Some(Code::Ok) | None => Err(format!(
            "unknown code `{code}`; expected a name such as `Unavailable`"
        )),
        Some(code) => Ok(Status::new(code, message)),
    }
}

/// The answer of a call from protobuf JSON.
fn message_of(call: Call, message: serde_json::Map<String, Value>) -> Result<Vec<u8>, String> {
    let name = format!("c1.connectorapi.baton.v1.BatonService{call}Response");
    let id = json::Registry::get().message(&name);
    let id = id.ok_or_else(|| format!("{call} has no message"))?;
    json::parse(id, &Value::from(message).to_string())
        .map_err(|error| format!("`message` is not an answer of {call}: {error}"))
}

fn unhex(digits: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{digits}` are not pairs of hexadecimal digits");
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            u8::from_str_radix(pair, 16).map_err(|_| wrong())
        })
        .collect()
}
