//! Calls over a channel: how a peer is dialled, what is sent, how its answer is
//! read, and why there is none.

mod answer;
mod body;
mod caller;
mod channel;
mod exchange;
mod failure;
mod greeting;
mod unary;

pub use caller::{CallError, CallErrorKind, Caller, CallerSettings};
pub use channel::{Channel, channel, channel_within};
pub use failure::Gone;

pub(crate) use failure::{Broken, Failure, Reach};
pub(crate) use unary::{Unary, Wire};
