//! Command lines: flags, their sources and rules.
//!
//! A flag is defined once, as a [`Field`]; parsing, help, completions, the exported schema and the
//! reference page follow from it. Its value comes from the command line, the environment, a config
//! file or a default, and is checked by rules before a program sees it. Nothing here reads the
//! process's own arguments or environment: they are handed in as values.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")
)]

pub mod config;
pub mod config_file;
mod error;
mod field;
pub mod relation;
mod rules;
mod secret;
pub mod sources;
pub mod value;
mod wellknown;

pub use config::Config;
pub use error::{Error, Result};
pub use field::{Export, Field, Kind};
pub use relation::{Relation, Violation};
pub use rules::{IntRules, ListRules, StringRules};
pub use sources::Environment;
pub use value::Malformed;
pub use wellknown::WellKnown;
