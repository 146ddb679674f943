//! The capabilities command.

use crate::stage::Stage;

#[test]
fn capabilities_are_one_indented_message_without_a_line_break_at_the_end() {
    let outcome = Stage::ready().run(&["capabilities", "any", "words"]);
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
