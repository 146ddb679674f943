//! The grants laid down once in canonical order, for an expander to read.
//!
//! Only made when there is something to expand. The index has one small
//! entry per entitlement that has grants, so one entitlement's grants are
//! read without touching the others.

use std::ops::ControlFlow;

use crate::columns;
use crate::error::Result;
use crate::row::{Row, Table};
use crate::sort::{Entry, Place, RunFile, RunReader, RunWriter, create_run};
use crate::v3;

use super::Sources;
use super::collect::{external_id, hash};
use super::dated::Dated;
use super::expand::SortedRows;
use super::key;
use super::origin::{Origin, Shape};

/// Grants of one entitlement: hash of its id, offset and length in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    id_hash: u64,
    start: u64,
    end: u64,
}

/// All grants in one run.
pub(crate) struct GrantTable {
    pub run: RunFile,
    groups: Vec<Group>,
    pub expandable: u64,
    pub dropped: u64,
}

impl GrantTable {
    /// Writes the grants out in canonical order.
    pub(super) fn lay_down(sources: &Sources<'_>, place: &Place) -> Result<Self> {
        let mut winners = sources.origin.rows(Table::Grants)?;
        let mut layer = Layer::new(place)?;
        let mut reader = RowReader::new(sources.origin);
        while let Some(entry) = winners.next()? {
            layer.push_grant(&entry, &mut reader)?;
        }
        layer.finish(winners.dropped())
    }

    fn groups_of(&self, id_hash: u64) -> &[Group] {
        let start = self.groups.partition_point(|g| g.id_hash < id_hash);
        let rest = self.groups.get(start..).unwrap_or_default();
        let len = rest.partition_point(|g| g.id_hash == id_hash);
        rest.get(..len).unwrap_or_default()
    }
}

/// A grant table being laid down.
pub(crate) struct Layer {
    out: RunWriter,
    groups: Vec<Group>,
    group_key: Vec<u8>,
    expandable: u64,
}

impl Layer {
    pub(crate) fn new(place: &Place) -> Result<Self> {
        Ok(Self {
            out: create_run(place.files.as_ref(), &place.dir.join("grants"))?,
            groups: Vec::new(),
            group_key: Vec::new(),
            expandable: 0,
        })
    }

    /// Adds a row that is no grant. All of these come first.
    pub(crate) fn push_other(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.out.push(entry)
    }

    /// Adds the next grant in canonical order.
    pub(crate) fn push_grant(
        &mut self,
        entry: &Entry<'_>,
        reader: &mut RowReader<'_>,
    ) -> Result<()> {
        let start = self.out.offset();
        let entitlement = key::entitlement_of(reader.shape().identity(), entry.key);
        let is_new = self.group_key != entitlement;
        let (is_expandable, id_hash) = reader.with(entry, |row| {
            let id_hash = is_new.then(|| hash(0, row.entitlement_id.as_bytes()));
            (row.expansion.is_some(), id_hash)
        })?;
        if let Some(id_hash) = id_hash {
            self.group_key.clear();
            self.group_key.extend_from_slice(entitlement);
            if let Some(last) = self.groups.last_mut() {
                last.end = start;
            }
            self.groups.push(Group {
                id_hash,
                start,
                end: start,
            });
        }
        self.expandable += u64::from(is_expandable && reader.is_due(entry));
        self.out.push(entry)
    }

    /// `dropped` rows had to give way to those that are here.
    pub(crate) fn finish(mut self, dropped: u64) -> Result<GrantTable> {
        if let Some(last) = self.groups.last_mut() {
            last.end = self.out.offset();
        }
        self.groups.sort_unstable();
        Ok(GrantTable {
            run: self.out.finish()?,
            groups: self.groups,
            expandable: self.expandable,
            dropped,
        })
    }
}

/// Turns entries into rows: columns read, expansion split off.
pub(crate) struct RowReader<'a> {
    origin: &'a dyn Origin,
    id: String,
    buffers: v3::RecordBuffers,
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(origin: &'a dyn Origin) -> Self {
        Self {
            origin,
            id: String::new(),
            buffers: v3::RecordBuffers::default(),
        }
    }

    fn shape(&self) -> Shape {
        self.origin.shape()
    }

    /// Whether the expansion of a grant, if it has one, is to be done.
    fn is_due(&self, entry: &Entry<'_>) -> bool {
        match self.shape() {
            Shape::Messages => true,
            Shape::DatedMessages => Dated::unpack(entry.data).due,
            Shape::Records => v3::needs_expansion(entry.data).unwrap_or(true),
        }
    }

    /// As [`RowReader::with`], without an expansion that is not to be done.
    fn with_due(
        &mut self,
        entry: &Entry<'_>,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<Result<ControlFlow<()>>> {
        let is_due = self.is_due(entry);
        self.with(entry, |row| {
            if row.expansion.is_none() || is_due {
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
            .map_err(|source| self.origin.malformed(entry, source))
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
                row.settled = parts.expansion.is_some() && !parts.due;
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

/// What the expander is given.
pub(super) struct View<'a> {
    pub sources: &'a Sources<'a>,
}

impl View<'_> {
    fn scan_run(
        &self,
        mut run: RunReader<'_>,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut rows = RowReader::new(self.sources.origin);
        while run.advance()? {
            let Some(entry) = run.entry() else { break };
            if rows.with_due(&entry, visit)??.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl SortedRows for View<'_> {
    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let from = key::table_byte(table);
        if let Some(grants) = self.sources.grants.filter(|_| table == Table::Grants) {
            return self.scan_run(grants.run.read_from(from), visit).map(|_| ());
        }
        let mut rows = RowReader::new(self.sources.origin);
        let mut winners = self.sources.origin.rows(table)?;
        while let Some(entry) = winners.next()? {
            if entry.key.first() != Some(&from) || rows.with_due(&entry, visit)??.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_entitlement(
        &self,
        entitlement_id: &str,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        // Also where hashes find the place: two ids may have the same.
        let mut only = |row: &Row<'_>| {
            if row.entitlement_id == entitlement_id {
                visit(row)
            } else {
                Ok(ControlFlow::Continue(()))
            }
        };
        let Some(grants) = self.sources.grants else {
            return self.scan(Table::Grants, &mut only);
        };
        for group in grants.groups_of(hash(0, entitlement_id.as_bytes())) {
            let run = grants.run.read_range(group.start, group.end);
            if self.scan_run(run, &mut only)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn expandable_count(&self) -> u64 {
        self.sources.expandable()
    }
}
