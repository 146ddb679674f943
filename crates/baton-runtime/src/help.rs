//! Help texts, in the layout that users of the Go programs know (connector CLI specification,
//! §4.4): name line, usage, commands, flags sorted by name.

use std::fmt::Write as _;

use crate::figures::padded;
use crate::program::{CommandId, CommandShape, Program, Shell};
use baton_flags::Field;

/// Narrowest column of command names.
const COMMAND_COLUMN: usize = 11;

/// One line of a flag table.
struct FlagLine {
    name: String,
    left: String,
    right: String,
}

/// Help of the root command.
pub(crate) fn root(program: &Program) -> String {
    let name = program.name;
    let mut text =
        format!("{name}\n\nUsage:\n  {name} [flags]\n  {name} [command]\n\nAvailable Commands:\n");
    let mut commands: Vec<(&str, &str)> = program
        .commands
        .iter()
        .map(|command| (command.name, command.about))
        .collect();
    commands.sort_unstable();
    command_table(&mut text, &commands);
    let mut lines: Vec<FlagLine> = visible(program.fields_of(None));
    lines.push(plain_switch('h', "help", format!("help for {name}")));
    if !program.version.is_empty() {
        lines.push(plain_switch('v', "version", format!("version for {name}")));
    }
    flag_table(&mut text, "Flags", lines);
    let _ = write!(
        text,
        "\nUse \"{name} [command] --help\" for more information about a command.\n"
    );
    text
}

/// Help of one subcommand.
pub(crate) fn command(program: &Program, command: &CommandShape) -> String {
    let path = format!("{} {}", program.name, command.name);
    let mut text = format!("{}\n\nUsage:\n  {path}", command.about);
    if command.id == CommandId::Completion {
        text.push_str(" [command]\n\nAvailable Commands:\n");
        let shells: Vec<(&str, String)> = Shell::ALL
            .iter()
            .map(|shell| {
                (
                    shell.name(),
                    format!("Print the completion script for {}", shell.name()),
                )
            })
            .collect();
        let shells: Vec<(&str, &str)> = shells
            .iter()
            .map(|(name, about)| (*name, about.as_str()))
            .collect();
        command_table(&mut text, &shells);
    } else if command.id == CommandId::Help {
        text.push_str(" [command] [flags]\n");
    } else {
        text.push_str(" [flags]\n");
    }
    split_flags(&mut text, program, command, &path, &[]);
    if command.id == CommandId::Completion {
        let _ = write!(
            text,
            "\nUse \"{path} [command] --help\" for more information about a command.\n"
        );
    }
    text
}

/// Help of `completion <shell>`.
pub(crate) fn shell(program: &Program, command: &CommandShape, shell: Shell) -> String {
    let path = format!("{} {} {}", program.name, command.name, shell.name());
    let mut text = format!(
        "Print the completion script for {}\n\nUsage:\n  {path} [flags]\n",
        shell.name()
    );
    let own = [("no-descriptions", "leave the descriptions out")];
    split_flags(&mut text, program, command, &path, &own);
    text
}

/// A command's own flags, then the ones that every command has.
fn split_flags(
    text: &mut String,
    program: &Program,
    command: &CommandShape,
    path: &str,
    switches: &[(&str, &str)],
) {
    let (global, local): (Vec<&Field>, Vec<&Field>) = program
        .fields_of(Some(command))
        .into_iter()
        .partition(|field| {
            field.persistent && !command.own_fields.iter().any(|own| own.name == field.name)
        });
    let mut lines = visible(local);
    lines.push(plain_switch(
        'h',
        "help",
        format!("help for {}", last_word(path)),
    ));
    for (name, about) in switches {
        lines.push(FlagLine {
            name: (*name).to_owned(),
            left: format!("      --{name}"),
            right: (*about).to_owned(),
        });
    }
    flag_table(text, "Flags", lines);
    flag_table(text, "Global Flags", visible(global));
}

fn last_word(path: &str) -> &str {
    path.rsplit(' ').next().unwrap_or(path)
}

fn visible(fields: Vec<&Field>) -> Vec<FlagLine> {
    fields
        .into_iter()
        .filter(|field| !field.hidden)
        .map(flag_line)
        .collect()
}

fn flag_line(field: &Field) -> FlagLine {
    let mut left = match field.short {
        Some(short) => format!("  -{short}, --{}", field.name),
        None => format!("      --{}", field.name),
    };
    if let Some(word) = field.type_word() {
        let _ = write!(left, " {word}");
    }
    let mut right = field.usage();
    if let Some(default) = field.shown_default() {
        let _ = write!(right, " (default {default})");
    }
    FlagLine {
        name: field.name.to_owned(),
        left,
        right,
    }
}

fn plain_switch(short: char, name: &str, right: String) -> FlagLine {
    FlagLine {
        name: name.to_owned(),
        left: format!("  -{short}, --{name}"),
        right,
    }
}

fn flag_table(text: &mut String, title: &str, mut lines: Vec<FlagLine>) {
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    let widest = lines.iter().map(|line| line.left.chars().count()).max();
    let width = widest.unwrap_or(0);
    let _ = write!(text, "\n{title}:\n");
    for line in lines {
        let left = padded(&line.left, width);
        let _ = writeln!(text, "{left}   {}", line.right);
    }
}

fn command_table(text: &mut String, commands: &[(&str, &str)]) {
    let longest = commands
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let width = longest.max(COMMAND_COLUMN);
    for (name, about) in commands {
        let _ = writeln!(text, "  {} {about}", padded(name, width));
    }
}
