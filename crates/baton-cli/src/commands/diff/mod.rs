//! `diff`: what changed from one sync to another, within one file as the Go
//! tool, or from one file to another one.

mod changes;
mod go_json;
mod sides;
mod summary;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use baton_c1z::Table as Rows;
use baton_flags::{Command, Field, Positionals};
use baton_query::diff::{Counts, DiffSettings, Ignored, Sides};

use super::flags::{self, RESOURCE, SYNC_ID};
use super::{Cmd, Cx, Given, Runs};
use crate::command::OUTPUT_FORMAT;
use crate::error::CliError;
use crate::output::Output;
use changes::Changes;
use sides::Chosen;

const TYPE: Field<String> = flags::resource_type("the type of --resource");
const ON: Field<String> =
    RESOURCE.about("only this resource, by id or unique name, what is on it and what it holds; needs --resource-type");
const NEW: Field<String> =
    SYNC_ID.about("the new sync (default: the newest finished full one of its file)");
pub(super) const OLD: Field<String> = Field::string(
    "other-sync-id",
    "the old sync (default: of two files, the newest finished full one of the first; \
     of one file, the one before the new sync)",
)
.value_name("id");
pub(super) const ONLY: Field<Vec<String>> = Field::list(
    "only",
    "only these: resource-types, resources, entitlements, grants",
);
const IGNORE: Field<Vec<String>> = Field::list(
    "ignore",
    "fields that do not count, as displayName or profile.department",
);
const INCLUDE_TIMES: Field<bool> = Field::bool(
    "include-times",
    "times of last use count, as that of the last login",
);
/// The words of [`Form`], which are not those of a list.
const FORMAT: Field<String> = Field::string(
    OUTPUT_FORMAT.name(),
    "how to show the changes: summary, json, ndjson or markdown; console means json \
     (default: summary on a terminal, else json)",
)
.short('o')
.value_name("format");
const EXIT_CODE: Field<bool> = Field::bool("exit-code", "exit with 1 if there are changes");

/// How changes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Grouped by resource, for people.
    Summary,
    /// The Go tool's object.
    GoJson,
    /// One change a line.
    Ndjson,
    Markdown,
}

impl Form {
    const WORDS: [(&'static str, Self); 5] = [
        ("summary", Self::Summary),
        ("json", Self::GoJson),
        // As in the Go tool.
        ("console", Self::GoJson),
        ("ndjson", Self::Ndjson),
        ("markdown", Self::Markdown),
    ];

    fn of_word(word: &str) -> Result<Self, CliError> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, form)| *form).ok_or_else(|| CliError::Usage {
            message: format!("unknown output format `{word}`"),
            hint: Some(format!(
                "pass one of these with --output-format: {}",
                form_words().join(", ")
            )),
        })
    }
}

/// The words of the forms.
pub(super) fn form_words() -> [&'static str; 5] {
    Form::WORDS.map(|(word, _)| word)
}

pub(super) struct Diff {
    /// The old file and the new one, where they are not one and the same.
    files: Option<[PathBuf; 2]>,
    old_id: Option<String>,
    new_id: Option<String>,
    settings: DiffSettings,
    /// `None`: a summary on a terminal, else the Go tool's object.
    form: Option<Form>,
    fails_on_changes: bool,
}

impl Cmd for Diff {
    fn define() -> Command<Runs> {
        let mut command = Command::new(
            "diff",
            "show what changed from one sync to another, of one file or of two",
        )
        .field(OLD)
        .field(NEW)
        .field(ONLY)
        .field(TYPE)
        .field(ON)
        .field(IGNORE)
        .field(INCLUDE_TIMES)
        .field(EXIT_CODE)
        .field(FORMAT)
        .example("the two newest full syncs of a file", "diff -f sync.c1z")
        .example(
            "from the first file to the second, for people",
            "diff old.c1z new.c1z -o summary",
        )
        .example(
            "one change a line, for another program",
            "diff old.c1z new.c1z --only grants -o ndjson",
        );
        command.positionals = Positionals::Accepted;
        command
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let form = match given.config.given(&FORMAT) {
            Some(word) => Some(Form::of_word(word)?),
            None => None,
        };
        let mut settings = DiffSettings::default();
        settings.include_times = given.config.get(&INCLUDE_TIMES);
        settings.tables = tables(given)?;
        for path in given.config.get(&IGNORE) {
            settings.ignored.push(Ignored::parse(path)?);
        }
        if given.config.was_set(&ON) || given.config.was_set(&TYPE) {
            settings.resource = Some(flags::typed_id(given, &TYPE, &ON)?);
        }
        Ok(Self {
            files: files(&given.words)?,
            old_id: flags::text(given, &OLD),
            new_id: flags::text(given, &NEW),
            settings,
            form,
            fails_on_changes: given.config.get(&EXIT_CODE),
        })
    }

    fn has_own_formats() -> bool {
        true
    }

    fn input(&self) -> Option<&Path> {
        self.files.as_ref().map(|[_, new]| new.as_path())
    }

    fn used_words() -> usize {
        2
    }

    fn run(mut self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let chosen = match &self.files {
            Some([old, new]) => Chosen::of_two(old, new, cx)?,
            None => Chosen::of_one(cx)?,
        };
        let sides = chosen.sides([self.old_id.as_deref(), self.new_id.as_deref()], cx)?;
        if let Some((type_id, wanted)) = self.settings.resource.take() {
            let id = chosen.resource(&sides, &type_id, &wanted, cx)?;
            self.settings.resource = Some((type_id, id));
        }
        if sides.are_of_two_formats() {
            cx.err.note(
                "the files have different formats: only what both formats can hold is compared",
            );
        }
        let counts = self.show(&sides, &chosen, cx)?;
        if counts.duplicates > 0 {
            let rows = baton_proto::figures::counted(counts.duplicates, "row has", "rows have");
            cx.err
                .warning(format!("{rows} the id of another row of the same sync"));
        }
        if self.fails_on_changes && counts.total() > 0 {
            return Err(CliError::Changes);
        }
        Ok(())
    }
}

impl Diff {
    fn show(
        &self,
        sides: &Sides<'_>,
        chosen: &Chosen,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Counts, CliError> {
        let form = self.form.unwrap_or(match cx.process.terminal {
            Some(_) => Form::Summary,
            None => Form::GoJson,
        });
        let sink = match form {
            Form::Summary => return summary::write(sides, &self.settings, chosen, cx),
            Form::GoJson => return go_json::write(sides, &self.settings, cx.out),
            Form::Ndjson => Output::Ndjson.sink(cx.style()),
            Form::Markdown => Output::Markdown.sink(cx.style()),
        };
        let mut changes = Changes::new(sides, &self.settings)?;
        sink.write(&mut changes, cx.out)?;
        Ok(changes.counts())
    }
}

/// The tables that the user chose; all of them if none.
fn tables(given: &Given) -> Result<Vec<Rows>, CliError> {
    let chosen = given.config.get(&ONLY);
    let mut tables = Vec::new();
    for word in chosen {
        let found = Rows::ALL.iter().find(|table| word_of(**table) == *word);
        let table = found.ok_or_else(|| CliError::Usage {
            message: format!("unknown kind of objects `{word}`"),
            hint: Some(format!(
                "pass one or more of these with --only: {}",
                Rows::ALL.map(word_of).join(", ")
            )),
        })?;
        tables.push(*table);
    }
    if tables.is_empty() {
        tables = Rows::ALL.to_vec();
    }
    Ok(tables)
}

pub(super) fn word_of(table: Rows) -> &'static str {
    match table {
        Rows::ResourceTypes => "resource-types",
        Rows::Resources => "resources",
        Rows::Entitlements => "entitlements",
        Rows::Grants => "grants",
    }
}

/// What one object of a table is called.
fn noun_of(table: Rows) -> &'static str {
    match table {
        Rows::ResourceTypes => "resource type",
        Rows::Resources => "resource",
        Rows::Entitlements => "entitlement",
        Rows::Grants => "grant",
    }
}

/// The old file and the new one; none where one file holds both syncs.
fn files(words: &[OsString]) -> Result<Option<[PathBuf; 2]>, CliError> {
    match words {
        [] => Ok(None),
        [old, new, ..] => Ok(Some([old.into(), new.into()])),
        [only] => Err(CliError::Usage {
            message: format!("one file is given: {}", only.display()),
            hint: Some(
                "pass the old file and the new one, or one file with --file to compare its syncs"
                    .to_owned(),
            ),
        }),
    }
}
