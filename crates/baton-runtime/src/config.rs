//! The settled values of one run.
//!
//! A [`Config`] is what the sources (command line, environment, config file, defaults) add up to,
//! and the only thing that code behind the parser sees. It knows for each value where it came
//! from, because "was it set" and "is it present" are different questions in this contract.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::field::{Field, Kind};
use crate::flags::name;
use crate::value::Value;
use baton_connector::Secret;
use baton_connector::http::RateSettings;

/// Where a value came from, highest rank last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File(String),
    Env(String),
    Flag,
}

#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub value: Value,
    pub origin: Origin,
}

/// Settings of a run. Reading a name that the program does not define yields the zero value.
#[derive(Debug, Clone, Default)]
pub struct Config {
    settings: BTreeMap<&'static str, Setting>,
}

impl Config {
    pub(crate) fn insert(&mut self, name: &'static str, value: Value, origin: Origin) {
        self.settings.insert(name, Setting { value, origin });
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Setting> {
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
    pub(crate) fn secrets(&self) -> impl Iterator<Item = String> {
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

    /// `--http-timeout-seconds`.
    pub fn http_timeout(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.int(name::HTTP_TIMEOUT_SECONDS)).unwrap_or(0))
    }

    /// `--rate-share` and `--max-requests-per-second`, for the HTTP client;
    /// their defaults in a program that does not have them
    /// ([`crate::App::without_http`]).
    ///
    /// # Errors
    ///
    /// A share that is no number more than 0 and at most 1.
    pub fn rate(&self) -> baton_connector::Result<RateSettings> {
        if self.get(name::RATE_SHARE).is_none() {
            return Ok(RateSettings::default());
        }
        let most = u32::try_from(self.int(name::MAX_REQUESTS_PER_SECOND)).unwrap_or(u32::MAX);
        // What is no number is refused as what is none.
        let share = self.string(name::RATE_SHARE).parse().unwrap_or(f64::NAN);
        RateSettings::new(share, NonZeroU32::new(most))
    }

    /// `--go-compatible`: nothing is added to what the Go connector writes.
    pub fn go_compatible(&self) -> bool {
        self.bool(name::GO_COMPATIBLE)
    }

    /// `--max-grants`: grants that expansion may derive.
    pub(crate) fn max_grants(&self) -> u64 {
        u64::try_from(self.int(name::MAX_GRANTS)).unwrap_or(0)
    }

    /// Whether a sync asks for grants: not with `--skip-entitlements-and-grants`.
    pub fn syncs_grants(&self) -> bool {
        !self.bool(name::SKIP_ENTITLEMENTS_AND_GRANTS)
    }
}

/// The value that a field has when no source gives one.
pub(crate) fn default_value(field: &Field) -> Value {
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
pub(crate) fn violations(fields: &[&Field], config: &Config) -> Vec<String> {
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
