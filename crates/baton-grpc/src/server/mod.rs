//! A gRPC server whose answers are those of Go's, byte for byte where programs
//! depend on it.
//!
//! hyper speaks HTTP/2; the frames of gRPC, the order of checks, the codes and the
//! texts are here (`service-mode.md` §4.3, §4.9 and the observed facts). tonic's
//! server has other codes for messages that are too large, deadlines, broken
//! bodies and unknown methods, and no place where they could be changed.

mod access;
mod body;
mod call;
mod connection;
mod frame;
mod http;
mod in_process;
mod router;
mod timeout;

pub use call::CallOptions;
pub use connection::Server;
pub use in_process::InProcess;
pub use router::{Context, Extra, Router};
