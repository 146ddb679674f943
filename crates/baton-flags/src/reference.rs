//! Reference pages, as Markdown.
//!
//! Hidden flags and commands are listed, too: a reference is complete.

use std::fmt::Write as _;

use crate::field::AnyField;
use crate::program::{Command, Positionals, Program, words_of};

/// A table of flags, sorted by name. `reads_settings`: whether flags have variables.
pub fn flag_table<'f>(
    fields: impl IntoIterator<Item = &'f AnyField>,
    reads_settings: bool,
) -> String {
    let mut sorted: Vec<&AnyField> = fields.into_iter().collect();
    sorted.sort_by_key(|field| field.name);
    let mut text = String::from(if reads_settings {
        "| flag | type | default | environment | meaning |\n| --- | --- | --- | --- | --- |\n"
    } else {
        "| flag | type | default | meaning |\n| --- | --- | --- | --- |\n"
    });
    for field in sorted {
        let short = field
            .short
            .map(|short| format!(", `-{short}`"))
            .unwrap_or_default();
        let default = field
            .shown_default()
            .map(|text| format!("`{text}`"))
            .unwrap_or_default();
        let variables: Vec<String> = field.variables().map(|name| format!("`{name}`")).collect();
        let environment = if reads_settings {
            format!(" {} |", variables.join(", "))
        } else {
            String::new()
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `--{}`{short} | {} | {default} |{environment} {}{} |",
            field.name,
            field.type_word().unwrap_or("switch"),
            field.help.replace('|', "\\|"),
            marks(field),
        );
    }
    text
}

fn marks(field: &AnyField) -> String {
    let mut marks = Vec::new();
    if field.is_required() {
        marks.push("required");
    }
    if field.secret {
        marks.push("secret: also takes `@path` and `-`");
    }
    if field.hidden {
        marks.push("not shown in the help");
    }
    if marks.is_empty() {
        String::new()
    } else {
        format!(" ({})", marks.join("; "))
    }
}

/// All commands below the root, each with its usage and its own flags.
pub fn command_sections<R>(program: &Program<R>) -> String {
    let mut text = String::new();
    below(&mut text, program, &mut vec![&program.root]);
    text
}

fn below<'p, R>(text: &mut String, program: &'p Program<R>, path: &mut Vec<&'p Command<R>>) {
    let Some(command) = path.last().copied() else {
        return;
    };
    for next in &command.commands {
        path.push(next);
        let hidden = if next.hidden {
            " (not shown in the help)"
        } else {
            ""
        };
        let _ = writeln!(text, "\n## `{}`\n\n{}{hidden}", words_of(path), next.about);
        let usage = crate::help::usage_lines(path).join("\n");
        let _ = writeln!(text, "\n```text\n{usage}\n```");
        if let Positionals::Named { shown, help } = next.positionals {
            let _ = writeln!(text, "\n`{shown}`: {help}");
        }
        if !next.fields.is_empty() {
            let table = flag_table(&next.fields, program.reads_settings);
            let _ = write!(text, "\n{table}");
        }
        below(text, program, path);
        path.pop();
    }
}
