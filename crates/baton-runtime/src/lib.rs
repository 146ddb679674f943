//! Turns a connector into a program: flags, environment, logs, progress, exit codes.
//!
//! Every flag is defined once, as a [`Field`]; parsing, help, completions, the exported schema and
//! the reference page follow from it. The environment, the arguments and the streams are read in
//! one place and handed down as values, so that a whole run can be driven from a test.
//!
//! A program is an [`App`]: a name, fields, and a closure that makes the connector.
//!
//! ```no_run
//! use baton_runtime::{App, Built, Field};
//! # use std::collections::BTreeMap;
//! # use std::sync::Arc;
//! # fn connect(_: &str, _: &baton_runtime::Secret) -> Arc<dyn baton_connector::Connector> {
//! #     unimplemented!()
//! # }
//!
//! fn main() -> std::process::ExitCode {
//!     let app = App::new(
//!         "baton-example",
//!         env!("CARGO_PKG_VERSION"),
//!         Box::new(|config, _| {
//!             let token = config.secret("api-token").cloned().unwrap_or_default();
//!             let site = config.string("site");
//!             Ok(Built {
//!                 connector: connect(site, &token),
//!                 content_facts: BTreeMap::from([("site".to_owned(), site.to_owned())]),
//!             })
//!         }),
//!     )
//!     .fields([
//!         Field::string("api-token", "Token for the API.").required(true).secret(),
//!         Field::string("site", "Site to read.").default_string("example"),
//!     ]);
//!     baton_runtime::main(&app)
//! }
//! ```

#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")
)]

mod advice;
mod app;
mod args;
mod companion;
mod completion;
mod display;
mod error;
mod exit;
mod figures;
mod flags;
mod help;
mod log;
mod origin;
mod panics;
mod preflight;
mod program;
mod progress;
mod reference;
mod run;
mod run_files;
mod schema;
mod session;
mod settings;
mod signals;
mod storage_env;
mod summary;
mod terminal;
mod unsupported;
mod upkeep;
mod waits;
mod world;

pub use app::{App, Built, CommandBody, Connect, ExtraCommand, Surroundings};
pub use baton_connector::Secret;
pub use baton_flags::{
    Config, Environment, Export, Field, IntRules, ListRules, Malformed, Relation, StringRules,
    Violation, WellKnown,
};
pub use error::{Error, Result};
pub use exit::ExitStatus;
pub use origin::Origin;
pub use reference::{common_flags_markdown, flags_markdown};
pub use run::{main, run};
pub use schema::Presentation;
pub use session::{Session, Synced};
pub use settings::CommonSettings;
pub use signals::{Signal, Signals};
pub use terminal::Stderr;
pub use world::{Engine, World};
