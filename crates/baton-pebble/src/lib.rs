//! Pebble directories as bytes.
//!
//! A Pebble directory is a small LSM tree: a manifest that lists table files,
//! the tables, and write-ahead logs. This crate reads such a directory from
//! anything that can hand out files ([`Source`]) and never changes it. It
//! knows nothing of what keys and values mean, of the envelope around the
//! directory, or of protobuf.
//!
//! Every decoder takes bytes that may be hostile: sizes are checked against
//! what is there, everything that can grow has a named limit, and what is not
//! supported is refused by name ([`Fault::Unsupported`]).

#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failed assumption fails its test")
)]

pub mod batch;
pub mod crc;
mod db;
mod error;
mod key;
pub mod log;
pub mod manifest;
mod source;
pub mod table;
mod wire;
pub mod write;

pub use db::{
    Db, FORMAT_VERSIONS, Iter, MAX_LOG_BYTES, MAX_LOG_ENTRIES, MAX_MANIFEST_BYTES, MAX_RUNS,
    TableInfo,
};
pub use error::{Error, Fault, Result};
pub use key::{InternalKey, Kind, TRAILER_BYTES};
pub use source::{FileBytes, FolderSource, MemorySource, Source};
