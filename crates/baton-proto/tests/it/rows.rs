//! Stored rows come back byte by byte.

use baton_proto::c1::connector::v2::{Entitlement, Grant, GrantExpandable, Resource, ResourceType};
use baton_proto::{encode, json};
use prost::{Message, Name};

use crate::fixtures::{ROW_FILES, Row, rows};

fn reencoded<M: Message + Name + Default>(data: &[u8]) -> Vec<u8> {
    encode::to_vec(&M::decode(data).expect("a stored row"))
}

fn reencode(row: &Row) -> Vec<u8> {
    match row.kind {
        "ResourceType" => reencoded::<ResourceType>(&row.data),
        "Resource" => reencoded::<Resource>(&row.data),
        "Entitlement" => reencoded::<Entitlement>(&row.data),
        "Grant" => reencoded::<Grant>(&row.data),
        "GrantExpandable" => reencoded::<GrantExpandable>(&row.data),
        other => panic!("kind {other}"),
    }
}

#[test]
fn every_stored_row_is_encoded_to_the_bytes_that_go_stored() {
    let mut seen = 0;
    for (file, text) in ROW_FILES {
        for (at, row) in rows(text).iter().enumerate() {
            assert_eq!(reencode(row), row.data, "{file}, row {at}, {}", row.kind);
            seen += 1;
        }
    }
    assert_eq!(seen, 870);
}

#[test]
fn default_map_values_and_long_profiles_encode_the_same_every_time() {
    let rows: Vec<_> = ROW_FILES.iter().flat_map(|(_, text)| rows(text)).collect();
    let entry_with_false = [0x12, 0x00];
    let derived = rows.iter().find(|row| {
        row.kind == "Grant"
            && Grant::decode(row.data.as_slice()).is_ok_and(|grant| {
                grant
                    .sources
                    .is_some_and(|sources| sources.sources.values().any(|s| !s.is_direct))
            })
    });
    let profile = rows.iter().find(|row| {
        row.kind == "Resource"
            && Resource::decode(row.data.as_slice())
                .is_ok_and(|r| r.profile.is_some_and(|profile| profile.fields.len() >= 4))
    });
    let derived = derived.expect("a grant with an indirect source");
    let profile = profile.expect("a resource with a profile of several keys");
    assert!(derived.data.windows(2).any(|w| w == entry_with_false));
    for _ in 0..100 {
        assert_eq!(reencode(derived), derived.data);
        assert_eq!(reencode(profile), profile.data);
    }
}

#[test]
fn a_profile_of_five_keys_is_sorted_and_whole_every_time() {
    let text = r#"{"profile":{"e":null,"a":"","\u00e9":{"x":[]},"B":false,"c":0}}"#;
    let id = json::Registry::get().message("c1.connector.v2.Resource");
    let wire = json::parse(id.expect("known"), text).expect("valid");
    let expected = [
        &[0x4a, 0x3e][..],
        &[0x0a, 7, 0x0a, 1, b'B', 0x12, 2, 0x20, 0],
        &[0x0a, 7, 0x0a, 1, b'a', 0x12, 2, 0x1a, 0],
        &[
            0x0a, 14, 0x0a, 1, b'c', 0x12, 9, 0x11, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
        &[0x0a, 7, 0x0a, 1, b'e', 0x12, 2, 0x08, 0],
        &[0x0a, 17, 0x0a, 2, 0xc3, 0xa9, 0x12, 11, 0x2a, 9],
        &[0x0a, 7, 0x0a, 1, b'x', 0x12, 2, 0x32, 0],
    ]
    .concat();
    assert_eq!(wire, expected);
    for _ in 0..100 {
        assert_eq!(reencoded::<Resource>(&wire), wire);
    }
}

/// Go packs annotations with the keys of maps in random order, so that the
/// bytes inside an `Any` of a stored row may not be ours; all else must be.
#[test]
fn rows_go_to_json_and_back_to_equal_rows() {
    let mut equal = 0;
    for (file, text) in ROW_FILES {
        for (at, row) in rows(text).iter().enumerate() {
            let id = json::Registry::get().message(&row.full_name());
            let id = id.expect("a known type");
            for indent in [None, Some(2)] {
                let options = json::Options {
                    indent,
                    ..json::Options::default()
                };
                let print = |data: &[u8]| {
                    let mut text = Vec::new();
                    json::write(&mut text, id, data, &options).expect("a stored row");
                    String::from_utf8(text).expect("UTF-8")
                };
                let text = print(&row.data);
                let back = json::parse(id, &text).expect("our own JSON");
                assert_eq!(back.len(), row.data.len(), "{file}, row {at}: {text}");
                assert_eq!(print(&back), text, "{file}, row {at}");
                equal += usize::from(back == row.data);
            }
        }
    }
    assert!(equal > 1000, "{equal} of 1740 with equal bytes");
}
