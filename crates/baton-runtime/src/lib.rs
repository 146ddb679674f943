//! Turns a connector into a program: flags, environment, logs, progress, exit codes.
//!
//! Every flag is defined once, as a [`Field`]; parsing, help, completions, the exported schema and
//! the reference page follow from it. The environment, the arguments and the streams are read in
//! one place and passed as values, so that a whole run can be driven from a test.
//!
//! The crates that authors of programs use:
//!
//! | crate | for |
//! |---|---|
//! | [`baton_connector`] | what a connector is: traits, builders, the HTTP client |
//! | `baton_runtime` | a connector as a program (this crate) |
//! | [`baton_sync`] | the sync engine as a library |
//! | [`baton_c1z`] | sync files as a library |
//! | `baton_testkit` | tests of connectors |
//!
//! A program is an [`App`]: a name, fields, and a closure that makes the connector.
//!
//! ```no_run
//! use baton_runtime::{App, Built, Field, Secret};
//! # use std::collections::BTreeMap;
//! # use std::sync::Arc;
//! # fn connect(_: &str, _: &Secret) -> Arc<dyn baton_connector::Connector> {
//! #     unimplemented!()
//! # }
//!
//! const TOKEN: Field<Secret> = Field::secret("api-token", "token for the API").required();
//! const SITE: Field<String> = Field::string("site", "site to read").default("example");
//!
//! fn main() -> std::process::ExitCode {
//!     let app = App::new(
//!         "baton-example",
//!         env!("CARGO_PKG_VERSION"),
//!         Box::new(|config, _| {
//!             let site = config.get(&SITE);
//!             Ok(Built {
//!                 connector: connect(site, config.get(&TOKEN)),
//!                 content_facts: BTreeMap::from([("site".to_owned(), site.to_owned())]),
//!             })
//!         }),
//!     )
//!     .field(TOKEN)
//!     .field(SITE);
//!     baton_runtime::main(&app)
//! }
//! ```

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests make files and threads")
)]
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")
)]

mod advice;
mod app;
mod change;
mod child_process;
mod commands;
mod connector_env;
mod context;
mod display;
mod error;
mod events;
mod exit;
mod extra;
mod figures;
mod file_tasks;
mod flags;
mod inherited;
mod log;
mod metering;
mod mode;
mod network;
mod otel;
mod output;
mod panics;
mod preflight;
mod prepare;
mod probes;
mod process;
mod progress;
mod reference;
mod refused_flags;
mod resettle;
mod run;
mod run_files;
mod saved;
mod schema;
mod selftest;
mod service;
mod service_env;
mod service_mode;
mod settings;
mod sibling;
mod signals;
mod storage_env;
mod summary;
mod task;
mod terminal;
mod tickets;
mod traits;
mod waits;
mod work;
mod written_by;

pub use app::App;
pub use baton_connector::Secret;
pub use baton_flags::{
    AnyField, Choice, Config, Environment, Export, Field, FieldGroup, IntRules, ListRules,
    Malformed, OneOf, Relation, Size, StringRules, Violation, WellKnown,
};
pub use child_process::ChildProcesses;
pub use connector_env::{Built, Connect, ConnectorEnv};
pub use context::{CommandContext, Synced};
pub use error::{Error, Result};
pub use exit::ExitStatus;
pub use extra::{CommandBody, ExtraCommand};
pub use inherited::Inherited;
pub use process::{Engine, Process};
pub use reference::{common_flags_markdown, flags_markdown};
pub use run::{main, run};
pub use schema::Presentation;
pub use selftest::{CheckResult, Recorded, Recorder, SelfTest, Verdict};
pub use service_mode::GivenService;
pub use settings::CommonSettings;
pub use signals::{Signal, Signals};
pub use terminal::Stderr;
pub use written_by::WrittenBy;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
