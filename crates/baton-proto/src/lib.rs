//! Wire types, protobuf-JSON and the `Any` rules of the Baton formats.
//!
//! The `.proto` files under `proto/` are compiled at build time; the types
//! are re-exported by package. Everything that works on bytes instead of
//! types ([`wire`], [`encode`], [`json`]) reads tables built from the same
//! descriptor set. This crate knows nothing else of the project.
//!
//! ```
//! use baton_proto::c1::connector::v2::{ChildResourceType, Resource, ResourceId};
//! use baton_proto::{any, encode, json};
//!
//! # fn main() -> baton_proto::Result<()> {
//! let mut group = Resource {
//!     id: Some(ResourceId {
//!         resource_type: "group".to_owned(),
//!         resource: "g1".to_owned(),
//!         ..ResourceId::default()
//!     }),
//!     ..Resource::default()
//! };
//! any::append(&mut group.annotations, &ChildResourceType { resource_type_id: "group".to_owned() });
//!
//! // The bytes that are stored, and their JSON without decoding them again.
//! let row = encode::to_vec(&group);
//! let id = json::Registry::get().message_of::<Resource>()?;
//! let mut text = Vec::new();
//! json::write(&mut text, id, &row, &json::Options::default())?;
//! assert_eq!(
//!     String::from_utf8_lossy(&text),
//!     r#"{"id":{"resourceType":"group","resource":"g1"},"annotations":[{"@type":"type.googleapis.com/c1.connector.v2.ChildResourceType","resourceTypeId":"group"}]}"#
//! );
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

pub mod advice;
pub mod any;
pub mod bid;
pub mod causes;
mod code;
pub mod encode;
mod error;
pub mod figures;
pub mod json;
mod panics;
mod schema;
mod secret;
mod services;
pub mod time;
mod well_known;
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

/// Field numbers, for code that reads and writes encoded messages.
///
/// Each Baton message (and `google.protobuf.Any`) has a module with one constant per field, named and placed like
/// the modules that the generator makes for nested types:
///
/// ```
/// use baton_proto::field::c1::connector::v2::{grant, grant_sources};
///
/// assert_eq!(grant::ANNOTATIONS, 4);
/// assert_eq!(grant_sources::sources_entry::KEY, 1);
/// ```
#[allow(missing_docs, reason = "written by the build script")]
pub mod field {
    include!(concat!(env!("OUT_DIR"), "/field_numbers.rs"));
}

pub use advice::{Advice, Advise};
pub use code::Code;
pub use error::{Error, Result};
pub use generated::{baton, c1, google, validate};
pub use panics::panic_text;
pub use schema::DESCRIPTOR_SET;
pub use secret::Secret;
pub use services::{Method, Service, services};
pub use well_known::WellKnown;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
