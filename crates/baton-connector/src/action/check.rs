//! Checks arguments against the schema of their action, before its author's code
//! runs, and names all faults.

use std::collections::BTreeSet;

use baton_proto::c1::config::v1 as config;
use baton_proto::c1::connector::v2;
use config::ConstraintKind;
use config::field::Field as Declared;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use regex::RegexBuilder;

use super::arguments::{Arguments, as_resource_id, as_text, as_whole, given};
use super::rules::{self, ListRules, Patterns};
use crate::error::{Error, Result};

/// Bytes that a compiled pattern may have.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// Faults that are named; one more stands for the rest.
const MAX_FAULTS: usize = 20;

/// The checks of one schema.
pub(super) struct ArgumentCheck {
    patterns: Patterns,
}

impl ArgumentCheck {
    /// Prepares the checks.
    ///
    /// # Errors
    /// What makes the schema unusable.
    pub(super) fn of(schema: &v2::BatonActionSchema) -> std::result::Result<Self, String> {
        let mut names = BTreeSet::new();
        let mut patterns = Patterns::new();
        for field in &schema.arguments {
            let name = field.name.as_str();
            if name.is_empty() {
                return Err("an argument has no name".to_owned());
            }
            if !names.insert(name) {
                return Err(format!("argument `{name}` is declared twice"));
            }
            let Some(kind) = &field.field else {
                return Err(format!("argument `{name}` has no kind"));
            };
            if let Some(rules) = text_rules(kind) {
                prepare(name, rules, &mut patterns)?;
            }
        }
        for constraint in &schema.constraints {
            if ConstraintKind::try_from(constraint.kind).is_err() {
                return Err(format!("constraint kind {} is unknown", constraint.kind));
            }
            let named = constraint.field_names.iter();
            let mut named = named.chain(&constraint.secondary_field_names);
            if let Some(name) = named.find(|name| !names.contains(name.as_str())) {
                return Err(format!("a constraint names `{name}`, which is no argument"));
            }
        }
        Ok(Self { patterns })
    }

    /// The arguments, as the action gets them.
    ///
    /// # Errors
    /// [`Error::Arguments`] with all faults.
    pub(super) fn checked(
        &self,
        schema: &v2::BatonActionSchema,
        arguments: &Struct,
    ) -> Result<Arguments> {
        let fields = schema.arguments.iter();
        let fields = fields.flat_map(|field| self.field(field, given(arguments, &field.name)));
        let constraints = schema.constraints.iter();
        let constraints = constraints.filter_map(|constraint| broken(constraint, arguments));
        let mut faults: Vec<_> = fields.chain(constraints).collect();
        if faults.is_empty() {
            return Ok(Arguments::unchecked(arguments.clone()));
        }
        let more = faults.len().saturating_sub(MAX_FAULTS);
        faults.truncate(MAX_FAULTS);
        if more > 0 {
            faults.push(format!("and {more} more"));
        }
        Err(Error::Arguments { faults })
    }

    /// What is wrong with one argument; several items of a list may be.
    fn field(&self, field: &config::Field, value: Option<&Value>) -> Vec<String> {
        let name = &field.name;
        let Some(kind) = &field.field else {
            return Vec::new();
        };
        let named = |fault: String| format!("argument `{name}` {fault}");
        let Some(value) = value else {
            let required = is_required(field, kind);
            return required
                .then(|| named("is required".to_owned()))
                .into_iter()
                .collect();
        };
        if is_required(field, kind) && is_empty(value) {
            return vec![named("is required and must not be empty".to_owned())];
        }
        let faults = self.faults(kind, value, field.is_secret);
        faults.into_iter().map(named).collect()
    }

    fn faults(&self, kind: &Declared, value: &Value, secret: bool) -> Vec<String> {
        let one = |fault: Option<String>| fault.into_iter().collect();
        match kind {
            Declared::StringField(field) => match as_text(value) {
                Some(text) => one(field
                    .rules
                    .as_ref()
                    .and_then(|rules| rules::text(rules, &self.patterns, text, secret))),
                None => wrong(value, "a text"),
            },
            Declared::IntField(field) => match as_whole(value) {
                Some(number) => one(field
                    .rules
                    .as_ref()
                    .and_then(|rules| rules::number(rules, number))),
                None => wrong(value, "a whole number"),
            },
            Declared::BoolField(field) => match value.kind {
                Some(Kind::BoolValue(flag)) => {
                    one(field.rules.and_then(|rules| rules::flag(rules, flag)))
                }
                _ => wrong(value, "true or false"),
            },
            Declared::StringSliceField(field) => self.texts(field, value, secret),
            Declared::StringMapField(_) => match value.kind {
                Some(Kind::StructValue(_)) => Vec::new(),
                _ => wrong(value, "an object"),
            },
            Declared::ResourceIdField(field) => match as_resource_id(value) {
                Some(id) => one(field
                    .rules
                    .as_ref()
                    .and_then(|rules| rules::resource_type(&rules.allowed_resource_type_ids, &id))),
                None => wrong(value, RESOURCE_ID),
            },
            Declared::ResourceIdSliceField(field) => resource_ids(field, value),
            Declared::ResourceField(_) => one(object(value, resource, RESOURCE)),
            Declared::ResourceSliceField(_) => objects(value, resource, RESOURCE),
            Declared::EntitlementSliceField(_) => objects(value, has_id, ENTITLEMENT),
            Declared::GrantSliceField(_) => objects(value, has_id, GRANT),
        }
    }

    fn texts(&self, field: &config::StringSliceField, value: &Value, secret: bool) -> Vec<String> {
        let items = match items(value, as_text, "a text") {
            Ok(items) => items,
            Err(faults) => return faults,
        };
        let Some(rules) = &field.rules else {
            return Vec::new();
        };
        let whole = ListRules {
            min_items: rules.min_items,
            max_items: rules.max_items,
            unique: rules.unique,
            validate_empty: rules.validate_empty,
        };
        let each = rules.item_rules.iter().flat_map(|rules| {
            let items = items.iter().enumerate();
            items.filter_map(|(index, item)| {
                let fault = rules::text(rules, &self.patterns, item, secret)?;
                Some(item_fault(index, &fault))
            })
        });
        whole.broken(&items).into_iter().chain(each).collect()
    }
}

const RESOURCE_ID: &str = "an object with the texts `resource_type_id` and `resource_id`";
const RESOURCE: &str = "an object with a complete `resource_id`";
const ENTITLEMENT: &str = "an entitlement: an object with the text `id`";
const GRANT: &str = "a grant: an object with the text `id`";

fn text_rules(kind: &Declared) -> Option<&config::StringRules> {
    match kind {
        Declared::StringField(field) => field.rules.as_ref(),
        Declared::StringSliceField(field) => field.rules.as_ref()?.item_rules.as_ref(),
        _ => None,
    }
}

fn prepare(
    name: &str,
    rules: &config::StringRules,
    patterns: &mut Patterns,
) -> std::result::Result<(), String> {
    if config::WellKnownString::try_from(rules.well_known).is_err() {
        let form = rules.well_known;
        return Err(format!(
            "argument `{name}` has a rule with unknown text form {form}"
        ));
    }
    if let Some(pattern) = &rules.pattern {
        let regex = RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN_BYTES)
            .build();
        let regex = regex.map_err(|error| {
            let error = error.to_string();
            let error = error.lines().last().unwrap_or_default();
            format!("the pattern of argument `{name}` cannot be used: {error}")
        })?;
        patterns.insert(pattern.clone(), regex);
    }
    Ok(())
}

fn is_required(field: &config::Field, kind: &Declared) -> bool {
    field.is_required
        || match kind {
            Declared::StringField(field) => {
                field.rules.as_ref().is_some_and(|rules| rules.is_required)
            }
            Declared::IntField(field) => {
                field.rules.as_ref().is_some_and(|rules| rules.is_required)
            }
            Declared::StringSliceField(field) => {
                field.rules.as_ref().is_some_and(|rules| rules.is_required)
            }
            Declared::StringMapField(field) => {
                field.rules.as_ref().is_some_and(|rules| rules.is_required)
            }
            Declared::ResourceIdSliceField(field) => {
                field.rules.as_ref().is_some_and(|rules| rules.is_required)
            }
            _ => false,
        }
}

fn is_empty(value: &Value) -> bool {
    match &value.kind {
        Some(Kind::StringValue(text)) => text.is_empty(),
        Some(Kind::ListValue(list)) => list.values.is_empty(),
        Some(Kind::StructValue(object)) => object.fields.is_empty(),
        _ => false,
    }
}

/// The fault of a value of another kind.
fn wrong(value: &Value, wanted: &str) -> Vec<String> {
    vec![format!("must be {wanted}, not {}", kind_of(value, wanted))]
}

fn kind_of(value: &Value, wanted: &str) -> &'static str {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => "null",
        Some(Kind::BoolValue(true)) => "true",
        Some(Kind::BoolValue(false)) => "false",
        Some(Kind::StringValue(_)) => "a text",
        Some(Kind::NumberValue(_)) if wanted.contains("number") => "another number",
        Some(Kind::NumberValue(_)) => "a number",
        Some(Kind::ListValue(_)) => "a list",
        Some(Kind::StructValue(_)) if wanted.contains("object") => "another object",
        Some(Kind::StructValue(_)) => "an object",
    }
}

fn item_fault(index: usize, fault: &str) -> String {
    format!("has a wrong item {}: it {fault}", index + 1)
}

/// The items of a list, all of one kind.
fn items<'a, T>(
    value: &'a Value,
    read: impl Fn(&'a Value) -> Option<T>,
    wanted: &str,
) -> std::result::Result<Vec<T>, Vec<String>> {
    let Some(Kind::ListValue(list)) = &value.kind else {
        return Err(wrong(value, "a list"));
    };
    let mut items = Vec::with_capacity(list.values.len());
    let mut faults = Vec::new();
    for (index, value) in list.values.iter().enumerate() {
        match read(value) {
            Some(item) => items.push(item),
            None => faults.extend(
                wrong(value, wanted)
                    .iter()
                    .map(|fault| item_fault(index, fault)),
            ),
        }
    }
    if faults.is_empty() {
        Ok(items)
    } else {
        Err(faults)
    }
}

fn resource_ids(field: &config::ResourceIdSliceField, value: &Value) -> Vec<String> {
    let ids = match items(value, as_resource_id, RESOURCE_ID) {
        Ok(ids) => ids,
        Err(faults) => return faults,
    };
    let Some(rules) = &field.rules else {
        return Vec::new();
    };
    let whole = ListRules {
        min_items: rules.min_items,
        max_items: rules.max_items,
        unique: rules.unique,
        validate_empty: rules.validate_empty,
    };
    let keys: Vec<_> = ids
        .iter()
        .map(|id| (&id.resource_type, &id.resource))
        .collect();
    let each = ids.iter().enumerate().filter_map(|(index, id)| {
        let fault = rules::resource_type(&rules.allowed_resource_type_ids, id)?;
        Some(item_fault(index, &fault))
    });
    whole.broken(&keys).into_iter().chain(each).collect()
}

fn object(value: &Value, is_one: fn(&Struct) -> bool, wanted: &str) -> Option<String> {
    match &value.kind {
        Some(Kind::StructValue(object)) if is_one(object) => None,
        _ => wrong(value, wanted).pop(),
    }
}

fn objects(value: &Value, is_one: fn(&Struct) -> bool, wanted: &str) -> Vec<String> {
    let read = |value: &Value| object(value, is_one, wanted).is_none().then_some(());
    items(value, read, wanted).err().unwrap_or_default()
}

fn resource(object: &Struct) -> bool {
    let id = given(object, "resource_id").or_else(|| given(object, "resourceId"));
    id.and_then(as_resource_id).is_some()
}

fn has_id(object: &Struct) -> bool {
    let id = given(object, "id").and_then(as_text);
    id.is_some_and(|id| !id.is_empty())
}

/// The text of a constraint that does not hold, which is that of the Go SDK.
fn broken(constraint: &config::Constraint, arguments: &Struct) -> Option<String> {
    let is_given = |name: &&str| given(arguments, name).is_some();
    let names = without_duplicates(&constraint.field_names);
    let count = names.iter().copied().filter(is_given).count();
    let listed = names.join(" ");
    match constraint.kind() {
        ConstraintKind::Unspecified => None,
        ConstraintKind::RequiredTogether => (count > 0 && count < names.len())
            .then(|| format!("fields required together: [{listed}]")),
        ConstraintKind::MutuallyExclusive => {
            (count > 1).then(|| format!("fields are mutually exclusive: [{listed}]"))
        }
        ConstraintKind::AtLeastOne => {
            (count == 0).then(|| format!("at least one required: [{listed}]"))
        }
        ConstraintKind::DependentOn => {
            let others = without_duplicates(&constraint.secondary_field_names);
            let missing = count > 0 && !others.iter().all(is_given);
            missing.then(|| {
                let others = others.join(" ");
                format!("fields [{listed}] depend on [{others}] which must also be present")
            })
        }
    }
}

fn without_duplicates(names: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let names = names.iter().map(String::as_str);
    names.filter(|name| seen.insert(*name)).collect()
}
