//! The kinds of fields: how each is made, and what only it can be given.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use baton_proto::Secret;
use url::Url;

use crate::field::{Field, Kind};
use crate::rules::{IntRules, ListRules, StringRules};
use crate::setting::{Choice, HasNoZero, OneOf, Size};

impl Field<bool> {
    /// A switch, off by default. A switch cannot be required.
    #[must_use]
    pub const fn bool(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Bool { default: false })
    }

    /// The default; `--flag=false` turns off a switch that is on.
    #[must_use]
    pub const fn default(self, default: bool) -> Self {
        self.with_kind(Kind::Bool { default })
    }
}

/// The rules of a text, whether it is secret or not.
const fn text_rules(kind: Kind) -> StringRules {
    match kind {
        Kind::String {
            rules: Some(rules), ..
        } => rules,
        _ => StringRules::NONE,
    }
}

const fn text_default(kind: Kind) -> &'static str {
    match kind {
        Kind::String { default, .. } => default,
        _ => "",
    }
}

/// What texts and secrets have in common.
macro_rules! text_field {
    ($type:ty) => {
        impl Field<$type> {
            /// Value rules.
            ///
            /// An empty rule set is not the same as none: the schema then shows `"rules": {}`.
            #[must_use]
            pub const fn rules(self, rules: StringRules) -> Self {
                let default = text_default(self.any().kind);
                self.with_kind(Kind::String {
                    default,
                    rules: Some(rules),
                })
            }

            /// A value must be given. A required field with a default must still be given.
            #[must_use]
            pub const fn required(self) -> Self {
                let mut rules = text_rules(self.any().kind);
                rules.required = true;
                self.rules(rules)
            }
        }
    };
}

text_field!(String);
text_field!(Secret);

impl Field<String> {
    /// A text, empty by default.
    #[must_use]
    pub const fn string(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::String {
            default: "",
            rules: None,
        };
        Self::new(name, help, kind)
    }

    /// The default.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Self {
        let rules = match self.any().kind {
            Kind::String { rules, .. } => rules,
            _ => None,
        };
        self.with_kind(Kind::String { default, rules })
    }
}

impl Field<Secret> {
    /// A secret: it is never printed, and its flag also takes `@path` and `-`.
    #[must_use]
    pub const fn secret(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::String {
            default: "",
            rules: None,
        };
        Self::new(name, help, kind).kept_secret()
    }
}

impl Field<i64> {
    /// A 64-bit integer, 0 by default.
    #[must_use]
    pub const fn int(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Int {
            default: 0,
            rules: None,
        };
        Self::new(name, help, kind)
    }

    const fn parts(self) -> (i64, Option<IntRules>) {
        match self.any().kind {
            Kind::Int { default, rules } => (default, rules),
            _ => (0, None),
        }
    }

    /// The default.
    #[must_use]
    pub const fn default(self, default: i64) -> Self {
        let (_, rules) = self.parts();
        self.with_kind(Kind::Int { default, rules })
    }

    /// Value rules.
    #[must_use]
    pub const fn rules(self, rules: IntRules) -> Self {
        let (default, _) = self.parts();
        self.with_kind(Kind::Int {
            default,
            rules: Some(rules),
        })
    }

    /// A value must be given. A required field with a default must still be given.
    #[must_use]
    pub const fn required(self) -> Self {
        let mut rules = match self.parts() {
            (_, Some(rules)) => rules,
            _ => IntRules::NONE,
        };
        rules.required = true;
        self.rules(rules)
    }
}

impl Field<Vec<String>> {
    /// A list of texts, empty by default.
    #[must_use]
    pub const fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::List { rules: None })
    }

    /// Value rules.
    #[must_use]
    pub const fn rules(self, rules: ListRules) -> Self {
        self.with_kind(Kind::List { rules: Some(rules) })
    }

    /// At least one item must be given.
    #[must_use]
    pub const fn required(self) -> Self {
        let mut rules = match self.any().kind {
            Kind::List { rules: Some(rules) } => rules,
            _ => ListRules::NONE,
        };
        rules.required = true;
        self.rules(rules)
    }
}

impl Field<BTreeMap<String, String>> {
    /// A map of texts, empty by default: `key=value` pairs on the command line, a JSON object in
    /// the environment, a mapping in the config file.
    #[must_use]
    pub const fn map(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Map { required: false })
    }

    /// At least one pair must be given.
    #[must_use]
    pub const fn required(self) -> Self {
        self.with_kind(Kind::Map { required: true })
    }
}

impl Field<Option<PathBuf>> {
    /// A path, read relative to the current folder; an empty text means none.
    #[must_use]
    pub const fn path(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Path {
            default: "",
            required: false,
        };
        Self::new(name, help, kind)
    }
}

impl Field<Option<Url>> {
    /// The base URL of a web server: `http` or `https`, with a host, without query and fragment.
    /// Slashes at its end do not count.
    #[must_use]
    pub const fn url(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Url {
            default: "",
            required: false,
        };
        Self::new(name, help, kind)
    }
}

impl Field<Option<Duration>> {
    /// A length of time, such as `90s`, `1h30m` or `500ms`.
    #[must_use]
    pub const fn duration(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Duration {
            default: "",
            required: false,
        };
        Self::new(name, help, kind)
    }
}

impl Field<Option<Size>> {
    /// A number of bytes, such as `4096`, `64KiB` or `10MB`.
    #[must_use]
    pub const fn size(name: &'static str, help: &'static str) -> Self {
        let kind = Kind::Size {
            default: "",
            required: false,
        };
        Self::new(name, help, kind)
    }
}

impl<C: Choice> Field<Option<OneOf<C>>> {
    /// One of the words of `C`; an empty text means none.
    #[must_use]
    pub const fn choice(name: &'static str, help: &'static str) -> Self {
        let mut rules = StringRules::NONE;
        rules.one_of = C::WORDS;
        let kind = Kind::String {
            default: "",
            rules: Some(rules),
        };
        Self::new(name, help, kind)
    }
}

impl<T: HasNoZero> Field<Option<T>> {
    /// The default, as a user would write it. From here on there is always a value.
    #[must_use]
    pub const fn default(self, text: &'static str) -> Field<T> {
        let kind = match self.any().kind {
            Kind::Path { required, .. } => Kind::Path {
                default: text,
                required,
            },
            Kind::Url { required, .. } => Kind::Url {
                default: text,
                required,
            },
            Kind::Duration { required, .. } => Kind::Duration {
                default: text,
                required,
            },
            Kind::Size { required, .. } => Kind::Size {
                default: text,
                required,
            },
            Kind::String { rules, .. } => Kind::String {
                default: text,
                rules,
            },
            other => other,
        };
        self.read_as(kind)
    }

    /// A value must be given: from here on there is always one.
    #[must_use]
    pub const fn required(self) -> Field<T> {
        let kind = match self.any().kind {
            Kind::Path { default, .. } => Kind::Path {
                default,
                required: true,
            },
            Kind::Url { default, .. } => Kind::Url {
                default,
                required: true,
            },
            Kind::Duration { default, .. } => Kind::Duration {
                default,
                required: true,
            },
            Kind::Size { default, .. } => Kind::Size {
                default,
                required: true,
            },
            Kind::String { default, rules } => {
                let mut rules = match rules {
                    Some(rules) => rules,
                    None => StringRules::NONE,
                };
                rules.required = true;
                Kind::String {
                    default,
                    rules: Some(rules),
                }
            }
            other => other,
        };
        self.read_as(kind)
    }
}
