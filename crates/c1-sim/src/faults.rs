//! What the simulator does wrong on purpose.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;

use crate::{Call, Error};

/// Which calls of a kind are hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The call with this number, from 1.
    Nth(u64),
    /// The calls with these numbers, both included.
    Range(u64, u64),
    /// All.
    All,
}

impl Which {
    const fn hits(self, nth: u64) -> bool {
        match self {
            Self::Nth(only) => nth == only,
            Self::Range(first, last) => first <= nth && nth <= last,
            Self::All => true,
        }
    }
}

/// A rule: what happens to which calls. The first rule that hits a call counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The kind of call.
    pub call: Call,
    /// Which of them.
    pub which: Which,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// A rule for all calls of a kind.
    pub const fn all(call: Call, action: Action) -> Self {
        let which = Which::All;
        Self {
            call,
            which,
            action,
        }
    }

    /// A rule for the call with this number.
    pub const fn nth(call: Call, nth: u64, action: Action) -> Self {
        let which = Which::Nth(nth);
        Self {
            call,
            which,
            action,
        }
    }
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The request is read and recorded, not carried out, and answered with this status.
    Status(Status),
    /// The token is no longer accepted: the call and all later ones with this token get
    /// `Unauthenticated`.
    ExpireToken,
    /// Not carried out: an HTTP answer with this status.
    Http {
        /// The status.
        status: u16,
        /// The seconds of `Retry-After`.
        retry_after: Option<u32>,
    },
    /// Not carried out: a web page with status 200.
    Html,
    /// Not carried out: the stream is reset with this HTTP/2 error code.
    ResetStream(u32),
    /// Not carried out: the connection breaks.
    Drop,
    /// Carried out and answered; the server announces that the connection ends (GOAWAY).
    GoAway,
    /// Not carried out and never answered.
    Hang,
    /// Carried out after this time.
    Delay(Duration),
    /// Carried out; the connection breaks before the answer.
    LoseAnswer,
    /// Carried out and never answered.
    HangAnswer,
    /// Not carried out: the message of the answer is these bytes.
    Garbage(Vec<u8>),
    /// Carried out; the message of the answer is these bytes. Tasks in them are given out.
    Message(Vec<u8>),
    /// Not carried out: a message of this many bytes.
    Huge(u64),
    /// Not carried out: the server does not know the service.
    WrongService,
    /// `UploadAsset`: the connection breaks after this many chunks.
    DropAfter(u64),
    /// `UploadAsset`: this status after this many chunks.
    StatusAfter(u64, Status),
    /// `Token`: this body, with this HTTP status.
    TokenBody {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
}

impl Action {
    /// A status without details.
    pub fn status(code: Code, message: &str) -> Self {
        Self::Status(Status::new(code, message))
    }

    /// The name, as in scripts and in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::ExpireToken => "expire-token",
            Self::Http { .. } => "http",
            Self::Html => "html",
            Self::ResetStream(_) => "reset-stream",
            Self::Drop => "drop",
            Self::GoAway => "goaway",
            Self::Hang => "hang",
            Self::Delay(_) => "delay",
            Self::LoseAnswer => "lose-answer",
            Self::HangAnswer => "hang-answer",
            Self::Garbage(_) => "garbage",
            Self::Message(_) => "message",
            Self::Huge(_) => "huge",
            Self::WrongService => "wrong-service",
            Self::DropAfter(_) => "drop-after",
            Self::StatusAfter(..) => "status-after",
            Self::TokenBody { .. } => "token-body",
        }
    }

    /// Whether calls of this kind can have the action.
    const fn fits(&self, call: Call) -> bool {
        match self {
            Self::Http { .. }
            | Self::Html
            | Self::ResetStream(_)
            | Self::Drop
            | Self::GoAway
            | Self::Hang
            | Self::Delay(_)
            | Self::LoseAnswer
            | Self::HangAnswer => true,
            Self::DropAfter(_) | Self::StatusAfter(..) => matches!(call, Call::UploadAsset),
            Self::TokenBody { .. } => matches!(call, Call::Token),
            Self::Status(_)
            | Self::ExpireToken
            | Self::Garbage(_)
            | Self::Message(_)
            | Self::Huge(_)
            | Self::WrongService => !matches!(call, Call::Token),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rules, and how many calls of each kind have come.
#[derive(Debug, Default)]
pub(crate) struct FaultPlan {
    faults: Vec<Fault>,
    seen: BTreeMap<Call, u64>,
}

impl FaultPlan {
    pub(crate) fn add(&mut self, fault: Fault) -> Result<(), Error> {
        if !fault.action.fits(fault.call) {
            return Err(Error::Fault {
                call: fault.call.to_string(),
                action: fault.action.to_string(),
            });
        }
        self.faults.push(fault);
        Ok(())
    }

    /// Counts a call; its number among its kind, and what happens to it.
    pub(crate) fn next(&mut self, call: Call) -> (u64, Option<Action>) {
        let seen = self.seen.entry(call).or_default();
        *seen += 1;
        let nth = *seen;
        let hit = |fault: &&Fault| fault.call == call && fault.which.hits(nth);
        let fault = self.faults.iter().find(hit);
        (nth, fault.map(|fault| fault.action.clone()))
    }

    pub(crate) fn seen(&self, call: Call) -> u64 {
        self.seen.get(&call).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_hits_a_call_counts() {
        let mut plan = FaultPlan::default();
        plan.add(Fault::nth(Call::GetTask, 2, Action::Hang))
            .unwrap();
        let which = Which::Range(2, 3);
        let (call, action) = (Call::GetTask, Action::Drop);
        plan.add(Fault {
            call,
            which,
            action,
        })
        .unwrap();
        let mut next = || plan.next(Call::GetTask);
        assert_eq!(next(), (1, None));
        assert_eq!(next(), (2, Some(Action::Hang)));
        assert_eq!(next(), (3, Some(Action::Drop)));
        assert_eq!(next(), (4, None));
        assert_eq!(plan.next(Call::Hello), (1, None));
        assert_eq!((plan.seen(Call::GetTask), plan.seen(Call::Token)), (4, 0));
    }

    #[test]
    fn an_action_that_a_call_cannot_have_is_refused() {
        let mut plan = FaultPlan::default();
        for (call, action) in [
            (Call::Token, Action::Garbage(Vec::new())),
            (Call::GetTask, Action::DropAfter(1)),
            (
                Call::Hello,
                Action::TokenBody {
                    status: 200,
                    body: String::new(),
                },
            ),
        ] {
            let refused = plan.add(Fault::all(call, action)).unwrap_err();
            assert!(refused.to_string().starts_with("a fault of "), "{refused}");
        }
    }
}
