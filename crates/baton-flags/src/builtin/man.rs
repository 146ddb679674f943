//! `man`: the whole program as one manual page, in the `man` macros that every `man` reads.

use std::fmt::Write as _;

use super::BuiltIn;
use crate::args::Line;
use crate::field::AnyField;
use crate::help;
use crate::program::{Command, Positionals, Program, words_of};

pub(super) fn command<R>(wrap: fn(BuiltIn<R>) -> R) -> Command<R> {
    Command::new("man", "print the manual page, for `man -l -`")
        .hidden()
        .without_common()
        .runs(wrap(|program, _: &Line<'_, R>, _| page(program).into()))
}

/// The page.
pub(crate) fn page<R>(program: &Program<R>) -> String {
    let name = program.name();
    let mut text = String::new();
    let title = name.to_uppercase();
    let version = format!("{name} {}", program.version);
    let _ = writeln!(text, ".TH {} 1 \"\" {}", quoted(&title), quoted(&version));
    let _ = writeln!(
        text,
        ".SH NAME\n{} \\- {}",
        escaped(name),
        escaped(program.root.about)
    );
    // Flags and addresses are there to be copied, so no word is broken.
    text.push_str(".nh\n.ad l\n.SH SYNOPSIS\n");
    synopsis(&mut text, &[&program.root]);
    flags(&mut text, program, &[&program.root]);
    commands(&mut text, program, &mut vec![&program.root]);
    examples(&mut text, ".SH", name, &program.root);
    text
}

/// A page for a folder of manual pages.
#[derive(Debug)]
pub struct ManualPage {
    /// The name of its file, such as `baton-grants.1`.
    pub file_name: String,
    /// Its content.
    pub text: String,
}

/// The page of the whole program, and one for each command that the help lists.
pub fn manual_pages<R>(program: &Program<R>) -> Vec<ManualPage> {
    let mut pages = vec![ManualPage {
        file_name: format!("{}.1", program.name()),
        text: page(program),
    }];
    add_pages(&mut pages, program, &mut vec![&program.root]);
    pages
}

fn add_pages<'p, R>(
    pages: &mut Vec<ManualPage>,
    program: &'p Program<R>,
    path: &mut Vec<&'p Command<R>>,
) {
    let Some(command) = path.last().copied() else {
        return;
    };
    for below in command.commands.iter().filter(|command| !command.hidden) {
        path.push(below);
        let name = words_of(path).replace(' ', "-");
        pages.push(ManualPage {
            text: page_of(program, path, &name),
            file_name: format!("{name}.1"),
        });
        add_pages(pages, program, path);
        path.pop();
    }
}

/// The page of one command, with all its flags.
fn page_of<R>(program: &Program<R>, path: &[&Command<R>], name: &str) -> String {
    let mut text = String::new();
    let Some(command) = path.last().copied() else {
        return text;
    };
    let version = format!("{} {}", program.name(), program.version);
    let title = name.to_uppercase();
    let _ = writeln!(text, ".TH {} 1 \"\" {}", quoted(&title), quoted(&version));
    let about = escaped(command.about);
    let _ = writeln!(text, ".SH NAME\n{} \\- {about}", escaped(name));
    text.push_str(".nh\n.ad l\n.SH SYNOPSIS\n");
    synopsis(&mut text, path);
    if let Positionals::Named { shown, help } = command.positionals {
        let _ = writeln!(text, ".TP\n\\fI{}\\fR\n{}", escaped(shown), escaped(help));
    }
    flags(&mut text, program, path);
    examples(&mut text, ".SH", program.name(), command);
    let _ = writeln!(text, ".SH SEE ALSO\n\\fB{}\\fR(1)", escaped(program.name()));
    text
}

fn synopsis<R>(text: &mut String, path: &[&Command<R>]) {
    for line in help::usage_lines(path) {
        let _ = writeln!(text, ".nf\n{}\n.fi", escaped(&line));
    }
}

/// All commands below the last of `path`, depth first, without the flags that all have.
fn commands<'p, R>(text: &mut String, program: &'p Program<R>, path: &mut Vec<&'p Command<R>>) {
    let Some(command) = path.last().copied() else {
        return;
    };
    for below in command.commands.iter().filter(|command| !command.hidden) {
        path.push(below);
        let _ = writeln!(text, ".SH {}", quoted(&words_of(path).to_uppercase()));
        let _ = writeln!(text, "{}", escaped(below.about));
        text.push_str(".PP\n");
        synopsis(text, path);
        if let Positionals::Named { shown, help } = below.positionals {
            let _ = writeln!(text, ".TP\n\\fI{}\\fR\n{}", escaped(shown), escaped(help));
        }
        for field in below.fields.iter().filter(|field| !field.hidden) {
            flag(text, program, field);
        }
        examples(text, ".SS", program.name(), below);
        commands(text, program, path);
        path.pop();
    }
}

fn flags<R>(text: &mut String, program: &Program<R>, path: &[&Command<R>]) {
    for section in help::sections(program, path) {
        let _ = writeln!(text, ".SH {}", quoted(&section.heading.to_uppercase()));
        for field in &section.fields {
            flag(text, program, field);
        }
        if section.has_general {
            let _ = writeln!(
                text,
                ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n{}",
                help::HELP_HELP
            );
            let _ = writeln!(
                text,
                ".TP\n\\fB\\-v\\fR, \\fB\\-\\-version\\fR\n{}",
                help::VERSION_HELP
            );
        }
    }
}

fn flag<R>(text: &mut String, program: &Program<R>, field: &AnyField) {
    text.push_str(".TP\n");
    if let Some(short) = field.short {
        let _ = write!(text, "\\fB\\-{short}\\fR, ");
    }
    let _ = write!(text, "\\fB\\-\\-{}\\fR", escaped(field.name));
    if let Some(value) = field.shown_value() {
        let _ = write!(text, " \\fI{}\\fR", escaped(value));
    }
    let mut about = help::usage(program, field);
    if let Some(default) = field.shown_default() {
        let _ = write!(about, " (default {default})");
    }
    let _ = writeln!(text, "\n{}", escaped(&about));
}

fn examples<R>(text: &mut String, heading: &str, name: &str, command: &Command<R>) {
    if command.examples.is_empty() {
        return;
    }
    let _ = writeln!(text, "{heading} EXAMPLES");
    for example in &command.examples {
        let line = format!("{name} {}", example.args);
        let _ = writeln!(
            text,
            ".PP\n{}\n.nf\n.RS\n{}\n.RE\n.fi",
            escaped(example.about),
            escaped(line.trim_end())
        );
    }
}

/// Text that no line of which is a request, and whose dashes can be copied.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let guarded = |line: &str| match line.chars().next() {
        Some('.' | '\'') => format!("\\&{line}"),
        _ => line.to_owned(),
    };
    text.lines().map(guarded).collect::<Vec<_>>().join("\n")
}

/// Text as one argument of a request.
fn quoted(text: &str) -> String {
    let text = escaped(text).replace('"', "\\(dq").replace('\n', " ");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_request_or_a_typographic_dash() {
        assert_eq!(escaped(".TH x\n'y --z \\a"), "\\&.TH x\n\\&'y \\-\\-z \\ea");
        assert_eq!(quoted("a \"b\""), "\"a \\(dqb\\(dq\"");
    }
}
