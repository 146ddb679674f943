//! Accounts, deletions and credentials from the command line, against an
//! application in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use baton_connector::resource::{ResourceBuilder, ResourceExt as _, ResourceTypeBuilder};
use baton_connector::{
    Account, AccountField, AccountManager, AccountOutcome, AccountSchema, Call, Change, Code,
    ConnectorBuilder, Creation, CredentialKinds, CredentialManager, Error, Made, NewAccount,
    NewCredential, Page, Plaintext, Reply, ResourceDeleter, ResourceSyncer, Result, TypeSpec,
    Types, Write, async_trait, v2,
};
use baton_runtime::{App, Built};
use baton_testkit::{Harness, Outcome};
use serde_json::Value;

/// What a new account comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Comes {
    #[default]
    AtOnce,
    AfterAStep,
    Late,
}

/// An application with users, and their last passwords.
#[derive(Debug, Clone, Default)]
struct Office {
    users: Arc<Mutex<BTreeSet<String>>>,
    passwords: Arc<Mutex<Vec<String>>>,
    comes: Comes,
    /// Accounts have no passwords.
    bare: bool,
}

struct Users(Office);

fn user(id: &str) -> Result<v2::Resource> {
    ResourceBuilder::new("user", id)
        .display_name(format!("User {id}"))
        .build()
}

#[async_trait]
impl ResourceSyncer for Users {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let users = self.0.users.lock().unwrap();
        let users = users.iter().map(|id| user(id));
        Ok(Page::last(users.collect::<Result<_>>()?))
    }
}

#[async_trait]
impl AccountManager for Users {
    async fn create(&self, _call: &Call, wanted: &NewAccount) -> Result<Creation<Account>> {
        let id = wanted.profile().text("id").unwrap_or_default().to_owned();
        let password = wanted.password()?.map(|password| password.expose().clone());
        let comes = self.0.comes;
        let (writing, reading) = (self.0.clone(), self.0.clone());
        let (new, sought, kept) = (id.clone(), id.clone(), password.clone());
        let write = Write::local(format!("add user {id}"), move |_call| {
            let is_new = writing.users.lock().unwrap().insert(new.clone());
            if let Some(password) = kept.clone().filter(|_| is_new) {
                writing.passwords.lock().unwrap().push(password);
            }
            async move {
                if is_new {
                    return Ok(());
                }
                Err(Error::stated(Code::AlreadyExists, "there already"))
            }
        });
        let write = write.judged(|error| match error.code() {
            Code::AlreadyExists => Reply::Already,
            _ => Reply::Failed(error),
        });
        let change = Change::create().write(write).read_back(move |_call| {
            let there = reading.users.lock().unwrap().contains(&sought);
            async move { Ok(there) }
        });
        Ok(change.gives(move |_call, made| async move {
            let resource = user(&id)?;
            if made == Made::Before {
                return Ok(Account::new(AccountOutcome::AlreadyExists { resource }));
            }
            let mut account = match comes {
                Comes::AtOnce => Account::created(resource),
                Comes::AfterAStep => Account::new(AccountOutcome::ActionRequired {
                    resource: None,
                    message: "the person must sign the contract".to_owned(),
                }),
                Comes::Late => Account::new(AccountOutcome::InProgress { resource: None }),
            };
            if let Some(password) = password {
                account = account.secret(Plaintext::new("password", password));
            }
            Ok(account)
        }))
    }
}

#[async_trait]
impl CredentialManager for Users {
    async fn rotate(
        &self,
        _call: &Call,
        wanted: &NewCredential,
    ) -> Result<Creation<Vec<Plaintext>>> {
        let password = wanted.password()?.map(|password| password.expose().clone());
        let password = password.unwrap_or_default();
        let (office, kept) = (self.0.clone(), password.clone());
        let write = Write::local("set a password", move |_call| {
            office.passwords.lock().unwrap().push(kept.clone());
            async { Ok(()) }
        });
        let change = Change::create().write(write);
        Ok(change.gives(move |_call, _made| async move {
            Ok(vec![Plaintext::new("password", password)])
        }))
    }
}

#[async_trait]
impl ResourceDeleter for Users {
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Change> {
        let (office, id) = (self.0.clone(), resource.id().to_owned());
        let there = self.exists(call, resource).await?;
        let write = Write::local(format!("remove user {id}"), move |_call| {
            office.users.lock().unwrap().remove(&id);
            async { Ok(()) }
        });
        Ok(Change::delete(there).write(write))
    }

    async fn exists(&self, _call: &Call, resource: &v2::Resource) -> Result<bool> {
        Ok(self.0.users.lock().unwrap().contains(resource.id()))
    }
}

fn types(bare: bool) -> Result<Types<Office>> {
    let schema = AccountSchema::new()
        .field(AccountField::text("id", "Id").required().or_login())
        .field(AccountField::number("age", "Age"));
    let make = |office: &Office| Ok(Users(office.clone()));
    let user = TypeSpec::new(ResourceTypeBuilder::new("user", "User").build()?, make);
    let robot = TypeSpec::new(ResourceTypeBuilder::new("robot", "Robot").build()?, make);
    Ok(Types::new().with(robot).with(if bare {
        user.account_manager(schema, CredentialKinds::no_password())
    } else {
        let kinds = CredentialKinds::random_password;
        user.account_manager(schema, kinds())
            .credential_manager(kinds())
            .deleter()
    }))
}

fn harness(office: &Office) -> Harness {
    let office = office.clone();
    Harness::new(move || {
        let office = office.clone();
        let bare = office.bare;
        let connect = move |_: &_, _: &_| {
            let connector = ConnectorBuilder::new().types(&types(office.bare)?, &office)?;
            Ok(Built {
                connector: Arc::new(connector.build()?),
                content_facts: BTreeMap::new(),
            })
        };
        App::new("baton-office", "1.2.3", Box::new(connect)).types(move |_| types(bare))
    })
}

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const KIM: [&str; 2] = ["--create-account-login", "kim"];

fn run(harness: &mut Harness, base: &[&str], more: &[&str]) -> Outcome {
    harness.run(&[base, more].concat())
}

#[track_caller]
fn code(outcome: &Outcome, code: u8) -> &Outcome {
    let texts = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.status.code(), code, "{texts}");
    outcome
}

/// Every text and file that a run leaves has no password in it.
fn nothing_leaks(office: &Office, harness: &Harness, outcome: &Outcome) {
    let mut places = vec![
        outcome.stdout.clone().into_bytes(),
        outcome.stderr.clone().into_bytes(),
    ];
    for entry in std::fs::read_dir(harness.folder()).unwrap() {
        places.push(std::fs::read(entry.unwrap().path()).unwrap_or_default());
    }
    let passwords = office.passwords.lock().unwrap();
    for password in passwords.iter() {
        let leaks = |place: &Vec<u8>| {
            let mut parts = place.windows(password.len());
            parts.any(|part| part == password.as_bytes())
        };
        assert!(!places.iter().any(leaks), "a password is in the clear");
    }
}

#[test]
fn an_account_is_created_and_its_password_reaches_the_recipients_only() {
    let office = Office::default();
    let mut harness = harness(&office);
    let more = [
        "--credential-recipient",
        RECIPIENT,
        "--credentials-out",
        "new.json",
        "--audit-log",
        "audit.jsonl",
        "--log-level",
        "debug",
    ];
    let created = run(&mut harness, &KIM, &more);
    assert_eq!(
        code(&created, 0).stdout.lines().next(),
        Some("created account `User kim` (`kim`)")
    );
    assert!(
        created.stderr.contains("account created"),
        "{}",
        created.stderr
    );
    assert_eq!(office.passwords.lock().unwrap()[0].len(), 20);
    let path = harness.folder().join("new.json");
    let list: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(list[0]["name"], "password");
    assert_eq!(list[0]["provider"], "baton/age/v1");
    assert!(list[0]["encryptedBytes"].is_string(), "{list}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let audit = std::fs::read_to_string(harness.folder().join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = audit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["operation"], "create_account");
    assert_eq!(lines[0]["resource"]["id"], "kim");
    assert!(lines[0].get("entitlement").is_none());
    assert_eq!(lines[1]["added"][0], "user:kim");
    nothing_leaks(&office, &harness, &created);
}

#[test]
fn all_results_are_shown_for_people_and_as_json() {
    for (comes, result, shown) in [
        (Comes::AtOnce, "created", "created account `User kim`"),
        (
            Comes::AfterAStep,
            "action_required",
            "account `kim` needs another step\n  the person must sign the contract",
        ),
        (
            Comes::Late,
            "in_progress",
            "the application has not finished creating account `kim`\n  run the same command later",
        ),
    ] {
        let office = Office {
            comes,
            bare: true,
            ..Office::default()
        };
        let created = run(&mut harness(&office), &KIM, &[]);
        assert!(
            code(&created, 0).stdout.starts_with(shown),
            "{}",
            created.stdout
        );
        office.users.lock().unwrap().clear();
        let mut harness = harness(&office);
        let created = run(&mut harness, &KIM, &["-o", "json"]);
        let json: Value = serde_json::from_str(&code(&created, 0).stdout).unwrap();
        assert_eq!(json["account"]["result"], result);
        assert_eq!(json["outcome"], "done");
        assert_eq!(
            json["account"]["resource"].is_object(),
            comes == Comes::AtOnce
        );
        let again = run(&mut harness, &KIM, &["-o", "json"]);
        let json: Value = serde_json::from_str(&code(&again, 0).stdout).unwrap();
        assert_eq!(json["account"]["result"], "already_exists");
        assert_eq!(json["outcome"], "already");
        let again = run(&mut harness, &KIM, &[]);
        assert!(
            again
                .stdout
                .starts_with("nothing to do: account `User kim`")
        );
    }
}

#[test]
fn a_secret_that_nobody_could_read_is_not_made() {
    let with = |more: &[&str]| {
        let office = Office::default();
        let mut harness = harness(&office);
        std::fs::write(harness.folder().join("there.json"), "x").unwrap();
        let refused = run(&mut harness, &KIM, more);
        code(&refused, 2);
        assert!(office.users.lock().unwrap().is_empty());
        refused.stderr
    };
    let to_age = ["--credential-recipient", RECIPIENT];
    for (more, expected) in [
        (&[][..], "no recipient is given"),
        (&to_age[..], "it has no place to go"),
        (
            &[to_age[0], to_age[1], "--credentials-out", "there.json"],
            "cannot write credentials",
        ),
        (
            &[to_age[0], to_age[1], "--credentials-out", "no/such/folder"],
            "cannot write credentials",
        ),
        (&["--credentials-out", "new.json"], "has no effect without"),
        (
            &["--credential-recipient", "age1pq1xyz", "-ojson"],
            "hybrid age recipients",
        ),
        (
            &["--credential-recipient", "age1 x", "-ojson"],
            "one recipient per value",
        ),
        (
            &["--credential-recipient", "@nosuch.jwk", "-ojson"],
            "cannot read recipient file",
        ),
        (
            &["--credential-recipient", "ssh-rsa AAAA", "-ojson"],
            "only ssh-ed25519",
        ),
    ] {
        let text = with(more);
        assert!(text.contains(expected), "{more:?}: {text}");
    }
}

#[test]
fn a_recipient_can_be_a_key_in_a_file() {
    const JWK: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let office = Office::default();
    let mut harness = harness(&office);
    std::fs::write(harness.folder().join("key.jwk"), JWK).unwrap();
    let more = ["--credential-recipient", "@key.jwk", "-o", "json"];
    let created = run(&mut harness, &KIM, &more);
    let json: Value = serde_json::from_str(&code(&created, 0).stdout).unwrap();
    assert_eq!(json["encrypted_data"][0]["provider"], "baton/jwk/v1");
    nothing_leaks(&office, &harness, &created);
}

#[test]
fn a_profile_is_checked_before_the_account_exists() {
    for (profile, status, expected) in [
        (r#"{"id":"#, 2, "line 1 column 6"),
        (
            "[]",
            2,
            "--create-account-profile is a list, not a JSON object",
        ),
        (r#"{"age":"7"}"#, 3, "missing: `id` (Id); `age` is a text"),
        (r#"{"id":7}"#, 3, "`id` is a number, not a text"),
    ] {
        let office = Office {
            bare: true,
            ..Office::default()
        };
        let args = ["--create-account-profile", profile];
        let refused = harness(&office).run(&args);
        let texts = code(&refused, status).stderr.clone();
        assert!(!texts.contains("account ``"), "{texts}");
        assert!(texts.contains(expected), "{texts}");
        assert!(office.users.lock().unwrap().is_empty());
    }
    let office = Office {
        bare: true,
        ..Office::default()
    };
    let created = harness(&office).run(&[
        "--create-account-profile",
        r#"{"nick":"x","login":"kim"}"#,
        "--create-account-email",
        "kim@acme.test",
    ]);
    assert!(
        code(&created, 0).stderr.contains("`nick`"),
        "{}",
        created.stderr
    );
    assert!(office.users.lock().unwrap().contains("kim"));
    let alone = harness(&office).run(&["--create-account-email", "bo@acme.test"]);
    code(&alone, 0);
    assert!(office.users.lock().unwrap().contains("bo@acme.test"));
}

#[test]
fn a_type_without_the_ability_is_refused_with_code_12() {
    let office = Office::default();
    for args in [
        &[
            "--create-account-login=x",
            "--create-account-resource-type=robot",
        ][..],
        &["--delete-resource=x", "--delete-resource-type=robot"],
        &["--rotate-credentials=x", "--rotate-credentials-type=robot"],
    ] {
        let more = ["--credential-recipient", RECIPIENT, "-o", "json"];
        let refused = run(&mut harness(&office), args, &more);
        code(&refused, 12);
    }
    let office = Office {
        bare: true,
        ..Office::default()
    };
    // It has no rotation at all, so no recipient is asked for.
    let args = ["--rotate-credentials=x", "--rotate-credentials-type=user"];
    code(&harness(&office).run(&args), 12);
}

#[test]
fn credentials_are_replaced() {
    let office = Office::default();
    office.users.lock().unwrap().insert("kim".to_owned());
    let mut harness = harness(&office);
    code(&harness.run(&[]), 0);
    let args = [
        "--rotate-credentials",
        "User kim",
        "--rotate-credentials-type",
        "user",
    ];
    let refused = run(&mut harness, &args, &[]);
    assert!(code(&refused, 2).error().contains("no recipient"));
    let more = ["--credential-recipient", RECIPIENT, "-o", "json"];
    let rotated = run(&mut harness, &args, &more);
    let json: Value = serde_json::from_str(&code(&rotated, 0).stdout).unwrap();
    assert_eq!(json["operation"], "rotate_credential");
    assert_eq!(json["resource"]["id"], "kim");
    assert_eq!(json["encrypted_data"][0]["name"], "password");
    nothing_leaks(&office, &harness, &rotated);
    assert_eq!(office.passwords.lock().unwrap().len(), 1);
}

#[test]
fn a_resource_is_deleted_after_a_person_agreed() {
    const ARGS: [&str; 4] = [
        "--delete-resource",
        "User kim",
        "--delete-resource-type",
        "user",
    ];
    let office = Office::default();
    office.users.lock().unwrap().insert("kim".to_owned());
    let mut harness = harness(&office);
    code(&harness.run(&[]), 0);
    for answer in ["", "n", "yess"] {
        let declined = harness.answer(answer).run(&ARGS);
        let texts = &code(&declined, 1).stderr;
        assert!(
            texts.contains("Delete user `User kim` (`kim`)? Type yes"),
            "{texts}"
        );
        assert!(office.users.lock().unwrap().contains("kim"));
    }
    let dry = run(&mut harness, &ARGS, &["--dry-run"]);
    assert!(
        code(&dry, 0)
            .stdout
            .starts_with("dry run: would delete user")
    );
    let deleted = harness.answer("yes").run(&ARGS);
    assert!(
        code(&deleted, 0)
            .stdout
            .starts_with("deleted user `User kim`")
    );
    assert!(office.users.lock().unwrap().is_empty());
    let again = run(&mut harness, &ARGS, &["--sync-after"]);
    assert!(
        code(&again, 0)
            .stdout
            .starts_with("nothing to do: user `User kim`")
    );
    // Nobody is there to be asked, and the file does not have it any more.
    office.users.lock().unwrap().insert("bo".to_owned());
    let args = ["--delete-resource=bo", "--delete-resource-type=user"];
    let deleted = harness.run(&args);
    assert!(code(&deleted, 0).stderr.contains("it is taken as an id"));
    assert!(office.users.lock().unwrap().is_empty());
    for args in [
        ["--delete-resource=bo", "-ojson"],
        ["--delete-resource=", "-ojson"],
    ] {
        code(&harness.run(&args), 2);
    }
}

#[test]
fn flags_of_secrets_and_questions_need_a_change() {
    for more in [
        &["--yes"][..],
        &["--credential-recipient", RECIPIENT],
        &["--credentials-out", "x.json"],
    ] {
        let refused = harness(&Office::default()).run(more);
        assert!(code(&refused, 2).error().contains("without a change"));
    }
}
