//! List commands: each defines its rows, columns and JSON; this module opens
//! the file, reads the rows and gives them to the sink of the output format.

use std::ops::ControlFlow;

use baton_c1z::{Filter, Row, Snapshot, Table as Rows};
use baton_flags::Command;

use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json::{Fields, MessageTypes};
use crate::lookups::Lookups;
use crate::missing::Missing;
use crate::open;
use crate::output::Output;
use crate::rows::{Cells, RowSource, Visit};
use crate::table::{Column, Style, id, text};

/// A command that lists rows of one sync.
pub(super) trait List: Sized {
    /// What the rows are, as JSON names the list.
    const KEY: &'static str;
    /// The columns of [`List::cells`].
    const COLUMNS: &'static [Column];

    /// See [`Cmd::define`].
    fn define() -> Command<Runs>;

    /// See [`Cmd::parse`].
    fn parse(given: &Given) -> Result<Self, CliError>;

    /// The sync that the user chose.
    fn sync_id(&self) -> Option<&str>;

    /// The rows to read.
    fn rows(&self) -> (Rows, Filter<'_>);

    /// Selects among these rows what no filter can, in one pass over them.
    fn selection(&self) -> Box<dyn FnMut(&Row<'_>) -> bool + '_> {
        Box::new(|_| true)
    }

    /// Adds a row's texts, one per column.
    fn cells(
        &self,
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        cells: &mut Cells,
    ) -> Result<(), CliError>;

    /// Adds the fields of a row's JSON object.
    fn fields(
        &self,
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        fields: &mut Fields<'_>,
    ) -> Result<(), CliError>;
}

impl<L: List> Cmd for L {
    fn define() -> Command<Runs> {
        <L as List>::define()
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        <L as List>::parse(given)
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        with_sync(cx, self.sync_id(), |sync| {
            let sink = sync.output.sink(sync.style);
            let mut source = ListSource {
                list: &self,
                snapshot: sync.snapshot,
                lookups: &mut sync.lookups,
            };
            sink.write(&mut source, sync.out)
        })
    }
}

/// The rows of a list command.
struct ListSource<'l, 's, L> {
    list: &'l L,
    snapshot: &'l Snapshot<'s>,
    lookups: &'l mut Lookups<'s>,
}

impl<L: List> ListSource<'_, '_, L> {
    fn each(
        &mut self,
        mut visit: impl FnMut(&L, &Row<'_>, &mut Lookups<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let (table, filter) = self.list.rows();
        let mut selects = self.list.selection();
        each(self.snapshot, table, &filter, |row| {
            if selects(row) {
                visit(self.list, row, self.lookups)?;
            }
            Ok(())
        })?;
        self.lookups.stop_counting();
        Ok(())
    }
}

impl<L: List> RowSource for ListSource<'_, '_, L> {
    fn key(&self) -> &'static str {
        L::KEY
    }

    fn columns(&self) -> &[Column] {
        L::COLUMNS
    }

    fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError> {
        let mut cells = Cells::default();
        self.each(|list, row, lookups| {
            cells.clear();
            list.cells(row, lookups, &mut cells)?;
            visit(cells.as_slice())
        })
    }

    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
        let mut json = Vec::with_capacity(4096);
        self.each(|list, row, lookups| {
            json.clear();
            let mut fields = Fields::open(&mut json);
            list.fields(row, lookups, &mut fields)?;
            fields.close();
            visit(&json)
        })
    }
}

/// A sync that a command shows.
pub(super) struct Sync<'c> {
    pub snapshot: &'c Snapshot<'c>,
    pub lookups: Lookups<'c>,
    pub output: Output,
    pub style: Style,
    pub out: &'c mut dyn std::io::Write,
}

/// Opens the file, shows something of the sync that the user chose, and warns
/// of objects that the file lacks.
pub(super) fn with_sync(
    cx: &mut Cx<'_, '_>,
    sync_id: Option<&str>,
    show: impl FnOnce(&mut Sync<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let opened = open::open(cx.file, cx.process)?;
    open::warn_of_migration(cx.file, opened.migration(), cx.err);
    let snapshot = open::view(&opened, cx.file, sync_id, cx.process)?;
    let types = MessageTypes::new()?;
    let missing = Missing::new(cx.verbose);
    let mut sync = Sync {
        snapshot: &snapshot,
        lookups: Lookups::new(&snapshot, types, cx.output.detail(), missing),
        output: cx.output,
        style: cx.style(),
        out: &mut *cx.out,
    };
    show(&mut sync)?;
    cx.err.print(&sync.lookups.into_missing().report());
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

/// The columns of [`resource_cells`].
pub(super) const RESOURCE_COLUMNS: &[Column] = &[
    id("ID"),
    text("Display Name"),
    text("Resource Type"),
    text("Parent Resource").or_dash(),
];

/// Adds the cells of a resource: its own id, name, type and parent.
pub(super) fn resource_cells(
    lookups: &mut Lookups<'_>,
    (type_id, id): (&str, &str),
    name: &str,
    parent: Option<(&str, &str)>,
    cells: &mut Cells,
) -> Result<(), CliError> {
    cells.push(id);
    cells.push(name);
    cells.push(&lookups.resource_type(type_id)?.name);
    match parent {
        Some((parent_type, parent_id)) => {
            let parent = lookups.resource(parent_type, parent_id)?;
            cells.push_parts(&[&parent.name, " (", parent_type, ")"]);
        }
        None => cells.push(""),
    }
    Ok(())
}

/// Adds what is shown beside a resource in JSON: its type and its parent.
pub(super) fn resource_context(
    lookups: &mut Lookups<'_>,
    fields: &mut Fields<'_>,
    type_id: &str,
    parent: Option<(&str, &str)>,
) -> Result<(), CliError> {
    fields.json("resourceType", &lookups.resource_type(type_id)?.json);
    if let Some((parent_type, parent_id)) = parent {
        fields.json("parent", &lookups.resource(parent_type, parent_id)?.json);
    }
    Ok(())
}

pub(super) fn named(kind: &str, id: &str) -> String {
    format!("{kind} `{id}`")
}
