//! Writes the rules of requests (`src/rules/rules.tsv`) as static tables: one
//! of each message that a request can reach and that has rules, itself or below.
//! A rule that has no form here, or that no request can reach, fails the build.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorSet, MethodDescriptorProto,
};

use super::clauses::{self, Clauses};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rules by message and by field or oneof.
type Rules<'a> = BTreeMap<(&'a str, &'a str), Clauses>;

/// The tables for the requests of all services in `packages`.
pub fn tables(set: &FileDescriptorSet, packages: &[&str], tsv: &str) -> Result<String> {
    let types = Types::of(set);
    let rules = read(tsv)?;
    let files = set.file.iter();
    let files = files.filter(|file| packages.contains(&file.package()));
    let methods = files
        .flat_map(|file| &file.service)
        .flat_map(|service| &service.method);
    let reached = types.reached(methods.map(MethodDescriptorProto::input_type));
    if let Some((name, field)) = rules.keys().find(|(name, _)| !reached.contains(name)) {
        return Err(format!("no request reaches the rule of {name}.{field}").into());
    }
    let checked = types.checked(&reached, &rules);
    let mut text = String::new();
    for (name, message) in &checked {
        write_message(&mut text, name, message, &checked, &types, &rules)?;
    }
    writeln!(text, "/// Messages with rules, by name.")?;
    writeln!(
        text,
        "pub(in crate::rules) static MESSAGES: &[&Message] = &["
    )?;
    for name in checked.keys() {
        writeln!(text, "&{},", static_name(name))?;
    }
    writeln!(text, "];")?;
    Ok(text)
}

fn read(tsv: &str) -> Result<Rules<'_>> {
    let mut rules = Rules::new();
    for line in tsv.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [message, field, text] = columns[..] else {
            return Err(format!("rules.tsv: not three columns: {line}").into());
        };
        let clauses = clauses::parse(text).map_err(|e| format!("{message}.{field}: {e}"))?;
        if rules.insert((message, field), clauses).is_some() {
            return Err(format!("rules.tsv: {message}.{field} has two rows").into());
        }
    }
    Ok(rules)
}

/// All messages and enums by full name.
#[derive(Default)]
struct Types<'a> {
    messages: BTreeMap<String, &'a DescriptorProto>,
    enums: BTreeMap<String, &'a EnumDescriptorProto>,
}

impl<'a> Types<'a> {
    fn of(set: &'a FileDescriptorSet) -> Self {
        let mut types = Self::default();
        for file in &set.file {
            for message in &file.message_type {
                types.add(file.package(), message);
            }
            for item in &file.enum_type {
                let name = format!("{}.{}", file.package(), item.name());
                types.enums.insert(name, item);
            }
        }
        types
    }

    fn add(&mut self, scope: &str, message: &'a DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            self.add(&name, nested);
        }
        for item in &message.enum_type {
            self.enums.insert(format!("{name}.{}", item.name()), item);
        }
        self.messages.insert(name, message);
    }

    /// Messages below the requests. Well-known types are not entered.
    fn reached<'b>(&'b self, requests: impl Iterator<Item = &'b str>) -> BTreeSet<&'b str> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = requests.map(|name| name.trim_start_matches('.')).collect();
        while let Some(name) = open.pop() {
            let known = self.messages.get_key_value(name);
            let Some((name, message)) = known.filter(|_| !name.starts_with("google.")) else {
                continue;
            };
            if reached.insert(name.as_str()) {
                open.extend(message.field.iter().filter_map(message_type));
            }
        }
        reached
    }

    /// The messages of `reached` that have rules, themselves or below.
    fn checked(
        &self,
        reached: &BTreeSet<&str>,
        rules: &Rules<'_>,
    ) -> BTreeMap<String, &'a DescriptorProto> {
        let mut checked = BTreeMap::new();
        loop {
            let before = checked.len();
            for (name, message) in &self.messages {
                let own = rules.keys().any(|(owner, _)| owner == name);
                let below = || {
                    let mut fields = message.field.iter().filter_map(message_type);
                    fields.any(|target| checked.contains_key(target))
                };
                if reached.contains(name.as_str()) && (own || below()) {
                    checked.insert(name.clone(), *message);
                }
            }
            if checked.len() == before {
                return checked;
            }
        }
    }
}

fn message_type(field: &FieldDescriptorProto) -> Option<&str> {
    (field.r#type() == Type::Message).then(|| field.type_name().trim_start_matches('.'))
}

/// `c1.connector.v2.UserTrait.Email` becomes `C1_CONNECTOR_V2_USERTRAIT_EMAIL`.
fn static_name(full_name: &str) -> String {
    full_name.replace('.', "_").to_uppercase()
}

/// `resource_type_id` becomes `ResourceTypeId`.
fn camel_case(name: &str) -> String {
    let parts = name.split('_');
    parts
        .flat_map(|part| {
            let mut letters = part.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}

fn write_message(
    text: &mut String,
    name: &str,
    message: &DescriptorProto,
    checked: &BTreeMap<String, &DescriptorProto>,
    types: &Types<'_>,
    rules: &Rules<'_>,
) -> Result<()> {
    // Packages are in lower case, messages begin with a capital.
    let parts = name.split('.');
    let short: Vec<&str> = parts
        .skip_while(|part| part.starts_with(char::is_lowercase))
        .collect();
    writeln!(
        text,
        "static {}: Message = Message {{ name: {name:?}, short: {:?}, fields: &[",
        static_name(name),
        short.join("_"),
    )?;
    let real_oneof =
        |field: &FieldDescriptorProto| field.oneof_index.filter(|_| !field.proto3_optional());
    let ruled = |field: &FieldDescriptorProto| {
        let below = message_type(field).is_some_and(|target| {
            checked.contains_key(target)
                || map_value(types, target).is_some_and(|value| {
                    message_type(value).is_some_and(|target| checked.contains_key(target))
                })
        });
        below || rules.contains_key(&(name, field.name()))
    };
    let required = |oneof: i32| {
        let declared = usize::try_from(oneof)
            .ok()
            .and_then(|at| message.oneof_decl.get(at));
        declared.is_some_and(|oneof| rules.contains_key(&(name, oneof.name())))
    };
    // Each arm of a oneof counts if one of them does: the last one wins.
    let kept = |field: &&FieldDescriptorProto| {
        ruled(field)
            || real_oneof(field).is_some_and(|oneof| {
                let mut arms = message.field.iter();
                required(oneof) || arms.any(|arm| real_oneof(arm) == Some(oneof) && ruled(arm))
            })
    };
    let mut fields: Vec<&FieldDescriptorProto> = message.field.iter().filter(kept).collect();
    fields.sort_by_key(|field| field.number());
    for field in fields {
        let clauses = rules.get(&(name, field.name()));
        if clauses.is_some() && field.proto3_optional() {
            return Err(format!("{name}.{}: a rule of an optional field", field.name()).into());
        }
        write_field(text, field, real_oneof(field), clauses, checked, types)
            .map_err(|error| format!("{name}.{}: {error}", field.name()))?;
    }
    writeln!(text, "], oneofs: &[")?;
    for (at, oneof) in message.oneof_decl.iter().enumerate() {
        writeln!(
            text,
            "Oneof {{ name: {:?}, required: {} }},",
            camel_case(oneof.name()),
            required(i32::try_from(at)?),
        )?;
    }
    writeln!(text, "] }};")?;
    Ok(())
}

/// The value field of the entries of a map.
fn map_value<'a>(types: &Types<'a>, entry: &str) -> Option<&'a FieldDescriptorProto> {
    let entry = types.messages.get(entry)?;
    let options = entry.options.as_ref()?;
    let mut fields = entry.field.iter();
    fields.find(|field| options.map_entry() && field.number() == 2)
}

fn write_field(
    text: &mut String,
    field: &FieldDescriptorProto,
    oneof: Option<i32>,
    clauses: Option<&Clauses>,
    checked: &BTreeMap<String, &DescriptorProto>,
    types: &Types<'_>,
) -> Result<()> {
    let value = message_type(field).and_then(|entry| map_value(types, entry));
    let shape = match (value, field.label()) {
        (Some(_), _) => "Map",
        (None, Label::Repeated) => "List",
        (None, _) => "One",
    };
    let mut clauses = clauses.cloned().unwrap_or_default();
    if value.unwrap_or(field).r#type() == Type::Bytes {
        clauses = clauses.count_bytes();
    }
    writeln!(
        text,
        "Field {{ number: {}, name: {:?}, kind: {}, shape: Shape::{shape}, oneof: {oneof:?}, \
         ignore_empty: {}, rules: &{}, keys: &{}, items: &{} }},",
        field.number(),
        camel_case(field.name()),
        kind(value.unwrap_or(field), &clauses, checked, types)?,
        clauses.ignore_empty,
        clauses::list(&clauses.field),
        clauses::list(&clauses.keys),
        clauses::list(&clauses.items),
    )?;
    Ok(())
}

fn kind(
    field: &FieldDescriptorProto,
    clauses: &Clauses,
    checked: &BTreeMap<String, &DescriptorProto>,
    types: &Types<'_>,
) -> Result<String> {
    let target = field.type_name().trim_start_matches('.');
    Ok(match field.r#type() {
        Type::String => "Kind::Text".to_owned(),
        Type::Bytes => "Kind::Bytes".to_owned(),
        Type::Uint32 => "Kind::Uint32".to_owned(),
        Type::Int64 => "Kind::Int64".to_owned(),
        Type::Enum => {
            let item = types.enums.get(target).ok_or("an unknown enum")?;
            let mut numbers: Vec<i32> = item
                .value
                .iter()
                .map(EnumValueDescriptorProto::number)
                .collect();
            numbers.sort_unstable();
            format!("Kind::Enum(&{numbers:?})")
        }
        Type::Message if target == "google.protobuf.Duration" => "Kind::Duration".to_owned(),
        Type::Message if checked.contains_key(target) => {
            format!("Kind::Message(&{})", static_name(target))
        }
        Type::Message => "Kind::Opaque".to_owned(),
        _ if clauses.field.is_empty() && clauses.items.is_empty() => "Kind::Opaque".to_owned(),
        other => return Err(format!("rules of the type {other:?}").into()),
    })
}
