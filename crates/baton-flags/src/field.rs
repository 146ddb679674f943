//! One definition per flag.
//!
//! A [`Field`] says everything there is to know about a flag: its names, type, default, rules,
//! where else its value may come from and to whom it is shown. Parsing, `--help`, completions,
//! the exported config schema and the reference page are all derived from it, so none of them can
//! disagree with another. A field holds no value: values live in [`crate::Config`].

use crate::rules::{IntRules, ListRules, StringRules};

/// Prefix of every derived environment variable.
const ENV_PREFIX: &str = "BATON_";

/// One flag, and the setting behind it.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: &'static str,
    pub short: Option<char>,
    pub kind: Kind,
    pub help: &'static str,
    pub display_name: &'static str,
    pub placeholder: &'static str,
    pub hidden: bool,
    pub secret: bool,
    pub persistent: bool,
    pub export: Export,
    pub env_aliases: &'static [&'static str],
}

/// Type of a field, with what only that type has.
#[derive(Debug, Clone)]
pub enum Kind {
    Bool {
        default: bool,
    },
    String {
        default: &'static str,
        rules: Option<StringRules>,
    },
    Int {
        default: i64,
        rules: Option<IntRules>,
    },
    List {
        rules: Option<ListRules>,
    },
}

/// Who gets to see a field in the exported config schema (connector CLI specification, §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Export {
    /// Not exported.
    None,
    /// Exported to the set-up form of the service; what a connector's own fields default to.
    Gui,
    /// Exported for operators (`isOps`).
    Ops,
    /// Command line only: not exported.
    Cli,
}

impl Field {
    fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        Self {
            name,
            short: None,
            kind,
            help,
            display_name: "",
            placeholder: "",
            hidden: false,
            secret: false,
            persistent: false,
            export: Export::Gui,
            env_aliases: &[],
        }
    }

    /// A switch, off by default. A bool can not be required.
    #[must_use]
    pub fn bool(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Bool { default: false })
    }

    /// A text, empty by default.
    #[must_use]
    pub fn string(name: &'static str, help: &'static str) -> Self {
        Self::new(
            name,
            help,
            Kind::String {
                default: "",
                rules: None,
            },
        )
    }

    /// A 64-bit integer, 0 by default.
    #[must_use]
    pub fn int(name: &'static str, help: &'static str) -> Self {
        Self::new(
            name,
            help,
            Kind::Int {
                default: 0,
                rules: None,
            },
        )
    }

    /// A list of texts, empty by default.
    #[must_use]
    pub fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::List { rules: None })
    }

    /// One-letter form of the flag.
    #[must_use]
    pub fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    /// Default of a string field; no effect on other types.
    #[must_use]
    pub fn default_string(mut self, value: &'static str) -> Self {
        if let Kind::String { default, .. } = &mut self.kind {
            *default = value;
        }
        self
    }

    /// Default of an integer field; no effect on other types.
    #[must_use]
    pub fn default_int(mut self, value: i64) -> Self {
        if let Kind::Int { default, .. } = &mut self.kind {
            *default = value;
        }
        self
    }

    /// Value rules of a string field; no effect on other types.
    ///
    /// An empty rule set is not the same as none: the schema then shows `"rules": {}`.
    #[must_use]
    pub fn string_rules(mut self, value: StringRules) -> Self {
        if let Kind::String { rules, .. } = &mut self.kind {
            *rules = Some(value);
        }
        self
    }

    /// Value rules of an integer field; no effect on other types.
    #[must_use]
    pub fn int_rules(mut self, value: IntRules) -> Self {
        if let Kind::Int { rules, .. } = &mut self.kind {
            *rules = Some(value);
        }
        self
    }

    /// Value rules of a list field; no effect on other types.
    #[must_use]
    pub fn list_rules(mut self, value: ListRules) -> Self {
        if let Kind::List { rules } = &mut self.kind {
            *rules = Some(value);
        }
        self
    }

    /// Whether a value must be given. A required field with a default must still be given.
    ///
    /// Creates the rule set where there is none, also for `false`.
    #[must_use]
    pub fn required(mut self, required: bool) -> Self {
        match &mut self.kind {
            Kind::Bool { .. } => {}
            Kind::String { rules, .. } => rules.get_or_insert_default().required = required,
            Kind::Int { rules, .. } => rules.get_or_insert_default().required = required,
            Kind::List { rules } => rules.get_or_insert_default().required = required,
        }
        self
    }

    /// Name shown in forms.
    #[must_use]
    pub fn display_name(mut self, name: &'static str) -> Self {
        self.display_name = name;
        self
    }

    /// Example value shown in an empty form field.
    #[must_use]
    pub fn placeholder(mut self, text: &'static str) -> Self {
        self.placeholder = text;
        self
    }

    /// Leaves the flag out of `--help`.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Marks the value as secret: it is never printed, and its flag also takes `@path` and `-`.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Accepts the flag on every subcommand.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// Sets who sees the field in the exported schema.
    #[must_use]
    pub fn export(mut self, target: Export) -> Self {
        self.export = target;
        self
    }

    /// Further environment variables, full names, tried in order when the proper one is absent.
    #[must_use]
    pub fn env_aliases(mut self, names: &'static [&'static str]) -> Self {
        self.env_aliases = names;
        self
    }

    /// The flag's name, without dashes.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The derived environment variable: `BATON_` and the name in capitals, `-` as `_`.
    pub fn env_name(&self) -> String {
        let mut env = String::with_capacity(ENV_PREFIX.len() + self.name.len());
        env.push_str(ENV_PREFIX);
        env.extend(self.name.chars().map(|c| {
            if c == '-' {
                '_'
            } else {
                c.to_ascii_uppercase()
            }
        }));
        env
    }

    /// Whether a value must be given.
    pub fn is_required(&self) -> bool {
        match &self.kind {
            Kind::Bool { .. } => false,
            Kind::String { rules, .. } => rules.as_ref().is_some_and(|r| r.required),
            Kind::Int { rules, .. } => rules.as_ref().is_some_and(|r| r.required),
            Kind::List { rules } => rules.as_ref().is_some_and(|r| r.required),
        }
    }

    /// The flag as error texts of the Go flag parser write it: `-f, --file` or `--workers`.
    pub fn spelled(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }

    /// Type word of the help text; a switch has none.
    pub fn type_word(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Bool { .. } => None,
            Kind::String { .. } => Some("string"),
            Kind::Int { .. } => Some("int"),
            Kind::List { .. } => Some("strings"),
        }
    }

    /// The default as the help text shows it; `None` when it is the type's zero value.
    pub fn shown_default(&self) -> Option<String> {
        match &self.kind {
            Kind::Bool { default } => default.then(|| "true".to_owned()),
            Kind::String { default, .. } => (!default.is_empty()).then(|| format!("\"{default}\"")),
            Kind::Int { default, .. } => (*default != 0).then(|| default.to_string()),
            Kind::List { .. } => None,
        }
    }

    /// The text behind the flag in help and reference, with the marks that Go's help has.
    pub fn usage(&self) -> String {
        let required = if self.is_required() { "required: " } else { "" };
        let space = if self.help.is_empty() { "" } else { " " };
        let ways = if self.secret {
            "(also @path, or - for stdin) "
        } else {
            ""
        };
        format!("{required}{}{space}{ways}(${})", self.help, self.env_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_name_is_derived_from_the_flag_name() {
        let field = Field::list("sync-resource-types", "");
        assert_eq!(field.env_name(), "BATON_SYNC_RESOURCE_TYPES");
    }

    #[test]
    fn a_bool_cannot_become_required() {
        assert!(!Field::bool("fresh", "").required(true).is_required());
    }

    #[test]
    fn usage_names_requirement_and_environment() {
        let field = Field::string("organization-id", "Organization.").required(true);
        assert_eq!(
            field.usage(),
            "required: Organization. ($BATON_ORGANIZATION_ID)"
        );
        assert_eq!(Field::string("x", "").usage(), "($BATON_X)");
    }
}
