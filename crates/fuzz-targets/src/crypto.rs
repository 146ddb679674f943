//! Targets for keys, for what is encrypted to them, and for what asks for a
//! password.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use baton_crypto::{
    ClientSecret, DecryptionKey, LocalOptions, Plaintext, Recipients, config_of_text,
};
use baton_proto::c1::connector::v2;
use prost::Message as _;
use v2::credential_options::Options as Requested;
use v2::local_credential_options::Options as Local;

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!("../../baton-crypto/tests/keys/", $name))
    };
}

/// Keys of the three curves; the corpora are encrypted to these.
const CURVES: [&str; 3] = [
    key_file!("p256.jwk"),
    key_file!("p384.jwk"),
    key_file!("p521.jwk"),
];
/// Keys that `age` files are for.
const SSH: [&str; 2] = [key_file!("id_ed25519.jwk"), key_file!("rsa.jwk")];
/// The key of the client secret that passwords are for: RFC 8037, appendix A.
const CLIENT: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// Hex digits of a key's id.
const ID_DIGITS: usize = 64;

#[allow(clippy::expect_used, reason = "no fault of the input")]
fn keys(of: &[&str]) -> Vec<DecryptionKey> {
    let keys = of.iter().map(|json| DecryptionKey::of_jwk(json.as_bytes()));
    keys.collect::<Result<_, _>>().expect("keys that are read")
}

/// Input: a JWK, read as a private key and as a recipient.
pub fn jwk(data: &[u8]) {
    if let Ok(key) = DecryptionKey::of_jwk(data) {
        assert_eq!(key.id().len(), ID_DIGITS);
        let _ = key.decrypt(b"");
    }
    let Ok(config) = config_of_text(&String::from_utf8_lossy(data)) else {
        return;
    };
    let Ok(recipients) = Recipients::parse(std::slice::from_ref(&config)) else {
        panic!("a recipient that was checked is refused");
    };
    let sealed = recipients.seal(&[Plaintext::new("password", *b"secret")]);
    assert_eq!(sealed.copies.len() + sealed.failures.len(), 1);
    for copy in &sealed.copies {
        assert_eq!(copy.key_ids.len(), 1);
        assert!(!copy.encrypted_bytes.is_empty(), "nothing was encrypted");
    }
}

/// Decrypts with each key; what comes out is not longer than what went in.
fn decrypt(keys: &[DecryptionKey], data: &[u8]) {
    let bytes = STANDARD.encode(data).into_bytes();
    for key in keys {
        if let Ok(plain) = key.decrypt(&bytes) {
            assert!(plain.expose().len() <= data.len(), "more than was read");
        }
    }
    // The wire has base64; other bytes are refused before anything is read.
    if STANDARD.decode(data).is_err() {
        assert!(keys.iter().all(|key| key.decrypt(data).is_err()));
    }
}

/// Input: a compact JWE, read with a key of each curve.
pub fn jwe(data: &[u8]) {
    static KEYS: OnceLock<Vec<DecryptionKey>> = OnceLock::new();
    decrypt(KEYS.get_or_init(|| keys(&CURVES)), data);
}

/// Input: an `age` file, read with an Ed25519 and an RSA key.
pub fn age_file(data: &[u8]) {
    static KEYS: OnceLock<Vec<DecryptionKey>> = OnceLock::new();
    decrypt(KEYS.get_or_init(|| keys(&SSH)), data);
}

/// Input: a client secret as it is, and a JWK as the payload of one.
pub fn client_secret(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let wrapped = format!("a:b:v1:{}", URL_SAFE_NO_PAD.encode(data));
    for text in [&*text, &wrapped] {
        let Ok(secret) = ClientSecret::parse(text) else {
            continue;
        };
        assert!(!secret.recipient_id().is_empty());
        assert!(secret.key_id().is_none_or(|id| id == secret.recipient_id()));
        assert_eq!(secret.decryption().id().len(), ID_DIGITS);
        assert_eq!(format!("{secret:?}"), "ClientSecret([redacted])");
    }
}

/// Input: credential options of a request, whose passwords are for a fixed
/// client secret.
pub fn credential_options(data: &[u8]) {
    static SECRET: OnceLock<ClientSecret> = OnceLock::new();
    let Ok(requested) = v2::CredentialOptions::decode(data) else {
        return;
    };
    let secret = SECRET.get_or_init(fixed_secret);
    let Ok(local) = LocalOptions::of_request(Some(&requested), &[], Some(secret)) else {
        assert!(
            matches!(
                requested.options,
                None | Some(Requested::EncryptedPassword(_))
            ),
            "options without a secret are refused"
        );
        return;
    };
    let Some(local) = local else {
        panic!("options are lost");
    };
    assert_eq!(format!("{local:?}"), "LocalOptions([redacted])");
    let asked = requested.force_change_at_next_login;
    assert_eq!(local.expose().force_change_at_next_login, asked);
    let kept = match (&requested.options, &local.expose().options) {
        (Some(Requested::RandomPassword(a)), Some(Local::RandomPassword(b))) => {
            a.length == b.length && a.constraints == b.constraints
        }
        (Some(Requested::NoPassword(_)), Some(Local::NoPassword(_))) => true,
        (Some(Requested::Sso(a)), Some(Local::Sso(b))) => a.sso_provider == b.sso_provider,
        (Some(Requested::EncryptedPassword(a)), Some(Local::PlaintextPassword(_))) => {
            !a.encrypted_passwords.is_empty()
        }
        (Some(Requested::EncryptedPassword(a)), None) => a.encrypted_passwords.is_empty(),
        _ => false,
    };
    assert!(kept, "options became others");
}

#[allow(clippy::expect_used, reason = "no fault of the input")]
fn fixed_secret() -> ClientSecret {
    let payload = URL_SAFE_NO_PAD.encode(CLIENT);
    ClientSecret::parse(&format!("a:b:v1:{payload}")).expect("a client secret that is read")
}
