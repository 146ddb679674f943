//! Each rule of issuing a credential, broken alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_proto::c1::connector::v2;
use baton_proto::{Code, any};
use prost_types::Timestamp;
use v2::CapabilityDetailCredentialOption as Kind;
use v2::credential_issue_options::{ApiKey, ClientSecret, Keypair, Options, Token};
use v2::key_generation_profile::Parameters;

use crate::{Issue, Plaintext, config_of_text};

const NOW: i64 = 1_800_000_000;
const HOUR: i64 = 3600;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs())
}

fn id(resource_type: &str, resource: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: resource_type.to_owned(),
        resource: resource.to_owned(),
        ..v2::ResourceId::default()
    }
}

#[allow(clippy::unnecessary_wraps, reason = "as the fields have it")]
fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn profile(kty: &str, parameters: Option<Parameters>) -> v2::KeyGenerationProfile {
    v2::KeyGenerationProfile {
        kty: kty.to_owned(),
        parameters,
    }
}

fn curve(kty: &str, name: &str) -> v2::KeyGenerationProfile {
    profile(kty, Some(Parameters::Crv(name.to_owned())))
}

fn rsa(bits: u32) -> v2::KeyGenerationProfile {
    profile("RSA", Some(Parameters::RsaModulusBits(bits)))
}

fn offer(kind: Kind) -> v2::CredentialIssueOptionDescriptor {
    let mut offer = v2::CredentialIssueOptionDescriptor {
        key_profiles: vec![
            rsa(2048),
            rsa(16384),
            curve("EC", "P-521"),
            curve("OKP", "X448"),
        ],
        expiry: Some(v2::IssuanceExpiryCapability {
            min: Some(prost_types::Duration {
                seconds: HOUR,
                nanos: 0,
            }),
            max: Some(prost_types::Duration {
                seconds: 24 * HOUR,
                nanos: 0,
            }),
        }),
        scopes: vec!["read".to_owned(), "list".to_owned()],
        audiences: vec!["api".to_owned()],
        secret_resource_type_id: "api-key".to_owned(),
        ..v2::CredentialIssueOptionDescriptor::default()
    };
    offer.set_option(kind);
    offer.set_resource_mode(v2::CredentialResourceMode::Discoverable);
    offer
}

fn details() -> v2::CredentialDetailsCredentialIssue {
    v2::CredentialDetailsCredentialIssue {
        options: [Kind::ApiKey, Kind::Keypair, Kind::Token]
            .map(offer)
            .to_vec(),
        ..v2::CredentialDetailsCredentialIssue::default()
    }
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn api_key(scopes: &[&str]) -> Options {
    Options::ApiKey(ApiKey {
        scopes: texts(scopes),
    })
}

fn token(scopes: &[&str], audiences: &[&str]) -> Options {
    Options::Token(Token {
        scopes: texts(scopes),
        audiences: texts(audiences),
    })
}

fn keypair(profile: Option<v2::KeyGenerationProfile>) -> Options {
    Options::Keypair(Keypair { profile })
}

fn request(options: Options) -> v2::IssueCredentialRequest {
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    v2::IssueCredentialRequest {
        identity_id: Some(id("user", "u1")),
        credential_options: Some(v2::CredentialIssueOptions {
            options: Some(options),
        }),
        encryption_configs: vec![config_of_text(recipient).unwrap()],
        request_id: "Task_1-a".to_owned(),
        expires_at: None,
    }
}

/// The code and text of the refusal; `None` if the request passes.
fn refusal(request: &v2::IssueCredentialRequest) -> Option<(Code, String)> {
    let details = details();
    let checked = Issue::check(request, Some(&details), now());
    checked.err().map(|error| (error.code(), error.to_string()))
}

/// The rule about options that a request breaks; `None` if it passes.
fn broken(request: &v2::IssueCredentialRequest) -> Option<String> {
    let (code, text) = refusal(request)?;
    assert_eq!(code, Code::InvalidArgument);
    let rule = text.strip_prefix("invalid credential issuance request: ");
    Some(rule.expect(&text).to_owned())
}

#[test]
fn the_first_checks_come_in_order() {
    let mut asked = v2::IssueCredentialRequest::default();
    let empty = Issue::check(&asked, None, now()).unwrap_err();
    assert_eq!(
        (empty.code(), empty.to_string().as_str()),
        (Code::InvalidArgument, "identity id is required")
    );
    asked.identity_id = Some(id("user", "u1"));
    let no_issuer = Issue::check(&asked, None, now()).unwrap_err();
    assert_eq!(
        (no_issuer.code(), no_issuer.to_string().as_str()),
        (
            Code::Unimplemented,
            "resource type does not have credential issuer configured"
        )
    );
    let expect = |asked: &_, text: &str| {
        assert_eq!(
            refusal(asked),
            Some((Code::InvalidArgument, text.to_owned()))
        );
    };
    expect(
        &asked,
        "at least one encryption config is required for credential issuance",
    );
    asked.encryption_configs = vec![v2::EncryptionConfig::default()];
    expect(
        &asked,
        "error: creating encryption manager failed: crypto/providers: encryption provider not \
         registered",
    );
    asked.encryption_configs = request(api_key(&[])).encryption_configs;
    expect(
        &asked,
        "invalid credential issuance request: request id must be 1..128 characters containing \
         only letters, digits, underscore, or hyphen",
    );
    asked.request_id = "t1".to_owned();
    expect(
        &asked,
        "invalid credential issuance request: unsupported credential option",
    );
}

#[test]
fn request_ids_have_one_to_128_plain_characters() {
    let with = |request_id: &str| {
        broken(&v2::IssueCredentialRequest {
            request_id: request_id.to_owned(),
            ..request(api_key(&[]))
        })
    };
    for good in ["a", "Z_9-", &"x".repeat(128)] {
        assert_eq!(with(good), None, "{good}");
    }
    for bad in ["", " a", "a b", "a\n", "ä", "a/b", &"x".repeat(129)] {
        let rule = with(bad).unwrap();
        assert!(rule.starts_with("request id must be"), "{bad}: {rule}");
    }
}

#[test]
fn each_kind_must_be_offered_with_a_place_for_its_secret() {
    for kind in [api_key(&[]), token(&[], &[]), keypair(Some(rsa(2048)))] {
        assert_eq!(broken(&request(kind)), None);
    }
    let rule = broken(&request(Options::ClientSecret(ClientSecret {}))).unwrap();
    assert_eq!(
        rule,
        "credential option CAPABILITY_DETAIL_CREDENTIAL_OPTION_CLIENT_SECRET is not advertised by \
         connector"
    );
    let mut unplaced = details();
    unplaced.options[0].set_resource_mode(v2::CredentialResourceMode::Unspecified);
    let asked = request(api_key(&[]));
    let error = Issue::check(&asked, Some(&unplaced), now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid credential issuance request: credential resource mode must be advertised"
    );
}

#[test]
fn key_profiles_are_well_formed_and_offered() {
    for good in [
        rsa(2048),
        rsa(16384),
        curve("EC", "P-521"),
        curve("OKP", "X448"),
    ] {
        assert_eq!(broken(&request(keypair(Some(good)))), None);
    }
    let bits = "RSA modulus bits must be 2048..16384 in 256-bit increments";
    let ec = "EC profile requires a recognized P-256, P-384, or P-521 curve";
    let okp = "OKP profile requires a recognized curve";
    let parameters = "RSA profile requires rsa_modulus_bits and no curve";
    let unknown = "requested key generation profile is not advertised by connector";
    for (bad, expected) in [
        (None, "key generation profile is required"),
        (Some(rsa(2047)), bits),
        (Some(rsa(1792)), bits),
        (Some(rsa(2050)), bits),
        (Some(rsa(16640)), bits),
        (Some(curve("RSA", "P-256")), parameters),
        (Some(profile("RSA", None)), parameters),
        (Some(curve("EC", "Ed25519")), ec),
        (Some(profile("EC", None)), ec),
        (
            Some(profile("EC", Some(Parameters::RsaModulusBits(2048)))),
            ec,
        ),
        (Some(curve("OKP", "P-256")), okp),
        (Some(profile("OKP", None)), okp),
        (Some(curve("oct", "")), "unsupported JWK key type \"oct\""),
        (Some(rsa(2304)), unknown),
        (Some(curve("EC", "P-256")), unknown),
        (Some(curve("EC", "P-384")), unknown),
        (Some(curve("OKP", "Ed25519")), unknown),
        (Some(curve("OKP", "Ed448")), unknown),
        (Some(curve("OKP", "X25519")), unknown),
    ] {
        let rule = broken(&request(keypair(bad.clone())));
        assert_eq!(rule.as_deref(), Some(expected), "{bad:?}");
    }
}

#[test]
fn scopes_and_audiences_are_named_once_and_offered() {
    for (options, expected) in [
        (api_key(&["read", "list"]), None),
        (api_key(&["read", " "]), Some("scope must not be empty")),
        (api_key(&["read", "read"]), Some("duplicate scope \"read\"")),
        (
            api_key(&["write"]),
            Some("scope \"write\" is not advertised by connector"),
        ),
        (token(&["read"], &["api"]), None),
        (token(&[""], &["api"]), Some("scope must not be empty")),
        (
            token(&["write"], &[""]),
            Some("scope \"write\" is not advertised by connector"),
        ),
        (token(&[], &["\t"]), Some("audience must not be empty")),
        (
            token(&[], &["api", "api"]),
            Some("duplicate audience \"api\""),
        ),
        (
            token(&[], &["web"]),
            Some("audience \"web\" is not advertised by connector"),
        ),
    ] {
        let rule = broken(&request(options.clone()));
        assert_eq!(rule.as_deref(), expected, "{options:?}");
    }
}

#[test]
fn custom_scopes_and_audiences_pass_where_they_are_allowed() {
    let mut details = details();
    let passes = |details: &_, options| {
        let asked = request(options);
        Issue::check(&asked, Some(details), now()).is_ok()
    };
    assert!(!passes(&details, token(&["x"], &["y"])));
    details.options[2].custom_scopes_allowed = true;
    assert!(passes(&details, token(&["x"], &[])));
    assert!(!passes(&details, token(&[], &["y"])));
    details.options[2].custom_audiences_allowed = true;
    assert!(passes(&details, token(&["x"], &["y"])));
    // Blanks and duplicates are refused even so.
    assert!(!passes(&details, token(&["x", "x"], &[])));
    assert!(!passes(&details, token(&[], &[" "])));
}

#[test]
fn the_expiry_lies_within_what_is_offered() {
    let with = |expires_at| {
        broken(&v2::IssueCredentialRequest {
            expires_at,
            ..request(api_key(&[]))
        })
    };
    let past = "expires_at must be in the future";
    for (expiry, expected) in [
        (at(NOW + HOUR), None),
        (at(NOW + 24 * HOUR), None),
        (at(NOW), Some(past)),
        (at(NOW - 1), Some(past)),
        (at(-1), Some(past)),
        (
            at(NOW + HOUR - 1),
            Some("requested expiry is below connector minimum"),
        ),
        (
            at(NOW + 24 * HOUR + 1),
            Some("requested expiry exceeds connector maximum"),
        ),
        (at(i64::MAX), Some("expires_at must be valid")),
        (at(i64::MIN), Some("expires_at must be valid")),
        (
            Some(Timestamp {
                seconds: NOW + 2 * HOUR,
                nanos: -1,
            }),
            Some("expires_at must be valid"),
        ),
        (
            Some(Timestamp {
                seconds: NOW + 24 * HOUR,
                nanos: 1,
            }),
            Some("requested expiry exceeds connector maximum"),
        ),
    ] {
        assert_eq!(with(expiry).as_deref(), expected, "{expiry:?}");
    }
    let mut details = details();
    details.options[0].expiry = Some(v2::IssuanceExpiryCapability::default());
    let asked = v2::IssueCredentialRequest {
        expires_at: at(NOW + 1),
        ..request(api_key(&[]))
    };
    assert!(Issue::check(&asked, Some(&details), now()).is_ok());
    details.options[0].expiry = None;
    let error = Issue::check(&asked, Some(&details), now()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("does not support caller-selected expiry")
    );
}

/// What a connector may answer to the request of the tests below.
fn issued() -> (v2::Resource, v2::SecretTrait, Vec<Plaintext>) {
    let secret = v2::Resource {
        id: Some(id("api-key", "k1")),
        ..v2::Resource::default()
    };
    let of = v2::SecretTrait {
        identity_id: Some(id("user", "u1")),
        expires_at: at(NOW + 2 * HOUR),
        ..v2::SecretTrait::default()
    };
    let values = vec![
        Plaintext::new("id", *b"k1"),
        Plaintext::new("key", *b"s3cr3t"),
    ];
    (secret, of, values)
}

type Change = fn(&mut v2::Resource, &mut Option<v2::SecretTrait>, &mut Vec<Plaintext>);

/// The rule that an answer breaks, after a change to a good one.
fn broken_result(change: Change) -> Option<String> {
    let details = details();
    let asked = v2::IssueCredentialRequest {
        expires_at: at(NOW + 2 * HOUR),
        ..request(api_key(&["read"]))
    };
    let issue = Issue::check(&asked, Some(&details), now()).unwrap();
    assert_eq!(
        (issue.descriptor().option(), issue.recipients().len()),
        (Kind::ApiKey, 1)
    );
    let (mut secret, of, mut values) = issued();
    let mut of = Some(of);
    change(&mut secret, &mut of, &mut values);
    if let Some(of) = &of {
        any::append(&mut secret.annotations, of);
    }
    let mode = v2::CredentialResourceMode::Discoverable;
    let error = issue.check_result(&secret, mode, &values).err()?;
    assert_eq!(error.code(), Code::Internal);
    let text = error.to_string();
    assert!(!text.contains("s3cr3t"));
    let rule = text.strip_prefix("connector returned invalid credential issuance output: ");
    Some(rule.expect(&text).to_owned())
}

#[test]
fn each_rule_about_what_was_issued_is_checked() {
    assert_eq!(broken_result(|_, _, _| ()), None);
    assert_eq!(
        broken_result(|_, of, _| of.as_mut().unwrap().expires_at = at(NOW)),
        None
    );
    let incomplete = "secret resource id is incomplete";
    let identity = "secret trait identity_id does not match authenticating principal";
    let cases: [(Change, &str); 17] = [
        (
            |secret, _, _| secret.id = None,
            "secret resource and id are required",
        ),
        (
            |secret, _, _| secret.id = Some(id("api-key", " ")),
            incomplete,
        ),
        (|secret, _, _| secret.id = Some(id("", "k1")), incomplete),
        (
            |_, of, _| *of = None,
            "secret resource must carry SecretTrait",
        ),
        (
            |secret, of, _| {
                let mut damaged = any::pack(of.as_ref().unwrap());
                damaged.value = b"\xff".to_vec();
                secret.annotations.push(damaged);
            },
            "read secret trait: it is damaged",
        ),
        (|_, of, _| of.as_mut().unwrap().identity_id = None, identity),
        (
            |_, of, _| of.as_mut().unwrap().identity_id = Some(id("user", "u2")),
            identity,
        ),
        (
            |_, of, _| of.as_mut().unwrap().identity_id = Some(id("bot", "u1")),
            identity,
        ),
        (
            |_, of, _| of.as_mut().unwrap().expires_at = None,
            "secret trait expires_at is required when expiry was requested",
        ),
        (
            |_, of, _| of.as_mut().unwrap().expires_at = at(i64::MAX),
            "secret trait expires_at is invalid",
        ),
        (
            |_, of, _| of.as_mut().unwrap().expires_at = at(NOW + 2 * HOUR + 1),
            "secret trait expires_at exceeds requested expiry",
        ),
        (
            |secret, _, _| secret.id = Some(id("token", "k1")),
            "secret resource type does not match advertised capability",
        ),
        (
            |_, _, values| values.clear(),
            "at least one plaintext value is required",
        ),
        (
            |_, _, values| values.push(Plaintext::new(" ", *b"x")),
            "plaintext value 2 must have a name and non-empty bytes",
        ),
        (
            |_, _, values| values.insert(0, Plaintext::new("", *b"x")),
            "plaintext value 0 must have a name and non-empty bytes",
        ),
        (
            |_, _, values| values.insert(1, Plaintext::new("empty", *b"")),
            "plaintext value 1 must have a name and non-empty bytes",
        ),
        (
            |_, _, values| values.push(Plaintext::new("id", *b"x")),
            "duplicate plaintext value name \"id\"",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(broken_result(change).as_deref(), Some(expected));
    }
}

#[test]
fn the_place_of_the_secret_is_the_one_that_was_offered() {
    let details = details();
    let asked = request(api_key(&[]));
    let issue = Issue::check(&asked, Some(&details), now()).unwrap();
    let (mut secret, of, values) = issued();
    any::append(&mut secret.annotations, &of);
    for (mode, fits) in [
        (v2::CredentialResourceMode::Discoverable, true),
        (v2::CredentialResourceMode::Virtual, false),
        (v2::CredentialResourceMode::Unspecified, false),
    ] {
        let checked = issue.check_result(&secret, mode, &values);
        assert_eq!(checked.is_ok(), fits, "{mode:?}");
    }
}
