//! Help texts: one form for all programs.
//!
//! What a command does, how it is called, the commands below it, its own flags under their
//! headings, then the flags that every command has, and examples at the end. Texts are wrapped to
//! the width that the caller gives. This departs from the layout of the Go programs (connector CLI
//! specification, §4.4), which lists all flags by name.

use std::fmt::Write as _;

use crate::field::AnyField;
use crate::program::{Command, Positionals, Program, words_of};

/// The heading of flags that every command has.
pub(crate) const COMMON: &str = "Common flags";
/// The heading of a command's own flags that have none.
pub(crate) const OWN: &str = "Flags";
pub(crate) const HELP_HELP: &str = "print help";
pub(crate) const VERSION_HELP: &str = "print the version";

/// Columns if no terminal states its width.
pub const USUAL_COLUMNS: usize = 100;
/// Longer lines are hard to read, however wide the terminal is.
const MOST_COLUMNS: usize = 120;
/// Narrower than this, texts are not wrapped further.
const FEWEST_COLUMNS: usize = 40;
/// Widest column of flags: where a flag is longer, its text begins on the next line.
const MOST_LEFT: usize = 34;
/// Blanks between a flag or command and its text.
const GAP: usize = 2;

/// Flags under one heading.
#[derive(Debug)]
pub(crate) struct Section<'p> {
    pub heading: &'static str,
    pub fields: Vec<&'p AnyField>,
    /// Whether `--help` and `--version` belong here.
    pub has_general: bool,
}

/// The flags of a command that are shown, its own first.
pub(crate) fn sections<'p, R>(
    program: &'p Program<R>,
    path: &[&'p Command<R>],
) -> Vec<Section<'p>> {
    let Some((command, above)) = path.split_last() else {
        return Vec::new();
    };
    let own_name = |name: &str| command.fields.iter().any(|own| own.name == name);
    let root_name = |name: &str| program.root.fields.iter().any(|own| own.name == name);
    let mut sections: Vec<Section<'p>> = Vec::new();
    let mut common = Vec::new();
    for field in program.fields_of(path) {
        if field.hidden || command.unused.contains(&field.name) {
            continue;
        }
        let is_own = own_name(field.name);
        if !is_own && !root_name(field.name) {
            common.push(field);
            continue;
        }
        let heading = match field.heading {
            "" => OWN,
            heading => heading,
        };
        match sections
            .iter_mut()
            .find(|section| section.heading == heading)
        {
            Some(section) => section.fields.push(field),
            None => sections.push(Section {
                heading,
                fields: vec![field],
                has_general: false,
            }),
        }
    }
    // The flags of the root come after those of this command.
    if !above.is_empty() {
        sections.sort_by_key(|section| !section.fields.iter().any(|field| own_name(field.name)));
    }
    sections.push(Section {
        heading: COMMON,
        fields: if command.uses_common {
            common
        } else {
            Vec::new()
        },
        has_general: true,
    });
    sections
}

/// The text behind a flag, with the marks of where its value comes from.
pub(crate) fn usage<R>(program: &Program<R>, field: &AnyField) -> String {
    let mut parts = Vec::new();
    if field.is_required() {
        parts.push("required:".to_owned());
    }
    if !field.help.is_empty() {
        parts.push(field.help.to_owned());
    }
    if field.secret {
        parts.push("(also @path, or - for stdin)".to_owned());
    }
    if program.reads_settings && !field.only_typed {
        parts.push(format!("(${})", field.env_name()));
    }
    parts.join(" ")
}

/// The lines of a usage text, without the word in front.
pub(crate) fn usage_lines<R>(path: &[&Command<R>]) -> Vec<String> {
    let words = words_of(path);
    let Some(command) = path.last() else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if command.run.is_some() || command.commands.is_empty() {
        lines.push(match command.positionals {
            Positionals::Refused | Positionals::Accepted => format!("{words} [flags]"),
            Positionals::Named { shown, .. } => format!("{words} {shown} [flags]"),
        });
    }
    if !command.commands.is_empty() {
        lines.push(format!("{words} <command> [flags]"));
    }
    lines
}

/// The help of the command at the end of a path.
pub fn help<R>(program: &Program<R>, path: &[&Command<R>], columns: usize) -> String {
    let columns = columns.clamp(FEWEST_COLUMNS, MOST_COLUMNS);
    let Some(command) = path.last() else {
        return String::new();
    };
    let words = words_of(path);
    let mut text = String::new();
    let about = if command.about.is_empty() {
        command.name
    } else {
        command.about
    };
    for line in wrapped(about, columns) {
        let _ = writeln!(text, "{line}");
    }
    for (index, line) in usage_lines(path).iter().enumerate() {
        let label = if index == 0 { "\nUsage:" } else { "      " };
        let _ = writeln!(text, "{label} {line}");
    }
    if let Positionals::Named { shown, help } = command.positionals {
        let _ = write!(text, "\nArguments:\n");
        table(
            &mut text,
            &[(format!("  {shown}"), help.to_owned())],
            columns,
        );
    }
    let below: Vec<(String, String)> = command
        .commands
        .iter()
        .filter(|command| !command.hidden)
        .map(|command| (format!("  {}", command.name), command.about.to_owned()))
        .collect();
    if !below.is_empty() {
        let _ = write!(text, "\nCommands:\n");
        table(&mut text, &below, columns);
    }
    flag_tables(&mut text, program, path, columns);
    if !below.is_empty() {
        let hint = format!("Use `{words} <command> --help` for the flags of a command.");
        text.push('\n');
        for line in wrapped(&hint, columns) {
            let _ = writeln!(text, "{line}");
        }
    }
    examples(&mut text, program.name(), command, columns);
    text
}

fn flag_tables<R>(text: &mut String, program: &Program<R>, path: &[&Command<R>], columns: usize) {
    let has_version = path.len() == 1 && !program.version.is_empty();
    for section in sections(program, path) {
        let mut rows: Vec<(String, String)> = section
            .fields
            .iter()
            .map(|field| flag_row(program, field))
            .collect();
        if section.has_general {
            rows.push(("  -h, --help".to_owned(), HELP_HELP.to_owned()));
            if has_version {
                rows.push(("  -v, --version".to_owned(), VERSION_HELP.to_owned()));
            }
        }
        let _ = write!(text, "\n{}:\n", section.heading);
        table(text, &rows, columns);
    }
}

fn flag_row<R>(program: &Program<R>, field: &AnyField) -> (String, String) {
    let mut left = match field.short {
        Some(short) => format!("  -{short}, --{}", field.name),
        None => format!("      --{}", field.name),
    };
    if let Some(value) = field.shown_value() {
        let _ = write!(left, " <{value}>");
    }
    let mut right = usage(program, field);
    if let Some(default) = field.shown_default() {
        let _ = write!(right, " (default {default})");
    }
    (left, right)
}

fn examples<R>(text: &mut String, name: &str, command: &Command<R>, columns: usize) {
    if command.examples.is_empty() {
        return;
    }
    let _ = write!(text, "\nExamples:\n");
    for example in &command.examples {
        for line in wrapped(example.about, columns.saturating_sub(GAP)) {
            let _ = writeln!(text, "  {line}");
        }
        // A command line is never broken: it is there to be copied.
        let line = format!("    {name} {}", example.args);
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// Two columns, the right one wrapped. A left cell that is too long has a line of its own.
fn table(text: &mut String, rows: &[(String, String)], columns: usize) {
    let width = |cell: &str| cell.chars().count();
    let most = MOST_LEFT.min(columns / 2);
    let left = rows
        .iter()
        .map(|(left, _)| width(left))
        .filter(|left| *left <= most)
        .max()
        .unwrap_or(most);
    let indent = left + GAP;
    let blank = " ".repeat(indent);
    for (cell, right) in rows {
        let mut lines = wrapped(right, columns.saturating_sub(indent)).into_iter();
        if width(cell) > left {
            let _ = writeln!(text, "{cell}");
        } else {
            let pad = " ".repeat(indent - width(cell));
            let line = format!("{cell}{pad}{}", lines.next().unwrap_or_default());
            let _ = writeln!(text, "{}", line.trim_end());
        }
        for line in lines {
            let _ = writeln!(text, "{blank}{line}");
        }
    }
}

/// Lines of at most so many characters, broken between words.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words_and_no_word_is_lost() {
        assert_eq!(wrapped("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrapped("", 6), [""; 0]);
        assert_eq!(wrapped("longer-than-that", 6), ["longer-than-that"]);
    }

    #[test]
    fn a_long_left_cell_has_its_own_line() {
        let mut text = String::new();
        let long = "      --external-resource-entitlement-id-filter <id>".to_owned();
        let rows = [
            ("  -f, --file <path>".to_owned(), "one two".to_owned()),
            (long.clone(), "three".to_owned()),
        ];
        table(&mut text, &rows, 80);
        let blank = " ".repeat(21);
        assert_eq!(
            text,
            format!("  -f, --file <path>  one two\n{long}\n{blank}three\n")
        );
    }
}
