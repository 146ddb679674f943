//! Command lines: flags, their sources and rules, commands, and the texts about them.
//!
//! A flag is defined once, as a [`Field`]; parsing, help, completions, the manual page, the
//! exported schema and the reference page follow from it, and it is the handle by which its value
//! is read. Its value comes from the command line, the environment, a config file or a default,
//! and is checked by rules before a program sees it. Commands are values in a table, which nests
//! ([`Command`]). Nothing here reads the process's own arguments or environment: they are passed in
//! as values.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests make files and threads")
)]
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")
)]

pub mod args;
pub mod builtin;
mod config;
pub mod config_file;
mod error;
mod field;
mod group;
pub mod help;
mod kinds;
mod program;
pub mod reference;
mod relation;
mod rules;
mod secret;
mod setting;
pub mod sources;
pub mod value;
mod violation;

pub use args::Line;
pub use baton_proto::WellKnown;
pub use config::{Config, ValueSource};
pub use config_file::ConfigFile;
pub use error::{Error, Result};
pub use field::{AnyField, Export, Field, Kind, env_name};
pub use group::{AUTH_METHOD, FieldGroup};
pub use program::{Command, Example, Positionals, Program, Reserved, words_of};
pub use relation::Relation;
pub use rules::{IntRules, ListRules, StringRules};
pub use setting::{Choice, HasNoZero, OneOf, Setting, Size};
pub use sources::{Environment, Values};
pub use value::Malformed;
pub use violation::Violation;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
