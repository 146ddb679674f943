//! Users that are added and removed, and their passwords: what the tables have
//! afterwards, and who can read a password.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use baton_connector::resource::{ResourceBuilder, resource_id};
use baton_connector::{Call, Code, Connector, Result, SplitMix, v2};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use v2::create_account_response::Result as Arm;
use v2::credential_options::{NoPassword, Options, RandomPassword};

use crate::harness::Harness;

fn connector(harness: &Harness) -> Arc<dyn Connector> {
    let folder = harness.dir.path().join("tables");
    let random = Arc::new(SplitMix::seeded(7));
    baton_csv::connector(&folder, random).unwrap().connector
}

/// Tables in which users have passwords.
fn with_passwords() -> Harness {
    let harness = Harness::new();
    let users = harness.table("users.csv");
    let text = fs::read_to_string(&users).unwrap();
    let mut lines = text.lines();
    let mut changed = format!("{},password\n", lines.next().unwrap());
    for line in lines {
        writeln!(changed, "{line},old").unwrap();
    }
    fs::write(users, changed).unwrap();
    harness
}

fn users(harness: &Harness) -> String {
    fs::read_to_string(harness.table("users.csv")).unwrap()
}

/// What the table has in place of a password.
fn hash(user: &str, password: &str) -> String {
    let digest = Sha256::digest(format!("{user}\0{password}"));
    digest.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

fn random() -> v2::CredentialOptions {
    v2::CredentialOptions {
        force_change_at_next_login: false,
        options: Some(Options::RandomPassword(RandomPassword {
            length: 20,
            constraints: Vec::new(),
        })),
    }
}

fn no_password() -> v2::CredentialOptions {
    v2::CredentialOptions {
        force_change_at_next_login: false,
        options: Some(Options::NoPassword(NoPassword {})),
    }
}

/// Who reads passwords, and for whom they are encrypted.
struct Reader {
    identity: age::x25519::Identity,
}

impl Reader {
    fn new() -> Self {
        Self {
            identity: age::x25519::Identity::generate(),
        }
    }

    fn key(&self) -> String {
        self.identity.to_public().to_string()
    }

    fn config(&self) -> v2::EncryptionConfig {
        baton_crypto::config_of_text(&self.key()).unwrap()
    }

    fn read(&self, bytes: &[u8]) -> String {
        let plain = age::decrypt(&self.identity, bytes).unwrap();
        String::from_utf8(plain).unwrap()
    }
}

async fn add(
    harness: &Harness,
    login: &str,
    options: v2::CredentialOptions,
    reader: &Reader,
) -> Result<v2::CreateAccountResponse> {
    let request = v2::CreateAccountRequest {
        account_info: Some(v2::AccountInfo {
            login: login.to_owned(),
            emails: vec![v2::account_info::Email {
                address: format!("{login}@acme.test"),
                is_primary: true,
            }],
            ..v2::AccountInfo::default()
        }),
        credential_options: Some(options),
        encryption_configs: vec![reader.config()],
        ..v2::CreateAccountRequest::default()
    };
    let connector = connector(harness);
    let accounts = connector.accounts().unwrap();
    let answered = accounts.create_account(&Call::alone(), &request).await?;
    Ok(answered.response)
}

#[tokio::test]
async fn a_user_is_added_with_a_password_that_only_the_recipient_reads() {
    let (harness, reader) = (with_passwords(), Reader::new());
    let before = users(&harness);
    let added = add(&harness, "eve", random(), &reader).await.unwrap();
    let Some(Arm::Success(success)) = added.result else {
        panic!("not added")
    };
    let id = success.resource.unwrap().id.unwrap();
    assert_eq!(id, resource_id("user", "eve"));
    let password = reader.read(&added.encrypted_data[0].encrypted_bytes);
    assert_eq!(password.len(), 20);
    let row = format!("eve,eve,eve@acme.test,true,{}\n", hash("eve", &password));
    assert_eq!(users(&harness), before + &row);
    assert_eq!(harness.sync(&[]).code, Some(0));

    // Once: the second answer is the user who is there.
    let before = users(&harness);
    let again = add(&harness, "eve", random(), &reader).await.unwrap();
    assert!(matches!(again.result, Some(Arm::AlreadyExists(_))));
    assert!(again.encrypted_data.is_empty());
    assert_eq!(users(&harness), before);
}

#[tokio::test]
async fn a_table_without_passwords_takes_users_without_one() {
    let (harness, reader) = (Harness::new(), Reader::new());
    let before = users(&harness);
    let refused = add(&harness, "eve", random(), &reader).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(users(&harness), before);
    let added = add(&harness, "eve", no_password(), &reader).await.unwrap();
    assert!(added.encrypted_data.is_empty());
    assert_eq!(users(&harness), before + "eve,eve,eve@acme.test,true\n");
}

#[tokio::test]
async fn a_new_password_touches_one_cell() {
    let (harness, reader) = (with_passwords(), Reader::new());
    let before = users(&harness);
    let request = |user| v2::RotateCredentialRequest {
        resource_id: Some(resource_id("user", user)),
        credential_options: Some(random()),
        encryption_configs: vec![reader.config()],
    };
    let connector = connector(&harness);
    let credentials = connector.credentials().unwrap();
    let call = Call::alone();
    let answered = credentials.rotate(&call, &request("ben")).await.unwrap();
    let copy = &answered.response.encrypted_data[0];
    let password = reader.read(&copy.encrypted_bytes);
    let old = "ben,Ben Okri,ben@acme.test,true,old\n";
    let new = format!(
        "ben,Ben Okri,ben@acme.test,true,{}\n",
        hash("ben", &password)
    );
    assert_eq!(users(&harness), before.replace(old, &new));

    let unknown = credentials.rotate(&call, &request("eve")).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    let mut bare = request("ben");
    bare.credential_options = Some(no_password());
    let refused = credentials.rotate(&call, &bare).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let without = Harness::new();
    let connector = self::connector(&without);
    let credentials = connector.credentials().unwrap();
    let refused = credentials
        .rotate(&call, &request("ben"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

/// The tables can be synced afterwards: no row names who is gone.
#[tokio::test]
async fn a_user_is_removed_from_every_table() {
    let harness = Harness::new();
    let connector = connector(&harness);
    let deleting = connector.deleting().unwrap();
    let call = Call::alone();
    for (user, was_there) in [("ben", true), ("cleo", true), ("ben", false)] {
        let resource = ResourceBuilder::new("user", user).build().unwrap();
        let deleted = deleting.delete(&call, &resource).await.unwrap();
        assert_eq!(deleted.annotations.is_empty(), was_there, "{user}");
        for table in ["users.csv", "members.csv", "assignments.csv"] {
            let text = fs::read_to_string(harness.table(table)).unwrap();
            let mut cells = text.split(['\n', ',']);
            assert!(!cells.any(|cell| cell == user), "{table}: {text}");
            assert!(text.contains("ada") || table == "assignments.csv");
        }
    }
    assert_eq!(harness.sync(&[]).code, Some(0));
}

/// The whole way from the command line. The password is in no output, log or
/// table.
#[test]
fn a_password_is_replaced_from_the_command_line_and_is_in_no_log() {
    let (harness, reader) = (with_passwords(), Reader::new());
    assert_eq!(harness.sync(&[]).code, Some(0));
    let key = reader.key();
    let outcome = harness.sync(&[
        "--rotate-credentials",
        "ada",
        "--rotate-credentials-type",
        "user",
        "--credential-recipient",
        &key,
        "--credentials-out",
        "new.json",
        "--audit-log",
        "audit.jsonl",
        "--log-level",
        "debug",
    ]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let kept = |name| fs::read_to_string(harness.dir.path().join(name)).unwrap();
    let written: Value = serde_json::from_str(&kept("new.json")).unwrap();
    let bytes = written[0]["encryptedBytes"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(bytes);
    let password = reader.read(&bytes.unwrap());
    assert!(users(&harness).contains(&hash("ada", &password)));
    let places = [
        outcome.stdout,
        outcome.stderr,
        kept("audit.jsonl"),
        kept("new.json"),
        users(&harness),
    ];
    for place in places {
        assert!(!place.contains(&password), "{place}");
        assert!(!place.contains(&hash("ada", &password)) || place.contains("id,name"));
    }
}
