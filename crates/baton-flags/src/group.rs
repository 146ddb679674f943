//! Field groups: ways to fill a form, of which one is used, such as "a token" or "an OAuth client"
//! (connector CLI specification, §2.4).

use std::collections::BTreeSet;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::field::{AnyField, Field};

/// Chooses the group by name.
pub const AUTH_METHOD: Field<String> = Field::string("auth-method", "");

/// Fields of which all or none are used.
///
/// ```
/// use baton_flags::{Config, Field, FieldGroup};
/// use baton_proto::Secret;
///
/// const TOKEN: Field<Secret> = Field::secret("token", "API token").required();
/// const CLIENT: Field<String> = Field::string("oauth-client", "id of the client").required();
/// const KEY: Field<Secret> = Field::secret("oauth-key", "key of the client").required();
///
/// const BY_TOKEN: FieldGroup = FieldGroup::new("token", "API token", &[TOKEN.any()]);
/// const BY_OAUTH: FieldGroup =
///     FieldGroup::new("oauth", "OAuth client", &[CLIENT.any(), KEY.any()]);
///
/// fn credential(config: &Config) -> &Secret {
///     if config.chose(&BY_OAUTH) { config.get(&KEY) } else { config.get(&TOKEN) }
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FieldGroup {
    /// What the user chooses it by.
    pub name: &'static str,
    /// Name shown in forms.
    pub display_name: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Its fields.
    pub fields: &'static [AnyField],
    /// Whether it is the default group.
    pub default: bool,
}

impl FieldGroup {
    /// A group of fields.
    #[must_use]
    pub const fn new(
        name: &'static str,
        display_name: &'static str,
        fields: &'static [AnyField],
    ) -> Self {
        Self {
            name,
            display_name,
            help: "",
            fields,
            default: false,
        }
    }

    /// What the group is for.
    #[must_use]
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// Makes it the default group; without one, the first group is the default.
    #[must_use]
    pub const fn by_default(mut self) -> Self {
        self.default = true;
        self
    }

    fn holds(&self, field: &AnyField) -> bool {
        self.fields.iter().any(|own| own.name == field.name)
    }
}

impl Config {
    /// Whether this is the field group that the user chose.
    pub fn chose(&self, group: &FieldGroup) -> bool {
        self.group == Some(group.name)
    }
}

/// The group of this run: the named one, else the default or first one, unless only another has
/// values.
pub(crate) fn chosen(groups: &[FieldGroup], config: &Config) -> Result<Option<FieldGroup>> {
    let Some(first) = groups.first() else {
        return Ok(None);
    };
    let named = config.find(&AUTH_METHOD).unwrap_or_default();
    if !named.is_empty() {
        let found = groups.iter().find(|group| group.name == named);
        return found.copied().map(Some).ok_or_else(|| Error::UnknownGroup {
            name: named.to_owned(),
            known: groups.iter().map(|group| group.name).collect(),
        });
    }
    let usual = groups.iter().find(|group| group.default).unwrap_or(first);
    let has_values =
        |group: &&FieldGroup| group.fields.iter().any(|field| config.is_set(field.name));
    if has_values(&usual) {
        return Ok(Some(*usual));
    }
    Ok(Some(*groups.iter().find(has_values).unwrap_or(usual)))
}

/// The fields that count under a group: its own, and those of no group.
pub(crate) fn counting<'f>(
    fields: &[&'f AnyField],
    groups: &[FieldGroup],
    chosen: Option<&FieldGroup>,
) -> Vec<&'f AnyField> {
    let counts = |field: &&AnyField| {
        chosen.is_none_or(|group| group.holds(field))
            || !groups.iter().any(|group| group.holds(field))
    };
    fields.iter().copied().filter(counts).collect()
}

/// The declaration check.
pub(crate) fn check_declared(groups: &[FieldGroup], fields: &[&AnyField]) -> Result<()> {
    let mut names = BTreeSet::new();
    for group in groups {
        let known = |own: &AnyField| fields.iter().any(|field| field.name == own.name);
        let all_known = !group.fields.is_empty() && group.fields.iter().all(known);
        if !names.insert(group.name) || !all_known {
            return Err(Error::MalformedGroup { name: group.name });
        }
    }
    let defaults: Vec<&str> = groups
        .iter()
        .filter(|group| group.default)
        .map(|group| group.name)
        .collect();
    if defaults.len() > 1 {
        return Err(Error::ManyDefaultGroups {
            count: defaults.len(),
            names: defaults.join(", "),
        });
    }
    Ok(())
}
