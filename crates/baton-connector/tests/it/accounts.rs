//! Accounts, credentials and resources that are created: what is checked before,
//! what becomes of lost answers, and how secrets leave.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_connector::resource::{ResourceBuilder, ResourceExt as _, resource_id};
use baton_connector::{
    Account, AccountField, AccountManager, AccountOutcome, AccountSchema, Accounts as _, Answer,
    Answered, BuiltConnector, Call, Change, ChangeSettings, Code, ConnectorBuilder, Creating as _,
    Creation, CredentialIssuer, CredentialKinds, CredentialManager, Credentials as _, Error,
    IssueRequest, IssuedCredential, Made, NewAccount, NewCredential, Outcome, Page, Plaintext,
    Reply, ResourceCreator, ResourceDeleter, ResourceSyncer, Result, TypeSpec, Types, Write, v2,
};
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use v2::Capability;
use v2::create_account_response::Result as Arm;
use v2::credential_options::{self as requested, Options};

use crate::doors::{Notes, recorded};

/// What goes wrong with the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    LostAfter,
    LostBefore,
    Refused,
}

/// An application with members, each with a password.
#[derive(Debug)]
struct Club {
    members: Mutex<BTreeSet<String>>,
    sent: Mutex<u32>,
    fault: Fault,
}

impl Club {
    fn with(members: &[&str], fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            members: Mutex::new(members.iter().map(|&name| name.to_owned()).collect()),
            sent: Mutex::new(0),
            fault,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.members.lock().unwrap().contains(name)
    }

    /// One write, which may go wrong.
    fn join(&self, name: &str) -> Result<()> {
        *self.sent.lock().unwrap() += 1;
        if self.has(name) {
            return Err(Error::stated(Code::AlreadyExists, "is a member"));
        }
        if self.fault == Fault::Refused {
            return Err(Error::stated(Code::PermissionDenied, "no"));
        }
        if self.fault != Fault::LostBefore {
            self.members.lock().unwrap().insert(name.to_owned());
        }
        match self.fault {
            Fault::None => Ok(()),
            _ => Err(Error::stated(Code::Unavailable, "lost").with_outcome_open()),
        }
    }
}

struct Members(Arc<Club>);

fn member(name: &str) -> Result<v2::Resource> {
    ResourceBuilder::new("user", name)
        .display_name(name)
        .build()
}

#[async_trait]
impl ResourceSyncer for Members {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

impl Members {
    fn joining(&self, name: &str) -> Change {
        let (writing, looking) = (Arc::clone(&self.0), Arc::clone(&self.0));
        let (new, seen) = (name.to_owned(), name.to_owned());
        let write = Write::local(format!("add {name}"), move |_call| {
            let joined = writing.join(&new);
            async { joined }
        })
        .judged(|error| match error.code() {
            Code::AlreadyExists => Reply::Already,
            _ => Reply::Failed(error),
        });
        Change::create().write(write).read_back(move |_call| {
            let there = looking.has(&seen);
            async move { Ok(there) }
        })
    }
}

#[async_trait]
impl AccountManager for Members {
    async fn create(&self, _call: &Call, wanted: &NewAccount) -> Result<Creation<Account>> {
        let name = wanted.profile().text("name").unwrap_or_default().to_owned();
        let password = wanted.password()?;
        Ok(self.joining(&name).gives(move |_call, made| async move {
            let resource = member(&name)?;
            if made == Made::Before {
                return Ok(Account::new(AccountOutcome::AlreadyExists { resource }));
            }
            let mut account = Account::created(resource);
            if let Some(password) = password {
                let password = password.expose().as_bytes().to_vec();
                account = account.secret(Plaintext::new("password", password));
            }
            Ok(account)
        }))
    }
}

#[async_trait]
impl ResourceDeleter for Members {
    async fn delete(&self, _call: &Call, resource: &v2::Resource) -> Result<Change> {
        Ok(Change::delete(self.0.has(resource.id())))
    }

    async fn exists(&self, _call: &Call, resource: &v2::Resource) -> Result<bool> {
        Ok(self.0.has(resource.id()))
    }
}

#[async_trait]
impl ResourceCreator for Members {
    async fn create(
        &self,
        _call: &Call,
        resource: &v2::Resource,
    ) -> Result<Creation<v2::Resource>> {
        let name = resource.id().to_owned();
        let change = self.joining(&name);
        Ok(change.gives(move |_call, _made| async move { member(&name) }))
    }
}

#[async_trait]
impl CredentialManager for Members {
    async fn rotate(
        &self,
        _call: &Call,
        wanted: &NewCredential,
    ) -> Result<Creation<Vec<Plaintext>>> {
        let password = wanted.password()?;
        let text = password.map(|password| password.expose().clone());
        let answer = Answer::new();
        let keep = answer.clone();
        let write = Write::local("set a password", move |_call| {
            keep.keep(text.clone().unwrap_or_default().into_bytes());
            async { Ok(()) }
        });
        Ok(Change::create()
            .write(write)
            .gives(move |_call, _made| async move {
                let value = answer.take().unwrap_or_default();
                Ok(vec![Plaintext::new("password", value)])
            }))
    }
}

#[async_trait]
impl CredentialIssuer for Members {
    async fn issue(
        &self,
        _call: &Call,
        wanted: &IssueRequest<'_>,
    ) -> Result<Creation<IssuedCredential>> {
        let identity = wanted.identity.clone();
        let write = Write::local("make a key", |_call| async { Ok(()) });
        let issued = move || async move {
            let secret = v2::SecretTrait {
                identity_id: Some(identity),
                ..v2::SecretTrait::default()
            };
            Ok(IssuedCredential {
                secret: v2::Resource {
                    id: Some(resource_id("key", "k-1")),
                    annotations: vec![baton_proto::any::pack(&secret)],
                    ..v2::Resource::default()
                },
                resource_mode: v2::CredentialResourceMode::Discoverable,
                values: vec![Plaintext::new("key", *b"s3cret-of-key")],
            })
        };
        Ok(Change::create()
            .write(write)
            .gives(move |_call, _made| issued()))
    }
}

fn schema() -> AccountSchema {
    AccountSchema::new()
        .field(AccountField::text("name", "Name").required().or_login())
        .field(
            AccountField::address("mail", "E-mail")
                .required()
                .or_email(),
        )
        .field(AccountField::number("age", "Age"))
        .field(AccountField::flag("admin", "Administrator"))
        .field(AccountField::texts("teams", "Teams"))
}

fn issued() -> v2::CredentialDetailsCredentialIssue {
    v2::CredentialDetailsCredentialIssue {
        options: vec![v2::CredentialIssueOptionDescriptor {
            option: v2::CapabilityDetailCredentialOption::ApiKey.into(),
            resource_mode: v2::CredentialResourceMode::Discoverable.into(),
            secret_resource_type_id: "key".to_owned(),
            ..v2::CredentialIssueOptionDescriptor::default()
        }],
        preferred_option: v2::CapabilityDetailCredentialOption::ApiKey.into(),
    }
}

fn of_type(id: &str) -> v2::ResourceType {
    v2::ResourceType {
        id: id.to_owned(),
        ..v2::ResourceType::default()
    }
}

fn types() -> Types<Arc<Club>> {
    let make = |club: &Arc<Club>| Ok(Members(Arc::clone(club)));
    let kinds = CredentialKinds::random_password().or_no_password();
    Types::new()
        .with(
            TypeSpec::new(of_type("user"), make)
                .account_manager(schema(), kinds.clone())
                .credential_manager(kinds)
                .credential_issuer(issued()),
        )
        .with(TypeSpec::new(of_type("key"), make).creator())
}

fn connector(club: &Arc<Club>) -> BuiltConnector {
    let builder = ConnectorBuilder::new().types(&types(), club).unwrap();
    builder.build().unwrap()
}

const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn recipient() -> v2::EncryptionConfig {
    baton_crypto::config_of_text(AGE).unwrap()
}

fn random(length: i64) -> v2::CredentialOptions {
    v2::CredentialOptions {
        force_change_at_next_login: false,
        options: Some(Options::RandomPassword(requested::RandomPassword {
            length,
            constraints: Vec::new(),
        })),
    }
}

fn request(profile: &[(&str, Kind)]) -> v2::CreateAccountRequest {
    let fields = profile.iter().map(|(key, kind)| {
        let value = Value {
            kind: Some(kind.clone()),
        };
        ((*key).to_owned(), value)
    });
    v2::CreateAccountRequest {
        account_info: Some(v2::AccountInfo {
            profile: Some(Struct {
                fields: fields.collect(),
            }),
            ..v2::AccountInfo::default()
        }),
        credential_options: Some(random(20)),
        encryption_configs: vec![recipient()],
        ..v2::CreateAccountRequest::default()
    }
}

fn text(value: &str) -> Kind {
    Kind::StringValue(value.to_owned())
}

fn kim() -> v2::CreateAccountRequest {
    request(&[("name", text("kim")), ("mail", text("kim@acme.test"))])
}

#[test]
fn what_can_be_created_is_announced_and_checked() {
    let announced = types().capabilities().unwrap();
    let details = announced.credential_details.unwrap();
    let accounts = details.capability_account_provisioning.unwrap();
    assert_eq!(accounts.supported_credential_options, [2, 1]);
    assert_eq!(accounts.preferred_credential_option, 2);
    assert!(details.capability_credential_rotation.is_some());
    for capability in [
        Capability::AccountProvisioning,
        Capability::CredentialRotation,
        Capability::CredentialIssue,
        Capability::ResourceCreate,
        Capability::ResourceDelete,
    ] {
        let number = i32::from(capability);
        assert!(announced.connector_capabilities.contains(&number));
    }
    let metadata = connector(&Club::with(&[], Fault::None));
    let metadata = format!("{metadata:?}");
    assert!(metadata.contains("user"), "{metadata}");

    // Nothing deletes keys.
    let make = |club: &Arc<Club>| Ok(Members(Arc::clone(club)));
    let undeletable = Types::new()
        .with(TypeSpec::new(of_type("user"), make).credential_issuer(issued()))
        .with(TypeSpec::new(of_type("key"), make));
    let refused = undeletable.capabilities().unwrap_err();
    assert!(
        refused.to_string().contains("cannot be deleted"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_schema_is_in_the_metadata() {
    use baton_connector::Connector as _;
    let connector = connector(&Club::with(&[], Fault::None));
    let metadata = connector.metadata(&Call::alone()).await.unwrap();
    let schema = metadata.account_creation_schema.unwrap();
    assert!(schema.field_map["name"].required);
    assert_eq!(schema.field_map.len(), 5);
}

#[tokio::test]
async fn a_profile_is_checked_whole_before_anything_is_sent() {
    let club = Club::with(&[], Fault::None);
    let connector = connector(&club);
    for (profile, expected) in [
        (vec![], vec!["`mail` (E-mail)", "`name` (Name)"]),
        (
            vec![("name", text("")), ("mail", Kind::NullValue(0))],
            vec!["missing: `mail` (E-mail), `name` (Name)"],
        ),
        (
            vec![
                ("name", Kind::NumberValue(7.0)),
                ("age", text("7")),
                ("admin", text("true")),
                ("teams", text("a")),
            ],
            vec![
                "missing: `mail`",
                "`age` is a text, not a whole number of 32 bits",
                "`admin` is a text, not true or false",
                "`teams` is a text, not a list of texts",
                "`name` is a number, not a text",
            ],
        ),
        (
            vec![("name", text("kim")), ("mail", text("kim"))],
            vec!["`mail` is not an e-mail address"],
        ),
        (
            vec![("age", Kind::NumberValue(1.5))],
            vec!["`age` is a number, not a whole"],
        ),
        (
            vec![("age", Kind::NumberValue(f64::NAN))],
            vec!["`age` is a number, not a whole"],
        ),
    ] {
        let refused = connector
            .create_account(&Call::alone(), &request(&profile))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        for part in expected {
            assert!(refused.to_string().contains(part), "{refused}: {part}");
        }
    }
    assert_eq!(*club.sent.lock().unwrap(), 0);
}

#[tokio::test]
async fn login_and_email_stand_in_for_missing_fields() {
    let club = Club::with(&[], Fault::None);
    let mut wanted = request(&[]);
    let info = wanted.account_info.as_mut().unwrap();
    info.login = "kim".to_owned();
    let email = |address: &str, is_primary| v2::account_info::Email {
        address: address.to_owned(),
        is_primary,
    };
    info.emails = vec![email("old@acme.test", false), email("kim@acme.test", true)];
    let answered = connector(&club)
        .create_account(&Call::alone(), &wanted)
        .await
        .unwrap();
    assert!(matches!(answered.response.result, Some(Arm::Success(_))));
    assert!(club.has("kim"));
}

#[tokio::test]
async fn options_and_recipients_are_checked_before_the_account_exists() {
    type Spoil = fn(&mut v2::CreateAccountRequest);
    let sso = |request: &mut v2::CreateAccountRequest| {
        request.credential_options = Some(v2::CredentialOptions {
            options: Some(Options::Sso(requested::Sso::default())),
            ..v2::CredentialOptions::default()
        });
    };
    let cases: [(Spoil, Code); 6] = [
        (sso, Code::InvalidArgument),
        (
            |request| request.credential_options = Some(v2::CredentialOptions::default()),
            Code::InvalidArgument,
        ),
        (
            |request| request.credential_options = Some(random(3)),
            Code::InvalidArgument,
        ),
        (
            |request| request.encryption_configs[0].provider = "nosuch".to_owned(),
            Code::Unknown,
        ),
        (
            |request| {
                let configs = &mut request.encryption_configs;
                configs.push(v2::EncryptionConfig::default());
            },
            Code::Unknown,
        ),
        (
            |request| request.resource_type_id = "key".to_owned(),
            Code::Unimplemented,
        ),
    ];
    for (number, (spoil, code)) in cases.into_iter().enumerate() {
        let club = Club::with(&[], Fault::None);
        let mut wanted = kim();
        spoil(&mut wanted);
        let refused = connector(&club)
            .create_account(&Call::alone(), &wanted)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), code, "case {number}: {refused}");
        assert_eq!(*club.sent.lock().unwrap(), 0, "case {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_created_once_whatever_becomes_of_the_answer() {
    for (members, fault, arm, outcome) in [
        (&[][..], Fault::None, Some("success"), Outcome::Done),
        (&["kim"][..], Fault::None, Some("exists"), Outcome::Already),
        (&[][..], Fault::LostAfter, Some("success"), Outcome::Done),
        (&[][..], Fault::LostBefore, None, Outcome::Unknown),
        (&[][..], Fault::Refused, None, Outcome::Failed),
    ] {
        let club = Club::with(members, fault);
        let notes = Arc::new(Notes::default());
        let answered = connector(&club)
            .create_account(&recorded(&notes), &kim())
            .await;
        let ends = notes.ends.lock().unwrap();
        assert_eq!(ends[0].0, outcome, "{fault:?}");
        let found = answered.as_ref().ok().map(|answered| {
            match answered.response.result.as_ref().unwrap() {
                Arm::Success(success) => {
                    assert!(success.is_create_account_result);
                    assert_eq!(ends[0].2, ["user:kim"]);
                    assert_eq!(answered.response.encrypted_data.len(), 1);
                    "success"
                }
                Arm::AlreadyExists(exists) => {
                    assert!(exists.is_create_account_result);
                    assert!(answered.response.encrypted_data.is_empty());
                    "exists"
                }
                _ => "other",
            }
        });
        assert_eq!(found, arm, "{fault:?}");
        assert_eq!(*club.sent.lock().unwrap(), 1, "{fault:?}");
        if outcome == Outcome::Unknown {
            let error = answered.unwrap_err();
            assert!(error.to_string().contains("not known"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_dry_run_creates_nothing_and_warns_of_ignored_fields() {
    let club = Club::with(&[], Fault::None);
    let notes = Arc::new(Notes::default());
    let call = Call::alone().with_changes(ChangeSettings {
        dry_run: true,
        recorder: Some(Arc::clone(&notes) as _),
        ..ChangeSettings::default()
    });
    let mut wanted = kim();
    let fields = &mut wanted.account_info.as_mut().unwrap().profile;
    let value = Value {
        kind: Some(text("x")),
    };
    let fields = &mut fields.as_mut().unwrap().fields;
    fields.insert("nmae".to_owned(), value.clone());
    fields.insert("login".to_owned(), value);
    let answered = connector(&club).create_account(&call, &wanted).await;
    assert_eq!(answered.unwrap(), Answered::default());
    assert!(!club.has("kim"));
    let plans = notes.plans.lock().unwrap();
    let warnings = &plans[0].2;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("`nmae`"), "{warnings:?}");
}

#[tokio::test]
async fn a_password_is_replaced_and_leaves_encrypted() {
    let connector = connector(&Club::with(&["kim"], Fault::None));
    let mut wanted = v2::RotateCredentialRequest {
        resource_id: Some(resource_id("user", "kim")),
        credential_options: Some(random(20)),
        encryption_configs: vec![recipient(), recipient()],
    };
    let answered = connector.rotate(&Call::alone(), &wanted).await.unwrap();
    let copies = &answered.response.encrypted_data;
    assert_eq!(copies.len(), 2);
    assert!(copies.iter().all(|copy| copy.name == "password"));
    assert!(answered.warnings.is_empty());
    wanted.encryption_configs.clear();
    let answered = connector.rotate(&Call::alone(), &wanted).await.unwrap();
    assert!(answered.response.encrypted_data.is_empty());
    let lost = "1 new secret cannot be read: the request has no recipient";
    assert_eq!(answered.warnings, [lost]);
    wanted.resource_id = Some(resource_id("key", "k-1"));
    let refused = connector.rotate(&Call::alone(), &wanted).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
    wanted.resource_id = None;
    let refused = connector.rotate(&Call::alone(), &wanted).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_key_is_issued_to_recipients_only() {
    let connector = connector(&Club::with(&["kim"], Fault::None));
    let kind = v2::credential_issue_options::Options::ApiKey(
        v2::credential_issue_options::ApiKey::default(),
    );
    let mut wanted = v2::IssueCredentialRequest {
        identity_id: Some(resource_id("user", "kim")),
        credential_options: Some(v2::CredentialIssueOptions {
            options: Some(kind),
        }),
        encryption_configs: vec![recipient()],
        request_id: "r-1".to_owned(),
        expires_at: None,
    };
    let answered = connector.issue(&Call::alone(), &wanted).await.unwrap();
    assert_eq!(answered.response.request_id, "r-1");
    assert_eq!(answered.response.resource_mode, 1);
    let copy = &answered.response.encrypted_data[0];
    let clear = copy
        .encrypted_bytes
        .windows(6)
        .any(|part| part == b"s3cret");
    assert!(!clear && !format!("{answered:?}").contains("s3cret"));
    wanted.encryption_configs.clear();
    let refused = connector.issue(&Call::alone(), &wanted).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    wanted.identity_id = Some(resource_id("key", "k-1"));
    let refused = connector.issue(&Call::alone(), &wanted).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_resource_is_created_where_there_is_a_creator() {
    let club = Club::with(&[], Fault::None);
    let connector = connector(&club);
    for (type_id, code) in [
        ("user", Code::Unimplemented),
        ("door", Code::Unimplemented),
        ("", Code::InvalidArgument),
    ] {
        let wanted = v2::Resource {
            id: Some(resource_id(type_id, "x")),
            ..v2::Resource::default()
        };
        let refused = connector.create(&Call::alone(), &wanted).await;
        assert_eq!(refused.unwrap_err().code(), code, "{type_id}");
    }
    let wanted = v2::Resource {
        id: Some(resource_id("key", "k-1")),
        ..v2::Resource::default()
    };
    let created = connector.create(&Call::alone(), &wanted).await.unwrap();
    assert_eq!(created.unwrap().id(), "k-1");
    assert!(club.has("k-1"));
}
