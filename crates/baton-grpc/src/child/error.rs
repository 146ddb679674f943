//! What can go wrong between a parent and its child.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use baton_proto::Code;

/// The last lines that a child wrote before it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastLines(pub Vec<String>);

impl fmt::Display for LastLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(line)?;
        }
        Ok(())
    }
}

impl std::error::Error for LastLines {}

/// Why a child cannot serve, or a parent cannot use its child. The texts of the
/// child's side are those of the Go SDK.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// Standard input cannot be read, or its first line is too long.
    #[error("failed to read stdin: {source}")]
    Stdin {
        /// Why.
        source: std::io::Error,
    },
    /// The first line is empty, or there is none.
    #[error("unexpected empty input")]
    EmptyInput,
    /// The first line is not base64.
    #[error("illegal base64 data at input byte {at}")]
    Base64 {
        /// The first byte that cannot be there.
        at: usize,
    },
    /// The first line is not the configuration of a server.
    #[error("cannot decode the server configuration in the first line of stdin")]
    Decode {
        /// What is wrong with it.
        source: prost::DecodeError,
    },
    /// A port in the first line is not a port.
    #[error("the server configuration in the first line of stdin names port {port}")]
    Port {
        /// The number.
        port: u32,
    },
    /// Certificate or key cannot be used.
    #[error("cannot use the TLS credential of the parent: {what}")]
    Credential {
        /// What is wrong with which part.
        what: String,
    },
    /// No certificates can be made.
    #[error("cannot make TLS certificates: {reason}")]
    Certificates {
        /// Why.
        reason: String,
    },
    /// The parent passed no socket.
    #[error("missing required listener fd")]
    MissingListener,
    /// What the parent passed is not a listening socket.
    #[error("invalid listener fd: {reason}")]
    InvalidListener {
        /// What is wrong with it.
        reason: String,
    },
    /// The socket listens on another port than the configuration names.
    #[error("listen port mismatch: {found} != {announced}")]
    PortMismatch {
        /// The port of the socket.
        found: u16,
        /// The port of the configuration.
        announced: u16,
    },
    /// No port of this machine can be listened on.
    #[error("cannot listen on 127.0.0.1")]
    Listen {
        /// Why.
        source: std::io::Error,
    },
    /// The program cannot be started.
    #[error("cannot start the connector `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The child ended before it served.
    #[error("the connector `{program}` ended before it served ({status})")]
    EndedEarly {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote, if any.
        source: Option<LastLines>,
    },
    /// The child ended while it was in use.
    #[error("the connector `{program}` ended ({status})")]
    Ended {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote, if any.
        source: Option<LastLines>,
    },
    /// The child did not serve in time.
    #[error("the connector `{program}` did not accept a connection within {} s", .limit.as_secs())]
    Late {
        /// The program.
        program: String,
        /// How long it was waited for.
        limit: Duration,
        /// The last failure to connect, if there was one.
        source: Option<std::io::Error>,
    },
    /// The child answers, but not as a child of this parent.
    #[error("no TLS connection to the connector `{program}`")]
    Handshake {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
}

impl ChildError {
    /// The gRPC code: `Unavailable` for a child that cannot be reached.
    pub fn code(&self) -> Code {
        match self {
            Self::EndedEarly { .. } | Self::Ended { .. } | Self::Handshake { .. } => {
                Code::Unavailable
            }
            Self::Late { .. } => Code::DeadlineExceeded,
            _ => Code::Unknown,
        }
    }
}
