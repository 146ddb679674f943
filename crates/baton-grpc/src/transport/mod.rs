//! Unary calls over a channel: how a peer is dialled, what is sent, how its answer is
//! read, and why there is none.

mod answer;
mod channel;
mod failure;
mod greeting;
mod unary;

pub use channel::{Channel, channel, channel_within};
pub use failure::Gone;

pub(crate) use failure::{Broken, Failure};
pub(crate) use unary::{Unary, Wire};
