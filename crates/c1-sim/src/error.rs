//! What cannot be simulated.

use std::io;

/// Why a simulator cannot be made or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A client id of another form.
    #[error("invalid client id `{id}`; expected `<name>@<host>/<rest>`")]
    ClientId {
        /// The id.
        id: String,
    },
    /// Not an Ed25519 key.
    #[error("invalid client secret; expected `<a>:<b>:v1:<JWK>` with an Ed25519 key")]
    Key,
    /// A task that is not one.
    #[error("invalid task")]
    Task(#[from] baton_proto::Error),
    /// An action that the call cannot have.
    #[error("a fault of {call} cannot be `{action}`")]
    Fault {
        /// The call.
        call: String,
        /// The action.
        action: String,
    },
    /// A script that cannot be read.
    #[error("cannot read the script: {what}")]
    Script {
        /// Where, and what is wrong.
        what: String,
    },
    /// The certificate cannot be made or used.
    #[error("cannot make a certificate: {what}")]
    Certificate {
        /// Why.
        what: String,
    },
    /// The socket cannot be used.
    #[error(transparent)]
    Listen(#[from] io::Error),
}
