//! `completion <shell>`: scripts that are generated from the same table as the parser.

use clap_complete::aot::Shell;

use super::{BuiltIn, Printed};
use crate::args::{Line, Parts, clap_command};
use crate::field::Field;
use crate::program::{Command, Program};
use crate::value::parse_bool;

const NO_DESCRIPTIONS: Field<bool> = Field::bool("no-descriptions", "leave the descriptions out");

/// A shell, and what writes its script.
struct Entry<R> {
    name: &'static str,
    about: &'static str,
    run: BuiltIn<R>,
}

fn shells<R>() -> [Entry<R>; 5] {
    [
        Entry {
            name: "bash",
            about: "print the completion script for bash",
            run: |program, line, _| script(program, line, Shell::Bash),
        },
        Entry {
            name: "elvish",
            about: "print the completion script for elvish",
            run: |program, line, _| script(program, line, Shell::Elvish),
        },
        Entry {
            name: "fish",
            about: "print the completion script for fish",
            run: |program, line, _| script(program, line, Shell::Fish),
        },
        Entry {
            name: "powershell",
            about: "print the completion script for powershell",
            run: |program, line, _| script(program, line, Shell::PowerShell),
        },
        Entry {
            name: "zsh",
            about: "print the completion script for zsh",
            run: |program, line, _| script(program, line, Shell::Zsh),
        },
    ]
}

pub(super) fn command<R>(wrap: fn(BuiltIn<R>) -> R) -> Command<R> {
    let mut command =
        Command::new("completion", "print a completion script for a shell").without_common();
    for shell in shells() {
        command = command.command(
            Command::new(shell.name, shell.about)
                .field(NO_DESCRIPTIONS)
                .without_common()
                .runs(wrap(shell.run)),
        );
    }
    command
}

fn script<R>(program: &Program<R>, line: &Line<'_, R>, shell: Shell) -> Printed {
    let last = line
        .values
        .get(NO_DESCRIPTIONS.name())
        .and_then(|given| given.last());
    let bare = last.is_some_and(|text| parse_bool(&text.to_string_lossy()) == Ok(true));
    let parts = Parts {
        descriptions: !bare,
        hidden: false,
    };
    let mut command = clap_command(program, parts);
    let mut printed = Printed::default();
    clap_complete::aot::generate(shell, &mut command, program.name(), &mut printed.out);
    printed
}
