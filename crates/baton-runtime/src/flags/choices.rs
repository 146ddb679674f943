//! The values of flags that take one of a few words.

use baton_c1z::Format;
use baton_flags::Choice;

const FORMS: &[&str] = &["console", "json"];

/// A switch that Go declares as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch(pub bool);

impl Choice for Switch {
    const WORDS: &'static [&'static str] = &[
        "", "true", "false", "1", "0", "t", "f", "T", "F", "True", "False", "TRUE", "FALSE",
    ];

    fn of_word(word: &str) -> Option<Self> {
        baton_flags::value::parse_bool(word).ok().map(Self)
    }
}

/// The form of a result on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultForm {
    /// For people.
    Console,
    /// One JSON object.
    Json,
}

impl Choice for ResultForm {
    const WORDS: &'static [&'static str] = FORMS;

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "console" => Some(Self::Console),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What `--storage-engine` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Engine(pub Format);

impl Choice for Engine {
    const WORDS: &'static [&'static str] = &["", "sqlite", "pebble"];

    fn of_word(word: &str) -> Option<Self> {
        let found = [Format::V1, Format::V3]
            .into_iter()
            .find(|format| format.engine_name() == word);
        found.map(Self)
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Console,
    Json,
}

impl Choice for LogFormat {
    const WORDS: &'static [&'static str] = FORMS;

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "console" => Some(Self::Console),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}
