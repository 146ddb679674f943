//! Wire types, protobuf-JSON and the `Any` rules of the Baton formats.
//!
//! The `.proto` files under `proto/` are compiled at build time; the types
//! are re-exported by package. Everything that works on bytes instead of
//! types ([`wire`], [`encode`], [`json`]) reads tables built from the same
//! descriptor set. This crate knows nothing else of the project.

pub mod any;
mod code;
pub mod encode;
mod error;
pub mod json;
mod schema;
mod services;
pub mod time;
pub mod wire;

/// The generated messages, one module per protobuf package.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    rustdoc::all,
    reason = "written by the generator, checked against the fact tables by a test"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/all.rs"));
}

pub use code::Code;
pub use error::{Error, Result};
pub use generated::{baton, c1, google, validate};
pub use schema::DESCRIPTOR_SET;
pub use services::{Method, Service, method_at, service, services};
