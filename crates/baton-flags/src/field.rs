//! One definition per flag.
//!
//! A [`Field`] is the complete definition of a flag: its names, type, default, rules,
//! where else its value may come from and to whom it is shown. Parsing, `--help`, completions,
//! the exported config schema and the reference page are all derived from it, so none of them can
//! disagree with another. It is also the handle by which the value is read: what a program asks of
//! a [`crate::Config`] is a constant with a type, so a misspelled name does not compile.

use std::fmt;
use std::marker::PhantomData;

use crate::rules::{IntRules, ListRules, StringRules};

/// Prefix of every derived environment variable.
const ENV_PREFIX: &str = "BATON_";

/// A flag whose value is read as `T` (see [`crate::Setting`]).
///
/// A field is a constant, since it is named twice: where a program declares it and where the value
/// is read.
///
/// ```
/// use baton_flags::{Config, Field};
/// use baton_proto::Secret;
///
/// const TOKEN: Field<Secret> = Field::secret("api-token", "token for the API").required();
///
/// fn token(config: &Config) -> &Secret {
///     config.get(&TOKEN)
/// }
/// ```
///
/// A name that no constant has does not compile:
///
/// ```compile_fail,E0425
/// use baton_flags::{Config, Field};
/// # use baton_proto::Secret;
/// const TOKEN: Field<Secret> = Field::secret("api-token", "token for the API");
///
/// fn token(config: &Config) -> &Secret {
///     config.get(&TOKNE)
/// }
/// ```
///
/// Neither does a name as text, nor a value as another type:
///
/// ```compile_fail,E0308
/// # fn token(config: &baton_flags::Config) -> &baton_proto::Secret {
/// config.get("api-token")
/// # }
/// ```
///
/// ```compile_fail,E0308
/// use baton_flags::{Config, Field};
/// # use baton_proto::Secret;
/// const TOKEN: Field<Secret> = Field::secret("api-token", "token for the API");
///
/// fn token(config: &Config) -> &str {
///     config.get(&TOKEN)
/// }
/// ```
///
/// A switch cannot be required, and a URL that may be absent is read as an `Option`:
///
/// ```compile_fail,E0599
/// # use baton_flags::Field;
/// const FRESH: Field<bool> = Field::bool("fresh", "start over").required();
/// ```
///
/// ```compile_fail,E0308
/// # use baton_flags::Field;
/// const BASE: Field<url::Url> = Field::url("base-url", "address of the API");
/// ```
pub struct Field<T> {
    any: AnyField,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}

impl<T> From<Field<T>> for AnyField {
    fn from(field: Field<T>) -> Self {
        field.any
    }
}

/// A field without the type of its value, as parser, help and schema see it.
#[derive(Debug, Clone, Copy)]
pub struct AnyField {
    /// The flag's name, without dashes.
    pub name: &'static str,
    /// One-letter form of the flag.
    pub short: Option<char>,
    /// Type, with what only that type has.
    pub kind: Kind,
    /// What the flag does, beginning in lower case and without a full stop.
    pub help: &'static str,
    /// The placeholder of the value in the help; derived from the type if empty.
    pub value_name: &'static str,
    /// The heading of the flag in the help.
    pub heading: &'static str,
    /// Name shown in forms.
    pub display_name: &'static str,
    /// Example value shown in an empty form field.
    pub placeholder: &'static str,
    /// Whether the flag is left out of the help.
    pub hidden: bool,
    /// Whether the value is a secret.
    pub secret: bool,
    /// Whether the flag exists on every command.
    pub persistent: bool,
    /// What an empty value should have named; where this is not empty, an empty value is refused.
    pub must_name: &'static str,
    /// What the flag means without a value; where this is empty, it needs one.
    pub alone: &'static str,
    /// Who sees the field in the exported schema.
    pub export: Export,
    /// Further environment variables, tried in order when the proper one is absent.
    pub env_aliases: &'static [&'static str],
    /// Whether only the command line gives a value: no variable, and no config file.
    pub only_typed: bool,
}

/// Type of a field, with what only that type has.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "each kind has its default and its rules")]
pub enum Kind {
    /// A switch.
    Bool { default: bool },
    /// A text, also a choice and a secret.
    String {
        default: &'static str,
        rules: Option<StringRules>,
    },
    /// A 64-bit integer.
    Int {
        default: i64,
        rules: Option<IntRules>,
    },
    /// A list of texts.
    List { rules: Option<ListRules> },
    /// A map of texts.
    Map { required: bool },
    /// A file or folder, relative to the current folder.
    Path {
        default: &'static str,
        required: bool,
    },
    /// The address of a web server.
    Url {
        default: &'static str,
        required: bool,
    },
    /// A length of time.
    Duration {
        default: &'static str,
        required: bool,
    },
    /// A number of bytes.
    Size {
        default: &'static str,
        required: bool,
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

impl<T> Field<T> {
    pub(crate) const fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        Self {
            any: AnyField {
                name,
                short: None,
                kind,
                help,
                value_name: "",
                heading: "",
                display_name: "",
                placeholder: "",
                hidden: false,
                secret: false,
                persistent: false,
                must_name: "",
                alone: "",
                export: Export::Gui,
                env_aliases: &[],
                only_typed: false,
            },
            of: PhantomData,
        }
    }

    /// The field without its type, for tables of fields of several types.
    pub const fn any(&self) -> AnyField {
        self.any
    }

    /// The flag's name, without dashes.
    pub const fn name(&self) -> &'static str {
        self.any.name
    }

    /// The same flag with another text of what it does, for a command where it means more.
    #[must_use]
    pub const fn about(mut self, help: &'static str) -> Self {
        self.any.help = help;
        self
    }

    /// One-letter form of the flag.
    #[must_use]
    pub const fn short(mut self, short: char) -> Self {
        self.any.short = Some(short);
        self
    }

    /// The placeholder of the value in the help, such as `id`.
    #[must_use]
    pub const fn value_name(mut self, name: &'static str) -> Self {
        self.any.value_name = name;
        self
    }

    /// The heading of the flag in the help.
    #[must_use]
    pub const fn heading(mut self, heading: &'static str) -> Self {
        self.any.heading = heading;
        self
    }

    /// Name shown in forms.
    #[must_use]
    pub const fn display_name(mut self, name: &'static str) -> Self {
        self.any.display_name = name;
        self
    }

    /// Example value shown in an empty form field.
    #[must_use]
    pub const fn placeholder(mut self, text: &'static str) -> Self {
        self.any.placeholder = text;
        self
    }

    /// Leaves the flag out of `--help`.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.any.hidden = true;
        self
    }

    /// Accepts the flag on every subcommand.
    #[must_use]
    pub const fn persistent(mut self) -> Self {
        self.any.persistent = true;
        self
    }

    /// Sets who sees the field in the exported schema.
    #[must_use]
    pub const fn export(mut self, target: Export) -> Self {
        self.any.export = target;
        self
    }

    /// Only the command line gives a value: no variable, and no config file. For a flag of
    /// one command, whose name may mean something else on another.
    #[must_use]
    pub const fn only_typed(mut self) -> Self {
        self.any.only_typed = true;
        self
    }

    /// Further environment variables, full names, tried in order when the proper one is absent.
    #[must_use]
    pub const fn env_aliases(mut self, names: &'static [&'static str]) -> Self {
        self.any.env_aliases = names;
        self
    }

    /// Refuses an empty value, or an empty item of a list: `what` is what a value names.
    #[must_use]
    pub const fn must_name(mut self, what: &'static str) -> Self {
        self.any.must_name = what;
        self
    }

    /// Makes the value optional: the flag without one means `text`. The next word
    /// is its value unless it begins with a dash.
    #[must_use]
    pub const fn alone(mut self, text: &'static str) -> Self {
        self.any.alone = text;
        self
    }

    pub(crate) const fn with_kind(mut self, kind: Kind) -> Self {
        self.any.kind = kind;
        self
    }

    /// Marks the value as secret.
    pub(crate) const fn kept_secret(mut self) -> Self {
        self.any.secret = true;
        self
    }

    /// The same flag with another kind, read as another type.
    pub(crate) const fn read_as<U>(self, kind: Kind) -> Field<U> {
        let mut any = self.any;
        any.kind = kind;
        Field {
            any,
            of: PhantomData,
        }
    }
}

impl AnyField {
    /// The derived environment variable: `BATON_` and the name in capitals, `-` as `_`.
    pub fn env_name(&self) -> String {
        env_name(self.name)
    }

    /// All variables that give a value, in their order.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        let own = (!self.only_typed).then(|| self.env_name());
        let aliases = self.env_aliases.iter().map(|name| (*name).to_owned());
        own.into_iter().chain(aliases)
    }

    /// Whether a value must be given.
    pub fn is_required(&self) -> bool {
        match &self.kind {
            Kind::Bool { .. } => false,
            Kind::String { rules, .. } => rules.is_some_and(|rules| rules.required),
            Kind::Int { rules, .. } => rules.is_some_and(|rules| rules.required),
            Kind::List { rules } => rules.is_some_and(|rules| rules.required),
            Kind::Map { required }
            | Kind::Path { required, .. }
            | Kind::Url { required, .. }
            | Kind::Duration { required, .. }
            | Kind::Size { required, .. } => *required,
        }
    }

    /// The flag as error texts of the Go flag parser write it: `-f, --file` or `--workers`.
    pub fn spelled(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }

    /// The type's name in errors about settings.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Bool { .. } => "bool",
            Kind::Int { .. } => "int",
            Kind::String { .. } => "string",
            Kind::List { .. } => "list",
            Kind::Map { .. } => "map",
            Kind::Path { .. } => "path",
            Kind::Url { .. } => "URL",
            Kind::Duration { .. } => "duration",
            Kind::Size { .. } => "size",
        }
    }

    /// Type word of the reference page; a switch has none.
    pub fn type_word(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Bool { .. } => None,
            Kind::String { .. } => Some("string"),
            Kind::Int { .. } => Some("int"),
            Kind::List { .. } => Some("strings"),
            Kind::Map { .. } => Some("stringToString"),
            Kind::Path { .. } => Some("path"),
            Kind::Url { .. } => Some("url"),
            Kind::Duration { .. } => Some("duration"),
            Kind::Size { .. } => Some("size"),
        }
    }

    /// The placeholder of the value in help and usage; a switch has none.
    pub fn shown_value(&self) -> Option<&'static str> {
        if !self.value_name.is_empty() {
            return Some(self.value_name);
        }
        match self.kind {
            Kind::Bool { .. } => None,
            Kind::String { .. } if self.secret => Some("secret"),
            Kind::String { .. } => Some("text"),
            Kind::Int { .. } => Some("number"),
            Kind::List { .. } => Some("list"),
            Kind::Map { .. } => Some("key=value"),
            Kind::Path { .. } => Some("path"),
            Kind::Url { .. } => Some("url"),
            Kind::Duration { .. } => Some("duration"),
            Kind::Size { .. } => Some("size"),
        }
    }

    /// The default as texts for people show it; `None` when it is the type's zero value.
    pub fn shown_default(&self) -> Option<String> {
        match &self.kind {
            Kind::Bool { default } => default.then(|| "true".to_owned()),
            Kind::String { default, .. } | Kind::Path { default, .. } => {
                (!default.is_empty()).then(|| format!("\"{default}\""))
            }
            Kind::Url { default, .. }
            | Kind::Duration { default, .. }
            | Kind::Size { default, .. } => (!default.is_empty()).then(|| (*default).to_owned()),
            Kind::Int { default, .. } => (*default != 0).then(|| default.to_string()),
            Kind::List { .. } | Kind::Map { .. } => None,
        }
    }
}

/// The variable of a flag: `BATON_` and its name in capitals, `-` as `_`.
pub fn env_name(flag: &str) -> String {
    let mut env = String::with_capacity(ENV_PREFIX.len() + flag.len());
    env.push_str(ENV_PREFIX);
    env.extend(flag.chars().map(|c| {
        if c == '-' {
            '_'
        } else {
            c.to_ascii_uppercase()
        }
    }));
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_name_is_derived_from_the_flag_name() {
        let field = Field::list("sync-resource-types", "");
        assert_eq!(field.any().env_name(), "BATON_SYNC_RESOURCE_TYPES");
    }

    #[test]
    fn a_required_field_says_so_whatever_its_kind() {
        let fields = [
            Field::string("a", "").required().any(),
            Field::secret("a", "").required().any(),
            Field::int("a", "").required().any(),
            Field::list("a", "").required().any(),
            Field::map("a", "").required().any(),
            Field::path("a", "").required().any(),
            Field::url("a", "").required().any(),
            Field::duration("a", "").required().any(),
            Field::size("a", "").required().any(),
        ];
        for field in fields {
            assert!(field.is_required(), "{field:?}");
        }
        assert!(!Field::bool("a", "").default(true).any().is_required());
    }
}
