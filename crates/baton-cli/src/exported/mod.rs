//! What exports for other programs hold: the one list of the Go tool, or a
//! table per kind of record. Nothing here knows a file format.

mod facts;
mod flat;
mod tables;

pub(crate) use flat::{FLAT_COLUMNS, LeftOut, visit_flat};
pub(crate) use tables::{RecordTable, visit_table};
