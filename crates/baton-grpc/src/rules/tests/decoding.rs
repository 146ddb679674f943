//! What counts when a field occurs twice, is missing or is not a field.

use baton_proto::c1::connector::v2::credential_options::{
    EncryptedPassword, NoPassword, RandomPassword,
};
use baton_proto::c1::connector::v2::{
    CreateAccountRequest, CredentialOptions, Entitlement, GrantManagerServiceGrantRequest,
    InvokeActionRequest, Resource, ResourceId, ResourceType, credential_options::Options,
};
use baton_proto::field::c1::connector::v2 as fields;
use baton_proto::wire;
use prost::{Message as _, Name as _};

use crate::check_request;

const LIST: &str = "c1.connector.v2.ResourcesServiceListResourcesRequest";
const LENGTH: &str = "invalid ResourcesServiceListResourcesRequest.ResourceTypeId: \
                      value length must be between 1 and 1024 bytes, inclusive";

fn options(options: Options) -> Vec<u8> {
    let options = CredentialOptions {
        options: Some(options),
        ..CredentialOptions::default()
    };
    options.encode_to_vec()
}

fn account(options: &[u8]) -> Result<(), String> {
    let mut request = Vec::new();
    wire::put_bytes(
        &mut request,
        fields::create_account_request::CREDENTIAL_OPTIONS,
        options,
    );
    check_request(&CreateAccountRequest::full_name(), &request)
}

#[test]
fn the_last_value_of_a_field_counts() {
    let number = fields::resources_service_list_resources_request::RESOURCE_TYPE_ID;
    let mut request = Vec::new();
    wire::put_str(&mut request, number, &"x".repeat(1025));
    assert_eq!(check_request(LIST, &request).unwrap_err(), LENGTH);
    wire::put_str(&mut request, number, "user");
    assert_eq!(check_request(LIST, &request), Ok(()));
    wire::put_bytes(&mut request, number, &[]);
    assert_eq!(check_request(LIST, &request).unwrap_err(), LENGTH);
}

#[test]
fn the_parts_of_a_message_are_merged() {
    let mut request = Vec::new();
    for (kind, id) in [("user", ""), ("", "u1")] {
        let id = ResourceId {
            resource_type: kind.into(),
            resource: id.into(),
            ..ResourceId::default()
        };
        let part = GrantManagerServiceGrantRequest {
            principal: Some(Resource {
                id: Some(id),
                ..Resource::default()
            }),
            ..GrantManagerServiceGrantRequest::default()
        };
        part.encode_raw(&mut request);
    }
    let entitlement = |id: &str, resource| GrantManagerServiceGrantRequest {
        entitlement: Some(Entitlement {
            id: id.into(),
            resource,
            ..Entitlement::default()
        }),
        ..GrantManagerServiceGrantRequest::default()
    };
    let name = GrantManagerServiceGrantRequest::full_name();
    entitlement("e1", None).encode_raw(&mut request);
    assert_eq!(
        check_request(&name, &request).unwrap_err(),
        "invalid GrantManagerServiceGrantRequest.Entitlement: embedded message failed validation \
         | caused by: invalid Entitlement.Resource: value is required"
    );
    entitlement("", Some(Resource::default())).encode_raw(&mut request);
    assert_eq!(check_request(&name, &request), Ok(()));
}

#[test]
fn the_last_arm_of_a_oneof_counts() {
    let short = options(Options::RandomPassword(RandomPassword {
        length: 1,
        ..RandomPassword::default()
    }));
    let none = options(Options::EncryptedPassword(EncryptedPassword::default()));
    let message = "embedded message failed validation | caused by: ";
    let text = |arm: &str, reason: &str| {
        format!(
            "invalid CreateAccountRequest.CredentialOptions: {message}\
             invalid CredentialOptions.{arm}: {message}invalid CredentialOptions_{arm}.{reason}"
        )
    };
    let length = text(
        "RandomPassword",
        "Length: value must be inside range [8, 64]",
    );
    let items = "EncryptedPasswords: value must contain at least 1 item(s)";
    let items = text("EncryptedPassword", items);
    assert_eq!(account(&[&*short, &*none].concat()), Err(items));
    assert_eq!(account(&[&*none, &*short].concat()), Err(length.clone()));
    // An arm without rules counts too.
    let no_password = options(Options::NoPassword(NoPassword::default()));
    assert_eq!(account(&[&*short, &*no_password].concat()), Ok(()));
    // Another arm between them keeps two parts of one arm from being merged.
    let long = options(Options::RandomPassword(RandomPassword {
        length: 8,
        ..RandomPassword::default()
    }));
    let empty = options(Options::RandomPassword(RandomPassword::default()));
    assert_eq!(account(&[&*long, &*empty].concat()), Ok(()));
    assert_eq!(
        account(&[&*long, &*no_password, &*empty].concat()),
        Err(length)
    );
}

#[test]
fn lists_of_numbers_can_be_packed_or_not() {
    let mut entitlement = Entitlement {
        resource: Some(Resource::default()),
        id: "e".into(),
        ..Entitlement::default()
    }
    .encode_to_vec();
    let mut of_type = Vec::new();
    wire::put_str(&mut of_type, fields::resource_type::ID, "user");
    wire::put_bytes(&mut of_type, fields::resource_type::TRAITS, &[1, 2]);
    wire::put_varint(&mut of_type, fields::resource_type::TRAITS, 1);
    ResourceType::decode(of_type.as_slice()).unwrap();
    wire::put_bytes(
        &mut entitlement,
        fields::entitlement::GRANTABLE_TO,
        &of_type,
    );
    let mut request = Vec::new();
    let number = fields::grant_manager_service_grant_request::ENTITLEMENT;
    wire::put_bytes(&mut request, number, &entitlement);
    let error = check_request(&GrantManagerServiceGrantRequest::full_name(), &request);
    let end = "invalid ResourceType.Traits[2]: repeated value must contain unique items";
    assert!(error.clone().unwrap_err().ends_with(end), "{error:?}");
}

#[test]
fn the_last_pair_of_a_key_counts_and_keys_are_checked_in_order() {
    let request = |pairs: &[(&str, usize)]| {
        let mut request = Vec::new();
        wire::put_str(&mut request, 1, &"a".repeat(27));
        for (key, length) in pairs {
            let mut entry = Vec::new();
            wire::put_bytes(&mut entry, 2, &vec![0; *length]);
            if !key.is_empty() {
                wire::put_str(&mut entry, 1, key);
            }
            wire::put_bytes(&mut request, 2, &entry);
        }
        check_request("c1.connectorapi.baton.v1.SetManyRequest", &request)
    };
    let long = 4_132_865;
    let refused = |key: &str, reason: &str| {
        Err(format!(
            "invalid SetManyRequest.Values[{key}]: value length must be between {reason}, inclusive"
        ))
    };
    assert_eq!(request(&[("b", long), ("b", 1)]), Ok(()));
    assert_eq!(
        request(&[("b", long), ("a", long)]),
        refused("a", "0 and 4132864 bytes")
    );
    assert_eq!(
        request(&[("b", long), ("", 1)]),
        refused("", "1 and 512 runes")
    );
}

#[test]
fn unknown_fields_and_other_messages_break_no_rule() {
    let number = fields::resources_service_list_resources_request::RESOURCE_TYPE_ID;
    let mut request = Vec::new();
    wire::put_str(&mut request, number, "user");
    wire::put_varint(&mut request, 999, 1);
    assert_eq!(check_request(LIST, &request), Ok(()));
    assert_eq!(
        check_request("c1.connector.v2.NoSuchRequest", &request),
        Ok(())
    );
    // Its bytes are not a message, which the decoder refuses.
    request.push(0xff);
    assert_eq!(check_request(LIST, &request), Ok(()));
}

#[test]
fn numbers_are_cut_to_their_size() {
    let mut request = Vec::new();
    wire::put_str(&mut request, 1, "user");
    let page_size = fields::resources_service_list_resources_request::PAGE_SIZE;
    wire::put_varint(&mut request, page_size, (1 << 32) + 250);
    assert_eq!(check_request(LIST, &request), Ok(()));
    wire::put_varint(&mut request, page_size, 251);
    let text = "invalid ResourcesServiceListResourcesRequest.PageSize: \
                value must be less than or equal to 250";
    assert_eq!(check_request(LIST, &request).unwrap_err(), text);
}

#[test]
fn an_invalid_duration_has_a_cause() {
    let request = InvokeActionRequest {
        inline_wait: Some(prost_types::Duration {
            seconds: 0,
            nanos: -1_000_000_000,
        }),
        ..InvokeActionRequest::default()
    };
    assert_eq!(
        check_request(&InvokeActionRequest::full_name(), &request.encode_to_vec()).unwrap_err(),
        "invalid InvokeActionRequest.InlineWait: value is not a valid duration | caused by: \
         proto: duration (nanos:-1000000000) has out-of-range nanos"
    );
}
