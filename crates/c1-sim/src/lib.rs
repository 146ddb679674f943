//! The service side of ConductorOne, simulated: the token endpoint and `BatonService`, for tests and demos.
//!
//! The simulator is as strict as the specification allows (`service-mode.md` §1, §2). It checks signatures, tokens and
//! the rules of requests. It hands out tasks and records which client holds them, which heartbeats are expected, what
//! was uploaded and how each task ended. What a client did wrong is a list ([`Simulator::verdict`]). It also does wrong
//! things itself, when a test or a script asks for them ([`Fault`]).
//!
//! Serve it on a TLS port ([`Simulator::serve`]), or over any stream in one process ([`Simulator::serve_stream`]), where
//! tokio's paused time controls every timer.
//!
//! ```
//! use c1_sim::{ClientKey, Config, PlannedTask, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = ClientKey::from_seed([7; 32])?;
//! let config = Config::new("sim@tenant.test/valet", &key, "2026-12-01T10:00:00Z".parse()?)?;
//! let simulator = Simulator::new(config);
//! let task = r#"{"id": "T00000000000000000000000001", "syncFull": {}}"#;
//! simulator.plan(PlannedTask::from_json(task)?);
//! let (client, server) = tokio::io::duplex(1 << 16);
//! tokio::spawn({
//!     let simulator = simulator.clone();
//!     async move { simulator.serve_stream(server).await }
//! });
//! // A client over `client` …
//! # drop(client);
//! assert!(simulator.verdict_at_end().is_empty());
//! # Ok(())
//! # }
//! ```
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failed assumption fails its test")
)]

mod calls;
mod clock;
mod config;
mod error;
mod faults;
mod front;
mod key;
mod listener;
mod script;
mod service;
mod simulator;
mod state;
mod tasks;
mod token;
mod verdict;

pub use calls::{Call, CallRecord};
pub use clock::Clock;
pub use config::{ClientId, Config, NEXT_POLL, Observer, SKEW_TOLERANCE, TOKEN_LIFETIME};
pub use error::Error;
pub use faults::{Action, Fault, Which};
pub use front::ConnectionBroken;
pub use jiff::Timestamp;
pub use key::{ClientKey, PublicKey};
pub use listener::{Listener, ServerHandle};
pub use script::{MAX_SCRIPT_TASKS, Script};
pub use simulator::Simulator;
pub use state::{Finished, HeartbeatRecord, HelloRecord, Upload};
pub use tasks::{PlannedTask, Response, TASK_ID_LENGTH, TaskKind};
pub use verdict::Complaint;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
