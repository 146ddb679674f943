//! Connects to a connector that serves somewhere.

mod address;
mod error;
mod peer;

pub use address::PeerAddress;
pub use error::DialError;
pub use peer::{Peer, PeerTls};
