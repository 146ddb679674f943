//! Rows for callers that can fail in their own way.

use std::ops::ControlFlow;

use baton_c1z::{Filter, Row, Snapshot, Table};

use crate::error::CliError;

/// Visits all rows that a filter selects.
pub(crate) fn each_row(
    snapshot: &Snapshot<'_>,
    table: Table,
    filter: &Filter<'_>,
    mut visit: impl FnMut(&Row<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    rows_until(snapshot, table, filter, |row| {
        visit(row)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Visits rows that a filter selects, until the visitor breaks.
pub(crate) fn rows_until(
    snapshot: &Snapshot<'_>,
    table: Table,
    filter: &Filter<'_>,
    visit: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, CliError>,
) -> Result<(), CliError> {
    until(|visit| snapshot.scan(table, filter, visit), visit)
}

/// Called with each row by the storage crate.
pub(crate) type RowVisit<'v> = dyn FnMut(&Row<'_>) -> baton_c1z::Result<ControlFlow<()>> + 'v;

/// Lets `scan` visit rows with a function that can fail in its own way.
pub(crate) fn until(
    scan: impl FnOnce(&mut RowVisit<'_>) -> baton_c1z::Result<()>,
    mut visit: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, CliError>,
) -> Result<(), CliError> {
    let mut failure = None;
    scan(&mut |row| {
        Ok(visit(row).unwrap_or_else(|error| {
            failure = Some(error);
            ControlFlow::Break(())
        }))
    })?;
    failure.map_or(Ok(()), Err)
}
