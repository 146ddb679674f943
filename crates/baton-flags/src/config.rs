//! The settled values of one run.
//!
//! A [`Config`] is what the sources (command line, environment, config file, defaults) add up to,
//! and the only thing that code behind the parser sees. It knows for each value where it came
//! from, because "was it set" and "is it present" are different questions in this contract.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use baton_proto::Secret;

use crate::error::{Error, Result};
use crate::field::{AnyField, Field, Kind};
use crate::setting::Setting;
use crate::value::{GivenPath, Value, parse_duration, parse_size, parse_url};

/// Where a value came from, highest rank last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSource {
    /// From the definition of the field.
    Default,
    /// From the config file, as text for people.
    File(String),
    /// From a variable, as text for people.
    Env(String),
    /// From the command line.
    Flag,
}

#[derive(Debug, Clone)]
struct Settled {
    value: Value,
    origin: ValueSource,
}

/// Settings of a run.
#[derive(Debug, Clone, Default)]
pub struct Config {
    settings: BTreeMap<&'static str, Settled>,
    pub(crate) group: Option<&'static str>,
}

impl Config {
    pub(crate) fn insert(&mut self, name: &'static str, value: Value, origin: ValueSource) {
        self.settings.insert(name, Settled { value, origin });
    }

    pub(crate) fn choose(&mut self, group: Option<&'static str>) {
        self.group = group;
    }

    fn settled(&self, name: &str) -> Option<&Settled> {
        self.settings.get(name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.settled(name).map(|settled| &settled.value)
    }

    /// The value of a field.
    ///
    /// # Panics
    ///
    /// If the invoked command does not declare the field, or declares another of this name: the
    /// program reads what it did not ask for. [`Config::find`] is for fields that some commands
    /// have and others lack. A field of a group that was not chosen may also lack a value.
    #[track_caller]
    pub fn get<T: Setting>(&self, field: &Field<T>) -> T::Read<'_> {
        match self.find(field) {
            Some(value) => value,
            None => panic!(
                "the command has no value of the field `{}`; its fields are {}",
                field.name(),
                self.settings.keys().copied().collect::<Vec<_>>().join(", ")
            ),
        }
    }

    /// The value of a field; `None` where the invoked command does not have the field.
    pub fn find<T: Setting>(&self, field: &Field<T>) -> Option<T::Read<'_>> {
        T::read(self.value(field.name())?)
    }

    /// The value of a field if the command line, the environment or the config file gave one, even
    /// an empty one.
    pub fn given<T: Setting>(&self, field: &Field<T>) -> Option<T::Read<'_>> {
        self.find(field).filter(|_| self.is_set(field.name()))
    }

    /// A path as the user wrote it; empty when there is none.
    pub fn as_written<T>(&self, field: &Field<T>) -> &Path
    where
        T: Setting,
    {
        match self.value(field.name()) {
            Some(Value::Path(path)) => &path.given,
            _ => Path::new(""),
        }
    }

    /// Whether the command line, the environment or the config file gave a value, even an empty
    /// one.
    pub fn was_set<T: Setting>(&self, field: &Field<T>) -> bool {
        self.is_set(field.name())
    }

    /// Whether the value is other than the zero value of its type.
    pub fn has<T: Setting>(&self, field: &Field<T>) -> bool {
        self.is_present(field.name())
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.settled(name)
            .is_some_and(|settled| settled.origin != ValueSource::Default)
    }

    pub(crate) fn is_present(&self, name: &str) -> bool {
        self.value(name).is_some_and(Value::is_present)
    }

    /// These settings, with the values of `newer` where it has some.
    #[must_use]
    pub fn updated(mut self, newer: Self) -> Self {
        self.settings.extend(newer.settings);
        self
    }

    /// The texts of all secrets, which are hidden in texts for people.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let values = self.settings.values().map(|settled| &settled.value);
        values.filter_map(|value| match value {
            Value::Secret(secret) => Some(secret.expose().to_owned()),
            _ => None,
        })
    }
}

/// The value that a field has when no source gives one.
///
/// # Errors
///
/// A default that its own type refuses.
pub(crate) fn default_value(field: &AnyField, cwd: &Path) -> Result<Value> {
    let malformed = |problem| Error::MalformedDefault {
        name: field.name,
        problem,
    };
    Ok(match &field.kind {
        Kind::Bool { default } => Value::Bool(*default),
        Kind::Int { default, .. } => Value::Int(*default),
        Kind::List { .. } => Value::List(Vec::new()),
        Kind::Map { .. } => Value::Map(BTreeMap::new()),
        Kind::String { default, .. } if field.secret => Value::Secret(Secret::new(*default)),
        Kind::String { default, .. } => Value::Text((*default).to_owned()),
        Kind::Path { default, .. } => Value::Path(GivenPath::new(PathBuf::from(default), cwd)),
        Kind::Url { default, .. } => Value::Url(parse_url(default).map_err(malformed)?),
        Kind::Duration { default, .. } => {
            Value::Duration(parse_duration(default).map_err(malformed)?)
        }
        Kind::Size { default, .. } => Value::Size(parse_size(default).map_err(malformed)?),
    })
}

/// Fails where a field is set to nothing that must name something: an empty path would mean the
/// current folder.
pub(crate) fn check_names(fields: &[&AnyField], config: &Config) -> Result<()> {
    for field in fields {
        let expected = field.must_name;
        if expected.is_empty() || !config.is_set(field.name) {
            continue;
        }
        let empty = match config.value(field.name) {
            Some(Value::List(items)) => items.iter().any(String::is_empty),
            Some(value) => !value.is_present(),
            None => false,
        };
        if empty {
            return Err(Error::EmptyPath {
                flag: field.name,
                expected,
            });
        }
    }
    Ok(())
}

/// The value check: every field against its rules, all violations at once, in field order.
pub(crate) fn violations(fields: &[&AnyField], config: &Config) -> Vec<String> {
    let violation = |field: &&AnyField| {
        let text = violation(field, config.value(field.name)?)?;
        Some(format!("field {}{text}", field.name))
    };
    fields.iter().filter_map(violation).collect()
}

fn violation(field: &AnyField, value: &Value) -> Option<String> {
    if field.is_required() && !value.is_present() {
        let type_name = match field.kind {
            Kind::Int { .. } => "int",
            Kind::List { .. } => "[]string",
            Kind::Map { .. } => "map[string]any",
            _ => "string",
        };
        return Some(crate::rules::required(type_name));
    }
    match (&field.kind, value) {
        (Kind::String { rules, .. }, Value::Text(text)) => rules.as_ref()?.violation(text, false),
        (Kind::String { rules, .. }, Value::Secret(secret)) => {
            rules.as_ref()?.violation(secret.expose(), true)
        }
        (Kind::Int { rules, .. }, Value::Int(value)) => rules.as_ref()?.violation(*value),
        (Kind::List { rules }, Value::List(items)) => {
            rules.as_ref()?.violation(items, field.secret)
        }
        _ => None,
    }
}
