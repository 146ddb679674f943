//! The rows that will be in the file, as the steps of a seal see them.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::row::{Row, Table};
use crate::sort::RunReader;

use super::collect::hash;
use super::grants::GrantTable;
use super::key;
use super::row_reader::RowReader;
use super::row_source::RowSource;

/// All rows that will be in the file, in canonical order, each id once. They
/// may be scanned as often as needed; every scan reads from disk in bounded
/// memory.
pub trait SortedRows {
    /// Visits a table's rows in canonical order. Grants come grouped by the
    /// entitlement.
    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()>;

    /// Visits the grants of one entitlement in canonical order. Those of
    /// other entitlements are not read, if any grant has an expansion.
    fn scan_entitlement(
        &self,
        entitlement_id: &str,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()>;

    /// How many grants have an expansion ([`Row::expansion`]) that is still to
    /// be done.
    fn expandable_count(&self) -> u64;
}

/// The sorted rows, and the table of their grants.
pub(super) struct SealRows<'a> {
    pub source: &'a dyn RowSource,
    /// Set if a step reads grants by entitlement or changes them.
    pub grants: Option<&'a GrantTable>,
}

impl SealRows<'_> {
    fn scan_run(
        &self,
        mut run: RunReader<'_>,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut rows = RowReader::new(self.source);
        while run.advance()? {
            let Some(entry) = run.entry() else { break };
            if rows.with_open_expansion(&entry, visit)??.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl SortedRows for SealRows<'_> {
    fn scan(
        &self,
        table: Table,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let from = key::table_byte(table);
        if let Some(grants) = self.grants.filter(|_| table == Table::Grants) {
            return self.scan_run(grants.run.read_from(from), visit).map(|_| ());
        }
        let mut rows = RowReader::new(self.source);
        let mut entries = self.source.rows(table)?;
        while let Some(entry) = entries.next()? {
            if entry.key.first() != Some(&from)
                || rows.with_open_expansion(&entry, visit)??.is_break()
            {
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
        let Some(grants) = self.grants else {
            return self.scan(Table::Grants, &mut only);
        };
        for (start, end) in grants.ranges(hash(0, entitlement_id.as_bytes())) {
            let run = grants.run.read_range(start, end);
            if self.scan_run(run, &mut only)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn expandable_count(&self) -> u64 {
        self.grants.map_or(0, |grants| grants.expandable)
    }
}
