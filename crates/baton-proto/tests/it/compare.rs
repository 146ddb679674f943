//! Differences of messages: none where the messages are equal, and else each
//! at its place.

use std::collections::BTreeMap;

use baton_proto::c1::connector::v2;
use baton_proto::json::compare::{All, Rules, differences};
use baton_proto::json::{Options, Registry};
use baton_proto::{any, encode, wire};
use proptest::prelude::*;
use prost::{Message, Name};
use prost_types::{Struct, Timestamp, Value, value::Kind};

struct Without(&'static str);

impl Rules for Without {
    fn counts(&self, path: &[String]) -> bool {
        path.join(".") != self.0
    }

    fn unknown_fields_count(&self) -> bool {
        false
    }
}

/// `path: old -> new` of each difference.
fn texts<M: Message + Name>(old: &[u8], new: &[u8], rules: &dyn Rules) -> Vec<String> {
    let message = Registry::get().message_of::<M>().expect("valid");
    let found = differences(message, old, new, rules).expect("valid");
    let show = |content: &Option<baton_proto::json::compare::Content>| {
        content.as_ref().map_or("-".to_owned(), |content| {
            let mut json = Vec::new();
            content
                .write_json(&mut json, &Options::default())
                .expect("valid");
            String::from_utf8(json).expect("valid")
        })
    };
    let text = |d: &baton_proto::json::compare::Difference| {
        format!("{}: {} -> {}", d.path.join("."), show(&d.old), show(&d.new))
    };
    found.iter().map(text).collect()
}

fn user(login: &str, last_login: i64) -> v2::UserTrait {
    v2::UserTrait {
        login: login.into(),
        last_login: Some(Timestamp {
            seconds: last_login,
            nanos: 0,
        }),
        ..Default::default()
    }
}

fn text(text: &str) -> Value {
    Value {
        kind: Some(Kind::StringValue(text.into())),
    }
}

fn map(entries: &[(&str, Value)]) -> Struct {
    let owned = |(key, value): &(&str, Value)| ((*key).to_owned(), value.clone());
    Struct {
        fields: entries.iter().map(owned).collect(),
    }
}

#[test]
fn each_difference_has_its_place_and_both_values() {
    let inner = |value: &str| Value {
        kind: Some(Kind::StructValue(map(&[("x", text(value))]))),
    };
    let old = v2::Resource {
        display_name: "a".into(),
        annotations: vec![
            any::pack(&user("kim", 1)),
            any::pack(&v2::GroupTrait::default()),
        ],
        profile: Some(map(&[
            ("gone", text("1")),
            ("deep", inner("a")),
            ("same", text("s")),
        ])),
        status: Some(v2::Status {
            status: 1,
            ..Default::default()
        }),
        ..Default::default()
    };
    let new = v2::Resource {
        description: "new".into(),
        annotations: vec![
            any::pack(&user("ada", 2)),
            any::pack(&v2::RoleTrait::default()),
        ],
        profile: Some(map(&[("deep", inner("b")), ("same", text("s"))])),
        status: Some(v2::Status {
            status: 2,
            ..Default::default()
        }),
        ..old.clone()
    };
    let (old, new) = (encode::to_vec(&old), encode::to_vec(&new));
    let found = texts::<v2::Resource>(&old, &new, &All);
    assert_eq!(
        found,
        [
            "annotations.GroupTrait: {\"@type\":\"type.googleapis.com/c1.connector.v2.GroupTrait\"} -> -",
            "annotations.RoleTrait: - -> {\"@type\":\"type.googleapis.com/c1.connector.v2.RoleTrait\"}",
            "annotations.UserTrait.login: \"kim\" -> \"ada\"",
            "annotations.UserTrait.lastLogin: \"1970-01-01T00:00:01Z\" -> \"1970-01-01T00:00:02Z\"",
            "description: - -> \"new\"",
            "profile.deep.x: \"a\" -> \"b\"",
            "profile.gone: \"1\" -> -",
            "status.status: \"RESOURCE_STATUS_ENABLED\" -> \"RESOURCE_STATUS_DISABLED\"",
        ]
    );
}

#[test]
fn what_does_not_count_is_no_difference() {
    let with = |user: v2::UserTrait| {
        encode::to_vec(&v2::Resource {
            annotations: vec![any::pack(&user)],
            ..Default::default()
        })
    };
    let rules = Without("annotations.UserTrait.lastLogin");
    let (old, new) = (with(user("kim", 1)), with(user("kim", 2)));
    assert!(texts::<v2::Resource>(&old, &new, &rules).is_empty());
    assert_eq!(texts::<v2::Resource>(&old, &new, &All).len(), 1);
    let mut unknown = old.clone();
    wire::put_str(&mut unknown, 999, "x");
    assert!(texts::<v2::Resource>(&old, &unknown, &rules).is_empty());
    assert_eq!(texts::<v2::Resource>(&old, &unknown, &All), [": - -> -"]);
}

#[test]
fn annotations_are_compared_by_their_bytes() {
    let with = |any: prost_types::Any| {
        encode::to_vec(&v2::Resource {
            annotations: vec![any],
            ..Default::default()
        })
    };
    let plain = any::pack(&user("kim", 1));
    let mut longer = plain.clone();
    // The same login, encoded twice.
    wire::put_str(&mut longer.value, 6, "kim");
    assert_eq!(
        texts::<v2::Resource>(&with(plain.clone()), &with(longer), &All),
        ["annotations.UserTrait: - -> -"]
    );
    let url = "type.googleapis.com/x.Unknown";
    let unknown = |value: &[u8]| prost_types::Any {
        type_url: url.into(),
        value: value.into(),
    };
    assert_eq!(
        texts::<v2::Resource>(&with(unknown(&[1])), &with(unknown(&[2])), &All),
        ["annotations.x.Unknown: - -> -"]
    );
    let two = |a: &prost_types::Any, b: &prost_types::Any| {
        encode::to_vec(&v2::Resource {
            annotations: vec![a.clone(), b.clone()],
            ..Default::default()
        })
    };
    let other = any::pack(&v2::RoleTrait::default());
    let found = texts::<v2::Resource>(&two(&plain, &other), &two(&other, &plain), &All);
    assert!(
        found.len() == 1 && found[0].starts_with("annotations: ["),
        "{found:?}"
    );
}

fn resource() -> impl Strategy<Value = v2::Resource> {
    let id = proptest::option::of(("[ab]?", "[ab]?", any::<bool>()).prop_map(|(t, r, b)| {
        v2::ResourceId {
            resource_type: t,
            resource: r,
            baton_resource: b,
        }
    }));
    let profile = proptest::option::of(
        proptest::collection::btree_map("[ab]", "[ab]?".prop_map(|t| text(&t)), 0..3)
            .prop_map(|fields| Struct { fields }),
    );
    (id, "[ab]?", profile, proptest::option::of(0_i64..2)).prop_map(|(id, name, profile, at)| {
        v2::Resource {
            id,
            display_name: name,
            profile,
            created_at: at.map(|seconds| Timestamp { seconds, nanos: 0 }),
            ..Default::default()
        }
    })
}

fn grant() -> impl Strategy<Value = v2::Grant> {
    let sources = proptest::collection::btree_map("[ab]", any::<bool>(), 0..3);
    let sources = proptest::option::of(sources.prop_map(|map: BTreeMap<String, bool>| {
        let source = |is_direct| v2::grant_sources::GrantSource { is_direct };
        v2::GrantSources {
            sources: map.into_iter().map(|(k, v)| (k, source(v))).collect(),
        }
    }));
    let annotations = proptest::collection::vec(
        prop_oneof![
            "[ab]?".prop_map(|login| any::pack(&user(&login, 0))),
            Just(any::pack(&v2::GrantImmutable::default())),
        ],
        0..3,
    );
    (
        proptest::option::of(resource()),
        "[ab]?",
        sources,
        annotations,
    )
        .prop_map(|(principal, id, sources, annotations)| v2::Grant {
            principal,
            id,
            sources,
            annotations,
            ..Default::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Also where maps are in another order, fields come twice and defaults
    /// are written.
    #[test]
    fn messages_are_equal_if_they_have_no_differences(
        a in grant(), b in grant(), noise in any::<bool>(),
    ) {
        let mut bytes = a.encode_to_vec();
        if noise {
            let mut again = Vec::new();
            wire::put_str(&mut again, 3, "before");
            again.extend_from_slice(&bytes);
            // A later occurrence wins, an empty one too.
            wire::put_bytes(&mut again, 3, a.id.as_bytes());
            bytes = again;
        }
        let message = Registry::get().message_of::<v2::Grant>().expect("valid");
        prop_assert!(differences(message, &bytes, &a.encode_to_vec(), &All).expect("valid").is_empty());
        let found = differences(message, &bytes, &b.encode_to_vec(), &All).expect("valid");
        prop_assert_eq!(found.is_empty(), a == b, "{:?}", found);
    }

    #[test]
    fn no_bytes_make_it_panic(
        a in proptest::collection::vec(any::<u8>(), 0..40), b in grant(), at in 0_usize..60,
    ) {
        let message = Registry::get().message_of::<v2::Grant>().expect("valid");
        let mut cut = b.encode_to_vec();
        cut.truncate(at);
        for found in [differences(message, &a, &cut, &All), differences(message, &cut, &a, &All)] {
            for difference in found.into_iter().flatten() {
                let mut json = Vec::new();
                for content in difference.old.iter().chain(&difference.new) {
                    let _ = content.write_json(&mut json, &Options::default());
                }
            }
        }
    }
}
