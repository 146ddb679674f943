//! Round trips, refusals, and damaged data.

mod issue;
mod others;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use baton_proto::c1::connector::v2;
use v2::encryption_config::{AgeRecipientConfig, Config, JwkPublicKeyConfig};

use crate::{ClientId, ClientSecret, DecryptionKey, Error, Plaintext, Recipients, config_of_text};

/// RFC 8037, appendix A.
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// RFC 7517, appendix A.2.
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;
/// RFC 7517, appendix A.2.
const RSA: &str = include_str!("../../tests/keys/rsa.jwk");
/// What the test data hold.
const SECRET: &[u8] = b"s3cr3t \xff\x00";
const SSH: &str = include_str!("../../tests/keys/id_ed25519.pub");
const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn jwk(json: &str) -> v2::EncryptionConfig {
    v2::EncryptionConfig {
        config: Some(Config::JwkPublicKeyConfig(JwkPublicKeyConfig {
            pub_key: json.as_bytes().to_vec(),
        })),
        ..v2::EncryptionConfig::default()
    }
}

fn age(recipient: &str) -> v2::EncryptionConfig {
    v2::EncryptionConfig {
        config: Some(Config::AgeRecipientConfig(AgeRecipientConfig {
            recipient: recipient.to_owned(),
        })),
        ..v2::EncryptionConfig::default()
    }
}

fn secret_value() -> Plaintext {
    Plaintext::new("password", SECRET)
        .description("of the account")
        .schema("text")
}

#[test]
fn each_kind_of_key_reads_what_was_encrypted_to_it_and_no_other_does() {
    let keys = [ED25519, P256, RSA];
    let recipients = Recipients::parse(&keys.map(jwk)).unwrap();
    let sealed = recipients.seal(&[secret_value()]);
    assert!(sealed.failures.is_empty());
    for (at, json) in keys.iter().enumerate() {
        let key = DecryptionKey::of_jwk(json.as_bytes()).unwrap();
        for (copy_at, copy) in sealed.copies.iter().enumerate() {
            let plain = key.decrypt(&copy.encrypted_bytes);
            assert_eq!(plain.is_ok(), at == copy_at, "{at} {copy_at}");
            if let Ok(plain) = plain {
                assert_eq!(plain.expose(), SECRET);
                assert_eq!(copy.key_ids, [key.id()]);
            }
            assert_eq!(copy.provider, "baton/jwk/v1");
            assert_eq!(
                (copy.name.as_str(), copy.schema.as_str()),
                ("password", "text")
            );
        }
    }
}

#[test]
fn an_age_recipient_gets_a_raw_file_that_age_reads() {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let sealed = Recipients::parse(&[age(&recipient)])
        .unwrap()
        .seal(&[secret_value()]);
    let copy = &sealed.copies[0];
    assert!(copy.encrypted_bytes.starts_with(b"age-encryption.org/v1\n"));
    assert_eq!(
        age::decrypt(&identity, &copy.encrypted_bytes).unwrap(),
        SECRET
    );
    #[allow(deprecated)]
    let old_id = copy.key_id.clone();
    assert_eq!(
        (copy.provider.as_str(), old_id.as_str()),
        ("baton/age/v1", "")
    );
    assert_eq!(copy.key_ids[0].len(), 64);
}

#[test]
fn keys_of_ssh_keygen_are_the_keys_of_their_jwk() {
    let line = include_str!("../../tests/keys/id_ed25519.pub");
    let private = include_str!("../../tests/keys/id_ed25519");
    let config = config_of_text(line).unwrap();
    let sealed = Recipients::parse(&[config])
        .unwrap()
        .seal(&[secret_value()]);
    let file = STANDARD.decode(&sealed.copies[0].encrypted_bytes).unwrap();
    let identity = age::ssh::Identity::from_buffer(private.as_bytes(), None).unwrap();
    assert_eq!(age::decrypt(&identity, &file).unwrap(), SECRET);
}

#[test]
fn the_order_is_each_secret_to_each_recipient_and_no_recipient_gives_nothing() {
    let recipients = Recipients::parse(&[jwk(ED25519), age(AGE)]).unwrap();
    let secrets = [Plaintext::new("a", *b"1"), Plaintext::new("b", *b"2")];
    let names = |sealed: crate::Sealed| -> Vec<_> {
        let copies = sealed.copies.into_iter();
        copies.map(|copy| (copy.name, copy.provider)).collect()
    };
    let made = names(recipients.seal(&secrets));
    let expected = [
        ("a", "baton/jwk/v1"),
        ("a", "baton/age/v1"),
        ("b", "baton/jwk/v1"),
        ("b", "baton/age/v1"),
    ];
    assert_eq!(
        made,
        expected.map(|(name, by)| (name.to_owned(), by.to_owned()))
    );
    let none = Recipients::parse(&[]).unwrap();
    assert!(none.is_empty() && none.seal(&secrets).copies.is_empty());
}

#[test]
fn recipients_that_cannot_be_used_are_refused_by_name() {
    let named = |provider: &str, config: v2::EncryptionConfig| v2::EncryptionConfig {
        provider: provider.to_owned(),
        ..config
    };
    let empty = v2::EncryptionConfig::default;
    for (config, expected) in [
        (
            empty(),
            "crypto/providers: encryption provider not registered",
        ),
        (
            named("Other ", age(AGE)),
            "encryption provider not registered (other)",
        ),
        (
            named("baton/age/v1", jwk(ED25519)),
            "age: invalid recipient: it is missing",
        ),
        (named("baton/jwk/v1", empty()), "failed to unmarshal jwk"),
        (age(""), "it is empty"),
        (age(&format!(" {AGE}")), "blanks"),
        (age(&format!("{AGE}\n{AGE}")), "blanks"),
        (age(&format!("{AGE},{AGE}")), "not an age recipient"),
        (age("age1pq1xyz"), "hybrid"),
        (age("age1xyz"), "not an age recipient"),
        (age("ssh-ed25519"), "does not begin with `age1`"),
        (jwk("x"), "failed to unmarshal jwk"),
    ] {
        let error = Recipients::parse(&[config]).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    for name in [" BATON/JWK/V1 ", "baton/jwk/v1/private"] {
        let sealed = Recipients::parse(&[named(name, jwk(ED25519))])
            .unwrap()
            .seal(&[secret_value()]);
        assert_eq!(sealed.copies[0].provider, "baton/jwk/v1");
    }
    for text in [
        "ssh-rsa AAAA",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !",
        "{}",
        "",
        "kim@acme.test",
        "ssh-ed25519",
        &format!("{AGE} {AGE}"),
        &format!("{ED25519}{ED25519}"),
        &format!("{SSH}\n{SSH}"),
    ] {
        assert!(config_of_text(text).is_err(), "{text}");
    }
    assert!(config_of_text(&format!("  {AGE}\n")).is_ok());
}

#[test]
fn a_private_key_among_the_recipients_is_reduced_to_its_public_part() {
    for (json, secret) in [(ED25519, "nWGxne"), (P256, "870MB6gf"), (RSA, "\"d\"")] {
        assert!(json.contains(secret));
        let config = config_of_text(json).unwrap();
        let Some(Config::JwkPublicKeyConfig(public)) = &config.config else {
            panic!("not a JWK: {json}");
        };
        let public = String::from_utf8(public.pub_key.clone()).unwrap();
        assert!(!public.contains(secret), "{public}");
        let sealed = Recipients::parse(&[config])
            .unwrap()
            .seal(&[secret_value()]);
        let key = DecryptionKey::of_jwk(json.as_bytes()).unwrap();
        assert_eq!(sealed.copies[0].key_ids, [key.id()]);
        let plain = key.decrypt(&sealed.copies[0].encrypted_bytes).unwrap();
        assert_eq!(plain.expose(), SECRET);
    }
}

#[test]
fn keys_of_sizes_that_are_not_supported_are_refused() {
    let rsa = |bytes: usize| {
        let n = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        jwk(&format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#))
    };
    for (config, expected) in [
        (rsa(255), "less than 2048 bits"),
        (rsa(513), "more than 4096 bits"),
    ] {
        let error = Recipients::parse(&[config]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for bytes in [256, 512] {
        assert!(Recipients::parse(&[rsa(bytes)]).is_ok());
    }
}

#[test]
fn a_client_secret_of_every_wrong_form_is_one_error_and_the_right_one_decrypts() {
    let payload = URL_SAFE_NO_PAD.encode(ED25519);
    let good = format!("secret-token:conductorone.com:v1:{payload}");
    let secret_key = ClientSecret::parse(&good).unwrap();
    assert_eq!(secret_key.key_id(), None);
    assert_eq!(secret_key.expose_seed()[..2], [0x9d, 0x61]);
    let sealed = Recipients::parse(&[jwk(ED25519)])
        .unwrap()
        .seal(&[secret_value()]);
    let plain = secret_key
        .decryption()
        .decrypt(&sealed.copies[0].encrypted_bytes);
    assert_eq!(plain.unwrap().expose(), SECRET);
    let public =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let of = |json: &str| format!("a:b:v1:{}", URL_SAFE_NO_PAD.encode(json));
    for text in [
        String::new(),
        payload.clone(),
        format!("a:b:v2:{payload}"),
        format!("a:v1:{payload}"),
        format!("a:b:v1:{payload}:c"),
        format!("a:b:v1:{payload}="),
        format!("a:b:v1: {payload}"),
        of(public),
        of(P256),
        of("{}"),
        "a:b:v1:".to_owned(),
    ] {
        assert_eq!(
            ClientSecret::parse(&text).unwrap_err(),
            Error::ClientSecret,
            "{text}"
        );
    }
    let shown = format!(
        "{secret_key:?} {:?} {:?}",
        secret_key.decryption(),
        secret_value()
    );
    assert!(
        !shown.contains("nWGx") && !shown.contains("s3cr3t"),
        "{shown}"
    );
}

#[test]
fn damaged_data_is_an_error_and_never_a_panic() {
    let sealed = Recipients::parse(&[ED25519, P256, RSA].map(jwk))
        .unwrap()
        .seal(&[secret_value()]);
    for (json, copy) in [ED25519, P256, RSA].iter().zip(&sealed.copies) {
        let key = DecryptionKey::of_jwk(json.as_bytes()).unwrap();
        let whole = &copy.encrypted_bytes;
        for cut in (0..whole.len()).step_by(7) {
            assert!(key.decrypt(&whole[..cut]).is_err());
        }
    }
}

/// Each input with one byte changed, removed or doubled, at every place.
fn changed(input: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..input.len()).flat_map(move |at| {
        let (head, tail) = input.split_at(at);
        let with = |middle: &[u8]| [head, middle, &tail[1..]].concat();
        let mut all = vec![head.to_vec(), with(&[]), with(&[tail[0], tail[0]])];
        all.extend([0, b'"', b'=', b'A', b'{', 0x80, 0xff].map(|byte| with(&[byte])));
        all
    })
}

#[test]
fn no_damage_to_an_input_panics() {
    let client_secret = format!("a:b:v1:{}", URL_SAFE_NO_PAD.encode(ED25519));
    let inputs = [ED25519, P256, AGE, SSH, &client_secret, "kim@acme.test/spe"];
    let mut read = 0;
    for input in inputs {
        for damaged in changed(input.as_bytes()) {
            read += usize::from(DecryptionKey::of_jwk(&damaged).is_ok());
            let text = String::from_utf8_lossy(&damaged);
            read += usize::from(config_of_text(&text).is_ok());
            read += usize::from(ClientSecret::parse(&text).is_ok());
            read += usize::from(ClientId::parse(&text).is_ok());
        }
    }
    // Some damage does no harm, such as in a comment.
    assert!(read > 100, "{read}");
}
