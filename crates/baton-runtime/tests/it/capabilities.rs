//! The capabilities command.

use baton_connector::{TypeSpec, Types, v2};
use baton_runtime::Relation;

use crate::stage::{Stage, Toy};

#[test]
fn capabilities_are_one_indented_message_without_a_line_break_at_the_end() {
    let outcome = Stage::new().run(&["capabilities", "any", "words"]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert_eq!(
        outcome.stdout,
        r#"{
  "@type": "type.googleapis.com/c1.connector.v2.ConnectorCapabilities",
  "resourceTypeCapabilities": [
    {
      "resourceType": {
        "id": "user",
        "displayName": "User <&>",
        "traits": [
          "TRAIT_USER"
        ]
      },
      "capabilities": [
        "CAPABILITY_SYNC"
      ],
      "permissions": {}
    }
  ],
  "connectorCapabilities": [
    "CAPABILITY_SYNC"
  ],
  "credentialDetails": {}
}"#
    );
}

#[test]
fn capabilities_check_their_flags() {
    let outcome = Stage::ready().run(&["capabilities", "--http-timeout-seconds", "0"]);
    assert_eq!(outcome.status.code(), 2);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn capabilities_need_no_settings_and_make_no_connector() {
    let mut stage = Stage::new().relation(Relation::AtLeastOne(vec![
        "access-token",
        "organization-id",
    ]));
    stage.connect = std::sync::Arc::new(|| panic!("nothing is connected"));
    let outcome = stage.run(&["capabilities"]);
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    assert_eq!(outcome.stdout, Stage::ready().run(&["capabilities"]).stdout);
}

#[test]
fn a_program_that_registers_no_types_has_no_capabilities_to_show() {
    let mut stage = Stage::new();
    stage.types = None;
    let outcome = stage.run(&["capabilities"]);
    assert_eq!(outcome.error(), "connector does not support capabilities");
    assert_eq!(outcome.status.code(), 2);
}

#[test]
fn types_that_cannot_be_are_refused_before_anything_is_connected() {
    for (types, says) in [
        (
            (|| types_of(&["user", "user"])) as fn() -> _,
            "cannot register resource type `user`: another syncer serves it already",
        ),
        (
            || types_of(&[""]),
            "cannot register resource type ``: its id is empty",
        ),
    ] {
        for args in [&["capabilities"][..], &[]] {
            let mut stage = Stage::ready();
            stage.types = Some(types);
            assert_eq!(stage.run(args).error(), says);
        }
    }
}

#[test]
fn a_connector_that_can_do_something_else_than_its_program_says_is_refused() {
    let mut stage = Stage::ready();
    stage.types = Some(|| types_of(&["ghost"]));
    let outcome = stage.run(&[]);
    let text = "the connector's capabilities differ from those of its program";
    assert_eq!(outcome.error(), text);
}

fn types_of(ids: &[&str]) -> Types<()> {
    ids.iter().fold(Types::new(), |types, id| {
        let kind = v2::ResourceType {
            id: (*id).to_owned(),
            ..v2::ResourceType::default()
        };
        types.with(TypeSpec::new(kind, |(): &()| Ok(Toy)))
    })
}
