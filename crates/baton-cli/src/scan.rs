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
    mut visit: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, CliError>,
) -> Result<(), CliError> {
    let mut failure = None;
    snapshot.scan(table, filter, &mut |row| {
        Ok(visit(row).unwrap_or_else(|error| {
            failure = Some(error);
            ControlFlow::Break(())
        }))
    })?;
    failure.map_or(Ok(()), Err)
}
