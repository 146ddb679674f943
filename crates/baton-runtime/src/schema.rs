//! The config schema that `config` prints: what a set-up form needs to know about the fields
//! (connector CLI specification, §7.1).
//!
//! It is a contract with the service, so a field is in it only if the program reads it.

use baton_proto::c1::config::v1 as wire;
use baton_proto::json;

use crate::error::{Error, Result};
use baton_flags::Relation;
use baton_flags::WellKnown;
use baton_flags::{AnyField, Export, FieldGroup, Kind, Program};
use baton_flags::{IntRules, ListRules, StringRules};

/// How the connector presents itself in a set-up form.
#[derive(Debug, Clone, Default)]
pub struct Presentation {
    /// Name of the application.
    pub display_name: &'static str,
    /// Address of the documentation page, relative to the service.
    pub help_url: &'static str,
    /// Address of the icon, relative to the service.
    pub icon_url: &'static str,
    /// Whether the application is a directory of users.
    pub is_directory: bool,
    /// The service's id of the connector.
    pub catalog_id: &'static str,
    /// Whether syncs can match principals of another file.
    pub supports_external_resources: bool,
    /// Whether another connector is needed.
    pub requires_external_connector: bool,
}

/// The schema, indented by two, without a line break at the end.
pub(crate) fn print<R>(program: &Program<R>, presentation: &Presentation) -> Result<String> {
    let options = json::Options {
        indent: Some(2),
        emit_html_escapes: true,
        ..json::Options::default()
    };
    json::to_string(&configuration(program, presentation), &options).map_err(|source| {
        Error::Print {
            what: "the config schema",
            source,
        }
    })
}

fn configuration<R>(program: &Program<R>, presentation: &Presentation) -> wire::Configuration {
    let exported: Vec<&AnyField> = program
        .common
        .iter()
        .chain(&program.root.fields)
        .filter(|field| matches!(field.export, Export::Gui | Export::Ops))
        .collect();
    let is_exported = |name: &&'static str| exported.iter().any(|field| field.name == *name);
    wire::Configuration {
        fields: exported.iter().map(|field| schema_field(field)).collect(),
        constraints: program
            .relations
            .iter()
            .filter(|relation| relation.members().iter().all(is_exported))
            .map(constraint)
            .collect(),
        display_name: presentation.display_name.to_owned(),
        help_url: presentation.help_url.to_owned(),
        icon_url: presentation.icon_url.to_owned(),
        is_directory: presentation.is_directory,
        catalog_id: presentation.catalog_id.to_owned(),
        supports_external_resources: presentation.supports_external_resources,
        requires_external_connector: presentation.requires_external_connector,
        field_groups: program.groups.iter().map(field_group).collect(),
    }
}

fn field_group(group: &FieldGroup) -> wire::FieldGroup {
    wire::FieldGroup {
        name: group.name.to_owned(),
        display_name: group.display_name.to_owned(),
        help_text: group.help.to_owned(),
        fields: group
            .fields
            .iter()
            .map(|field| field.name.to_owned())
            .collect(),
        default: group.default,
    }
}

/// A text of the help as forms show it.
fn sentence(help: &str) -> String {
    let mut chars = help.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn schema_field(field: &AnyField) -> wire::Field {
    use wire::field::Field as Typed;
    let typed = match &field.kind {
        Kind::Bool { default } => Typed::BoolField(wire::BoolField {
            default_value: *default,
            ..wire::BoolField::default()
        }),
        Kind::String { default, rules } => Typed::StringField(wire::StringField {
            default_value: (*default).to_owned(),
            rules: rules.as_ref().map(string_rules),
            ..wire::StringField::default()
        }),
        // Forms know no other texts; what can be read is checked when the program starts.
        Kind::Path { default, required }
        | Kind::Url { default, required }
        | Kind::Duration { default, required }
        | Kind::Size { default, required } => Typed::StringField(wire::StringField {
            default_value: (*default).to_owned(),
            rules: required.then(|| wire::StringRules {
                is_required: true,
                ..wire::StringRules::default()
            }),
            ..wire::StringField::default()
        }),
        Kind::Map { required } => Typed::StringMapField(wire::StringMapField {
            rules: required.then(|| wire::StringMapRules {
                is_required: true,
                ..wire::StringMapRules::default()
            }),
            ..wire::StringMapField::default()
        }),
        Kind::Int { default, rules } => Typed::IntField(wire::IntField {
            default_value: *default,
            rules: rules.as_ref().map(int_rules),
            ..wire::IntField::default()
        }),
        Kind::List { rules } => Typed::StringSliceField(wire::StringSliceField {
            rules: rules.as_ref().map(list_rules),
            ..wire::StringSliceField::default()
        }),
    };
    wire::Field {
        name: field.name.to_owned(),
        display_name: field.display_name.to_owned(),
        description: sentence(field.help),
        placeholder: field.placeholder.to_owned(),
        is_required: field.is_required(),
        is_ops: field.export == Export::Ops,
        is_secret: field.secret,
        field: Some(typed),
    }
}

fn string_rules(rules: &StringRules) -> wire::StringRules {
    let text = |value: Option<&'static str>| value.map(ToOwned::to_owned);
    let texts = |values: &[&'static str]| values.iter().map(|value| (*value).to_owned()).collect();
    wire::StringRules {
        eq: text(rules.eq),
        len: rules.len,
        min_len: rules.min_len,
        max_len: rules.max_len,
        prefix: text(rules.prefix),
        suffix: text(rules.suffix),
        contains: text(rules.contains),
        r#in: texts(rules.one_of),
        not_in: texts(rules.not_one_of),
        well_known: rules
            .well_known
            .map_or(wire::WellKnownString::Unspecified, well_known)
            .into(),
        validate_empty: rules.validate_empty,
        is_required: rules.required,
        ..wire::StringRules::default()
    }
}

fn well_known(form: WellKnown) -> wire::WellKnownString {
    match form {
        WellKnown::Email => wire::WellKnownString::Email,
        WellKnown::Hostname => wire::WellKnownString::Hostname,
        WellKnown::Ip => wire::WellKnownString::Ip,
        WellKnown::Ipv4 => wire::WellKnownString::Ipv4,
        WellKnown::Ipv6 => wire::WellKnownString::Ipv6,
        WellKnown::Uri => wire::WellKnownString::Uri,
        WellKnown::Uuid => wire::WellKnownString::Uuid,
    }
}

fn int_rules(rules: &IntRules) -> wire::Int64Rules {
    wire::Int64Rules {
        eq: rules.eq,
        lt: rules.lt,
        lte: rules.lte,
        gt: rules.gt,
        gte: rules.gte,
        r#in: rules.one_of.to_vec(),
        not_in: rules.not_one_of.to_vec(),
        validate_empty: rules.validate_empty,
        is_required: rules.required,
    }
}

fn list_rules(rules: &ListRules) -> wire::RepeatedStringRules {
    wire::RepeatedStringRules {
        min_items: rules.min_items,
        max_items: rules.max_items,
        unique: rules.unique,
        item_rules: rules.item.as_ref().map(string_rules),
        validate_empty: rules.validate_empty,
        is_required: rules.required,
    }
}

fn constraint(relation: &Relation) -> wire::Constraint {
    let names = |names: &[&'static str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (kind, secondary) = match relation {
        Relation::RequiredTogether(_) => (wire::ConstraintKind::RequiredTogether, Vec::new()),
        Relation::AtLeastOne(_) => (wire::ConstraintKind::AtLeastOne, Vec::new()),
        Relation::MutuallyExclusive(_) => (wire::ConstraintKind::MutuallyExclusive, Vec::new()),
        Relation::DependentOn { on, .. } => (wire::ConstraintKind::DependentOn, names(on)),
    };
    wire::Constraint {
        kind: kind.into(),
        field_names: names(relation.members()),
        secondary_field_names: secondary,
        ..wire::Constraint::default()
    }
}
