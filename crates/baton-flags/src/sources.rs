//! The sources of values, and their order.
//!
//! Highest first: command line, `BATON_<NAME>`, a field's alias variables, config file, default
//! (connector CLI specification, §3). Lists and maps are the exception: values of the command
//! line are added to those of the environment or the file. An empty variable counts as absent, an empty
//! flag as set. A value that does not parse is an error that names its source; the Go programs use
//! the zero value instead and continue.
//!
//! A program that reads no settings has the command line alone as its source.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};

use baton_proto::Secret;

use crate::config::{Config, ValueSource, default_value};
use crate::config_file::{self, ConfigFile, FileValue, Shape};
use crate::error::{Error, Result};
use crate::field::{AnyField, Kind};
use crate::secret::{self, SecretArg};
use crate::value::{
    GivenPath, Malformed, Value, parse_bool, parse_duration, parse_int, parse_list, parse_object,
    parse_pairs, parse_size, parse_url,
};

/// Environment variables by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// Replaces a value that may hold credentials in an error.
const NOT_SHOWN: &str = "[not shown]";

/// Looks up values below the command line.
pub type Below<'a> = &'a dyn Fn(&AnyField, &Path) -> Result<Option<(Value, ValueSource)>>;

/// Raw values by flag, in order; the last one of a scalar wins.
pub type Values = BTreeMap<&'static str, Vec<OsString>>;

/// The sources of values.
pub struct Sources<'a> {
    /// The raw values of the command line.
    pub values: &'a Values,
    /// Environment and config file, as [`settings`] joins them; [`no_settings`] for none.
    pub below: Below<'a>,
    /// Where relative paths start.
    pub cwd: &'a Path,
    /// What `-` reads.
    pub stdin: &'a mut dyn Read,
}

/// The settled configuration, and where it came from.
#[derive(Debug)]
pub struct Settled {
    /// The values.
    pub config: Config,
    /// The files that secrets were read from.
    pub secret_files: Vec<PathBuf>,
}

/// Nothing below the command line.
pub fn no_settings(_: &AnyField, _: &Path) -> Result<Option<(Value, ValueSource)>> {
    Ok(None)
}

/// Environment and config file as one source below the command line.
pub fn settings<'a>(
    env: &'a Environment,
    file: Option<&'a ConfigFile>,
) -> impl Fn(&AnyField, &Path) -> Result<Option<(Value, ValueSource)>> + use<'a> {
    move |field, cwd| base_value(field, env, file, cwd)
}

/// Finds and reads the config file, if there is one. `all` are the fields of all commands: a file
/// may name a flag that the invoked command lacks.
pub fn config_file(env: &Environment, cwd: &Path, all: &[&AnyField]) -> Result<Option<ConfigFile>> {
    let named = variable(env, config_file::PATH_VARIABLE)?;
    let shape = |name: &str| {
        let is_it = |field: &&&AnyField| field.name == name && !field.only_typed;
        let field = all.iter().find(is_it)?;
        Some(match field.kind {
            Kind::List { .. } => Shape::List,
            Kind::Map { .. } => Shape::Map,
            _ => Shape::Scalar,
        })
    };
    match config_file::locate(named, cwd)? {
        Some(path) => config_file::read(path, &shape).map(Some),
        None => Ok(None),
    }
}

/// Settles the values of `fields`, the flags of the invoked command.
pub fn settle(sources: &mut Sources<'_>, fields: &[&AnyField]) -> Result<Settled> {
    let mut config = Config::default();
    let mut stdin_taken: Option<String> = None;
    let mut secret_files = Vec::new();
    for field in fields {
        let base = (sources.below)(field, sources.cwd)?;
        let given = sources
            .values
            .get(field.name)
            .map_or(&[][..], Vec::as_slice);
        let (value, origin) = match (&field.kind, given.last()) {
            (_, None) => match base {
                Some(found) => found,
                None => (default_value(field, sources.cwd)?, ValueSource::Default),
            },
            (Kind::String { .. }, Some(text)) if field.secret => {
                let text = utf8(text)?;
                let flag = format!("--{}", field.name);
                let secret = match SecretArg::of(text) {
                    SecretArg::Literal(text) => Secret::new(text.to_owned()),
                    SecretArg::File(path) => {
                        secret_files.push(sources.cwd.join(path));
                        secret::from_file(&flag, sources.cwd, path)?
                    }
                    SecretArg::Stdin => {
                        if let Some(first) = stdin_taken {
                            return Err(Error::StdinTwice {
                                first,
                                second: flag,
                            });
                        }
                        stdin_taken = Some(flag.clone());
                        secret::from_stdin(&flag, sources.stdin)?
                    }
                };
                (Value::Secret(secret), ValueSource::Flag)
            }
            (_, Some(_)) => {
                let value = flag_value(field, given, sources.cwd)?;
                (merged(base, value), ValueSource::Flag)
            }
        };
        config.insert(field.name, value, origin);
    }
    Ok(Settled {
        config,
        secret_files,
    })
}

/// Checks the raw values of the command line by their types, before anything else is looked at.
pub(crate) fn check_flags(values: &Values, fields: &[&AnyField]) -> Result<()> {
    for field in fields {
        if let Some(given) = values.get(field.name) {
            flag_value(field, given, Path::new(""))?;
        }
    }
    Ok(())
}

fn utf8(text: &OsStr) -> Result<&str> {
    text.to_str().ok_or_else(|| Error::ArgumentEncoding {
        argument: text.to_string_lossy().into_owned(),
    })
}

/// The value that the command line alone gives; each text must parse, the last scalar wins.
fn flag_value(field: &AnyField, given: &[OsString], cwd: &Path) -> Result<Value> {
    let mut value = None;
    for text in given {
        let parsed = match field.kind {
            // A path need not be text.
            Kind::Path { .. } => Value::Path(GivenPath::new(PathBuf::from(text), cwd)),
            Kind::Map { .. } => parse_pairs(utf8(text)?)
                .map(Value::Map)
                .map_err(|problem| refused(field, text, problem))?,
            _ => parse(field, utf8(text)?, cwd).map_err(|problem| refused(field, text, problem))?,
        };
        value = Some(match (value, parsed) {
            (Some(Value::List(mut items)), Value::List(more)) => {
                items.extend(more);
                Value::List(items)
            }
            (Some(Value::Map(mut pairs)), Value::Map(more)) => {
                pairs.extend(more);
                Value::Map(pairs)
            }
            (_, last) => last,
        });
    }
    match value {
        Some(value) => Ok(value),
        None => default_value(field, cwd),
    }
}

fn refused(field: &AnyField, text: &OsStr, problem: Malformed) -> Error {
    let text = match field.kind {
        // It may hold user and password.
        Kind::Url { .. } => NOT_SHOWN.to_owned(),
        _ => text.to_string_lossy().into_owned(),
    };
    Error::InvalidArgument {
        text,
        flag: field.spelled(),
        problem,
    }
}

/// The value of the command line, joined to that of the other sources.
fn merged(base: Option<(Value, ValueSource)>, given: Value) -> Value {
    match (base, given) {
        (Some((Value::List(mut items), _)), Value::List(more)) => {
            items.extend(more);
            Value::List(items)
        }
        (Some((Value::Map(mut pairs), _)), Value::Map(more)) => {
            pairs.extend(more);
            Value::Map(pairs)
        }
        (_, given) => given,
    }
}

/// The value of environment and config file.
fn base_value(
    field: &AnyField,
    env: &Environment,
    file: Option<&ConfigFile>,
    cwd: &Path,
) -> Result<Option<(Value, ValueSource)>> {
    if field.only_typed {
        return Ok(None);
    }
    for name in field.variables() {
        if let Some(value) = variable_value(field, env, &name, cwd)? {
            return Ok(Some(value));
        }
    }
    let Some((file, value)) =
        file.and_then(|file| file.values.get(field.name).map(|value| (file, value)))
    else {
        return Ok(None);
    };
    let origin = format!("config file `{}`", file.path.display());
    let shape = |expected| Err(Malformed::Shape { expected });
    let parsed = match (value, &field.kind) {
        (FileValue::Text(_), Kind::Map { .. }) => shape("a mapping"),
        (FileValue::Text(text), _) => parse(field, text, cwd),
        (FileValue::Items(items), Kind::List { .. }) => Ok(Value::List(items.clone())),
        (FileValue::Pairs(pairs), Kind::Map { .. }) => Ok(Value::Map(pairs.clone())),
        (FileValue::Items(_) | FileValue::Pairs(_), _) => shape("a single value"),
    };
    let value = parsed.map_err(|source| invalid(field, &origin, source))?;
    Ok(Some((value, ValueSource::File(origin))))
}

fn variable_value(
    field: &AnyField,
    env: &Environment,
    name: &str,
    cwd: &Path,
) -> Result<Option<(Value, ValueSource)>> {
    let origin = format!("environment variable {name}");
    if let Kind::Path { .. } = field.kind {
        let found = env.get(OsStr::new(name)).filter(|path| !path.is_empty());
        let path = found.map(|path| Value::Path(GivenPath::new(PathBuf::from(path), cwd)));
        return Ok(path.map(|path| (path, ValueSource::Env(origin))));
    }
    let Some(text) = variable(env, name)? else {
        return Ok(None);
    };
    let parsed = match field.kind {
        Kind::Map { .. } => parse_object(text).map(Value::Map),
        _ => parse(field, text, cwd),
    };
    let value = parsed.map_err(|source| invalid(field, &origin, source))?;
    Ok(Some((value, ValueSource::Env(origin))))
}

fn invalid(field: &AnyField, origin: &str, source: Malformed) -> Error {
    Error::InvalidSetting {
        field: field.name,
        type_name: field.type_name(),
        origin: origin.to_owned(),
        source,
    }
}

/// A text as a value of the field's type; a map has a syntax per source.
fn parse(field: &AnyField, text: &str, cwd: &Path) -> std::result::Result<Value, Malformed> {
    match field.kind {
        Kind::Bool { .. } => parse_bool(text).map(Value::Bool),
        Kind::Int { .. } => parse_int(text).map(Value::Int),
        Kind::List { .. } => parse_list(text).map(Value::List),
        Kind::Map { .. } => parse_pairs(text).map(Value::Map),
        Kind::String { .. } if field.secret => Ok(Value::Secret(Secret::new(text.to_owned()))),
        Kind::String { .. } => Ok(Value::Text(text.to_owned())),
        Kind::Path { .. } => Ok(Value::Path(GivenPath::new(PathBuf::from(text), cwd))),
        Kind::Url { .. } => parse_url(text).map(Value::Url),
        Kind::Duration { .. } => parse_duration(text).map(Value::Duration),
        Kind::Size { .. } => parse_size(text).map(Value::Size),
    }
}

/// The whole number above 0 that is the text of a variable.
///
/// # Errors
/// [`Error::InvalidSetting`] with the variable's name.
pub fn positive_number(name: &'static str, text: &str) -> Result<u64> {
    let number = parse_int(text).and_then(|value| match u64::try_from(value) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Malformed::Shape {
            expected: "a number above 0",
        }),
    });
    number.map_err(|source| Error::InvalidSetting {
        field: name,
        type_name: "int",
        origin: format!("environment variable {name}"),
        source,
    })
}

/// A variable's text; `None` when it is absent or empty.
pub fn variable<'a>(env: &'a Environment, name: &str) -> Result<Option<&'a str>> {
    let Some(value) = env.get(OsStr::new(name)).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    value
        .to_str()
        .map(Some)
        .ok_or_else(|| Error::EnvironmentEncoding {
            name: name.to_owned(),
        })
}
