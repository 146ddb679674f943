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

mod activity;
mod api;
mod batch;
mod connect;
mod connected;
mod credentials;
mod deliver;
mod endpoint;
mod error;
mod finish;
mod hello;
mod host;
mod kind;
mod observe;
mod report_size;
mod service;
mod slots;
mod sync_full;
mod tasks;
mod upload;

pub use activity::Activity;
pub use api::Api;
pub use connect::{ConnectError, Step, service_channel};
pub use credentials::{
    ClientSecretSource, ClockSkew, CredentialError, CredentialParts, Credentials, FixedSecret,
    TokenFault,
};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{ApiError, Error, HelloError};
pub use finish::{Failure, Outcome};
pub use host::{HostFacts, build_info, host_id, os_info};
pub use kind::TaskKind;
pub use observe::{ServiceEvent, ServiceObserver, TaskFailure, UploadKind};
pub use service::{ChangesOf, Service, Settings};
pub use sync_full::{DebugLog, Engine, SyncSettings};
pub use tasks::carry_out;
