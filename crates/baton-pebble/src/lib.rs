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
//! supported is refused by name ([`Fault::Unsupported`]). Each has an entry
//! point of its own, so that it can be tested alone: [`log::Records`],
//! [`manifest::VersionEdit::parse`], [`batch::entries`],
//! [`table::Footer::parse`], [`table::decode_block`], [`table::PointCursor`],
//! [`table::IndexCursor`], [`table::pairs`], [`table::row_spans`],
//! [`table::column_spans`], [`table::Table::visit`] and [`Db::open`].
//!
//! Write a directory, and read it:
//!
//! ```
//! use std::ops::Bound;
//! use std::sync::Arc;
//!
//! use baton_pebble::write::{self, TableBuilder, TableMeta};
//! use baton_pebble::{Db, MemorySource};
//!
//! let mut builder = TableBuilder::default();
//! builder.add(b"apple", b"1")?;
//! builder.add(b"pear", b"2")?;
//! let table = builder.finish();
//! let meta = TableMeta {
//!     number: 4,
//!     size: table.bytes.len() as u64,
//!     smallest: table.smallest,
//!     largest: table.largest,
//! };
//! let mut source = MemorySource::new();
//! source.insert(write::table_name(4), table.bytes);
//! source.insert(write::MANIFEST_NAME, write::manifest(&[meta], None, 5, 0));
//! source.insert(write::MANIFEST_MARKER, &b""[..]);
//! source.insert(write::FORMAT_MARKER, &b""[..]);
//!
//! let db = Db::open(Arc::new(source))?;
//! assert_eq!(db.get(b"pear")?.as_deref(), Some(&b"2"[..]));
//! let mut rows = db.range(Bound::Excluded(b"apple"), Bound::Unbounded)?;
//! assert_eq!(rows.next()?, Some((&b"pear"[..], &b"2"[..])));
//! assert_eq!(rows.next()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests make files and threads")
)]
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

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
