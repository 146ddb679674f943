//! Storage format v3: a Pebble directory inside an envelope.
//!
//! What Pebble stores in its files is `baton-pebble`'s; what the keys and
//! values mean is here. A file is never changed, locked or unpacked by
//! reading it.

mod content;
mod directory;
mod earlier;
mod encode;
mod envelope;
mod fault;
mod fields;
mod find;
pub mod fuzzing;
mod keys;
mod layout;
mod plan;
mod reader;
mod records;
mod runs;
mod unpacked;
mod whole;
mod write;
mod written_at;

pub use earlier::Migration;
pub(crate) use encode::{needs_expansion, record as write_record, timestamp};
pub(crate) use envelope::{Encoding, read_summary};
pub(crate) use reader::Reader;
pub(crate) use records::{Buffers as RecordBuffers, read as read_record};
pub(crate) use unpacked::unpack;
pub(crate) use write::{
    Old, Phase, Rewrite, WriteOptions, Writer, check_sync_id, is_storable, rewrite, write_empty,
};
pub(crate) use written_at::discovered_at;
