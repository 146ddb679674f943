//! Storage format v3: a Pebble directory inside an envelope.
//!
//! What Pebble stores in its files is `baton-pebble`'s; what the keys and
//! values mean is here. A file is never changed, locked or unpacked by
//! reading it.

#[allow(dead_code)]
mod content;
#[allow(dead_code)]
mod directory;
mod encode;
#[allow(dead_code)]
mod envelope;
#[allow(dead_code)]
mod fields;
#[allow(dead_code)] // Filled in by the reader and the writer of this format.
mod keys;
#[allow(dead_code)]
mod records;
mod write;

pub(crate) use encode::grant_stub;
pub(crate) use write::{Old, Phase, WriteOptions, Writer, check_sync_id};
