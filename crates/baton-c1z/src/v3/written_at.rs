//! When a record was written.

use baton_proto::wire;
use prost::Message;
use prost_types::Timestamp;

use crate::row::Table;

/// Field number of the time in records of a table.
fn time_field(table: Table) -> u32 {
    match table {
        Table::ResourceTypes => 6,
        Table::Resources | Table::Entitlements => 8,
        Table::Grants => 5,
    }
}

/// When a record was written, if it states that.
pub(crate) fn discovered_at(table: Table, record: &[u8]) -> Option<Timestamp> {
    let bytes = wire::last_bytes(record, time_field(table)).ok()??;
    Timestamp::decode(bytes).ok()
}
