//! Turns sorted entries into rows: columns read, expansion split off.

use std::ops::ControlFlow;

use crate::columns;
use crate::error::Result;
use crate::row::{Row, Table};
use crate::sort::Entry;
use crate::v3;

use super::collect::external_id;
use super::dated::Dated;
use super::key;
use super::row_source::{RowSource, Shape};

/// See the module's header.
pub(crate) struct RowReader<'a> {
    source: &'a dyn RowSource,
    id: String,
    buffers: v3::RecordBuffers,
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(source: &'a dyn RowSource) -> Self {
        Self {
            source,
            id: String::new(),
            buffers: v3::RecordBuffers::default(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.source.shape()
    }

    /// Whether the expansion of a grant, if it has one, is still to be done.
    pub(super) fn needs_expansion(&self, entry: &Entry<'_>) -> bool {
        match self.shape() {
            Shape::Messages => true,
            Shape::DatedMessages => Dated::unpack(entry.data).needs_expansion,
            Shape::Records => v3::needs_expansion(entry.data).unwrap_or(true),
        }
    }

    /// As [`RowReader::with`], without an expansion that is already done.
    pub(super) fn with_open_expansion(
        &mut self,
        entry: &Entry<'_>,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<Result<ControlFlow<()>>> {
        let needs_expansion = self.needs_expansion(entry);
        self.with(entry, |row| {
            if row.expansion.is_none() || needs_expansion {
                return visit(row);
            }
            visit(&Row {
                expansion: None,
                ..*row
            })
        })
    }

    /// Calls `then` with the row of an entry that is keyed by table.
    pub(crate) fn with<R>(
        &mut self,
        entry: &Entry<'_>,
        then: impl FnOnce(&Row<'_>) -> R,
    ) -> Result<R> {
        let table = key::table_of(entry.key).unwrap_or(Table::Grants);
        self.read(table, entry.data, then)
            .map_err(|source| self.source.malformed(entry, source))
    }

    fn read<R>(
        &mut self,
        table: Table,
        data: &[u8],
        then: impl FnOnce(&Row<'_>) -> R,
    ) -> baton_proto::Result<R> {
        match self.shape() {
            Shape::Records => {
                return v3::read_record(table, data, &mut self.buffers).map(|row| then(&row));
            }
            Shape::DatedMessages => {
                let parts = Dated::unpack(data);
                let mut row = columns::read(table, parts.data)?;
                row.expansion = parts.expansion;
                row.is_expanded = parts.expansion.is_some() && !parts.needs_expansion;
                external_id(table, &row, &mut self.id);
                row.id = &self.id;
                return Ok(then(&row));
            }
            Shape::Messages => {}
        }
        let split = match table {
            Table::Grants => columns::split_expandable(data)?,
            _ => None,
        };
        let data = split.as_ref().map_or(data, |split| &split.data);
        let mut row = columns::read(table, data)?;
        row.expansion = split.as_ref().and_then(|split| split.expansion.as_deref());
        external_id(table, &row, &mut self.id);
        row.id = &self.id;
        Ok(then(&row))
    }
}
