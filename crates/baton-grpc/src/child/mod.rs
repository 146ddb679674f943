//! The protocol between an engine and a connector that is its child process
//! (`service-mode.md` §4.1, §4.2, §4.9).
//!
//! The parent makes certificates for both sides, listens on a port of its own
//! machine, and passes the listening socket to the child, with a line on its
//! standard input that holds the child's certificate. The child serves the connector
//! there until its standard input ends.

mod credential;
mod driven;
mod error;
mod first_line;
mod go_base64;
mod inherited;
mod lines;
mod start;
mod tls;

pub use credential::{Credential, Credentials};
pub use driven::child_connector;
pub use error::{ChildError, LastLines};
pub use first_line::{FirstLine, read_first_line};
pub use inherited::{listener_number, take_listener};
pub use lines::{ChildLine, ShowLine};
pub use start::{Child, Dialer, Ended, Launch, Peer};
pub use tls::{client_config, server_config};

/// The last argument of a connector program that is a child.
pub const CHILD_COMMAND: &str = "_connector-service";

/// The variable that names the number of the listening socket in a child.
pub const LISTENER_VARIABLE: &str = "BATON_CONNECTOR_SERVICE_LISTENER_FD";

/// The number that a parent gives the listening socket.
pub const LISTENER_NUMBER: i32 = 3;

/// How TLS names the protocol that gRPC uses.
pub(crate) const ALPN: &[u8] = b"h2";
