//! The compiled descriptors say what the fact tables say, and nothing more.
//!
//! Both sides are brought into the same rows of text and compared as sets, so
//! that a failure names the rows that differ.

use std::collections::{BTreeMap, BTreeSet};

use baton_proto::c1::storage::v3::{IndexOption, TableOption};
use baton_proto::{DESCRIPTOR_SET, wire};
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet,
};

const TABLES: [&str; 13] = [
    include_str!("../tables/baton.v1.tsv"),
    include_str!("../tables/c1.c1z.v1.tsv"),
    include_str!("../tables/c1.c1z.v3.tsv"),
    include_str!("../tables/c1.config.v1.tsv"),
    include_str!("../tables/c1.connector.v2.tsv"),
    include_str!("../tables/c1.connector_wrapper.v1.tsv"),
    include_str!("../tables/c1.connectorapi.baton.v1.tsv"),
    include_str!("../tables/c1.ratelimit.v1.tsv"),
    include_str!("../tables/c1.reader.v2.tsv"),
    include_str!("../tables/c1.reader.v3.tsv"),
    include_str!("../tables/c1.storage.v3.tsv"),
    include_str!("../tables/c1.transport.v1.tsv"),
    include_str!("../tables/c1.utls.v1.tsv"),
];
const TABLE_OPTION: u32 = 90000;
const INDEX_OPTION: u32 = 90001;

/// Rows of a table without its header.
fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().skip(1).map(|line| line.split('\t').collect())
}

/// The descriptors of the packages that the tables describe.
struct Compiled {
    files: Vec<FileDescriptorProto>,
    /// Storage options by message, and by message and field number.
    table_options: BTreeMap<String, TableOption>,
    index_options: BTreeMap<(String, i32), IndexOption>,
}

impl Compiled {
    fn load() -> Compiled {
        let packages: BTreeSet<&str> = rows(include_str!("../tables/messages.tsv"))
            .map(|row| row[1])
            .collect();
        let set = FileDescriptorSet::decode(DESCRIPTOR_SET).expect("descriptors");
        let files = set
            .file
            .into_iter()
            .filter(|file| packages.contains(file.package()))
            .collect();
        let mut compiled = Compiled {
            files,
            table_options: BTreeMap::new(),
            index_options: BTreeMap::new(),
        };
        for file in messages_of(DESCRIPTOR_SET, 1) {
            let package = wire::last_str(file, 2).expect("package").to_owned();
            for message in messages_of(file, 4) {
                compiled.read_options(&package, message);
            }
        }
        compiled
    }

    /// The plain descriptor types drop custom options; these are read from the bytes.
    fn read_options(&mut self, scope: &str, message: &[u8]) {
        let name = format!("{scope}.{}", wire::last_str(message, 1).expect("name"));
        for nested in messages_of(message, 3) {
            self.read_options(&name, nested);
        }
        if let Some(option) = option_of(message, 7, TABLE_OPTION) {
            let option = TableOption::decode(option).expect("table option");
            self.table_options.insert(name.clone(), option);
        }
        for field in messages_of(message, 2) {
            if let Some(option) = option_of(field, 8, INDEX_OPTION) {
                let number = wire::last_varint(field, 3).expect("number");
                let number = i32::try_from(number).expect("a field number");
                let option = IndexOption::decode(option).expect("index option");
                self.index_options.insert((name.clone(), number), option);
            }
        }
    }

    /// Every message that is no map entry, with its full name and syntax.
    fn messages(&self) -> Vec<(String, &DescriptorProto, &FileDescriptorProto)> {
        let mut all = Vec::new();
        for file in &self.files {
            for message in &file.message_type {
                collect(file.package(), message, file, &mut all);
            }
        }
        all
    }

    fn enums(&self) -> Vec<(String, &EnumDescriptorProto, &FileDescriptorProto)> {
        let mut all = Vec::new();
        for file in &self.files {
            for item in &file.enum_type {
                all.push((format!("{}.{}", file.package(), item.name()), item, file));
            }
        }
        for (name, message, file) in self.messages() {
            for item in &message.enum_type {
                all.push((format!("{name}.{}", item.name()), item, file));
            }
        }
        all
    }
}

fn collect<'a>(
    scope: &str,
    message: &'a DescriptorProto,
    file: &'a FileDescriptorProto,
    all: &mut Vec<(String, &'a DescriptorProto, &'a FileDescriptorProto)>,
) {
    if is_entry(message) {
        return;
    }
    let name = format!("{scope}.{}", message.name());
    for nested in &message.nested_type {
        collect(&name, nested, file, all);
    }
    all.push((name, message, file));
}

fn is_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(prost_types::MessageOptions::map_entry)
}

fn messages_of(bytes: &[u8], number: u32) -> Vec<&[u8]> {
    wire::fields(bytes)
        .map(|field| field.expect("descriptors"))
        .filter(|field| field.number == number)
        .filter_map(|field| field.value.bytes())
        .collect()
}

fn option_of(bytes: &[u8], options_field: u32, number: u32) -> Option<&[u8]> {
    let options = wire::last_bytes(bytes, options_field).expect("options")?;
    wire::last_bytes(options, number).expect("an option")
}

fn type_of(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Label and type as the tables write them.
fn label_and_type(
    message: &DescriptorProto,
    field: &FieldDescriptorProto,
    proto2: bool,
) -> (String, String) {
    if field.label() == Label::Repeated {
        let name = field.type_name().rsplit('.').next().unwrap_or_default();
        let entry = message
            .nested_type
            .iter()
            .find(|nested| nested.name() == name && is_entry(nested));
        return match entry {
            Some(entry) => (
                "map".to_owned(),
                format!(
                    "map<{},{}>",
                    type_of(&entry.field[0]),
                    type_of(&entry.field[1])
                ),
            ),
            None => ("repeated".to_owned(), type_of(field)),
        };
    }
    let label = match field.oneof_index {
        Some(at) if !field.proto3_optional() => {
            let at = usize::try_from(at).expect("an index");
            format!("oneof:{}", message.oneof_decl[at].name())
        }
        Some(_) => "explicit_optional".to_owned(),
        None if proto2 => "explicit_optional(proto2)".to_owned(),
        None => "optional".to_owned(),
    };
    (label, type_of(field))
}

fn yes(deprecated: Option<bool>) -> &'static str {
    if deprecated == Some(true) { "yes" } else { "-" }
}

fn index_note(option: &IndexOption) -> String {
    assert!(!option.unique(), "no index of the tables is unique");
    let mut note = vec![format!("index={}", option.name())];
    if !option.composite.is_empty() {
        note.push(format!("on({})", option.composite.join("+")));
    }
    note.extend(
        option
            .partial
            .as_ref()
            .map(|partial| format!("where({partial})")),
    );
    note.join(" ")
}

fn assert_same(
    what: &str,
    compiled: impl IntoIterator<Item = String>,
    facts: impl IntoIterator<Item = String>,
) {
    let compiled: BTreeSet<String> = compiled.into_iter().collect();
    let facts: BTreeSet<String> = facts.into_iter().collect();
    let missing: Vec<_> = facts.difference(&compiled).collect();
    let extra: Vec<_> = compiled.difference(&facts).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{what}\nonly in the tables: {missing:#?}\nonly compiled: {extra:#?}"
    );
}

#[test]
fn messages_are_those_of_the_tables() {
    let compiled = Compiled::load();
    let own = compiled
        .messages()
        .into_iter()
        .map(|(name, message, file)| {
            let table = match compiled.table_options.get(&name) {
                Some(option) => format!(
                    "table={}; primary_key={}",
                    option.name(),
                    option.primary_key.join("+")
                ),
                None => "-".to_owned(),
            };
            format!(
                "{name} in proto/{}, {} fields, deprecated {}, {table}",
                file.name(),
                message.field.len(),
                yes(message.options.as_ref().and_then(|o| o.deprecated)),
            )
        });
    let facts: BTreeSet<_> = rows(include_str!("../tables/messages.tsv"))
        .map(|r| {
            format!(
                "{} in {}, {} fields, deprecated {}, {}",
                r[0], r[2], r[3], r[4], r[6]
            )
        })
        .collect();
    assert_eq!(facts.len(), 436);
    assert_same("messages", own, facts);
}

#[test]
fn fields_are_those_of_the_tables() {
    let compiled = Compiled::load();
    let mut own = Vec::new();
    for (name, message, file) in compiled.messages() {
        for field in &message.field {
            let (label, kind) = label_and_type(message, field, file.syntax() != "proto3");
            let options = field.options.as_ref();
            let index = compiled.index_options.get(&(name.clone(), field.number()));
            let note = match (index, &field.default_value) {
                (Some(option), _) => index_note(option),
                (None, Some(value)) => format!("default={value}"),
                (None, None) => "-".to_owned(),
            };
            own.push(format!(
                "{name} {} {label} {kind} {} deprecated {} {note}",
                field.number(),
                field.name(),
                yes(options.and_then(|o| o.deprecated)),
            ));
        }
    }
    let facts: BTreeSet<_> = TABLES
        .iter()
        .flat_map(|text| rows(text))
        .map(|r| {
            assert_eq!(r[5], "-", "every JSON name is the default one");
            format!(
                "{} {} {} {} {} deprecated {} {}",
                r[0], r[1], r[2], r[3], r[4], r[6], r[8]
            )
        })
        .collect();
    assert_eq!(facts.len(), 1357);
    assert_same("fields", own, facts);
}

#[test]
fn enum_values_are_those_of_the_tables() {
    let compiled = Compiled::load();
    let own = compiled.enums().into_iter().flat_map(|(name, item, file)| {
        let rows: Vec<_> = item
            .value
            .iter()
            .map(|value| {
                let deprecated = value.options.as_ref().and_then(|o| o.deprecated);
                format!(
                    "{name} {} {} {} proto/{}",
                    value.name(),
                    value.number(),
                    yes(deprecated),
                    file.name()
                )
            })
            .collect();
        rows
    });
    let facts: BTreeSet<_> = rows(include_str!("../tables/enums.tsv"))
        .map(|r| r.join(" "))
        .collect();
    assert_eq!(facts.len(), 205);
    assert_same("enum values", own, facts);
}

#[test]
fn oneofs_have_the_members_of_the_table() {
    let compiled = Compiled::load();
    let mut own = Vec::new();
    for (name, message, _) in compiled.messages() {
        for (at, oneof) in message.oneof_decl.iter().enumerate() {
            let members: Vec<_> = message
                .field
                .iter()
                .filter(|f| f.oneof_index == i32::try_from(at).ok() && !f.proto3_optional())
                .map(|f| format!("{}={}", f.name(), f.number()))
                .collect();
            if !members.is_empty() {
                own.push(format!("{name} {} {}", oneof.name(), members.join(",")));
            }
        }
    }
    let facts: BTreeSet<_> = rows(include_str!("../tables/oneofs.tsv"))
        .map(|r| format!("{} {} {}", r[0], r[1], r[3]))
        .collect();
    assert_eq!(facts.len(), 19);
    assert_same("oneofs", own, facts);
}

#[test]
fn reserved_numbers_and_names_are_those_of_the_table() {
    let compiled = Compiled::load();
    let mut own = Vec::new();
    for (name, message, _) in compiled.messages() {
        for range in &message.reserved_range {
            // The end of a message's range is exclusive, of an enum's inclusive.
            own.extend((range.start()..range.end()).map(|n| format!("{name} message {n}")));
        }
        own.extend(
            message
                .reserved_name
                .iter()
                .map(|n| format!("{name} message name:{n}")),
        );
    }
    for (name, item, _) in compiled.enums() {
        for range in &item.reserved_range {
            own.extend((range.start()..=range.end()).map(|n| format!("{name} enum {n}")));
        }
        own.extend(
            item.reserved_name
                .iter()
                .map(|n| format!("{name} enum name:{n}")),
        );
    }
    let facts = rows(include_str!("../tables/reserved.tsv")).map(|r| r.join(" "));
    assert_same("reserved", own, facts);
}

#[test]
fn extensions_are_those_of_the_table() {
    let compiled = Compiled::load();
    let own = compiled.files.iter().flat_map(|file| {
        file.extension.iter().map(move |extension| {
            format!(
                "{}.{} {} {} {}",
                file.package(),
                extension.name(),
                extension.extendee().trim_start_matches('.'),
                extension.number(),
                type_of(extension)
            )
        })
    });
    let facts = rows(include_str!("../tables/extensions.tsv")).map(|r| r.join(" "));
    assert_same("extensions", own, facts);
}

#[test]
fn service_methods_are_those_of_the_table_and_of_our_list() {
    let yes_no = |streaming: bool| if streaming { "yes" } else { "no" };
    let compiled = Compiled::load();
    let own = compiled.files.iter().flat_map(|file| {
        file.service.iter().flat_map(move |service| {
            service.method.iter().map(move |method| {
                format!(
                    "{}.{} {} {} {} {} {} proto/{}",
                    file.package(),
                    service.name(),
                    method.name(),
                    method.input_type().trim_start_matches('.'),
                    method.output_type().trim_start_matches('.'),
                    yes_no(method.client_streaming()),
                    yes_no(method.server_streaming()),
                    file.name()
                )
            })
        })
    });
    let facts: BTreeSet<_> = rows(include_str!("../tables/services.tsv"))
        .map(|r| r[..7].join(" "))
        .collect();
    assert_eq!(facts.len(), 69);
    let listed = baton_proto::services().iter().flat_map(|service| {
        service.methods.iter().map(move |method| {
            format!(
                "{} {} {} {} {} {}",
                service.full_name,
                method.name,
                method.request,
                method.response,
                yes_no(method.client_streaming),
                yes_no(method.server_streaming)
            )
        })
    });
    let without_file = rows(include_str!("../tables/services.tsv")).map(|r| r[..6].join(" "));
    assert_same("listed methods", listed, without_file);
    assert_same("methods", own, facts);
}

/// Messages of other packages that travel as data; these have no table.
#[test]
fn borrowed_messages_have_their_fields() {
    let facts = [
        (
            "google.rpc.Status",
            "code=1 int32,message=2 string,details=3 google.protobuf.Any",
        ),
        (
            "google.rpc.ErrorInfo",
            "reason=1 string,domain=2 string,metadata=3 google.rpc.ErrorInfo.MetadataEntry",
        ),
        (
            "validate.StringRules",
            "const=1 string,len=19 uint64,min_len=2 uint64,max_len=3 uint64,len_bytes=20 uint64,\
             min_bytes=4 uint64,max_bytes=5 uint64,pattern=6 string,prefix=7 string,\
             suffix=8 string,contains=9 string,not_contains=23 string,in=10 string,\
             not_in=11 string,email=12 bool,hostname=13 bool,ip=14 bool,ipv4=15 bool,\
             ipv6=16 bool,uri=17 bool,uri_ref=18 bool,address=21 bool,uuid=22 bool,\
             well_known_regex=24 validate.KnownRegex,strict=25 bool,ignore_empty=26 bool",
        ),
    ];
    let set = FileDescriptorSet::decode(DESCRIPTOR_SET).expect("descriptors");
    for (name, fields) in facts {
        let found = set
            .file
            .iter()
            .flat_map(|file| file.message_type.iter().map(move |m| (file.package(), m)))
            .find(|(package, message)| format!("{package}.{}", message.name()) == name);
        let (_, message) = found.expect(name);
        let own: Vec<_> = message
            .field
            .iter()
            .map(|f| format!("{}={} {}", f.name(), f.number(), type_of(f)))
            .collect();
        assert_eq!(own.join(","), fields, "{name}");
    }
}

#[test]
fn any_fields_are_those_of_the_table() {
    let compiled = Compiled::load();
    let mut own = Vec::new();
    for (name, message, file) in compiled.messages() {
        for field in &message.field {
            let (label, kind) = label_and_type(message, field, file.syntax() != "proto3");
            if kind.contains("google.protobuf.Any") {
                own.push(format!(
                    "{name} {} {} {label}",
                    field.number(),
                    field.name()
                ));
            }
        }
    }
    let facts = rows(include_str!("../tables/any_fields.tsv")).map(|r| r[..4].join(" "));
    assert_same("Any fields", own, facts);
}

#[test]
fn every_message_type_can_be_packed_and_shown() {
    let registry = baton_proto::json::Registry::get();
    for row in rows(include_str!("../tables/messages.tsv")) {
        let id = registry.message(row[0]).expect("a registered type");
        let mut out = Vec::new();
        baton_proto::json::write(&mut out, id, &[], &baton_proto::json::Options::default())
            .expect("an empty message");
        assert_eq!(out, b"{}", "{}", row[0]);
    }
}
