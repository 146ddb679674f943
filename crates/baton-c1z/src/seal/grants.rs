//! The grants laid down once in canonical order, for an expander to read.
//!
//! Only made when there is something to expand. The index has one small
//! entry per entitlement that has grants, so one entitlement's grants are
//! read without touching the others.

use std::ops::ControlFlow;

use crate::columns;
use crate::error::{Error, Result};
use crate::log::PageLog;
use crate::row::{Row, Table};
use crate::sort::{Entry, Place, RunFile, RunReader, create_run};
use crate::v3;

use super::Sources;
use super::collect::{external_id, hash};
use super::expand::SortedRows;
use super::key::{self, Identity};

/// Grants of one entitlement: hash of its id, offset and length in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    id_hash: u64,
    start: u64,
    end: u64,
}

/// All grants in one run.
pub(super) struct GrantTable {
    pub run: RunFile,
    groups: Vec<Group>,
    pub expandable: u64,
    pub dropped: u64,
}

impl GrantTable {
    /// Writes the grants out in canonical order.
    pub(super) fn lay_down(sources: &Sources<'_>, place: &Place) -> Result<Self> {
        let mut winners = sources.winners(Table::Grants)?;
        let mut out = create_run(place.files.as_ref(), &place.dir.join("grants"))?;
        let mut groups: Vec<Group> = Vec::new();
        let mut group_key = Vec::new();
        let mut expandable = 0;
        let mut reader = RowReader::new(sources.log, sources.identity);
        while let Some(entry) = winners.next()? {
            let start = out.offset();
            let entitlement = key::entitlement_of(sources.identity, entry.key);
            if group_key != entitlement {
                group_key.clear();
                group_key.extend_from_slice(entitlement);
                if let Some(last) = groups.last_mut() {
                    last.end = start;
                }
                let id_hash = reader.with(&entry, |row| hash(0, row.entitlement_id.as_bytes()))?;
                groups.push(Group {
                    id_hash,
                    start,
                    end: start,
                });
            }
            if reader.with(&entry, |row| row.expansion.is_some())? {
                expandable += 1;
            }
            out.push(&entry)?;
        }
        if let Some(last) = groups.last_mut() {
            last.end = out.offset();
        }
        groups.sort_unstable();
        Ok(Self {
            run: out.finish()?,
            groups,
            expandable,
            dropped: winners.dropped(),
        })
    }

    fn groups_of(&self, id_hash: u64) -> &[Group] {
        let start = self.groups.partition_point(|g| g.id_hash < id_hash);
        let rest = self.groups.get(start..).unwrap_or_default();
        let len = rest.partition_point(|g| g.id_hash == id_hash);
        rest.get(..len).unwrap_or_default()
    }
}

/// Turns entries into rows: columns read, expansion split off.
pub(super) struct RowReader<'a> {
    log: &'a PageLog,
    identity: Identity,
    id: String,
    buffers: v3::RecordBuffers,
}

impl<'a> RowReader<'a> {
    pub(super) fn new(log: &'a PageLog, identity: Identity) -> Self {
        Self {
            log,
            identity,
            id: String::new(),
            buffers: v3::RecordBuffers::default(),
        }
    }

    /// Calls `then` with the row of an entry that is keyed by table.
    pub(super) fn with<R>(
        &mut self,
        entry: &Entry<'_>,
        then: impl FnOnce(&Row<'_>) -> R,
    ) -> Result<R> {
        let table = key::table_of(entry.key).unwrap_or(Table::Grants);
        self.read(table, entry.data, then)
            .map_err(|source| Error::PageRow {
                path: self.log.path().to_owned(),
                table,
                offset: entry.page + u64::from(entry.row),
                source,
            })
    }

    fn read<R>(
        &mut self,
        table: Table,
        data: &[u8],
        then: impl FnOnce(&Row<'_>) -> R,
    ) -> baton_proto::Result<R> {
        if self.identity == Identity::Tuple {
            return v3::read_record(table, data, &mut self.buffers).map(|row| then(&row));
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
        let mut rows = RowReader::new(self.sources.log, self.sources.identity);
        while run.advance()? {
            let Some(entry) = run.entry() else { break };
            if rows.with(&entry, &mut *visit)??.is_break() {
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
        let mut rows = RowReader::new(self.sources.log, self.sources.identity);
        let mut winners = self.sources.winners(table)?;
        while let Some(entry) = winners.next()? {
            if entry.key.first() != Some(&from) || rows.with(&entry, &mut *visit)??.is_break() {
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
