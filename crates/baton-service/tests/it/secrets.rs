//! Secrets that tasks make or carry.

use std::sync::Arc;

use baton_connector::{ClientSecret, Plaintext, v2};
use baton_crypto::Recipients;
use baton_grpc::CallOptions;
use baton_proto::any;
use baton_proto::c1::connectorapi::baton::v1::baton_service_finish_task_request::{
    FinalState, Success,
};
use baton_proto::c1::connectorapi::baton::v1::task::{
    CreateAccountTask, RotateCredentialsTask, TaskType,
};
use baton_proto::c1::connectorapi::baton::v1::{BatonServiceFinishTaskRequest as FinishTask, Task};
use prost::{Message as _, Name};
use v2::credential_options::{EncryptedPassword, Options, RandomPassword};
use v2::encryption_config::{Config, JwkPublicKeyConfig};

use crate::rich::{GIVEN, Rich};
use crate::serving::{report, services, services_with};

/// The client secret of the recordings, which opens nothing but recordings.
const SECRET: &str = "secret-token:conductorone.com:v1:eyJrdHkiOiAiT0tQIiwgImNydiI6ICJFZDI1NTE5IiwgIngiOiAiZzNacGxUQXpnclpnaXpOUnBRQmU1QzFxbF84QlRaLXN3NDV1aTZ3VzI2cyIsICJkIjogIjk5cEVfeGNYa3hEdmNHWWVhWTN4Vk9iUy1yUzZadGM2TGJGSlV3anFrdFEifQ";
/// Its public key.
const PUBLIC: &[u8] =
    br#"{"kty":"OKP","crv":"Ed25519","x":"g3ZplTAzgrZgizNRpQBe5C1ql_8BTZ-sw45ui6wW26s"}"#;

fn recipient(key: &[u8]) -> v2::EncryptionConfig {
    v2::EncryptionConfig {
        provider: "baton/jwk/v1".to_owned(),
        config: Some(Config::JwkPublicKeyConfig(JwkPublicKeyConfig {
            pub_key: key.to_vec(),
        })),
        ..v2::EncryptionConfig::default()
    }
}

fn random(length: i64) -> v2::CredentialOptions {
    v2::CredentialOptions {
        options: Some(Options::RandomPassword(RandomPassword {
            length,
            ..RandomPassword::default()
        })),
        ..v2::CredentialOptions::default()
    }
}

fn task(arm: TaskType) -> Task {
    Task {
        id: "Tsecrets0000000000000000000".to_owned(),
        task_type: Some(arm),
        ..Task::default()
    }
}

fn account(login: &str, options: v2::CredentialOptions, keys: &[&[u8]]) -> Task {
    task(TaskType::CreateAccount(CreateAccountTask {
        account_info: Some(v2::AccountInfo {
            login: login.to_owned(),
            ..v2::AccountInfo::default()
        }),
        credential_options: Some(options),
        encryption_configs: keys.iter().map(|key| recipient(key)).collect(),
        ..CreateAccountTask::default()
    }))
}

/// The answer in the report of a success.
fn answer<A: prost::Message + Name + Default>(report: &FinishTask) -> A {
    let Some(FinalState::Success(Success { response, .. })) = &report.final_state else {
        panic!("{report:?}");
    };
    any::unpack(response.as_ref().unwrap()).unwrap()
}

#[tokio::test]
async fn a_new_password_leaves_only_encrypted_to_the_recipients_of_the_task() {
    let calls = services(Rich::with_schemas(0), true);
    let secret = ClientSecret::parse(SECRET).unwrap();
    let other =
        br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let create = account("kim", random(16), &[PUBLIC, other]);
    let rotate = task(TaskType::RotateCredentials(RotateCredentialsTask {
        resource_id: Some(v2::ResourceId {
            resource_type: "user".to_owned(),
            resource: "kim".to_owned(),
            ..v2::ResourceId::default()
        }),
        credential_options: Some(random(16)),
        encryption_configs: vec![recipient(PUBLIC), recipient(other)],
    }));
    for task in [create, rotate] {
        let report = report(&calls, &task, CallOptions::default()).await;
        let copies = match task.task_type {
            Some(TaskType::CreateAccount(_)) => {
                answer::<v2::CreateAccountResponse>(&report).encrypted_data
            }
            _ => answer::<v2::RotateCredentialResponse>(&report).encrypted_data,
        };
        assert_eq!(copies.len(), 2);
        let [ours, others] = copies.as_slice() else {
            panic!("two recipients");
        };
        assert_eq!(ours.key_ids, [secret.recipient_id()]);
        let opened = secret.decryption().decrypt(&ours.encrypted_bytes).unwrap();
        assert_eq!(opened.expose().len(), 16);
        assert!(
            secret
                .decryption()
                .decrypt(&others.encrypted_bytes)
                .is_err()
        );
        let sent = report.encode_to_vec();
        let found = sent
            .windows(16)
            .any(|bytes| bytes == opened.expose().as_slice());
        assert!(!found, "the password is in the report");
    }
}

/// A task that carries a password, encrypted to this key.
fn given(key: &[u8]) -> Task {
    let recipients = Recipients::parse(&[recipient(key)]).unwrap();
    let sealed = recipients.seal(&[Plaintext::new("password", GIVEN.as_bytes())]);
    let options = v2::CredentialOptions {
        options: Some(Options::EncryptedPassword(EncryptedPassword {
            encrypted_passwords: sealed.copies,
        })),
        ..v2::CredentialOptions::default()
    };
    account("given", options, &[])
}

#[tokio::test]
async fn the_password_of_a_task_is_opened_with_the_client_secret() {
    let secret = Arc::new(ClientSecret::parse(SECRET).unwrap());
    let calls = services_with(Rich::with_schemas(0), true, Some(secret));
    let report = report(&calls, &given(PUBLIC), CallOptions::default()).await;
    let answer: v2::CreateAccountResponse = answer(&report);
    assert!(answer.encrypted_data.is_empty());
    assert!(!format!("{report:?}").contains(GIVEN));
}

#[tokio::test]
async fn a_password_that_cannot_be_opened_fails_the_task_for_good() {
    let calls = services(Rich::with_schemas(0), true);
    let report = report(&calls, &given(PUBLIC), CallOptions::default()).await;
    let status = report.status.unwrap();
    assert_eq!(status.code, 3);
    assert!(
        status.message.contains("client-secret is required"),
        "{status:?}"
    );
    assert!(status.message.ends_with("task failed and is non-retryable"));
}
