//! List commands: each defines its rows, columns and JSON; this module opens
//! the file, reads the rows and gives them to the sink of the output format.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{OwnedRow, Row, Snapshot, Table as Rows};
use baton_flags::Command;
use baton_query::Finder;
use baton_term::Printer;

use super::explain::{self, Passes};
use super::filters::{Chosen, Options, or_warning, with_list_flags};
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json::{Fields, MessageTypes};
use crate::lookups::Lookups;
use crate::missing::Missing;
use crate::open;
use crate::output::Output;
use crate::rows::{Cells, RowSource, Visit};
use crate::scan::rows_until;
use crate::table::{Column, Style, id, text};

/// A command that lists rows of one sync.
pub(super) trait List: Sized {
    /// What the rows are, as JSON names the list.
    const KEY: &'static str;
    /// The columns of [`List::cells`].
    const COLUMNS: &'static [Column];
    /// The table that is read.
    const TABLE: Rows;

    /// See [`Cmd::define`]; without the flags that every list has.
    fn define() -> Command<Runs>;

    /// What the command line narrows the list to.
    fn parse(given: &Given) -> Result<Options, CliError>;

    /// Selects among the rows what no filter can, in one pass over them.
    fn selection() -> Box<dyn FnMut(&Row<'_>) -> bool> {
        Box::new(|_| true)
    }

    /// Adds a row's texts, one per column.
    fn cells(row: &Row<'_>, lookups: &mut Lookups<'_>, cells: &mut Cells) -> Result<(), CliError>;

    /// Adds the fields of a row's JSON object.
    fn fields(
        row: &Row<'_>,
        lookups: &mut Lookups<'_>,
        fields: &mut Fields<'_>,
    ) -> Result<(), CliError>;
}

/// A list, as a command.
pub(super) struct Listing<L> {
    options: Options,
    of: PhantomData<L>,
}

impl<L: List> Cmd for Listing<L> {
    fn define() -> Command<Runs> {
        with_list_flags(L::define())
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        Ok(Self {
            options: L::parse(given)?,
            of: PhantomData,
        })
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let options = &self.options;
        with_sync(cx, options.sync_id.as_deref(), |sync| {
            let chosen = options.choose(L::TABLE, sync)?;
            let mut source = ListSource::<L> {
                options,
                chosen: &chosen,
                snapshot: sync.snapshot,
                lookups: &mut sync.lookups,
                passes: Passes::default(),
                of: PhantomData,
            };
            let sink = sync.output.sink(sync.style);
            sink.write(&mut source, sync.out)?;
            if options.explain {
                let passes = source.passes;
                let way = sync.snapshot.way(L::TABLE, &chosen.filter(L::TABLE))?;
                let lookups = sync.lookups.asked();
                sync.err.print(&explain::report(
                    L::TABLE,
                    &way,
                    &chosen.notes,
                    &passes,
                    lookups,
                ));
            }
            Ok(())
        })
    }
}

/// The rows of a list command.
struct ListSource<'l, 's, L> {
    options: &'l Options,
    chosen: &'l Chosen,
    snapshot: &'l Snapshot<'s>,
    lookups: &'l mut Lookups<'s>,
    passes: Passes,
    of: PhantomData<L>,
}

impl<L: List> ListSource<'_, '_, L> {
    fn each(
        &mut self,
        mut visit: impl FnMut(&Row<'_>, &mut Lookups<'_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let filter = self.chosen.filter(L::TABLE);
        let mut selects = L::selection();
        let mut pass = Passes::one();
        rows_until(self.snapshot, L::TABLE, &filter, |row| {
            pass.read += 1;
            if !self.chosen.selects(L::TABLE, row) || !selects(row) {
                return Ok(ControlFlow::Continue(()));
            }
            visit(row, self.lookups)?;
            pass.shown += 1;
            Ok(match self.options.limit {
                Some(limit) if pass.shown >= limit => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
        })?;
        self.passes.add(pass);
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
        self.each(|row, lookups| {
            cells.clear();
            L::cells(row, lookups, &mut cells)?;
            visit(cells.as_slice())
        })
    }

    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
        let mut json = Vec::with_capacity(4096);
        self.each(|row, lookups| {
            json.clear();
            let mut fields = Fields::open(&mut json);
            L::fields(row, lookups, &mut fields)?;
            fields.close();
            visit(&json)
        })
    }
}

/// A sync that a command shows.
pub(super) struct Sync<'c, 'e> {
    /// The file's path.
    pub path: &'c Path,
    pub snapshot: &'c Snapshot<'c>,
    pub lookups: Lookups<'c>,
    pub output: Output,
    pub style: Style,
    pub out: &'c mut dyn std::io::Write,
    pub err: &'c mut Printer<'e>,
}

impl<'c> Sync<'c, '_> {
    /// Looks for what the command line names.
    pub fn finder(&self) -> Finder<'c> {
        Finder::new(self.snapshot, self.path)
    }

    /// What was found. Nothing is a warning.
    pub fn found(
        &mut self,
        found: Result<OwnedRow, baton_query::Error>,
    ) -> Result<Option<OwnedRow>, CliError> {
        match or_warning(found)? {
            Ok(row) => Ok(Some(row)),
            Err(warning) => {
                if let Some(warning) = warning {
                    self.err.warning(warning);
                }
                Ok(None)
            }
        }
    }
}

/// Opens the file, shows something of the sync that the user chose, and warns
/// of objects that the file lacks.
pub(super) fn with_sync(
    cx: &mut Cx<'_, '_>,
    sync_id: Option<&str>,
    show: impl FnOnce(&mut Sync<'_, '_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let opened = open::open(cx.file, cx.process)?;
    open::warn_of_migration(cx.file, opened.migration(), cx.err);
    let snapshot = open::view(&opened, cx.file, sync_id, cx.process)?;
    let types = MessageTypes::new()?;
    let missing = Missing::new(cx.verbose);
    let mut sync = Sync {
        path: cx.file,
        snapshot: &snapshot,
        lookups: Lookups::new(&snapshot, types, cx.output.detail(), missing),
        output: cx.output,
        style: cx.style(),
        out: &mut *cx.out,
        err: &mut *cx.err,
    };
    show(&mut sync)?;
    let report = sync.lookups.into_missing().report();
    cx.err.print(&report);
    Ok(())
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
