//! Where values come from, and which source wins.
//!
//! Highest first: command line, `BATON_<NAME>`, a field's alias variables, config file, default
//! (connector CLI specification, §3). Lists are the exception: what the command line says is added
//! to what the environment or the file says. An empty variable counts as absent, an empty flag as
//! set. A value that does not parse is an error that names its source; the Go programs take the
//! zero value instead and go on.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use baton_proto::Secret;

use crate::config::{Config, Origin, default_value};
use crate::config_file::{self, ConfigFile, FileValue, Shape};
use crate::error::{Error, Result};
use crate::field::{Field, Kind};
use crate::secret::{self, SecretArg};
use crate::value::{Malformed, Value, parse_bool, parse_int, parse_list};

/// Environment variables by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// Everything that values are made of.
pub struct Sources<'a> {
    pub values: &'a BTreeMap<&'static str, Vec<String>>,
    pub env: &'a Environment,
    pub file: Option<&'a ConfigFile>,
    pub cwd: &'a Path,
    pub stdin: &'a mut dyn Read,
}

/// The settled configuration, and what to tell the user about it.
#[derive(Debug)]
pub struct Settled {
    pub config: Config,
    /// The files that secrets were read from.
    pub secret_files: Vec<PathBuf>,
}

/// Finds and reads the config file, if there is one. `all` are the fields of all commands: a file
/// may name a flag that the invoked command lacks.
pub fn config_file(env: &Environment, cwd: &Path, all: &[&Field]) -> Result<Option<ConfigFile>> {
    let named = variable(env, config_file::PATH_VARIABLE)?;
    let shape = |name: &str| {
        all.iter()
            .find(|field| field.name == name)
            .map(|field| match field.kind {
                Kind::List { .. } => Shape::List,
                _ => Shape::Scalar,
            })
    };
    match config_file::locate(named, cwd)? {
        Some(path) => config_file::read(path, &shape).map(Some),
        None => Ok(None),
    }
}

/// Settles the values of `fields`, the flags of the invoked command.
pub fn settle(sources: &mut Sources<'_>, fields: &[&Field]) -> Result<Settled> {
    let file = sources.file;
    let mut config = Config::default();
    let mut stdin_taken: Option<String> = None;
    let mut secret_files = Vec::new();
    for field in fields {
        let base = base_value(field, sources.env, file)?;
        let given = sources
            .values
            .get(field.name)
            .map_or(&[][..], Vec::as_slice);
        let (value, origin) = match (&field.kind, given.last()) {
            (_, None) => base.unwrap_or_else(|| (default_value(field), Origin::Default)),
            (Kind::List { .. }, Some(_)) => (merged_list(field, base, given)?, Origin::Flag),
            (Kind::String { .. }, Some(text)) if field.secret => {
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
                (Value::Secret(secret), Origin::Flag)
            }
            (_, Some(_)) => (flag_value(field, given)?, Origin::Flag),
        };
        config.insert(field.name, value, origin);
    }
    Ok(Settled {
        config,
        secret_files,
    })
}

/// Checks the raw values of the command line by their types, before anything else is looked at.
pub fn check_flags(values: &BTreeMap<&'static str, Vec<String>>, fields: &[&Field]) -> Result<()> {
    for field in fields {
        if let Some(given) = values.get(field.name) {
            flag_value(field, given)?;
        }
    }
    Ok(())
}

/// The value that the command line alone gives; each text must parse, the last scalar wins.
fn flag_value(field: &Field, given: &[String]) -> Result<Value> {
    let mut value = default_value(field);
    let mut items = Vec::new();
    for text in given {
        let parsed = parse(field, text).map_err(|problem| Error::InvalidArgument {
            text: text.clone(),
            flag: field.spelled(),
            problem,
        })?;
        match parsed {
            Value::List(more) => items.extend(more),
            scalar => value = scalar,
        }
    }
    Ok(match field.kind {
        Kind::List { .. } => Value::List(items),
        _ => value,
    })
}

fn merged_list(field: &Field, base: Option<(Value, Origin)>, given: &[String]) -> Result<Value> {
    let mut items = match base {
        Some((Value::List(items), _)) => items,
        _ => Vec::new(),
    };
    if let Value::List(more) = flag_value(field, given)? {
        items.extend(more);
    }
    Ok(Value::List(items))
}

/// What environment and config file say.
fn base_value(
    field: &Field,
    env: &Environment,
    file: Option<&ConfigFile>,
) -> Result<Option<(Value, Origin)>> {
    let proper = field.env_name();
    let names = std::iter::once(proper.as_str()).chain(field.env_aliases.iter().copied());
    for name in names {
        if let Some(text) = variable(env, name)? {
            let origin = format!("environment variable {name}");
            let value = parse(field, text).map_err(|source| invalid(field, &origin, source))?;
            return Ok(Some((value, Origin::Env(origin))));
        }
    }
    let Some((file, value)) =
        file.and_then(|file| file.values.get(field.name).map(|value| (file, value)))
    else {
        return Ok(None);
    };
    let origin = format!("config file `{}`", file.path.display());
    let parsed = match value {
        FileValue::Text(text) => parse(field, text),
        FileValue::Items(items) => match field.kind {
            Kind::List { .. } => Ok(Value::List(items.clone())),
            _ => Err(Malformed::Shape {
                expected: "a single value",
            }),
        },
    };
    let value = parsed.map_err(|source| invalid(field, &origin, source))?;
    Ok(Some((value, Origin::File(origin))))
}

fn invalid(field: &Field, origin: &str, source: Malformed) -> Error {
    let type_name = match field.kind {
        Kind::Bool { .. } => "bool",
        Kind::Int { .. } => "int",
        Kind::String { .. } => "string",
        Kind::List { .. } => "list",
    };
    Error::InvalidSetting {
        field: field.name,
        type_name,
        origin: origin.to_owned(),
        source,
    }
}

fn parse(field: &Field, text: &str) -> std::result::Result<Value, Malformed> {
    match field.kind {
        Kind::Bool { .. } => parse_bool(text).map(Value::Bool),
        Kind::Int { .. } => parse_int(text).map(Value::Int),
        Kind::List { .. } => parse_list(text).map(Value::List),
        Kind::String { .. } if field.secret => Ok(Value::Secret(Secret::new(text.to_owned()))),
        Kind::String { .. } => Ok(Value::Text(text.to_owned())),
    }
}

/// A variable's text; `None` when it is absent or empty.
pub fn variable<'a>(env: &'a Environment, name: &str) -> Result<Option<&'a str>> {
    let Some(value) = env
        .get(std::ffi::OsStr::new(name))
        .filter(|value| !value.is_empty())
    else {
        return Ok(None);
    };
    value
        .to_str()
        .map(Some)
        .ok_or_else(|| Error::EnvironmentEncoding {
            name: name.to_owned(),
        })
}
