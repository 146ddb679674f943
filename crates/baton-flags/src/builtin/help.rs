//! `help [command]`.

use super::{BuiltIn, Printed, Unknown};
use crate::args::Line;
use crate::help;
use crate::program::{Command, Positionals, Program, words_of};

pub(super) fn command<R>(wrap: fn(BuiltIn<R>) -> R) -> Command<R> {
    Command::new("help", "explain a command")
        .positionals(Positionals::Named {
            shown: "[command]",
            help: "the command to explain, such as `completion bash`",
        })
        .without_common()
        .runs(wrap(explain))
}

/// The help of the command that the words name.
fn explain<R>(program: &Program<R>, line: &Line<'_, R>, columns: usize) -> Printed {
    let topic = line.text_words();
    let (path, unknown) = program.find(topic.iter().map(String::as_str));
    match unknown {
        None => help::help(program, &path, columns).into(),
        Some(word) => Printed {
            out: Vec::new(),
            unknown: Some(Unknown {
                word: word.to_owned(),
                root: words_of(&path),
                help: help::help(program, &[&program.root], columns),
            }),
        },
    }
}
