//! Records of every kind against messages written by the generated encoder.

use std::collections::BTreeMap;

use baton_proto::any;
use baton_proto::c1::connector::v2;
use baton_proto::c1::storage::v3;
use baton_proto::encode::to_vec;
use prost_types::value::Kind;
use prost_types::{Any, Struct, Timestamp, Value};

use super::*;

/// An annotation that no table knows.
fn unknown() -> Any {
    Any {
        type_url: "type.googleapis.com/later.Thing".into(),
        value: vec![0x08, 0x01, 0xff],
    }
}

fn reference(type_id: &str, id: &str) -> v3::ResourceRef {
    v3::ResourceRef {
        resource_type_id: type_id.into(),
        resource_id: id.into(),
    }
}

fn id(type_id: &str, id: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: type_id.into(),
        resource: id.into(),
        ..Default::default()
    }
}

fn stub(type_id: &str, of: &str) -> v2::Resource {
    v2::Resource {
        id: Some(id(type_id, of)),
        ..Default::default()
    }
}

/// A record of a grant with everything in it.
fn grant_record() -> v3::GrantRecord {
    let source = |is_direct| v3::GrantSourceRecord {
        resource_type_id: "group".into(),
        resource_id: "g0".into(),
        entitlement_id: "group:g0:member".into(),
        is_direct,
    };
    v3::GrantRecord {
        external_id: "g".into(),
        entitlement: Some(v3::EntitlementRef {
            resource_type_id: "group".into(),
            resource_id: "g1".into(),
            entitlement_id: "group:g1:member".into(),
        }),
        principal: Some(v3::PrincipalRef {
            resource_type_id: "user".into(),
            resource_id: "u1".into(),
            parent_resource_type_id: "org".into(),
            parent_resource_id: "acme".into(),
        }),
        discovered_at: Some(Timestamp::default()),
        expansion: Some(v3::GrantExpandableRecord {
            entitlement_ids: vec!["group:g1:member".into()],
            shallow: true,
            resource_type_ids: vec!["user".into()],
        }),
        needs_expansion: true,
        annotations: vec![any::pack(&v2::GrantImmutable::default()), unknown()],
        sources: BTreeMap::from([
            ("b".to_owned(), source(true)),
            (String::new(), source(false)),
        ]),
        source_scope_key: "s".into(),
    }
}

fn grant_message() -> v2::Grant {
    v2::Grant {
        entitlement: Some(v2::Entitlement {
            resource: Some(stub("group", "g1")),
            id: "group:g1:member".into(),
            ..Default::default()
        }),
        principal: Some(v2::Resource {
            parent_resource_id: Some(id("org", "acme")),
            ..stub("user", "u1")
        }),
        id: "g".into(),
        annotations: vec![any::pack(&v2::GrantImmutable::default()), unknown()],
        sources: Some(v2::GrantSources {
            sources: BTreeMap::from([
                (
                    "b".to_owned(),
                    v2::grant_sources::GrantSource { is_direct: true },
                ),
                (String::new(), v2::grant_sources::GrantSource::default()),
            ]),
        }),
    }
}

#[test]
fn bytes_that_are_no_record_are_an_error_not_a_panic() {
    let mut buffers = Buffers::default();
    for table in Table::ALL {
        for bytes in [&[0x0a, 0xff][..], &[0x12, 1, 0xff], &[0x1a, 9]] {
            assert!(
                read(table, bytes, &mut buffers).is_err(),
                "{table:?} {bytes:?}"
            );
        }
        read(table, &[], &mut buffers).expect("an empty record is one");
    }
}

#[test]
fn a_grant_holds_ids_only_and_its_expansion_apart() {
    let (record, message) = (to_vec(&grant_record()), to_vec(&grant_message()));
    let mut buffers = Buffers::default();
    let row = read(Table::Grants, &record, &mut buffers).expect("valid");
    assert_eq!(row.data, message);
    assert_eq!(row.id, "g");
    assert_eq!((row.resource_type_id, row.resource_id), ("group", "g1"));
    assert_eq!(row.entitlement_id, "group:g1:member");
    assert_eq!((row.principal_type_id, row.principal_id), ("user", "u1"));
    let expandable = v2::GrantExpandable {
        entitlement_ids: vec!["group:g1:member".into()],
        shallow: true,
        resource_type_ids: vec!["user".into()],
    };
    assert_eq!(row.expansion, Some(to_vec(&expandable).as_slice()));
}

#[test]
fn a_grant_without_an_id_gets_it_from_entitlement_and_principal() {
    let record = v3::GrantRecord {
        external_id: String::new(),
        ..grant_record()
    };
    let record = to_vec(&record);
    let mut buffers = Buffers::default();
    let row = read(Table::Grants, &record, &mut buffers).expect("valid");
    assert_eq!(row.id, "group:g1:member:user:u1");
    assert_eq!(
        columns::read(Table::Grants, row.data).expect("valid").id,
        row.id
    );
}

#[test]
fn an_expandable_among_the_annotations_is_taken_out() {
    let expandable = v2::GrantExpandable {
        entitlement_ids: vec!["x".into()],
        ..Default::default()
    };
    let mut record = grant_record();
    record.annotations.insert(0, any::pack(&expandable));
    let mut buffers = Buffers::default();
    let stored = to_vec(&record);
    let row = read(Table::Grants, &stored, &mut buffers).expect("valid");
    assert_eq!(row.data, to_vec(&grant_message()));
    assert_ne!(row.expansion, Some(to_vec(&expandable).as_slice()));
    record.expansion = None;
    let stored = to_vec(&record);
    let row = read(Table::Grants, &stored, &mut buffers).expect("valid");
    assert_eq!(row.expansion, Some(to_vec(&expandable).as_slice()));
}

#[test]
fn sources_come_sorted_whatever_the_order_of_the_record() {
    let ordered = to_vec(&grant_record());
    let mut swapped = Vec::new();
    let mut entries = Vec::new();
    for field in wire::fields(&ordered) {
        let field = field.expect("valid");
        if field.number == grant_record::SOURCES {
            entries.push(field.raw);
        } else {
            swapped.extend_from_slice(field.raw);
        }
    }
    // The first one again at the end: it is the one that counts.
    for entry in [entries[0], entries[1], entries[0]] {
        swapped.extend_from_slice(entry);
    }
    let mut buffers = Buffers::default();
    let row = read(Table::Grants, &swapped, &mut buffers).expect("valid");
    assert_eq!(row.data, to_vec(&grant_message()));
}

#[test]
fn an_entitlement_holds_ids_only() {
    let record = v3::EntitlementRecord {
        external_id: "group:g1:member".into(),
        resource: Some(reference("group", "g1")),
        display_name: "Member".into(),
        description: "d".into(),
        purpose: "ASSIGNMENT".into(),
        annotations: vec![unknown()],
        discovered_at: Some(Timestamp::default()),
        slug: "member".into(),
        grantable_to_resource_type_ids: vec!["user".into(), String::new()],
        source_scope_key: "s".into(),
    };
    let message = v2::Entitlement {
        resource: Some(stub("group", "g1")),
        id: "group:g1:member".into(),
        display_name: "Member".into(),
        description: "d".into(),
        grantable_to: vec![
            v2::ResourceType {
                id: "user".into(),
                ..Default::default()
            },
            v2::ResourceType::default(),
        ],
        annotations: vec![unknown()],
        purpose: PurposeValue::Assignment as i32,
        slug: "member".into(),
    };
    let record = to_vec(&record);
    let mut buffers = Buffers::default();
    let row = read(Table::Entitlements, &record, &mut buffers).expect("valid");
    assert_eq!(row.data, to_vec(&message));
    assert_eq!(row.id, "group:g1:member");
    assert_eq!((row.resource_type_id, row.resource_id), ("group", "g1"));
}

#[test]
fn words_of_later_writers_are_left_out() {
    let mut buffers = Buffers::default();
    let record = to_vec(&v3::EntitlementRecord {
        purpose: "LATER".into(),
        ..Default::default()
    });
    let row = read(Table::Entitlements, &record, &mut buffers).expect("valid");
    assert_eq!(
        row.data,
        to_vec(&v2::Entitlement {
            resource: Some(stub("", "")),
            ..Default::default()
        })
    );
    let record = to_vec(&v3::ResourceTypeRecord {
        external_id: "t".into(),
        traits: vec!["LATER".into(), "GROUP".into()],
        ..Default::default()
    });
    let row = read(Table::ResourceTypes, &record, &mut buffers).expect("valid");
    assert_eq!(
        row.data,
        to_vec(&v2::ResourceType {
            id: "t".into(),
            traits: vec![Trait::Group as i32],
            ..Default::default()
        })
    );
}

#[test]
fn a_resource_keeps_profile_status_and_times_as_they_are() {
    let profile = Struct {
        fields: BTreeMap::from([(
            "n".to_owned(),
            Value {
                kind: Some(Kind::NumberValue(1.0)),
            },
        )]),
    };
    let created = Timestamp {
        seconds: 5,
        nanos: 6,
    };
    let record = v3::ResourceRecord {
        resource_type_id: "user".into(),
        resource_id: "a:b".into(),
        display_name: "N".into(),
        description: "d".into(),
        parent: Some(reference("org", "acme")),
        annotations: vec![unknown()],
        discovered_at: Some(Timestamp::default()),
        profile: Some(profile.clone()),
        status: Some(v3::StatusRecord {
            status: v3::status_record::ResourceStatus::Disabled as i32,
            details: "why".into(),
        }),
        created_at: Some(created),
        source_scope_key: "s".into(),
        icon_asset_external_id: "icon".into(),
    };
    let message = v2::Resource {
        id: Some(id("user", "a:b")),
        parent_resource_id: Some(id("org", "acme")),
        display_name: "N".into(),
        annotations: vec![unknown()],
        description: "d".into(),
        profile: Some(profile),
        icon: Some(v2::AssetRef { id: "icon".into() }),
        status: Some(v2::Status {
            status: v2::status::ResourceStatus::Disabled as i32,
            details: "why".into(),
        }),
        created_at: Some(created),
        ..Default::default()
    };
    let record = to_vec(&record);
    let mut buffers = Buffers::default();
    let row = read(Table::Resources, &record, &mut buffers).expect("valid");
    assert_eq!(row.data, to_vec(&message));
    assert_eq!(row.id, "user:a:b");
    assert_eq!(row.parent, Some(("org", "acme")));
}

#[test]
fn long_ids_get_lengths_of_more_than_one_byte() {
    for len in [127, 128, 10_000, 20_000] {
        let long = "x".repeat(len);
        let mut record = grant_record();
        record.entitlement = Some(v3::EntitlementRef {
            resource_type_id: long.clone(),
            resource_id: long.clone(),
            entitlement_id: long.clone(),
        });
        let mut message = grant_message();
        message.entitlement = Some(v2::Entitlement {
            resource: Some(stub(&long, &long)),
            id: long,
            ..Default::default()
        });
        let record = to_vec(&record);
        let mut buffers = Buffers::default();
        let row = read(Table::Grants, &record, &mut buffers).expect("valid");
        assert_eq!(row.data, to_vec(&message), "{len}");
    }
}
