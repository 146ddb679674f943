//! What the commands have in common that list rows of one sync.

use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{Filter, Row, Snapshot, Table as Rows};

use super::Cx;
use crate::error::CliError;
use crate::json::{Fields, ListWriter, Shapes};
use crate::lookups::{Lookups, Want};
use crate::missing::Missing;
use crate::open;
use crate::output::Output;
use crate::table::{Column, Style, Table, id, text};

pub(super) const RESOURCE_COLUMNS: [Column; 4] = [
    id("ID"),
    text("Display Name"),
    text("Resource Type"),
    text("Parent Resource"),
];

/// What a list command works with.
pub(super) struct Listing<'c> {
    pub snapshot: &'c Snapshot<'c>,
    pub lookups: Lookups<'c>,
    pub shapes: Shapes,
    pub output: Output,
    pub style: Style,
    pub out: &'c mut dyn std::io::Write,
}

/// Opens the file, shows rows of the sync that was asked for, and reports what they refer to and
/// the file lacks.
pub(super) fn list(
    cx: &mut Cx<'_, '_>,
    file: &Path,
    sync_id: Option<&str>,
    show: impl FnOnce(&mut Listing<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let opened = open::open(file, cx.surroundings)?;
    open::warn_of_migration(file, opened.migration(), cx.err);
    let snapshot = open::view(&opened, file, sync_id, cx.surroundings)?;
    let shapes = Shapes::new()?;
    let want = match cx.output {
        Output::Json => Want::Json,
        Output::Console => Want::Names,
    };
    let mut listing = Listing {
        snapshot: &snapshot,
        lookups: Lookups::new(&snapshot, shapes, want, Missing::new(cx.verbose)),
        shapes,
        output: cx.output,
        style: cx.style(),
        out: &mut *cx.out,
    };
    show(&mut listing)?;
    cx.err.print(&listing.lookups.into_missing().report());
    Ok(())
}

/// Visits rows with a function that can fail in its own way.
pub(super) fn each(
    snapshot: &Snapshot<'_>,
    table: Rows,
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

/// Shows rows as a table in two passes, or as a JSON list in one.
pub(super) fn show<const N: usize>(
    listing: &mut Listing<'_>,
    source: (Rows, &Filter<'_>),
    columns: &[Column; N],
    key: &'static str,
    mut cells: impl FnMut(&Row<'_>, &mut Lookups<'_>) -> Result<[String; N], CliError>,
    mut fields: impl FnMut(&Row<'_>, &mut Lookups<'_>, &mut Fields<'_>) -> Result<(), CliError>,
    mut wanted: impl FnMut(&Row<'_>) -> bool,
) -> Result<(), CliError> {
    let (rows, filter) = source;
    let lookups = &mut listing.lookups;
    if listing.output == Output::Json {
        let mut list = ListWriter::new(listing.out, key);
        each(listing.snapshot, rows, filter, |row| {
            if wanted(row) {
                list.item(|item| fields(row, lookups, item))?;
            }
            Ok(())
        })?;
        return Ok(list.finish()?);
    }
    let mut table = Table::new(columns, listing.style);
    each(listing.snapshot, rows, filter, |row| {
        if wanted(row) {
            table.measure(&cells(row, lookups)?);
        }
        Ok(())
    })?;
    table.header(listing.out)?;
    let out = &mut *listing.out;
    lookups.silent();
    each(listing.snapshot, rows, filter, |row| {
        if wanted(row) {
            table.row(out, &cells(row, lookups)?)?;
        }
        Ok(())
    })?;
    Ok(Table::end(listing.out)?)
}

/// The cells of a resource: its own id, name, type and parent.
pub(super) fn resource_cells(
    lookups: &mut Lookups<'_>,
    (type_id, id): (&str, &str),
    name: String,
    parent: Option<(&str, &str)>,
) -> Result<[String; 4], CliError> {
    let type_name = lookups.resource_type(type_id)?.name.to_string();
    let parent = match parent {
        Some((parent_type, parent_id)) => {
            let parent = lookups.resource(parent_type, parent_id)?;
            format!("{} ({parent_type})", parent.name)
        }
        None => "-".to_owned(),
    };
    Ok([id.to_owned(), name, type_name, parent])
}

/// What stands beside a resource in JSON: its type and its parent.
pub(super) fn resource_context(
    lookups: &mut Lookups<'_>,
    item: &mut Fields<'_>,
    type_id: &str,
    parent: Option<(&str, &str)>,
) -> Result<(), CliError> {
    let resource_type = lookups.resource_type(type_id)?;
    item.json("resourceType", &resource_type.json);
    if let Some((parent_type, parent_id)) = parent {
        let parent = lookups.resource(parent_type, parent_id)?;
        item.json("parent", &parent.json);
    }
    Ok(())
}

pub(super) fn named(kind: &str, id: &str) -> String {
    format!("{kind} `{id}`")
}
