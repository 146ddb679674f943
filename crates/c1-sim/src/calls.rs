//! The calls that arrive, and the log of them.

use std::fmt;
use std::time::Duration;

/// What a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `POST /auth/v1/token`.
    Token,
    /// `BatonService.Hello`.
    Hello,
    /// `BatonService.GetTask`.
    GetTask,
    /// `BatonService.GetTasks`.
    GetTasks,
    /// `BatonService.Heartbeat`.
    Heartbeat,
    /// `BatonService.UploadAsset`.
    UploadAsset,
    /// `BatonService.FinishTask`.
    FinishTask,
    /// `BatonService.StartDebugging`.
    StartDebugging,
}

impl Call {
    /// All calls.
    pub const ALL: [Self; 8] = [
        Self::Token,
        Self::Hello,
        Self::GetTask,
        Self::GetTasks,
        Self::Heartbeat,
        Self::UploadAsset,
        Self::FinishTask,
        Self::StartDebugging,
    ];

    /// The name, as in scripts and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "Token",
            Self::Hello => "Hello",
            Self::GetTask => "GetTask",
            Self::GetTasks => "GetTasks",
            Self::Heartbeat => "Heartbeat",
            Self::UploadAsset => "UploadAsset",
            Self::FinishTask => "FinishTask",
            Self::StartDebugging => "StartDebugging",
        }
    }

    /// The call with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.name() == name)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One call that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Number of the call, from 1, over all calls.
    pub number: u64,
    /// What was called.
    pub call: Call,
    /// Number among the calls of its kind, from 1.
    pub nth: u64,
    /// When it arrived, since the start of the simulator.
    pub at: Duration,
    /// The host id in the request, if it was read.
    pub host: Option<String>,
    /// The task id in the request or in the answer, if there was one.
    pub task: Option<String>,
    /// `grpc-timeout`: how long the client waits. `None`: for ever.
    pub timeout: Option<String>,
    /// How it ended: a status, or what the simulator did instead.
    pub outcome: String,
}

impl fmt::Display for CallRecord {
    /// One line, as in the log of the program.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.as_secs_f64();
        write!(f, "{seconds:.3} s: {} {}", self.call, self.nth)?;
        if let Some(task) = &self.task {
            write!(f, " of task {task}")?;
        }
        write!(f, ": {}", self.outcome)
    }
}
