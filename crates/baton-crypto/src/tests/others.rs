//! Data that other programs made.

use std::collections::BTreeSet;
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

/// Each algorithm with each content encryption, made by joserfc 1.8.
#[test]
fn every_form_of_jwe_is_read_and_damaged_ones_are_refused() {
    let keys = [
        ("P-256", include_str!("../../tests/keys/p256.jwk")),
        ("P-384", include_str!("../../tests/keys/p384.jwk")),
        ("P-521", include_str!("../../tests/keys/p521.jwk")),
    ];
    let keys = keys.map(|(curve, json)| (curve, DecryptionKey::of_jwk(json.as_bytes()).unwrap()));
    let mut forms = BTreeSet::new();
    for line in include_str!("../../tests/files/joserfc.tsv").lines() {
        let [curve, algorithm, content, jwe] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        forms.insert((algorithm, content));
        let decrypt = |key: &DecryptionKey, jwe: &str| {
            let plain = key.decrypt(STANDARD.encode(jwe).as_bytes()).ok()?;
            Some(plain.expose().clone())
        };
        for (of, key) in &keys {
            let plain = decrypt(key, jwe);
            assert_eq!(plain.as_deref(), (*of == curve).then_some(SECRET), "{line}");
        }
        let key = &keys.iter().find(|(of, _)| *of == curve).unwrap().1;
        let parts: Vec<&str> = jwe.split('.').collect();
        for at in 0..parts.len() {
            // The first character of a part counts; an empty part gets one.
            let mut changed: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
            let first = if parts[at].starts_with('A') { "B" } else { "A" };
            changed[at] = format!("{first}{}", parts[at].get(1..).unwrap_or("AAA"));
            assert_eq!(decrypt(key, &changed.join(".")), None, "{line}: {at}");
            changed[at] = parts[at].get(4..).unwrap_or("AAAA").to_owned();
            assert_eq!(decrypt(key, &changed.join(".")), None, "{line}: {at}");
        }
    }
    assert_eq!(forms.len(), 4 * 6);
}

/// With `zip`, with `crit`, and with a member that may be ignored.
#[test]
fn extensions_and_compression_of_a_jwe_are_refused() {
    let json = include_str!("../../tests/keys/p256.jwk");
    let key = DecryptionKey::of_jwk(json.as_bytes()).unwrap();
    let lines = include_str!("../../tests/files/joserfc-headers.txt").lines();
    let read: Vec<bool> = lines
        .map(|jwe| key.decrypt(STANDARD.encode(jwe).as_bytes()).is_ok())
        .collect();
    assert_eq!(read, [false, false, true]);
}
