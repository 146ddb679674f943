//! The command line, as text: which command, which flags, which raw values.
//!
//! clap does the splitting; values stay raw here, since one syntax serves all sources. Two Go
//! habits shape the use of clap. Flags before the command word belong to the command (so every
//! command carries its whole flag set, and the matches of those above are merged in front); a
//! switch takes a value only as `--flag=value`. clap's own errors are translated into the texts of
//! the contract (connector CLI specification, §2.2) and never printed.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, ValueHint, value_parser};

use crate::error::{Error, Result};
use crate::field::{AnyField, Kind};
use crate::help;
use crate::program::{Command, HELP, Positionals, Program, VERSION, words_of};
use crate::sources::{Values, check_flags};
use crate::value::{Malformed, parse_bool};

/// No flag can have this name, since it is not one.
const POSITIONALS: &str = "<positionals>";
/// What clap stores for a switch without a value.
const SWITCHED_ON: &str = "true";

/// The parsed command line.
#[derive(Debug)]
pub struct Line<'p, R> {
    /// The way from the root to the invoked command.
    pub path: Vec<&'p Command<R>>,
    /// The raw values.
    pub values: Values,
    /// Whether help is requested.
    pub help: bool,
    /// Whether the version is requested.
    pub version: bool,
    /// Positionals behind the command.
    pub positionals: Vec<OsString>,
}

impl<'p, R> Line<'p, R> {
    /// The invoked command.
    pub fn command(&self) -> &'p Command<R> {
        // The path begins with the root, so it is never empty.
        self.path[self.path.len() - 1]
    }

    /// The words behind the command as text.
    pub fn text_words(&self) -> Vec<String> {
        let text = |word: &OsString| word.to_string_lossy().into_owned();
        self.positionals.iter().map(text).collect()
    }
}

/// What a clap form has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// What each flag and command is for.
    pub descriptions: bool,
    /// Flags and commands that the help does not show.
    pub hidden: bool,
}

impl Parts {
    const ALL: Self = Self {
        descriptions: true,
        hidden: true,
    };
}

/// The clap form of a program; also what completions are made from.
pub(crate) fn clap_command<R>(program: &Program<R>, parts: Parts) -> clap::Command {
    let descriptions = parts.descriptions;
    let mut root = below(program, &mut vec![&program.root], parts);
    if !program.version.is_empty() {
        root = root.version(program.version).arg(
            switch(VERSION)
                .short('v')
                .long(VERSION)
                .help(described(help::VERSION_HELP, descriptions)),
        );
    }
    root
}

fn below<'p, R>(
    program: &'p Program<R>,
    path: &mut Vec<&'p Command<R>>,
    parts: Parts,
) -> clap::Command {
    let descriptions = parts.descriptions;
    let command = path[path.len() - 1];
    let mut built = clap::Command::new(command.name)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .color(clap::ColorChoice::Never)
        .hide(command.hidden)
        .about(described(command.about, descriptions))
        .args(
            program
                .fields_of(path)
                .into_iter()
                .filter(|field| parts.hidden || !field.hidden)
                .map(|field| arg(program, field, descriptions)),
        )
        .arg(
            switch(HELP)
                .short('h')
                .long(HELP)
                .help(described(help::HELP_HELP, descriptions)),
        );
    if command.positionals != Positionals::Refused {
        built = built.arg(
            Arg::new(POSITIONALS)
                .num_args(0..)
                .action(ArgAction::Append)
                .value_parser(value_parser!(OsString))
                .value_hint(match command.positionals {
                    Positionals::Named { .. } => ValueHint::AnyPath,
                    Positionals::Accepted | Positionals::Refused => ValueHint::Unknown,
                })
                .hide(true),
        );
    }
    for next in &command.commands {
        if next.hidden && !parts.hidden {
            continue;
        }
        path.push(next);
        built = built.subcommand(below(program, path, parts));
        path.pop();
    }
    built
}

fn described(text: &'static str, descriptions: bool) -> &'static str {
    if descriptions { text } else { "" }
}

fn switch(id: &'static str) -> Arg {
    Arg::new(id)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value(SWITCHED_ON)
        .value_parser(value_parser!(OsString))
        .action(ArgAction::Append)
}

fn arg<R>(program: &Program<R>, field: &AnyField, descriptions: bool) -> Arg {
    let arg = match field.kind {
        Kind::Bool { .. } => switch(field.name),
        _ if !field.alone.is_empty() => Arg::new(field.name)
            .num_args(0..=1)
            .default_missing_value(field.alone)
            .value_name(field.shown_value().unwrap_or_default())
            .value_parser(value_parser!(OsString))
            .action(ArgAction::Append),
        // Go's parser takes the next word as the value whatever it looks like.
        _ => Arg::new(field.name)
            .num_args(1)
            .allow_hyphen_values(true)
            .value_name(field.shown_value().unwrap_or_default())
            .value_parser(value_parser!(OsString))
            .value_hint(match field.kind {
                Kind::Path { .. } => ValueHint::AnyPath,
                Kind::Url { .. } => ValueHint::Url,
                _ => ValueHint::Unknown,
            })
            .action(ArgAction::Append),
    };
    let arg = arg.long(field.name).hide(field.hidden);
    let arg = if descriptions {
        arg.help(help::usage(program, field))
    } else {
        arg
    };
    match field.short {
        Some(short) => arg.short(short),
        None => arg,
    }
}

/// Splits the arguments (without the program's own name), and checks the form of each value.
///
/// # Errors
///
/// In the words of Go's flag parser.
pub fn parse<'p, R>(program: &'p Program<R>, args: &[OsString]) -> Result<Line<'p, R>> {
    let full = std::iter::once(OsString::from(program.name())).chain(args.iter().cloned());
    let matches = clap_command(program, Parts::ALL)
        .try_get_matches_from(full)
        .map_err(|error| translate(program, &error, args))?;
    let line = interpret(program, &matches, args)?;
    check_flags(&line.values, &program.fields_of(&line.path))?;
    Ok(line)
}

fn interpret<'p, R>(
    program: &'p Program<R>,
    root: &ArgMatches,
    args: &[OsString],
) -> Result<Line<'p, R>> {
    let mut levels = vec![root];
    let mut path = vec![&program.root];
    let mut matches = root;
    while let Some((name, inner)) = matches.subcommand() {
        levels.push(inner);
        path.extend(path.last().and_then(|command| command.find(name)));
        matches = inner;
    }
    let available = program.fields_of(&path);
    let mut names: BTreeSet<&'static str> = available.iter().map(|field| field.name).collect();
    for end in 1..path.len() {
        let above = program.fields_of(path.get(..end).unwrap_or_default());
        names.extend(above.iter().map(|field| field.name));
    }
    let mut values = Values::new();
    for name in names {
        let given: Vec<OsString> = levels
            .iter()
            .flat_map(|matches| raw(matches, name))
            .collect();
        if given.is_empty() {
            continue;
        }
        if !available.iter().any(|field| field.name == name) {
            return Err(unknown_flag(program, name, None));
        }
        values.insert(name, given);
    }
    let version = last_bool(root, VERSION)?;
    if version && path.len() > 1 {
        return Err(unknown_shorthand("-v", args));
    }
    let mut help = false;
    for matches in &levels {
        help |= last_bool(matches, HELP)?;
    }
    let positionals = raw(matches, POSITIONALS);
    Ok(Line {
        path,
        values,
        help,
        version,
        positionals,
    })
}

/// All texts given for one argument at one level, in order; empty where it does not exist.
fn raw(matches: &ArgMatches, id: &str) -> Vec<OsString> {
    match matches.try_get_many::<OsString>(id) {
        Ok(Some(values)) => values.cloned().collect(),
        Ok(None) | Err(_) => Vec::new(),
    }
}

fn last_bool(matches: &ArgMatches, id: &'static str) -> Result<bool> {
    let Some(text) = raw(matches, id).pop() else {
        return Ok(false);
    };
    let text = text.to_string_lossy().into_owned();
    parse_bool(&text).map_err(|problem| Error::InvalidArgument {
        text,
        flag: format!("--{id}"),
        problem,
    })
}

/// clap's error in the words of the contract.
fn translate<R>(program: &Program<R>, error: &clap::Error, args: &[OsString]) -> Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        // Of suggestions the last one is the most similar.
        Some(ContextValue::Strings(texts)) => texts.last().cloned(),
        _ => None,
    };
    let invalid = text(ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            if let Some(name) = invalid.strip_prefix("--").filter(|name| !name.is_empty()) {
                let similar = text(ContextKind::SuggestedArg)
                    .map(|flag| flag.trim_start_matches('-').to_owned());
                let name = name.split('=').next().unwrap_or(name);
                unknown_flag(program, name, similar)
            } else if invalid.starts_with('-') && invalid.len() > 1 {
                unknown_shorthand(&invalid, args)
            } else {
                let similar = text(ContextKind::SuggestedSubcommand);
                unknown_command(program, invalid, similar, args)
            }
        }
        ErrorKind::InvalidSubcommand => unknown_command(
            program,
            text(ContextKind::InvalidSubcommand).unwrap_or_default(),
            text(ContextKind::SuggestedSubcommand),
            args,
        ),
        // Flags take any text at this level, so all that can be wrong is that there is none; or,
        // for a switch, that the text behind `=` is empty.
        ErrorKind::InvalidValue
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues
        | ErrorKind::NoEquals => missing_argument(program, &invalid, args),
        _ => Error::CommandLine {
            text: error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        },
    }
}

/// The words in front of the unknown one decide whose command it is not.
fn unknown_command<R>(
    program: &Program<R>,
    word: String,
    similar: Option<String>,
    args: &[OsString],
) -> Error {
    let mut path = vec![&program.root];
    for arg in args.iter().take_while(|arg| **arg != *word) {
        let next = arg.to_str().and_then(|arg| path.last()?.find(arg));
        path.extend(next);
    }
    Error::UnknownCommand {
        word,
        root: words_of(&path),
        similar,
    }
}

/// A hidden flag is nothing to point at.
fn unknown_flag<R>(program: &Program<R>, name: &str, similar: Option<String>) -> Error {
    let is_shown = |similar: &String| {
        let fields = program.all_fields();
        !fields
            .iter()
            .any(|field| field.hidden && field.name == similar)
    };
    Error::UnknownFlag {
        name: name.to_owned(),
        similar: similar.filter(is_shown),
    }
}

fn unknown_shorthand(invalid: &str, args: &[OsString]) -> Error {
    let letter = invalid
        .trim_start_matches('-')
        .chars()
        .next()
        .unwrap_or('-');
    let argument = args
        .iter()
        .filter_map(|arg| arg.to_str())
        .find(|arg| arg.starts_with('-') && !arg.starts_with("--") && arg.contains(letter))
        .unwrap_or(invalid);
    Error::UnknownShorthand {
        letter,
        argument: argument.to_owned(),
    }
}

fn missing_argument<R>(program: &Program<R>, invalid: &str, args: &[OsString]) -> Error {
    // clap names the flag with its value word: `--file <path>`.
    let spelled = invalid.split([' ', '=', '[']).next().unwrap_or(invalid);
    let name = spelled.trim_start_matches('-');
    if let Some(field) = program
        .all_fields()
        .into_iter()
        .find(|field| field.name == name)
    {
        if matches!(field.kind, Kind::Bool { .. }) {
            let problem = Malformed::Bool {
                text: String::new(),
            };
            return Error::InvalidArgument {
                text: String::new(),
                flag: field.spelled(),
                problem,
            };
        }
        let last = args.last().and_then(|arg| arg.to_str()).unwrap_or_default();
        if let Some(short) = field.short.filter(|_| !last.starts_with("--")) {
            return Error::MissingArgument {
                flag: format!("'{short}' in {last}"),
            };
        }
    }
    Error::MissingArgument {
        flag: spelled.to_owned(),
    }
}
