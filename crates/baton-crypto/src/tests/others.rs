//! Data that other programs made.

use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_proto::c1::connector::v2;
use prost::Message as _;

use super::{ED25519, RSA, SECRET};
use crate::DecryptionKey;

const ED25519_OF_SSH_KEYGEN: &str = include_str!("../../tests/keys/id_ed25519.jwk");

#[test]
fn files_of_the_age_program_are_read() {
    let ssh: [(&str, &[u8]); 2] = [
        (
            ED25519_OF_SSH_KEYGEN,
            include_bytes!("../../tests/files/ed25519.age"),
        ),
        (RSA, include_bytes!("../../tests/files/rsa.age")),
    ];
    for (json, file) in ssh {
        let key = DecryptionKey::of_jwk(json.as_bytes()).unwrap();
        let plain = key.decrypt(STANDARD.encode(file).as_bytes()).unwrap();
        assert_eq!(plain.expose(), SECRET);
    }
    let identity = include_str!("../../tests/keys/age.key").trim();
    let identity = age::x25519::Identity::from_str(identity).unwrap();
    let file = include_bytes!("../../tests/files/x25519.age");
    assert_eq!(age::decrypt(&identity, file).unwrap(), SECRET);
}

/// Recorded: a connector of the Go SDK created an account whose password went
/// to the key of RFC 8037.
#[test]
fn an_answer_of_the_go_sdk_is_read() {
    let recorded: &[u8] = include_bytes!("../../tests/files/go-create-account.bin");
    let answer = v2::CreateAccountResponse::decode(recorded).unwrap();
    let key = DecryptionKey::of_jwk(ED25519.as_bytes()).unwrap();
    let data = &answer.encrypted_data[0];
    #[allow(deprecated, reason = "a service reads it")]
    let old_id = data.key_id.as_str();
    assert_eq!(
        (data.provider.as_str(), old_id, data.key_ids.as_slice()),
        ("baton/jwk/v1", key.id(), &[key.id().to_owned()][..])
    );
    let plain = key.decrypt(&data.encrypted_bytes).unwrap();
    assert_eq!(plain.expose(), b"not a real password");
}
