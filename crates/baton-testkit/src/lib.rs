//! For tests of connectors: a scripted network under a client or a whole
//! program, and a harness that runs the program in the process of the test, in
//! paused time, and shows what it left behind.
//!
//! ```no_run
//! # fn app() -> baton_runtime::App { unimplemented!() }
//! use baton_testkit::{Reply, Script, Harness};
//!
//! let script = Script::new().get("/users", [Reply::json(r#"[{"id":7,"name":"Ada"}]"#)]);
//! let mut harness = Harness::new(app).network(&script).env("BATON_TOKEN", "s3cr3t");
//! let outcome = harness.run(&["--base-url", "https://forge.test"]);
//! assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
//! assert_eq!(outcome.file().resources(), ["user:7"]);
//! assert_eq!(script.requests(), ["GET /users"]);
//! ```
//!
//! [`conformance`] makes the checks of the command `selftest` without a program, and
//! [`over_grpc`] puts a connector behind gRPC, in which it should pass them as well.
//! [`check_provisioner`] checks what changes access: whether syncs show what was
//! granted and revoked.
//!
//! [`as_child`] starts a program as `baton-drive` does, and [`go_parent`] as an engine
//! of the Go SDK does.
//!
//! What goes wrong in the kit itself is a panic, as in any test.
#![warn(missing_docs)]
#![allow(clippy::missing_panics_doc, reason = "a panic is how a test fails")]

mod as_child;
mod calls;
mod conformance;
mod file;
#[cfg(unix)]
pub mod go_parent;
mod harness;
mod over_grpc;
mod provisioner;
mod read_all;
mod script;
mod sync_rows;
mod tried;

pub use as_child::as_child;
pub use baton_runtime::{CheckResult, ExitStatus, Recorded, Verdict};
pub use baton_sync::Phase;
pub use calls::{Calls, Failed};
pub use conformance::conformance;
pub use file::SyncFile;
pub use harness::{Harness, Outcome};
pub use over_grpc::over_grpc;
pub use provisioner::{BrokenPromise, Promise, ProvisionerCase, check_provisioner};
pub use read_all::read_all;
pub use script::{Reply, Script};
pub use sync_rows::{Rows, sync_rows};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
