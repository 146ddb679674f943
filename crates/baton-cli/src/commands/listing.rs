//! List commands: each defines its rows, columns and JSON; this module opens
//! the file, reads the rows and gives them to the sink of the output format.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{Filter, OwnedRow, Row, RowSorter, RowsInOrder, Snapshot};
use baton_flags::Command;
use baton_query::{Finder, Table as Records};
use baton_term::Printer;

use super::explain::{self, Found, Passes};
use super::filters::{Chosen, Options, or_warning, with_list_flags};
use super::question::Answers;
use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::json::{Fields, MessageTypes};
use crate::lookups::Lookups;
use crate::missing::Missing;
use crate::open;
use crate::output::Output;
use crate::rows::{Cells, RowSource, Visit};
use crate::scan::{RowVisit, rows_until, until};
use crate::table::{Column, Style, id, text};

/// A command that lists rows of one sync.
pub(super) trait List: Sized {
    /// What the rows are, as JSON names the list.
    const KEY: &'static str;
    /// The columns of [`List::cells`].
    const COLUMNS: &'static [Column];
    /// What its records are.
    const RECORDS: Records;

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
        let table = L::RECORDS.rows();
        with_sync(cx, options.sync_id.as_deref(), |sync| {
            let chosen = options.choose(table, sync)?;
            let mut source = ListSource::<L> {
                options,
                chosen: &chosen,
                snapshot: sync.snapshot,
                lookups: &mut sync.lookups,
                answers: Answers::new(&options.question, L::RECORDS, sync.snapshot),
                columns: options.question.columns(),
                ordered: None,
                passes: Passes::default(),
                of: PhantomData,
            };
            let sink = sync.output.sink(sync.style);
            sink.write(&mut source, sync.out)?;
            let passes = source.passes;
            if let Some((rows, first)) = source.answers.undecided() {
                sync.err.print(&explain::undecided(rows, first));
            }
            if options.explain {
                let found = Found {
                    table,
                    way: sync.snapshot.way(table, &chosen.filter(table))?,
                    names: &chosen.notes,
                    steps: options.question.steps(),
                    passes,
                    asked: sync.lookups.asked(),
                };
                sync.err.print(&found.report());
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
    answers: Answers<'l, 's>,
    /// Instead of the usual ones.
    columns: Option<Vec<Column>>,
    /// The rows, once they were sorted.
    ordered: Option<RowsInOrder>,
    passes: Passes,
    of: PhantomData<L>,
}

impl<L: List> ListSource<'_, '_, L> {
    /// Visits the rows to show, in the order in which they are shown.
    fn each(
        &mut self,
        mut visit: impl FnMut(&Row<'_>, &mut Lookups<'_>, &Answers<'_, '_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let limit = self.options.limit.unwrap_or(u64::MAX);
        let mut shown = 0;
        let mut show = |row: &Row<'_>, lookups: &mut Lookups<'_>, answers: &Answers<'_, '_>| {
            visit(row, lookups, answers)?;
            shown += 1;
            Ok(if shown < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        };
        if self.answers.sorts() {
            if self.ordered.is_none() {
                self.ordered = Some(self.sorted()?);
            }
            if let Some(rows) = &self.ordered {
                let (lookups, answers) = (&mut *self.lookups, &self.answers);
                let visit_all = |visit: &mut RowVisit<'_>| rows.visit(visit);
                until(visit_all, |row| show(row, lookups, answers))?;
            }
        } else {
            self.selected(show)?;
        }
        self.passes.shown = shown;
        self.lookups.stop_counting();
        Ok(())
    }

    /// The wanted rows, sorted.
    fn sorted(&mut self) -> Result<RowsInOrder, CliError> {
        let mut sorter = RowSorter::new(self.snapshot)?;
        let filter = Filter {
            dates: self.answers.needs_dates(),
            ..self.chosen.filter(L::RECORDS.rows())
        };
        let mut selects = L::selection();
        let mut read = 0;
        rows_until(self.snapshot, L::RECORDS.rows(), &filter, |row| {
            read += 1;
            if self.chosen.selects(L::RECORDS.rows(), row)
                && selects(row)
                && self.answers.selects(row)?
            {
                self.answers.sort(&mut sorter, row)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.passes.add(read);
        Ok(sorter.finish()?)
    }

    /// Visits the wanted rows as they are stored.
    fn selected(
        &mut self,
        mut visit: impl FnMut(
            &Row<'_>,
            &mut Lookups<'_>,
            &Answers<'_, '_>,
        ) -> Result<ControlFlow<()>, CliError>,
    ) -> Result<(), CliError> {
        let filter = Filter {
            dates: self.answers.needs_dates(),
            ..self.chosen.filter(L::RECORDS.rows())
        };
        let mut selects = L::selection();
        let mut read = 0;
        // Undecided rows are the same in each pass: they are counted in the first.
        self.answers.count_undecided(self.passes.count == 0);
        rows_until(self.snapshot, L::RECORDS.rows(), &filter, |row| {
            read += 1;
            let is_wanted = self.chosen.selects(L::RECORDS.rows(), row)
                && selects(row)
                && self.answers.selects(row)?;
            if !is_wanted {
                return Ok(ControlFlow::Continue(()));
            }
            visit(row, self.lookups, &self.answers)
        })?;
        self.passes.add(read);
        Ok(())
    }
}

impl<L: List> RowSource for ListSource<'_, '_, L> {
    fn key(&self) -> &'static str {
        L::KEY
    }

    fn columns(&self) -> &[Column] {
        self.columns.as_deref().unwrap_or(L::COLUMNS)
    }

    fn cells(&mut self, visit: &mut Visit<'_, [String]>) -> Result<(), CliError> {
        let mut cells = Cells::default();
        let has_columns = self.columns.is_some();
        self.each(|row, lookups, answers| {
            cells.clear();
            if has_columns {
                answers.each_column(row, |path, record| {
                    cells.push(&record.at(path)?.to_string());
                    Ok(())
                })?;
            } else {
                L::cells(row, lookups, &mut cells)?;
            }
            visit(cells.as_slice())
        })
    }

    fn objects(&mut self, visit: &mut Visit<'_, [u8]>) -> Result<(), CliError> {
        let mut json = Vec::with_capacity(4096);
        let has_columns = self.columns.is_some();
        self.each(|row, lookups, answers| {
            json.clear();
            let mut fields = Fields::open(&mut json);
            if has_columns {
                answers.each_column(row, |path, record| {
                    fields.value(&path.to_string(), &record.at(path)?);
                    Ok(())
                })?;
            } else {
                L::fields(row, lookups, &mut fields)?;
            }
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
    let snapshot = open::view(&opened, cx.file, sync_id, cx.process, cx.err)?;
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
