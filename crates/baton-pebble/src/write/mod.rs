//! Writing a Pebble directory: tables, MANIFEST, markers, and small logs.
//!
//! Everything is built as bytes in memory, in the oldest forms that current
//! readers accept: row-format tables of version 1 with uncompressed blocks,
//! every row with sequence number 0, all tables in the bottom level. Equal
//! rows give equal bytes. Where the bytes go is the caller's affair.

mod block;
mod log;
mod manifest;
mod table;

pub use log::{Batch, wal};
pub use manifest::{TableMeta, manifest};
pub use table::{MAX_ROW_BYTES, RowError, Table, TableBuilder};

/// Name of the MANIFEST that [`manifest`] is the content of.
pub const MANIFEST_NAME: &str = "MANIFEST-000001";
/// Name of the empty file that names the current MANIFEST.
pub const MANIFEST_MARKER: &str = "marker.manifest.000001.MANIFEST-000001";
/// Name of the empty file that states the directory's format version, 24.
pub const FORMAT_MARKER: &str = "marker.format-version.000001.024";
/// The number of [`MANIFEST_NAME`]: tables and logs need others.
pub const MANIFEST_NUMBER: u64 = 1;

/// The name of the table with this number.
pub fn table_name(number: u64) -> String {
    format!("{number:06}.sst")
}

/// The name of the log with this number.
pub fn log_name(number: u64) -> String {
    format!("{number:06}.log")
}

/// What stands behind the user key of every row that is written here:
/// sequence number 0, kind "set".
const TRAILER: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
