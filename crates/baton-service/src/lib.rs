//! A connector as a service of ConductorOne: credentials, tasks, heartbeats, uploads
//! (`service-mode.md` §1, §2).
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        reason = "tests read files; a failing unwrap is a failing test"
    )
)]
#![warn(missing_docs)]

mod connect;
mod credentials;
mod endpoint;
mod finish;
mod host;
mod kind;
mod report_size;
mod tasks;

pub use connect::{ConnectError, Step, service_channel};
pub use credentials::{
    ClientSecretSource, ClockSkew, CredentialError, CredentialParts, Credentials, FixedSecret,
    TokenFault,
};
pub use endpoint::{Endpoint, EndpointError};
pub use finish::{Failure, Outcome, is_finishable};
pub use host::{HostFacts, build_info, host_id, os_info};
pub use kind::TaskKind;
pub use tasks::carry_out;
