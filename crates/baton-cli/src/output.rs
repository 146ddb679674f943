//! The output formats.

use std::io::Write;

use crate::error::CliError;
use crate::lookups::Detail;
use crate::sinks::{
    CsvSink, JsonSink, MarkdownSink, NdjsonSink, RowSink, TableSink, YamlSink, yaml,
};
use crate::table::Style;

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// A table for people.
    Console,
    /// One object that holds the list of rows.
    Json,
    /// One object a line.
    Ndjson,
    /// The columns of the table, for spreadsheets.
    Csv,
    /// What [`Output::Json`] shows, as YAML.
    Yaml,
    /// The table, for documents.
    Markdown,
}

impl Output {
    /// All formats, in the order of help and errors.
    pub const ALL: [Self; 6] = [
        Self::Console,
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::Yaml,
        Self::Markdown,
    ];

    /// The word that chooses it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Yaml => "yaml",
            Self::Markdown => "markdown",
        }
    }

    /// The format that a word chooses.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|output| output.word() == word)
    }

    /// The words, joined.
    pub fn words() -> String {
        Self::ALL.map(Self::word).join(", ")
    }

    /// What writes rows in this format.
    pub fn sink(self, style: Style) -> Box<dyn RowSink> {
        match self {
            Self::Console => Box::new(TableSink { style }),
            Self::Json => Box::new(JsonSink),
            Self::Ndjson => Box::new(NdjsonSink),
            Self::Csv => Box::new(CsvSink),
            Self::Yaml => Box::new(YamlSink),
            Self::Markdown => Box::new(MarkdownSink),
        }
    }

    /// What it shows of the objects that rows refer to.
    pub fn detail(self) -> Detail {
        match self {
            Self::Console | Self::Csv | Self::Markdown => Detail::Names,
            Self::Json | Self::Ndjson | Self::Yaml => Detail::Json,
        }
    }

    /// Writes one object that is not a list; `json` is what [`Output::Json`]
    /// shows.
    pub fn write_object(self, json: &[u8], out: &mut dyn Write) -> Result<(), CliError> {
        match self {
            Self::Yaml => out.write_all(yaml::document(json)?.as_bytes())?,
            Self::Ndjson => {
                out.write_all(json)?;
                out.write_all(b"\n")?;
            }
            _ => out.write_all(json)?,
        }
        Ok(())
    }
}
