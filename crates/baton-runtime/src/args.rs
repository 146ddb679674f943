//! The command line, as text: which command, which flags, which raw values.
//!
//! clap does the splitting; values stay text here, since one syntax serves all sources. Two Go
//! habits shape the use of clap. Flags before the command word belong to the command (so every
//! command carries its whole flag set, and the root's matches are merged in front); a switch
//! takes a value only as `--flag=value`. clap's own errors are translated into the texts of the
//! contract (connector CLI specification, §2.2) and never printed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::program::{CommandId, CommandShape, Program, Shell, Words};
use baton_flags::value::parse_bool;
use baton_flags::{Error, Result};
use baton_flags::{Field, Kind};

pub(crate) const HELP: &str = "help";
pub(crate) const VERSION: &str = "version";
pub(crate) const NO_DESCRIPTIONS: &str = "no-descriptions";
/// No flag can have this name, since it is not one.
const WORDS: &str = "<words>";
/// What clap stores for a switch without a value.
const SWITCHED_ON: &str = "true";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invoked {
    Root,
    Command(CommandId),
    Shell { shell: Shell, descriptions: bool },
}

/// The parsed command line. Values are raw and in order; the last one of a scalar wins.
#[derive(Debug)]
pub(crate) struct CommandLine {
    pub invoked: Invoked,
    pub values: BTreeMap<&'static str, Vec<String>>,
    pub help: bool,
    pub version: bool,
    /// Words behind the command.
    pub words: Vec<String>,
}

/// The clap form of a program; also what completions are made from.
pub(crate) fn clap_command(program: &Program, descriptions: bool) -> Command {
    let mut root = bare(program.name)
        .args(
            program
                .fields_of(None)
                .into_iter()
                .map(|field| arg(field, descriptions)),
        )
        .arg(help_arg(descriptions))
        .subcommands(
            program
                .commands
                .iter()
                .map(|shape| subcommand(program, shape, descriptions)),
        );
    if !program.version.is_empty() {
        root = root.version(program.version).arg(
            switch(VERSION)
                .short('v')
                .long(VERSION)
                .help(described("Print the version", descriptions)),
        );
    }
    root
}

fn bare(name: &'static str) -> Command {
    Command::new(name)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .color(clap::ColorChoice::Never)
}

fn subcommand(program: &Program, shape: &CommandShape, descriptions: bool) -> Command {
    let mut command = bare(shape.name)
        .about(described(shape.about, descriptions))
        .args(
            program
                .fields_of(Some(shape))
                .into_iter()
                .map(|field| arg(field, descriptions)),
        )
        .arg(help_arg(descriptions));
    if shape.words != Words::Refused {
        command = command.arg(
            Arg::new(WORDS)
                .num_args(0..)
                .action(ArgAction::Append)
                .hide(true),
        );
    }
    if shape.id == CommandId::Completion {
        command = command.subcommands(Shell::ALL.map(|shell| {
            bare(shell.name())
                .args(
                    program
                        .fields_of(Some(shape))
                        .into_iter()
                        .map(|field| arg(field, descriptions)),
                )
                .arg(help_arg(descriptions))
                .arg(
                    switch(NO_DESCRIPTIONS)
                        .long(NO_DESCRIPTIONS)
                        .help(described("Leave the descriptions out", descriptions)),
                )
        }));
    }
    command
}

fn described(text: &'static str, descriptions: bool) -> &'static str {
    if descriptions { text } else { "" }
}

fn help_arg(descriptions: bool) -> Arg {
    switch(HELP)
        .short('h')
        .long(HELP)
        .help(described("Print help", descriptions))
}

fn switch(id: &'static str) -> Arg {
    Arg::new(id)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value(SWITCHED_ON)
        .action(ArgAction::Append)
}

fn arg(field: &Field, descriptions: bool) -> Arg {
    let arg = match field.kind {
        Kind::Bool { .. } => switch(field.name),
        // Go's parser takes the next word as the value whatever it looks like.
        _ => Arg::new(field.name)
            .num_args(1)
            .allow_hyphen_values(true)
            .value_name(field.type_word().unwrap_or_default())
            .action(ArgAction::Append),
    };
    let arg = arg.long(field.name).hide(field.hidden);
    let arg = if descriptions {
        arg.help(field.usage())
    } else {
        arg
    };
    match field.short {
        Some(short) => arg.short(short),
        None => arg,
    }
}

/// Splits the arguments (without the program's own name).
pub(crate) fn parse(program: &Program, args: &[OsString]) -> Result<CommandLine> {
    if let Some(bad) = args.iter().find(|arg| arg.to_str().is_none()) {
        return Err(Error::ArgumentEncoding {
            argument: bad.to_string_lossy().into_owned(),
        });
    }
    let full = std::iter::once(OsString::from(program.name)).chain(args.iter().cloned());
    let matches = clap_command(program, true)
        .try_get_matches_from(full)
        .map_err(|error| translate(program, &error, args))?;
    interpret(program, &matches, args)
}

fn interpret(program: &Program, root: &ArgMatches, args: &[OsString]) -> Result<CommandLine> {
    let mut levels = vec![root];
    let mut invoked = Invoked::Root;
    let mut shape = None;
    if let Some((name, matches)) = root.subcommand() {
        levels.push(matches);
        if let Some(command) = program.command(name) {
            invoked = Invoked::Command(command.id);
            shape = Some(command);
        }
        if let Some((shell_name, shell_matches)) = matches.subcommand() {
            levels.push(shell_matches);
            if let Some(shell) = Shell::ALL
                .into_iter()
                .find(|shell| shell.name() == shell_name)
            {
                let descriptions = !last_bool(shell_matches, NO_DESCRIPTIONS)?;
                invoked = Invoked::Shell {
                    shell,
                    descriptions,
                };
            }
        }
    }
    let available = program.fields_of(shape);
    let names: BTreeSet<&'static str> = program
        .fields_of(None)
        .iter()
        .chain(&available)
        .map(|field| field.name)
        .collect();
    let mut values = BTreeMap::new();
    for name in names {
        let given: Vec<String> = levels
            .iter()
            .flat_map(|matches| texts(matches, name))
            .collect();
        if given.is_empty() {
            continue;
        }
        if !available.iter().any(|field| field.name == name) {
            return Err(Error::UnknownFlag {
                name: name.to_owned(),
                similar: None,
            });
        }
        values.insert(name, given);
    }
    let version = last_bool(root, VERSION)?;
    if version && invoked != Invoked::Root {
        return Err(unknown_shorthand("-v", args));
    }
    let mut help = false;
    for matches in &levels {
        help |= last_bool(matches, HELP)?;
    }
    let words = levels
        .last()
        .map(|matches| texts(matches, WORDS))
        .unwrap_or_default();
    Ok(CommandLine {
        invoked,
        values,
        help,
        version,
        words,
    })
}

/// All texts given for one argument at one level, in order; empty where it does not exist.
fn texts(matches: &ArgMatches, id: &str) -> Vec<String> {
    match matches.try_get_many::<String>(id) {
        Ok(Some(values)) => values.cloned().collect(),
        Ok(None) | Err(_) => Vec::new(),
    }
}

fn last_bool(matches: &ArgMatches, id: &'static str) -> Result<bool> {
    let Some(text) = texts(matches, id).pop() else {
        return Ok(false);
    };
    parse_bool(&text).map_err(|problem| Error::InvalidArgument {
        text,
        flag: format!("--{id}"),
        problem,
    })
}

/// clap's error in the words of the contract.
fn translate(program: &Program, error: &clap::Error, args: &[OsString]) -> Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let invalid = text(ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            if let Some(name) = invalid.strip_prefix("--").filter(|name| !name.is_empty()) {
                let similar = text(ContextKind::SuggestedArg)
                    .map(|flag| flag.trim_start_matches('-').to_owned());
                let name = name.split('=').next().unwrap_or(name).to_owned();
                Error::UnknownFlag { name, similar }
            } else if invalid.starts_with('-') && invalid.len() > 1 {
                unknown_shorthand(&invalid, args)
            } else {
                unknown_command(
                    program,
                    invalid,
                    text(ContextKind::SuggestedSubcommand),
                    args,
                )
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
fn unknown_command(
    program: &Program,
    word: String,
    similar: Option<String>,
    args: &[OsString],
) -> Error {
    let command = program.commands.iter().find(|command| {
        args.iter()
            .take_while(|arg| **arg != *word)
            .any(|arg| *arg == *command.name)
    });
    let root = match command {
        Some(command) => format!("{} {}", program.name, command.name),
        None => program.name.to_owned(),
    };
    Error::UnknownCommand {
        word,
        root,
        similar,
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

fn missing_argument(program: &Program, invalid: &str, args: &[OsString]) -> Error {
    // clap names the flag with its value word: `--file <string>`.
    let spelled = invalid.split([' ', '=', '[']).next().unwrap_or(invalid);
    let name = spelled.trim_start_matches('-');
    let fields = program.common.iter().chain(&program.connector);
    let own = program
        .commands
        .iter()
        .flat_map(|command| &command.own_fields);
    if let Some(field) = fields.chain(own).find(|field| field.name == name) {
        if matches!(field.kind, Kind::Bool { .. }) {
            let problem = baton_flags::value::Malformed::Bool {
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
