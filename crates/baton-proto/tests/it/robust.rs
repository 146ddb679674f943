//! Whatever the bytes and the text: no panic, and what is valid survives.

use std::collections::BTreeMap;

use baton_proto::c1::config::v1::{Field, Int64Rules, IntField, StringField, field};
use baton_proto::c1::connector::v2::grant_sources::GrantSource;
use baton_proto::c1::connector::v2::user_trait::Email;
use baton_proto::c1::connector::v2::{
    ChildResourceType, Entitlement, Grant, GrantSources, Resource, ResourceId, ResourceType,
    Status, UserTrait,
};
use baton_proto::c1::reader::v2::{CallStat, SyncStats};
use baton_proto::wire::MAX_DEPTH;
use baton_proto::{any, encode, json, wire};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use prost::{Message, Name};
use prost_types::value::Kind;
use prost_types::{Any, ListValue, Struct, Timestamp, Value};

/// Types that between them have every kind of field.
const NAMES: [&str; 12] = [
    "c1.connector.v2.Grant",
    "c1.connector.v2.Resource",
    "c1.connector.v2.ConnectorMetadata",
    "c1.connector.v2.Ticket",
    "c1.connectorapi.baton.v1.Task",
    "c1.config.v1.Configuration",
    "c1.reader.v2.SyncRun",
    "c1.storage.v3.GrantRecord",
    "c1.ratelimit.v1.RateLimiterConfig",
    "google.protobuf.Any",
    "google.protobuf.Struct",
    "validate.StringRules",
];

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Kind::NullValue(0)),
        any::<bool>().prop_map(Kind::BoolValue),
        any::<i32>().prop_map(|n| Kind::NumberValue(f64::from(n) / 8.0)),
        proptest::num::f64::NORMAL.prop_map(Kind::NumberValue),
        any::<String>().prop_map(Kind::StringValue),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let value = inner.prop_map(|kind| Value { kind: Some(kind) });
        prop_oneof![
            vec(value.clone(), 0..4).prop_map(|values| Kind::ListValue(ListValue { values })),
            btree_map(any::<String>(), value, 0..4)
                .prop_map(|fields| Kind::StructValue(Struct { fields })),
        ]
    })
    .prop_map(|kind| Value { kind: Some(kind) })
}

fn profile() -> impl Strategy<Value = Struct> {
    btree_map(any::<String>(), json_value(), 0..6).prop_map(|fields| Struct { fields })
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let seconds = baton_proto::time::MIN_SECONDS..=baton_proto::time::MAX_SECONDS;
    (seconds, 0..1_000_000_000).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

#[allow(deprecated, reason = "stored rows have the deprecated field")]
fn annotation() -> impl Strategy<Value = Any> {
    prop_oneof![
        any::<String>()
            .prop_map(|resource_type_id| any::pack(&ChildResourceType { resource_type_id })),
        (of(profile()), vec(any::<(String, bool)>(), 0..3)).prop_map(|(profile, emails)| {
            any::pack(&UserTrait {
                profile,
                emails: emails
                    .into_iter()
                    .map(|(address, is_primary)| Email {
                        address,
                        is_primary,
                    })
                    .collect(),
                ..UserTrait::default()
            })
        }),
    ]
}

fn resource() -> impl Strategy<Value = Resource> {
    (
        of(any::<(String, String)>()),
        any::<String>(),
        vec(annotation(), 0..3),
        of(profile()),
        of(any::<(i32, String)>()),
        of(timestamp()),
    )
        .prop_map(
            |(id, display_name, annotations, profile, status, created_at)| Resource {
                id: id.map(|(resource_type, resource)| ResourceId {
                    resource_type,
                    resource,
                    ..ResourceId::default()
                }),
                display_name,
                annotations,
                profile,
                status: status.map(|(status, details)| Status { status, details }),
                created_at,
                ..Resource::default()
            },
        )
}

fn grant() -> impl Strategy<Value = Grant> {
    let sources = btree_map(any::<String>(), any::<bool>(), 0..4);
    let kind = (any::<String>(), vec(0..20_i32, 0..4));
    (
        of(resource()),
        of(resource()),
        any::<String>(),
        of(sources),
        kind,
    )
        .prop_map(
            |(principal, resource, id, sources, (type_id, traits))| Grant {
                principal,
                entitlement: resource.map(|resource| Entitlement {
                    resource: Some(resource),
                    grantable_to: vec![ResourceType {
                        id: type_id,
                        traits,
                        ..ResourceType::default()
                    }],
                    ..Entitlement::default()
                }),
                id,
                sources: sources.map(|sources| GrantSources {
                    sources: sources
                        .into_iter()
                        .map(|(id, is_direct)| (id, GrantSource { is_direct }))
                        .collect::<BTreeMap<_, _>>(),
                }),
                ..Grant::default()
            },
        )
}

fn stats() -> impl Strategy<Value = SyncStats> {
    let counts = btree_map(any::<String>(), any::<i64>(), 0..4);
    let calls = btree_map(any::<String>(), any::<(i64, i64)>(), 0..3);
    (any::<i64>(), counts, calls).prop_map(|(resources, counts, calls)| SyncStats {
        resources,
        resources_by_resource_type: counts,
        connector_call_stats: calls
            .into_iter()
            .map(|(name, (count, total_ms))| {
                let stat = CallStat {
                    count,
                    total_ms,
                    ..CallStat::default()
                };
                (name, stat)
            })
            .collect(),
        ..SyncStats::default()
    })
}

fn config_field() -> impl Strategy<Value = Field> {
    let arm = prop_oneof![
        any::<(String, String)>().prop_map(|(default_value, suggested_value)| {
            field::Field::StringField(StringField {
                default_value,
                suggested_value,
                ..StringField::default()
            })
        }),
        (any::<i64>(), of(any::<i64>()), vec(any::<i64>(), 0..4)).prop_map(
            |(default_value, lt, r#in)| {
                field::Field::IntField(IntField {
                    default_value,
                    rules: Some(Int64Rules {
                        lt,
                        r#in,
                        ..Int64Rules::default()
                    }),
                    ..IntField::default()
                })
            }
        ),
    ];
    (any::<String>(), of(arm)).prop_map(|(name, field)| Field {
        name,
        field,
        ..Field::default()
    })
}

fn text_of<M: Message + Name>(message: &M) -> String {
    json::to_string(message, &json::Options::default()).expect("a valid message")
}

/// JSON of a message reads back to its bytes.
fn survives<M: Message + Name + Default + PartialEq + std::fmt::Debug>(
    message: &M,
) -> Result<(), TestCaseError> {
    let id = json::Registry::get().message_of::<M>().expect("known");
    let wire = encode::to_vec(message);
    prop_assert_eq!(&M::decode(wire.as_slice()).expect("our encoding"), message);
    for (indent, emit_html_escapes) in [(None, false), (Some(2), true)] {
        let options = json::Options {
            indent,
            emit_html_escapes,
            ..json::Options::default()
        };
        let mut text = Vec::new();
        json::write(&mut text, id, &wire, &options).expect("a valid message");
        serde_json::from_slice::<serde_json::Value>(&text).expect("valid JSON");
        let text = String::from_utf8(text).expect("UTF-8");
        prop_assert_eq!(
            &json::parse(id, &text).expect("our own JSON"),
            &wire,
            "{}",
            text
        );
    }
    Ok(())
}

/// Two encodings after one another are one message, merged by protobuf's rules;
/// the generated decoder is the judge of them.
fn merges<M: Message + Name + Default>(one: &M, other: &M) -> Result<(), TestCaseError> {
    let id = json::Registry::get().message_of::<M>().expect("known");
    let both = [one.encode_to_vec(), other.encode_to_vec()].concat();
    let merged = M::decode(both.as_slice()).expect("a valid message");
    let mut text = Vec::new();
    json::write(&mut text, id, &both, &json::Options::default()).expect("a valid message");
    prop_assert_eq!(String::from_utf8(text).expect("UTF-8"), text_of(&merged));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        for field in wire::fields(&bytes) {
            let _ = field;
        }
        let _ = wire::without(&bytes, &[1, 2]);
        let _ = wire::insert_bytes(&bytes, 3, b"x");
        let _ = wire::split_annotation(&bytes, 1, "a.B");
        let _ = wire::packed_varints(&bytes).count();
        for name in NAMES {
            let id = json::Registry::get().message(name).expect("known");
            for unknown_any in [json::UnknownAny::Fail, json::UnknownAny::Drop] {
                let options = json::Options { unknown_any, ..json::Options::default() };
                let mut out = Vec::new();
                if json::write(&mut out, id, &bytes, &options).is_ok() {
                    serde_json::from_slice::<serde_json::Value>(&out).expect("valid JSON");
                }
            }
        }
    }

    #[test]
    fn damaged_rows_never_panic(grant in grant(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode::to_vec(&grant);
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let id = json::Registry::get().message_of::<Grant>().expect("known");
        let mut out = Vec::new();
        let _ = json::write(&mut out, id, &bytes, &json::Options::default());
        bytes.truncate(at);
        let _ = json::write(&mut out, id, &bytes, &json::Options::default());
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), shaped in "[\\[\\]{}\",:0-9a-z@ \\\\.-]{0,40}") {
        for name in NAMES {
            let id = json::Registry::get().message(name).expect("known");
            let _ = json::parse(id, &text);
            let _ = json::parse(id, &shaped);
        }
        let _ = baton_proto::time::parse(&text);
        let _ = baton_proto::time::parse_duration(&text);
    }

    #[test]
    fn damaged_json_never_panics(grant in grant(), at in any::<prop::sample::Index>(), c in any::<char>()) {
        let text = text_of(&grant);
        let cut = text.floor_char_boundary(at.index(text.len()));
        let damaged = format!("{}{c}{}", &text[..cut], text[cut..].chars().skip(1).collect::<String>());
        let id = json::Registry::get().message_of::<Grant>().expect("known");
        if let Ok(wire) = json::parse(id, &damaged) {
            Grant::decode(wire.as_slice()).expect("what the reader makes is a message");
        }
        let _ = json::parse(id, &text[..cut]);
    }

    #[test]
    fn grants_survive_json(grant in grant()) {
        survives(&grant)?;
    }

    #[test]
    fn statistics_survive_json(stats in stats()) {
        survives(&stats)?;
    }

    #[test]
    fn configuration_fields_survive_json(field in config_field()) {
        survives(&field)?;
    }

    #[test]
    fn split_messages_merge_as_the_decoder_merges_them(one in grant(), other in grant()) {
        merges(&one, &other)?;
    }

    #[test]
    fn oneofs_merge_as_the_decoder_merges_them(one in config_field(), other in config_field()) {
        merges(&one, &other)?;
    }

    #[test]
    fn encoding_equals_the_reader_s(resource in resource()) {
        let id = json::Registry::get().message_of::<Resource>().expect("known");
        prop_assert_eq!(json::parse(id, &text_of(&resource)).expect("our own JSON"), encode::to_vec(&resource));
    }
}

#[test]
fn nesting_beyond_the_limit_is_an_error_and_up_to_it_works() {
    let id = json::Registry::get()
        .message("google.protobuf.Value")
        .expect("known");
    let options = json::Options::default();
    let nested = |levels: usize| {
        let mut value = Vec::new();
        wire::put_varint(&mut value, 4, 1);
        for _ in 0..levels {
            let mut list = Vec::new();
            wire::put_bytes(&mut list, 1, &value);
            value.clear();
            wire::put_bytes(&mut value, 6, &list);
        }
        value
    };
    let mut out = Vec::new();
    json::write(&mut out, id, &nested(MAX_DEPTH / 2 - 1), &options).expect("within the limit");
    let error = json::write(&mut out, id, &nested(MAX_DEPTH), &options).expect_err("too deep");
    assert!(error.to_string().contains("nested deeper than 256 levels"));

    let text = |levels: usize| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
    let wire = json::parse(id, &text(100)).expect("within the limit");
    out.clear();
    json::write(&mut out, id, &wire, &options).expect("what was read can be written");
    assert_eq!(out, text(100).as_bytes());
    assert!(json::parse(id, &text(101)).is_err());
}
