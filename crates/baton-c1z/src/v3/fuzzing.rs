//! Decoders that have no way in from outside of the crate, for fuzz targets.
//! Not part of the API.

use super::encode;
use super::records::{self, Buffers};
use crate::row::{OwnedRow, Row, Table};

/// The row that the record `value` of `table` stands for.
///
/// # Errors
/// A record that is malformed.
pub fn read_record(table: Table, value: &[u8]) -> baton_proto::Result<OwnedRow> {
    let mut buffers = Buffers::default();
    records::read(table, value, &mut buffers).map(|row| row.to_owned())
}

/// The record of `row`, found at no particular time.
///
/// # Errors
/// A row whose message is malformed.
pub fn write_record(table: Table, row: &Row<'_>) -> baton_proto::Result<Vec<u8>> {
    let mut record = Vec::new();
    encode::record(table, row, &[], &mut record)?;
    Ok(record)
}
