//! A faithful simulator of the Atlassian admin APIs, for tests, benches and the demo.
//!
//! An organization is invented from a seed and answers the reads of the admin APIs as the real service does: the same
//! page limits and cursors, errors, quotas and oddities, and on request the same ways of failing. Call it in process
//! through its router (it runs under tokio's paused time), or serve it on a socket.
//!
//! Answers are made from compact records when they are asked for, so a million users fit into a few hundred megabytes.
//!
//! ```
//! use atlassian_sim::{Config, OrganizationSpec, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let organization = OrganizationSpec { users: 50, groups: 5, seed: 7, ..OrganizationSpec::default() };
//! let simulator = Simulator::new(Config { organization, ..Config::default() })?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let server = simulator.serve(listener)?;
//! assert!(Simulator::base_url(server.address()).starts_with("http://127.0.0.1:"));
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failed assumption fails its test")
)]

mod api;
mod audit;
mod call;
mod clock;
mod config;
mod cursor;
mod endpoint;
mod error;
mod errors;
mod faults;
mod flaws;
mod generate;
mod ids;
mod incoming;
mod limits;
mod log;
mod model;
mod organization;
mod paging;
mod provisioned;
mod query;
mod random;
mod server;
mod service;
mod simulator;
mod truth;

pub use audit::{
    Audit, EventFlaws, EventRate, MAX_LOGGED_EVENTS, NewEvent, TruthEvent, TruthSubject,
};
pub use clock::Clock;
pub use config::{
    AccessKey, Answers, Config, CursorKind, Generation, GroupSizes, LastPage, MAX_EVENTS,
    MAX_GROUPS, MAX_USERS, MAX_WORKSPACES, OrganizationSpec, PageFill, Paging, ScopeRefusal,
    Writes,
};
pub use error::Error;
pub use faults::grammar::{FAULT_GRAMMAR, parse_duration};
pub use faults::{Action, Calls, Fault, HANG_LIMIT, Pages, RetryAfter, TransportFault, WrongShape};
pub use flaws::SearchFlaws;
pub use limits::{Policy, RateLimits, parse_budget};
pub use log::{
    MAX_LOGGED_BODY_BYTES, MAX_LOGGED_REQUESTS, MAX_LOGGED_STRAYS, RequestRecord, Routing,
};
pub use model::change::{Change, NewUser, Principal};
pub use model::roles::Methods;
pub use model::scim::{ScimAccountId, UnverifiedDomain};
pub use model::{AccountStatus, Membership};
pub use organization::OrganizationHandle;
pub use provisioned::{TruthScimGroup, TruthScimUser};
pub use server::ServerHandle;
pub use simulator::Simulator;
pub use truth::{
    Truth, TruthGroup, TruthMembership, TruthRole, TruthToken, TruthUser, TruthWorkspace,
};
