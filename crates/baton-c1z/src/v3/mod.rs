//! Storage format v3: a Pebble directory inside an envelope.
//!
//! What Pebble stores in its files is `baton-pebble`'s; what the keys and
//! values mean is here. A file is never changed, locked or unpacked by
//! reading it.

#[allow(dead_code)]
mod content;
#[allow(dead_code)]
mod directory;
#[allow(dead_code)]
mod envelope;
#[allow(dead_code)]
mod fields;
#[allow(dead_code)] // Filled in by the reader and the writer of this format.
pub(crate) mod keys;
#[allow(dead_code)]
mod records;
