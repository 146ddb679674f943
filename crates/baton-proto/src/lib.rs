//! Wire types, protobuf-JSON and the `Any` registry of the Baton formats.
//!
//! The `.proto` files under `proto/` are compiled at build time; the types
//! are re-exported by package. This crate knows nothing else of the project.

/// The generated messages, one module per protobuf package.
#[allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/all.rs"));
}

pub use generated::{baton, c1, google, validate};
