//! What is being typed, and the values that begin like it.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use baton_c1z::{C1zFile, Filter, ReadOptions, Snapshot, Table as Rows, View};
use baton_flags::{AnyField, Line, args};
use baton_query::{Field, Table as Records};
use baton_term::is_forbidden;

use crate::command::{FILE, OUTPUT_FORMAT, Runs};
use crate::commands::export_flags::LAYOUT;
use crate::commands::filters::PRINCIPAL;
use crate::commands::flags::{ENTITLEMENT, RESOURCE, SYNC_ID, resource_type};
use crate::commands::question::{COLUMNS, SORT};
use crate::commands::{compare, diff, program, sanitize};
use crate::error::CliError;
use crate::lookups::name_of;
use crate::output::Output;

/// Most values that are offered.
const MAX_OFFERED: usize = 200;

/// The flags whose values are offered, and what these are. A flag means the same in each command
/// that has it.
pub(super) const VALUES: [(AnyField, Value); 14] = [
    (resource_type("").any(), Value::Types),
    (RESOURCE.any(), Value::Resources),
    (ENTITLEMENT.any(), Value::Entitlements),
    (compare::OTHER.any(), Value::Entitlements),
    (PRINCIPAL.any(), Value::Principals),
    (SYNC_ID.any(), Value::Syncs),
    (diff::OLD.any(), Value::Syncs),
    (compare::OTHER_SYNC.any(), Value::Syncs),
    (COLUMNS.any(), Value::Fields),
    (SORT.any(), Value::Fields),
    (OUTPUT_FORMAT.any(), Value::Formats),
    (diff::ONLY.any(), Value::Tables),
    (LAYOUT.any(), Value::Words(&["flat", "tables"])),
    (
        sanitize::OUT_ENGINE.any(),
        Value::Words(&["pebble", "sqlite"]),
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Types,
    Entitlements,
    /// Of the type that the line names.
    Resources,
    Principals,
    /// A resource or an entitlement.
    Anything,
    Syncs,
    /// Fields of records.
    Fields,
    /// Kinds of objects.
    Tables,
    /// Of the output.
    Formats,
    Words(&'static [&'static str]),
}

impl Value {
    /// Whether it is a list of values that commas separate.
    fn is_list(self) -> bool {
        matches!(self, Self::Fields | Self::Tables)
    }
}

/// What is being typed.
pub(super) struct Wanted {
    /// The values before it, if it is one of a list.
    done: String,
    begin: String,
    value: Value,
    file: PathBuf,
    type_id: Option<String>,
    /// The word of the command.
    command: &'static str,
}

impl Wanted {
    /// The last word: a value by the flag before it, or by its place.
    pub fn of(words: &[String], home: Option<&Path>) -> Option<Self> {
        let (last, before) = words.split_last()?;
        let (flag, begin, known) = match last.split_once('=') {
            Some((flag, begin)) if flag.starts_with("--") => (Some(flag), begin, before),
            _ => match before.split_last() {
                Some((flag, known)) if value_of(flag).is_some() => (Some(&**flag), &**last, known),
                _ => (None, &**last, before),
            },
        };
        let known: Vec<OsString> = known.iter().map(OsString::from).collect();
        let program = program();
        let line = args::parse(&program, &known).ok()?;
        let command = line.command().name;
        let value = match flag {
            Some(flag) => value_of(flag)?,
            None if command == "show" && line.positionals.is_empty() => Value::Anything,
            None => return None,
        };
        let (done, begin) = match begin.rsplit_once(',') {
            Some((done, begin)) if value.is_list() => (format!("{done},"), begin),
            _ => (String::new(), begin),
        };
        Some(Self {
            done,
            begin: begin.to_owned(),
            value,
            file: file_of(&line, flag, home),
            type_id: last_value(&line, resource_type("").name()),
            command,
        })
    }

    /// The whole word for each value that begins like it.
    pub fn offers(&self, options: &ReadOptions, view: View<'_>) -> Result<Vec<String>, CliError> {
        let offers = match self.value {
            Value::Fields => self.fields(),
            Value::Tables => self.beginning(Rows::ALL.map(diff::word_of)),
            Value::Formats if self.command == "diff" => self.beginning(diff::form_words()),
            Value::Formats => self.beginning(Output::ALL.map(Output::word)),
            Value::Words(words) => self.beginning(words.iter().copied()),
            _ => return self.of_file(options, view),
        };
        Ok(offers)
    }

    fn beginning<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> Vec<String> {
        let words = words.into_iter();
        words
            .filter(|word| word.starts_with(&self.begin))
            .map(|word| [&self.done, word].concat())
            .collect()
    }

    /// Fields that the list has.
    fn fields(&self) -> Vec<String> {
        let table = Records::ALL
            .into_iter()
            .find(|table| table.name().replace(' ', "-") == self.command);
        // A dash sorts in the other direction.
        let (dash, begin) = match self.begin.strip_prefix('-') {
            Some(begin) => ("-", begin),
            None => ("", &*self.begin),
        };
        Field::all()
            .filter(|field| table.is_none_or(|table| field.is_in(table)))
            .filter(|field| field.name().starts_with(begin))
            .map(|field| [&self.done, dash, field.name()].concat())
            .collect()
    }

    /// Ids and names of the file.
    fn of_file(&self, options: &ReadOptions, view: View<'_>) -> Result<Vec<String>, CliError> {
        let mut offers = Vec::new();
        let file = C1zFile::open(&self.file, options)?;
        if self.value == Value::Syncs {
            let ids = file.sync_runs().iter().map(|run| &*run.id);
            return Ok(self.beginning(ids.filter(|id| !id.contains(is_forbidden))));
        }
        let snapshot = file.view(view)?;
        let tables: &[Rows] = match self.value {
            Value::Types => &[Rows::ResourceTypes],
            Value::Entitlements => &[Rows::Entitlements],
            Value::Anything => &[Rows::Resources, Rows::Entitlements],
            _ => &[Rows::Resources],
        };
        for table in tables {
            self.of_rows(&snapshot, *table, &mut offers)?;
        }
        Ok(offers)
    }

    /// Ids and names that begin like the word.
    fn of_rows(
        &self,
        snapshot: &Snapshot<'_>,
        table: Rows,
        offers: &mut Vec<String>,
    ) -> Result<(), CliError> {
        let is_typed = self.value == Value::Resources;
        let filter = Filter {
            resource_type_id: self.type_id.as_deref().filter(|_| is_typed),
            ..Filter::default()
        };
        snapshot.scan(table, &filter, &mut |row| {
            let id = if is_typed { row.resource_id } else { row.id };
            let name = match self.value {
                // A type has no other name.
                Value::Types => "",
                // What cannot be read has none.
                _ => name_of(table, row).unwrap_or_default(),
            };
            for text in [id, name] {
                let is_offered = !text.is_empty()
                    && text.starts_with(&self.begin)
                    && !text.contains(is_forbidden);
                if is_offered && offers.len() < MAX_OFFERED && !offers.iter().any(|o| o == text) {
                    offers.push(text.to_owned());
                }
            }
            Ok(if offers.len() < MAX_OFFERED {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        Ok(())
    }
}

/// What the values of a flag are, as it is written.
fn value_of(flag: &str) -> Option<Value> {
    let is_it = |field: &AnyField| match flag.strip_prefix("--") {
        Some(name) => name == field.name,
        None => flag
            .strip_prefix('-')
            .is_some_and(|short| field.short.is_some_and(|it| short == it.to_string())),
    };
    let found = VALUES.iter().find(|(field, _)| is_it(field));
    found.map(|(_, value)| *value)
}

/// The last value of a flag.
fn last_value(line: &Line<'_, Runs>, name: &str) -> Option<String> {
    let value = line.values.get(name)?.last()?;
    Some(value.to_string_lossy().into_owned())
}

/// The file that the value is in.
fn file_of(line: &Line<'_, Runs>, flag: Option<&str>, home: Option<&Path>) -> PathBuf {
    let is = |name: &str| flag.and_then(|flag| flag.strip_prefix("--")) == Some(name);
    let word = |at: usize| line.text_words().get(at).cloned();
    let other = match line.command().name {
        "compare" if is(compare::OTHER.name()) || is(compare::OTHER_SYNC.name()) => {
            last_value(line, compare::OTHER_FILE.name())
        }
        "diff" if is(diff::OLD.name()) => word(0),
        "diff" => word(1),
        "expand" => word(0),
        _ => None,
    };
    let given = other.or_else(|| last_value(line, FILE.name()));
    let text = given.unwrap_or_else(|| "sync.c1z".to_owned());
    // A shell gives the words as they are typed.
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => text.into(),
    }
}
