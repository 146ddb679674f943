//! For tests of connectors: a scripted network under a client or a whole
//! program, and a stage that runs the program in the process of the test, in
//! paused time, and shows what it left behind.
//!
//! ```no_run
//! # fn app() -> baton_runtime::App { unimplemented!() }
//! use baton_testkit::{Reply, Script, Stage};
//!
//! let script = Script::new().get("/users", [Reply::json(r#"[{"id":7,"name":"Ada"}]"#)]);
//! let mut stage = Stage::new(app).network(&script).env("BATON_TOKEN", "s3cr3t");
//! let outcome = stage.run(&["--base-url", "https://forge.test"]);
//! assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
//! assert_eq!(outcome.file().resources(), ["user:7"]);
//! assert_eq!(script.requests(), ["GET /users"]);
//! ```
//!
//! [`check_provisioner`] checks what changes access: whether syncs show what was
//! granted and revoked.
//!
//! What goes wrong in the kit itself is a panic, as in any test.
#![warn(missing_docs)]
#![allow(clippy::missing_panics_doc, reason = "a panic is how a test fails")]

mod file;
mod provisioner;
mod script;
mod stage;
mod tried;
mod walk;

pub use baton_runtime::{ExitStatus, Recorded};
pub use baton_sync::Phase;
pub use file::SyncFile;
pub use provisioner::{BrokenPromise, Promise, ProvisionerCase, check_provisioner};
pub use script::{Reply, Script};
pub use stage::{Outcome, Stage};
pub use walk::walk;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
