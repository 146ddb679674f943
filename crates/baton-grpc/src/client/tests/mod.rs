//! The client against scripted peers.

mod limits;
mod notes;
pub(crate) mod peer;
mod reads;
mod recorded;
mod shapes;
mod writes;
