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
    let mut failure = None;
    snapshot.scan(table, filter, &mut |row| match visit(row) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) => {
            failure = Some(error);
            Ok(ControlFlow::Break(()))
        }
    })?;
    failure.map_or(Ok(()), Err)
}
