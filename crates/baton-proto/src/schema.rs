//! Compact tables of every compiled message and enum, for code that works on
//! bytes: the canonical encoder and the JSON mapping.
//!
//! Built once from the embedded descriptor set, never changed after. Indices
//! between the tables are valid by construction; look-ups from outside data
//! go through checked accessors.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// The descriptor set of every `.proto` file of this crate and of what they
/// import, custom options included, as a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Field numbers up to here are found by one array access; no message has more.
const MAX_DENSE_NUMBER: usize = 4096;
const ABSENT: u16 = u16::MAX;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    // The set is written by the build script of this very crate, and every
    // test of this crate decodes it; were it unreadable, no type would be
    // known, and callers would get `UnknownType`.
    let set = FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap_or_default();
    Schema::build(&set)
});

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    messages: Vec<Message>,
    enums: Vec<Enum>,
    by_name: HashMap<String, usize, NameHash>,
}

/// Hashes names by FNV-1a. The tables hold our own names only, so an
/// attacker cannot fill them with collisions; every `Any` of every row is looked up
/// here.
type NameHash = BuildHasherDefault<Fnv>;

/// The state of FNV-1a over 64 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// One message type.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub full_name: String,
    /// In the order of the declaration, which is the order of JSON keys.
    pub fields: Vec<Field>,
    by_number: Vec<u16>,
    by_key: HashMap<String, u16, NameHash>,
    pub well_known: Option<WellKnown>,
    /// Whether a map field can be reached through message fields.
    pub reaches_map: bool,
    /// Number of real oneofs; proto3 `optional` does not count.
    pub oneofs: usize,
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    pub number: u32,
    /// A comma, the JSON key in quotes, and a colon.
    pub json_prefix: Vec<u8>,
    pub kind: Kind,
    pub shape: Shape,
    /// Set apart from its default value: shown in JSON whenever it is there.
    pub presence: bool,
    /// Whether an encoder writes the list packed.
    pub packed: bool,
    pub oneof: Option<usize>,
    /// Sort key of the encoded form: Go writes a oneof where its first
    /// declared member stands.
    pub wire_order: u32,
}

/// How often a field can occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    One,
    List,
    /// A map; `kind` is its entry message.
    Map,
}

/// Type of a field; the numbers are indices into the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Bytes,
    Uint32,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
    Enum(usize),
    Message(usize),
}

/// Messages with a JSON form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WellKnown {
    Any,
    Timestamp,
    Duration,
    Struct,
    Value,
    ListValue,
    /// The scalar wrappers: their one field stands for the message.
    Wrapper,
}

/// One enum type.
#[derive(Debug)]
pub(crate) struct Enum {
    pub full_name: String,
    /// In the order of the declaration; the first name of a number counts.
    pub values: Vec<(String, i32)>,
    /// `google.protobuf.NullValue` is `null` in JSON.
    pub is_null: bool,
}

impl Schema {
    /// The tables of this crate.
    pub fn get() -> &'static Schema {
        &SCHEMA
    }

    pub fn find(&self, full_name: &str) -> Option<usize> {
        self.by_name.get(full_name).copied()
    }

    pub fn message(&self, index: usize) -> Option<&Message> {
        self.messages.get(index)
    }

    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub fn enumeration(&self, index: usize) -> Option<&Enum> {
        self.enums.get(index)
    }

    fn build(set: &FileDescriptorSet) -> Schema {
        let mut names = Names::default();
        for file in &set.file {
            for message in &file.message_type {
                names.add_message(file.package(), message, file.syntax() != "proto3");
            }
            for item in &file.enum_type {
                names.add_enum(file.package(), item);
            }
        }
        let mut schema = Schema::default();
        for (full_name, descriptor, proto2) in &names.messages {
            schema
                .messages
                .push(message(full_name, descriptor, *proto2, &names));
        }
        for (full_name, descriptor) in &names.enums {
            schema.enums.push(enumeration(full_name, descriptor));
        }
        schema.by_name = names.message_index;
        schema.mark_maps();
        schema
    }

    /// Follows message fields backwards from the maps until nothing changes.
    fn mark_maps(&mut self) {
        loop {
            let marked: Vec<bool> = self.messages.iter().map(|m| m.reaches_map).collect();
            let mut changed = false;
            for message in &mut self.messages {
                let reaches = message.fields.iter().any(|field| match field.kind {
                    Kind::Message(target) => {
                        field.shape == Shape::Map || marked.get(target).copied().unwrap_or(false)
                    }
                    _ => false,
                });
                changed |= reaches && !message.reaches_map;
                message.reaches_map |= reaches;
            }
            if !changed {
                return;
            }
        }
    }
}

impl Message {
    /// The field with this number.
    #[inline]
    pub fn by_number(&self, number: u32) -> Option<(usize, &Field)> {
        let at = usize::from(*self.by_number.get(number as usize)?);
        Some((at, self.fields.get(at)?))
    }

    /// The field with this JSON name or declared name.
    pub fn by_key(&self, key: &str) -> Option<(usize, &Field)> {
        let at = usize::from(*self.by_key.get(key)?);
        Some((at, self.fields.get(at)?))
    }
}

impl Enum {
    /// The name of a number.
    pub fn name_of(&self, number: i32) -> Option<&str> {
        self.values
            .iter()
            .find(|(_, n)| *n == number)
            .map(|(name, _)| name.as_str())
    }

    /// The number of a name.
    pub fn number_of(&self, name: &str) -> Option<i32> {
        self.values
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, number)| *number)
    }
}

/// First pass: gives every type its index, so that fields can refer to it.
#[derive(Default)]
struct Names<'a> {
    messages: Vec<(String, &'a DescriptorProto, bool)>,
    enums: Vec<(String, &'a EnumDescriptorProto)>,
    message_index: HashMap<String, usize, NameHash>,
    enum_index: HashMap<String, usize>,
}

impl<'a> Names<'a> {
    fn add_message(&mut self, scope: &str, message: &'a DescriptorProto, proto2: bool) {
        let full_name = join(scope, message.name());
        for nested in &message.nested_type {
            self.add_message(&full_name, nested, proto2);
        }
        for item in &message.enum_type {
            self.add_enum(&full_name, item);
        }
        self.message_index
            .insert(full_name.clone(), self.messages.len());
        self.messages.push((full_name, message, proto2));
    }

    fn add_enum(&mut self, scope: &str, item: &'a EnumDescriptorProto) {
        let full_name = join(scope, item.name());
        self.enum_index.insert(full_name.clone(), self.enums.len());
        self.enums.push((full_name, item));
    }

    /// Index of the message that a field names, and whether it is a map entry.
    fn message(&self, type_name: &str) -> Option<(usize, bool)> {
        let index = *self.message_index.get(type_name.trim_start_matches('.'))?;
        let (_, descriptor, _) = self.messages.get(index)?;
        let is_entry = descriptor
            .options
            .as_ref()
            .is_some_and(prost_types::MessageOptions::map_entry);
        Some((index, is_entry))
    }
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}

fn message(
    full_name: &str,
    descriptor: &DescriptorProto,
    proto2: bool,
    names: &Names<'_>,
) -> Message {
    let mut table = Message {
        full_name: full_name.to_owned(),
        well_known: well_known(full_name),
        ..Message::default()
    };
    for source in &descriptor.field {
        if let Some(mut field) = field(source, proto2, names) {
            if let Some(oneof) = field.oneof {
                table.oneofs = table.oneofs.max(oneof + 1);
                let first = table.fields.iter().find(|f| f.oneof == Some(oneof));
                field.wire_order = first.map_or(field.number, |f| f.number);
            }
            let at = u16::try_from(table.fields.len()).unwrap_or(ABSENT);
            table.by_key.insert(source.name().to_owned(), at);
            table.by_key.insert(json_name(source), at);
            table.fields.push(field);
        }
    }
    let last = table.fields.iter().map(|f| f.number as usize).max();
    let last = last.unwrap_or(0).min(MAX_DENSE_NUMBER);
    table.by_number = vec![ABSENT; last + 1];
    for (at, field) in table.fields.iter().enumerate() {
        if let Some(slot) = table.by_number.get_mut(field.number as usize) {
            *slot = u16::try_from(at).unwrap_or(ABSENT);
        }
    }
    table
}

fn field(source: &FieldDescriptorProto, proto2: bool, names: &Names<'_>) -> Option<Field> {
    let mut shape = match source.label() {
        Label::Repeated => Shape::List,
        Label::Optional | Label::Required => Shape::One,
    };
    let kind = match source.r#type() {
        Type::Double => Kind::Double,
        Type::Float => Kind::Float,
        Type::Int64 => Kind::Int64,
        Type::Uint64 => Kind::Uint64,
        Type::Int32 => Kind::Int32,
        Type::Fixed64 => Kind::Fixed64,
        Type::Fixed32 => Kind::Fixed32,
        Type::Bool => Kind::Bool,
        Type::String => Kind::String,
        Type::Bytes => Kind::Bytes,
        Type::Uint32 => Kind::Uint32,
        Type::Sfixed32 => Kind::Sfixed32,
        Type::Sfixed64 => Kind::Sfixed64,
        Type::Sint32 => Kind::Sint32,
        Type::Sint64 => Kind::Sint64,
        Type::Enum => Kind::Enum(
            *names
                .enum_index
                .get(source.type_name().trim_start_matches('.'))?,
        ),
        Type::Message => {
            let (index, is_entry) = names.message(source.type_name())?;
            if is_entry {
                shape = Shape::Map;
            }
            Kind::Message(index)
        }
        Type::Group => return None,
    };
    let number = u32::try_from(source.number()).ok()?;
    let oneof = match source.oneof_index {
        Some(index) if !source.proto3_optional() => usize::try_from(index).ok(),
        _ => None,
    };
    let options = source.options.as_ref();
    let scalar = !matches!(kind, Kind::String | Kind::Bytes | Kind::Message(_));
    Some(Field {
        number,
        json_prefix: format!(",\"{}\":", json_name(source)).into_bytes(),
        kind,
        shape,
        presence: shape == Shape::One
            && (proto2
                || oneof.is_some()
                || source.proto3_optional()
                || matches!(kind, Kind::Message(_))),
        packed: shape == Shape::List && scalar && options.and_then(|o| o.packed).unwrap_or(!proto2),
        oneof,
        wire_order: number,
    })
}

fn enumeration(full_name: &str, descriptor: &EnumDescriptorProto) -> Enum {
    Enum {
        full_name: full_name.to_owned(),
        values: descriptor
            .value
            .iter()
            .map(|value| (value.name().to_owned(), value.number()))
            .collect(),
        is_null: full_name == "google.protobuf.NullValue",
    }
}

/// The JSON name: stated by the compiler, else derived as the compiler does.
fn json_name(field: &FieldDescriptorProto) -> String {
    match &field.json_name {
        Some(name) => name.clone(),
        None => lower_camel(field.name()),
    }
}

/// `snake_case` to `lowerCamelCase`, as protobuf does for JSON names.
pub(crate) fn lower_camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else {
            out.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        }
    }
    out
}

fn well_known(full_name: &str) -> Option<WellKnown> {
    Some(match full_name.strip_prefix("google.protobuf.")? {
        "Any" => WellKnown::Any,
        "Timestamp" => WellKnown::Timestamp,
        "Duration" => WellKnown::Duration,
        "Struct" => WellKnown::Struct,
        "Value" => WellKnown::Value,
        "ListValue" => WellKnown::ListValue,
        "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value"
        | "UInt32Value" | "BoolValue" | "StringValue" | "BytesValue" => WellKnown::Wrapper,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> &'static Message {
        let schema = Schema::get();
        schema
            .message(schema.find(name).expect("a known type"))
            .expect("an index of the schema")
    }

    #[test]
    fn unknown_names_and_numbers_are_absent() {
        assert!(Schema::get().find("c1.connector.v2.Nope").is_none());
        let grant = table("c1.connector.v2.Grant");
        assert!(grant.by_number(0).is_none());
        assert!(grant.by_number(u32::MAX).is_none());
        assert!(grant.by_key("nope").is_none());
    }

    #[test]
    fn fields_are_found_by_number_and_by_both_names() {
        let id = table("c1.connector.v2.Resource");
        let (at, field) = id.by_key("parentResourceId").expect("JSON name");
        assert_eq!(id.by_key("parent_resource_id").map(|f| f.0), Some(at));
        assert_eq!(id.by_number(field.number).map(|f| f.0), Some(at));
    }

    #[test]
    fn only_messages_above_a_map_are_marked() {
        assert!(table("c1.connector.v2.GrantSources").reaches_map);
        assert!(table("c1.connector.v2.Grant").reaches_map);
        assert!(table("google.protobuf.Value").reaches_map);
        assert!(!table("c1.connector.v2.ResourceId").reaches_map);
        assert!(!table("c1.connector.v2.ResourceType").reaches_map);
    }

    #[test]
    fn a_oneof_is_written_where_both_encoders_agree() {
        // Go writes a oneof at the number of its first declared member, prost at
        // the smallest number; equal bytes need them to be one.
        for message in Schema::get().messages() {
            for field in message.fields.iter().filter(|f| f.oneof.is_some()) {
                let (name, number) = (&message.full_name, field.number);
                assert!(field.wire_order <= number, "{name} field {number}");
            }
        }
    }

    #[test]
    fn every_number_has_a_place_in_the_dense_index() {
        for message in Schema::get().messages() {
            for (at, field) in message.fields.iter().enumerate() {
                let found = message.by_number(field.number).map(|f| f.0);
                assert_eq!(
                    found,
                    Some(at),
                    "{} field {}",
                    message.full_name,
                    field.number
                );
            }
        }
    }
}
