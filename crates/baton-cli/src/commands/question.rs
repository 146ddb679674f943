//! What a list asks of each record: conditions, a text to search for, an
//! order, columns. All of it by the names of fields (`baton_query`).

use std::borrow::Cow;

use baton_c1z::{Row, RowSorter, Snapshot};
use baton_flags::{Command, Field};
use baton_query::{
    Condition, Error as QueryError, FieldPath, Matched, Record, Records, Search, Table, View,
};

use super::{Given, Runs};
use crate::column::{Column, id, text};
use crate::error::CliError;

const SEARCH: Field<String> = Field::string(
    "search",
    "only rows with this text in an id, name, e-mail address or login, whatever the letter case",
)
.value_name("text");
const WHERE: Field<String> = Field::string(
    "where",
    "only rows for which this CEL expression over fields is true",
)
.value_name("expression");
pub(super) const SORT: Field<Vec<String>> = Field::list(
    "sort",
    "sort by these fields; a dash before a name: the last ones first",
)
.value_name("fields");
pub(super) const COLUMNS: Field<Vec<String>> = Field::list(
    "columns",
    "show these fields, such as principal.email, instead of the usual columns",
)
.value_name("fields");

/// Adds the flags.
pub(super) fn with_flags(command: Command<Runs>) -> Command<Runs> {
    command
        .field(SEARCH)
        .field(WHERE)
        .field(SORT)
        .field(COLUMNS)
}

/// What the user asks, checked against the fields of the table.
#[derive(Debug, Default)]
pub(super) struct Question {
    search: Option<Search>,
    condition: Option<Condition>,
    sort: Vec<SortKey>,
    columns: Vec<FieldPath>,
}

#[derive(Debug)]
struct SortKey {
    path: FieldPath,
    is_descending: bool,
}

impl Question {
    /// Reads the flags.
    pub fn parse(given: &Given, table: Table) -> Result<Self, CliError> {
        let path = |name: &str, flag: &str| {
            FieldPath::parse_in(table, name.trim()).map_err(|error| wrong(flag, &error, table))
        };
        let search = given.config.given(&SEARCH).map(Search::new).transpose();
        let condition = given
            .config
            .given(&WHERE)
            .map(|text| Condition::parse(text, table))
            .transpose();
        let sort = given.config.get(&SORT).iter().map(|name| {
            let name = name.trim();
            let (is_descending, name) = match name.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, name),
            };
            Ok(SortKey {
                path: path(name, SORT.name())?,
                is_descending,
            })
        });
        let columns = given.config.get(&COLUMNS).iter();
        let question = Self {
            search: search.map_err(|error| wrong(SEARCH.name(), &error, table))?,
            condition: condition.map_err(|error| wrong(WHERE.name(), &error, table))?,
            sort: sort.collect::<Result<_, CliError>>()?,
            columns: columns
                .map(|name| path(name, COLUMNS.name()))
                .collect::<Result<_, _>>()?,
        };
        for (flag, is_empty) in [
            (&SORT, question.sort.is_empty()),
            (&COLUMNS, question.columns.is_empty()),
        ] {
            if given.config.was_set(flag) && is_empty {
                return Err(CliError::usage(format!("--{} names no field", flag.name())));
            }
        }
        Ok(question)
    }

    /// The columns of the chosen fields, if any are chosen.
    pub fn columns(&self) -> Option<Vec<Column>> {
        let column = |path: &FieldPath| {
            let name = path.to_string();
            let last = name.rsplit(['.', '_']).next();
            let column = if last == Some("id") { id("") } else { text("") };
            Column {
                head: Cow::Owned(name),
                ..column
            }
        };
        (!self.columns.is_empty()).then(|| self.columns.iter().map(column).collect())
    }

    /// What is done with each row, in words.
    pub fn steps(&self) -> Vec<String> {
        let mut steps = Vec::new();
        if self.search.is_some() {
            steps.push("search: in every row read".to_owned());
        }
        if self.condition.is_some() {
            steps.push("condition: evaluated for every row read".to_owned());
        }
        steps.push(if self.sort.is_empty() {
            "order: as stored, no sort".to_owned()
        } else {
            let names: Vec<String> = self.sort.iter().map(|key| key.path.to_string()).collect();
            format!("order: sorted by {}", names.join(", "))
        });
        steps
    }

    fn view(&self, table: Table) -> View {
        let view = View::new(table)
            .with_all(self.condition.iter().flat_map(Condition::fields))
            .with_all(self.sort.iter().map(|key| key.path.field()))
            .with_all(self.columns.iter().map(FieldPath::field));
        if self.search.is_some() {
            view.with_names()
        } else {
            view
        }
    }
}

/// A wrong value of a flag.
fn wrong(flag: &str, error: &QueryError, table: Table) -> CliError {
    let hint = match error {
        QueryError::NoSuchField(_) => {
            let names: Vec<&str> = table.fields().map(baton_query::Field::name).collect();
            Some(format!("fields of {}: {}", table.name(), names.join(", ")))
        }
        _ => None,
    };
    CliError::Usage {
        message: format!("--{flag}: {error}"),
        hint,
    }
}

/// Answers a question row by row.
pub(super) struct Answers<'q, 's> {
    question: &'q Question,
    records: Records<'s>,
    /// Rows for which the condition has no value, and why the first has none.
    undecided: u64,
    first_undecided: Option<String>,
    counts_undecided: bool,
    key: Vec<u8>,
}

impl<'q, 's> Answers<'q, 's> {
    pub fn new(question: &'q Question, table: Table, snapshot: &Snapshot<'s>) -> Self {
        Self {
            question,
            records: Records::new(snapshot, question.view(table)),
            undecided: 0,
            first_undecided: None,
            counts_undecided: true,
            key: Vec::new(),
        }
    }

    /// Whether rows must be read with the time at which they were written.
    pub fn needs_dates(&self) -> bool {
        self.records.view().needs_dates()
    }

    /// Whether undecided rows are counted from now on.
    pub fn count_undecided(&mut self, counts: bool) {
        self.counts_undecided = counts;
    }

    /// Whether the row is wanted.
    pub fn selects(&mut self, row: &Row<'_>) -> Result<bool, CliError> {
        let question = self.question;
        if question.search.is_none() && question.condition.is_none() {
            return Ok(true);
        }
        let record = self.records.record(row);
        if let Some(search) = &question.search
            && !search.matches(&record)?
        {
            return Ok(false);
        }
        let Some(condition) = &question.condition else {
            return Ok(true);
        };
        match condition.matches(&record)? {
            Matched::Yes => Ok(true),
            Matched::No => Ok(false),
            Matched::Undecided(why) => {
                self.undecided += u64::from(self.counts_undecided);
                self.first_undecided.get_or_insert_with(|| why.to_string());
                Ok(false)
            }
        }
    }

    /// Whether rows are shown in another order than they are read in.
    pub fn sorts(&self) -> bool {
        !self.question.sort.is_empty()
    }

    /// Takes a row to its place.
    pub fn sort(&mut self, sorter: &mut RowSorter, row: &Row<'_>) -> Result<(), CliError> {
        self.key.clear();
        let record = self.records.record(row);
        for SortKey {
            path,
            is_descending,
        } in &self.question.sort
        {
            let begin = self.key.len();
            record.at(path)?.push_key(&mut self.key);
            if *is_descending {
                // No key begins like another one: inverted, they have the inverse order.
                for byte in self.key.iter_mut().skip(begin) {
                    *byte = !*byte;
                }
            }
        }
        Ok(sorter.push(&self.key, row)?)
    }

    /// The chosen fields of a row.
    pub fn each_column(
        &self,
        row: &Row<'_>,
        mut visit: impl FnMut(&FieldPath, &Record<'_, '_>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let record = self.records.record(row);
        self.question
            .columns
            .iter()
            .try_for_each(|path| visit(path, &record))
    }

    /// Rows that are not shown because the condition has no value for them.
    pub fn undecided(&self) -> Option<(u64, &str)> {
        Some((self.undecided, self.first_undecided.as_deref()?))
    }
}
