//! The settled values of one run.
//!
//! A [`Config`] is what the sources (command line, environment, config file, defaults) add up to,
//! and the only thing that code behind the parser sees. It knows for each value where it came
//! from, because "was it set" and "is it present" are different questions in this contract.

use std::collections::BTreeMap;

use crate::field::{Field, Kind};
use crate::value::Value;
use baton_proto::Secret;

/// Where a value came from, highest rank last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(String),
    Env(String),
    Flag,
}

#[derive(Debug, Clone)]
pub struct Setting {
    pub value: Value,
    pub origin: Origin,
}

/// Settings of a run. Reading a name that the program does not define yields the zero value.
#[derive(Debug, Clone, Default)]
pub struct Config {
    settings: BTreeMap<&'static str, Setting>,
}

impl Config {
    pub fn insert(&mut self, name: &'static str, value: Value, origin: Origin) {
        self.settings.insert(name, Setting { value, origin });
    }

    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name)
    }

    /// Whether the command line, the environment or the config file gave a value, even an empty one.
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|setting| setting.origin != Origin::Default)
    }

    /// Whether the value is other than the zero value of its type.
    pub fn is_present(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|setting| setting.value.is_present())
    }

    /// A string; also the text of a secret is *not* given here, see [`Config::secret`].
    pub fn string(&self, name: &str) -> &str {
        match self.get(name).map(|setting| &setting.value) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A secret; `None` when it is empty.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        match self.get(name).map(|setting| &setting.value) {
            Some(Value::Secret(secret)) if !secret.expose().is_empty() => Some(secret),
            _ => None,
        }
    }

    /// The texts of all secrets, to be kept out of what is written for people.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let values = self.settings.values().map(|setting| &setting.value);
        values.filter_map(|value| match value {
            Value::Secret(secret) => Some(secret.expose().to_owned()),
            _ => None,
        })
    }

    /// A switch.
    pub fn bool(&self, name: &str) -> bool {
        matches!(
            self.get(name).map(|setting| &setting.value),
            Some(Value::Bool(true))
        )
    }

    /// An integer.
    pub fn int(&self, name: &str) -> i64 {
        match self.get(name).map(|setting| &setting.value) {
            Some(Value::Int(value)) => *value,
            _ => 0,
        }
    }

    /// A list.
    pub fn list(&self, name: &str) -> &[String] {
        match self.get(name).map(|setting| &setting.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }
}

/// The value that a field has when no source gives one.
pub fn default_value(field: &Field) -> Value {
    match &field.kind {
        Kind::Bool { default } => Value::Bool(*default),
        Kind::Int { default, .. } => Value::Int(*default),
        Kind::List { .. } => Value::List(Vec::new()),
        Kind::String { default, .. } if field.secret => {
            Value::Secret(Secret::new((*default).to_owned()))
        }
        Kind::String { default, .. } => Value::Text((*default).to_owned()),
    }
}

/// The value check: every field against its rules, all violations at once, in field order.
pub fn violations(fields: &[&Field], config: &Config) -> Vec<String> {
    fields
        .iter()
        .filter_map(|field| {
            let value = &config.get(field.name)?.value;
            let text = match (&field.kind, value) {
                (
                    Kind::String {
                        rules: Some(rules), ..
                    },
                    Value::Text(text),
                ) => rules.violation(text, false),
                (
                    Kind::String {
                        rules: Some(rules), ..
                    },
                    Value::Secret(secret),
                ) => rules.violation(secret.expose(), true),
                (
                    Kind::Int {
                        rules: Some(rules), ..
                    },
                    Value::Int(value),
                ) => rules.violation(*value),
                (Kind::List { rules: Some(rules) }, Value::List(items)) => {
                    rules.violation(items, field.secret)
                }
                _ => None,
            }?;
            Some(format!("field {}{text}", field.name))
        })
        .collect()
}
