//! Creating accounts: over SCIM, by invitation, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use atlassian_sim::{
    Action, Calls, Config, Fault, RetryAfter, ScimAccountId, Simulator, Truth, TruthUser, Writes,
};
use baton_c1z::Table;
use baton_connector::http::Transport as _;
use baton_connector::{Accounts as _, Answered, Call, Code, Connector as _, Result, v2};
use baton_proto::any;
use futures_util::StreamExt as _;
use prost_types::Struct;
use v2::create_account_response::Result as Arm;
use v2::credential_options::{NoPassword, Options, RandomPassword};

use crate::bench::{Bench, Notes, config, read, text};
use crate::in_process::InProcess;
use crate::simulated::{rows, sync};

const SCIM_CREATE: &str = "POST scim/Users";
const SCIM_LIST: &str = "GET scim/Users";
const SCIM_GET: &str = "GET scim/Users/{id}";
const INVITE: &str = "POST v2/users/invite";

fn profile(fields: &[(&str, &str)]) -> v2::CreateAccountRequest {
    let fields = fields.iter();
    let fields = fields.map(|(key, value)| ((*key).to_owned(), text(value)));
    v2::CreateAccountRequest {
        account_info: Some(v2::AccountInfo {
            profile: Some(Struct {
                fields: fields.collect(),
            }),
            ..v2::AccountInfo::default()
        }),
        credential_options: Some(v2::CredentialOptions {
            force_change_at_next_login: false,
            options: Some(Options::NoPassword(NoPassword {})),
        }),
        ..v2::CreateAccountRequest::default()
    }
}

/// An address of a verified domain.
fn address(bench: &Bench, name: &str) -> String {
    let organization = bench.sim.truth().organization_name;
    format!("{name}@{}.test", organization.to_lowercase())
}

fn kim(bench: &Bench) -> v2::CreateAccountRequest {
    let kim = address(bench, "kim");
    profile(&[
        ("userName", &kim),
        ("email", &kim),
        ("givenName", "Kim"),
        ("familyName", "Vale"),
        ("displayName", "Kim Vale"),
    ])
}

async fn create(
    bench: &Bench,
    request: &v2::CreateAccountRequest,
) -> Result<Answered<v2::CreateAccountResponse>> {
    bench.sim.reset_log();
    let call = Call::alone();
    bench.connector().create_account(&call, request).await
}

fn arm(answered: Answered<v2::CreateAccountResponse>) -> Arm {
    answered.response.result.unwrap()
}

/// The account with this address, in the organization as it is.
fn found(truth: Truth, email: &str) -> Option<TruthUser> {
    let mut users = truth.users.into_iter();
    users.find(|user| user.email.as_deref() == Some(email))
}

fn in_truth(bench: &Bench, email: &str) -> Option<TruthUser> {
    found(bench.sim.settled_truth(), email)
}

fn id(resource: Option<v2::Resource>) -> String {
    resource.unwrap().id.unwrap_or_default().resource
}

/// What an administrator of the identity provider does to the only record.
async fn deactivate_record(bench: &Bench) {
    let path = Simulator::scim_path(&bench.directory);
    let token = bench.sim.scim_token(&bench.directory);
    let send = async |method: &str, path: String, body: String| {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://simulated.test{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap();
        let answer = InProcess(bench.sim.clone()).send(request).await.unwrap();
        let pieces: Vec<_> = answer.into_body().collect().await;
        let bytes: Vec<u8> = pieces
            .into_iter()
            .flat_map(|piece| piece.unwrap())
            .collect();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    let list = send("GET", format!("{path}/Users"), String::new()).await;
    let id = list["Resources"][0]["id"].as_str().unwrap();
    let patch = serde_json::json!({
        "Operations": [{ "op": "replace", "path": "active", "value": false }],
    });
    send("PATCH", format!("{path}/Users/{id}"), patch.to_string()).await;
}

async fn id_after_sync(bench: &Bench, account: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("1.c1z");
    sync(&bench.sim, &file).await.unwrap();
    let stored = rows(&file, Table::Resources);
    let id = format!("user:{account}");
    stored.iter().any(|(known, _)| *known == id)
}

#[tokio::test(start_paused = true)]
async fn an_account_is_created_in_one_request_and_found_in_two() {
    let bench = Bench::new().scim();
    let Arm::Success(created) = arm(create(&bench, &kim(&bench)).await.unwrap()) else {
        panic!("not created");
    };
    assert!(created.is_create_account_result);
    assert_eq!(bench.asked(), (0, 1));
    let account = in_truth(&bench, &address(&bench, "kim")).unwrap();
    let resource = created.resource.clone().unwrap();
    assert_eq!(resource.display_name, address(&bench, "kim"));
    let profile = resource.profile.unwrap().fields;
    assert_eq!(profile["username"], text("Kim Vale"));
    assert_eq!(profile["account_id"], text(&account.account_id));
    assert_eq!(id(created.resource), account.account_id);
    assert_eq!(account.directory_ids, [bench.directory.as_str()]);
    assert!(id_after_sync(&bench, &account.account_id).await);

    let answered = create(&bench, &kim(&bench)).await.unwrap();
    assert!(answered.warnings.is_empty());
    let Arm::AlreadyExists(exists) = arm(answered) else {
        panic!("created twice");
    };
    assert_eq!(bench.asked(), (1, 1));
    assert_eq!(id(exists.resource), account.account_id);
}

/// The name decides, in whatever case; an address alone is a conflict.
#[tokio::test(start_paused = true)]
async fn a_conflict_is_resolved_by_the_name_alone() {
    let bench = Bench::new().scim();
    create(&bench, &kim(&bench)).await.unwrap();
    let (shout, email) = (address(&bench, "KIM"), address(&bench, "k2"));
    let shouted = profile(&[("userName", &shout), ("email", &email)]);
    let exists = arm(create(&bench, &shouted).await.unwrap());
    assert!(matches!(exists, Arm::AlreadyExists(_)));
    let email = address(&bench, "kim");
    let other = profile(&[("userName", "kim \"the\" 2nd"), ("email", &email)]);
    let (code, told) = read(&create(&bench, &other).await.unwrap_err());
    assert_eq!(code, Code::AlreadyExists, "{told}");
    assert!(told.contains("e-mail address"), "{told}");
}

/// The list of names is not filtered: the name is compared.
#[tokio::test(start_paused = true)]
async fn a_filter_that_is_ignored_finds_nobody_else() {
    let bench = Bench::new().scim();
    create(&bench, &kim(&bench)).await.unwrap();
    let faults = [
        (SCIM_LIST, Action::IgnoreFilters),
        (SCIM_CREATE, Action::LoseAnswer),
    ];
    let faults = faults.map(|(endpoint, action)| Fault::new(endpoint, Calls::All, action));
    bench.sim.set_faults(faults.into());
    let email = address(&bench, "lee");
    let lee = profile(&[("userName", &email), ("email", &email)]);
    let Arm::Success(created) = arm(create(&bench, &lee).await.unwrap()) else {
        panic!("not created");
    };
    let account = in_truth(&bench, &email).unwrap();
    assert_eq!(id(created.resource), account.account_id);
}

#[tokio::test(start_paused = true)]
async fn an_inactive_account_exists_and_the_way_back_is_named() {
    let bench = Bench::new().scim();
    create(&bench, &kim(&bench)).await.unwrap();
    deactivate_record(&bench).await;
    let answered = create(&bench, &kim(&bench)).await.unwrap();
    let warning = &answered.warnings[0];
    assert!(warning.contains("enable_user"), "{warning}");
    let Arm::AlreadyExists(exists) = arm(answered) else {
        panic!("created twice");
    };
    let status = exists.resource.unwrap().status.unwrap();
    assert_eq!(status.details, "suspended");
}

#[tokio::test(start_paused = true)]
async fn an_account_id_that_comes_late_is_waited_for_and_a_record_is_no_account() {
    for (after_s, known) in [(0, true), (2, true), (14, true), (60, false)] {
        let bench = Bench::of(Config {
            scim_account_id: ScimAccountId::After(Duration::from_secs(after_s)),
            ..config()
        });
        let bench = bench.scim();
        let answered = create(&bench, &kim(&bench)).await.unwrap();
        let account = in_truth(&bench, &address(&bench, "kim"))
            .unwrap()
            .account_id;
        match (arm(answered), known) {
            (Arm::Success(created), true) => assert_eq!(id(created.resource), account),
            (Arm::InProgress(waiting), false) => {
                assert!(waiting.is_create_account_result);
                let resource = waiting.resource.unwrap();
                assert_eq!(resource.id, None);
                let profile = resource.profile.unwrap();
                assert!(!profile.fields.contains_key("account_id"));
                let aliases: v2::Aliases = any::find(&resource.annotations).unwrap().unwrap();
                assert!(aliases.ids[0].starts_with("scim:"), "{aliases:?}");
                assert_eq!(bench.sim.count(SCIM_GET), 4);
            }
            (other, _) => panic!("{after_s}: {other:?}"),
        }
        assert_eq!(bench.sim.count(SCIM_CREATE), 1);
    }
}

/// Reads that fail after the account exists do not lose that fact.
#[tokio::test(start_paused = true)]
async fn an_account_that_exists_is_not_lost_to_a_read_that_fails() {
    let bench = Bench::of(Config {
        scim_account_id: ScimAccountId::Never,
        ..config()
    });
    let bench = bench.scim();
    let fault = Fault::new(SCIM_GET, Calls::All, Action::Refuse(403, ""));
    bench.sim.set_faults(vec![fault]);
    let answered = create(&bench, &kim(&bench)).await.unwrap();
    assert!(matches!(arm(answered), Arm::InProgress(_)));
}

/// Whatever goes wrong: an account is created once or not at all, and what is
/// answered is true.
#[tokio::test(start_paused = true)]
async fn no_fault_creates_an_account_twice() {
    for (scim, endpoint) in [(true, SCIM_CREATE), (false, INVITE)] {
        for (action, made) in [
            (Action::LoseAnswer, Some(true)),
            (Action::Hang, Some(true)),
            (Action::MaskAnswer(503), Some(true)),
            (Action::InvalidJson, Some(true)),
            (Action::Truncate(None), Some(true)),
            (Action::ConnectionReset, None),
            (Action::Status(503), None),
            (Action::Status(500), None),
            (Action::Refuse(403, ""), Some(false)),
            (Action::Status(400), Some(false)),
        ] {
            let mut bench = Bench::of(Config {
                visibility_delay: Duration::from_secs(if scim { 0 } else { 10 }),
                ..config()
            });
            if scim {
                bench = bench.scim();
            }
            let fault = Fault::new(endpoint, Calls::All, action.clone());
            bench.sim.set_faults(vec![fault]);
            let done = create(&bench, &kim(&bench)).await;
            let name = format!("{endpoint} {action:?}: {done:?}");
            assert_eq!(bench.asked().1, 1, "{name}");
            let is_there = in_truth(&bench, &address(&bench, "kim")).is_some();
            assert_eq!(is_there, made == Some(true), "{name}");
            match (made, done) {
                (Some(true), Ok(answered)) => match arm(answered) {
                    Arm::Success(_) => assert!(scim, "{name}"),
                    Arm::ActionRequired(_) => assert!(!scim, "{name}"),
                    _ => panic!("{name}"),
                },
                (None, Err(error)) => {
                    assert_eq!(error.code(), Code::Unavailable, "{name}");
                    assert!(error.to_string().contains("not known"), "{name}");
                }
                (Some(false), Err(_)) => {}
                _ => panic!("{name}"),
            }
        }
    }
}

/// The answer is lost, and the record that is found is another one's.
#[tokio::test(start_paused = true)]
async fn a_record_that_was_there_before_is_not_taken_for_a_new_one() {
    let bench = Bench::new().scim();
    create(&bench, &kim(&bench)).await.unwrap();
    let fault = Fault::new(SCIM_CREATE, Calls::All, Action::ConnectionReset);
    bench.sim.set_faults(vec![fault]);
    let email = address(&bench, "kim");
    let other = profile(&[
        ("userName", &email),
        ("email", &email),
        ("displayName", "Kim the Other"),
    ]);
    let found = create(&bench, &other).await.unwrap();
    assert!(matches!(arm(found), Arm::AlreadyExists(_)));
    assert_eq!(bench.asked().1, 1);
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_waited_for() {
    for (scim, endpoint) in [(true, SCIM_CREATE), (false, INVITE)] {
        for after in [RetryAfter::Seconds(5), RetryAfter::Absent] {
            let mut bench = Bench::new();
            if scim {
                bench = bench.scim();
            }
            let refused = Action::TooManyRequests(after);
            let fault = Fault::new(endpoint, Calls::Nth(1), refused);
            bench.sim.set_faults(vec![fault]);
            create(&bench, &kim(&bench)).await.unwrap();
            assert!(in_truth(&bench, &address(&bench, "kim")).is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_is_invited_and_must_accept() {
    let bench = Bench::new();
    let notes = Arc::new(Notes::default());
    let kim = address(&bench, "kim");
    let only_email = profile(&[("email", &kim)]);
    let answered = create(&bench, &only_email).await.unwrap();
    assert_eq!(bench.asked(), (1, 1));
    let Arm::ActionRequired(asked) = arm(answered) else {
        panic!("not invited");
    };
    assert!(asked.is_create_account_result);
    assert!(
        asked.message.contains("accept the invitation"),
        "{}",
        asked.message
    );
    assert!(asked.message.contains(&kim), "{}", asked.message);
    let account = in_truth(&bench, &address(&bench, "kim"))
        .unwrap()
        .account_id;
    assert_eq!(id(asked.resource), account);
    assert_eq!(bench.sim.organization().invitations(), [kim.as_str()]);
    assert!(id_after_sync(&bench, &account).await);

    // No second e-mail.
    let again = create(&bench, &only_email).await.unwrap();
    assert!(matches!(arm(again), Arm::ActionRequired(_)));
    assert_eq!(bench.asked(), (1, 0));
    assert_eq!(bench.sim.organization().invitations(), [kim.as_str()]);
    let member = profile(&[("email", "pat@acme.test"), ("displayName", "Pat")]);
    let call = notes.call(false);
    let exists = bench.connector().create_account(&call, &member).await;
    let Arm::AlreadyExists(exists) = arm(exists.unwrap()) else {
        panic!("invited though a member");
    };
    assert_eq!(id(exists.resource), bench.user);
    let warnings = notes.warnings.lock().unwrap().join("; ");
    assert!(warnings.contains("`displayName` is ignored"), "{warnings}");
}

#[tokio::test(start_paused = true)]
async fn an_invitation_that_is_not_enabled_names_what_to_ask_support_for() {
    let bench = Bench::with(Writes {
        not_enabled: vec![INVITE.to_owned()],
        ..Writes::default()
    });
    let (code, told) = read(&create(&bench, &kim(&bench)).await.unwrap_err());
    assert_eq!(code, Code::PermissionDenied, "{told}");
    assert!(told.contains("users/invite"), "{told}");
    assert!(told.contains(bench.sim.organization_id()), "{told}");
}

/// Nothing is sent; the error names every fault and what to do.
#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_request_is_refused_before_anything_is_sent() {
    let scim = || Bench::new().scim();
    let password = v2::CreateAccountRequest {
        credential_options: Some(v2::CredentialOptions {
            force_change_at_next_login: false,
            options: Some(Options::RandomPassword(RandomPassword {
                length: 20,
                constraints: Vec::new(),
            })),
        }),
        encryption_configs: Vec::new(),
        ..kim(&Bench::new())
    };
    let only_token = || Bench::new().with_scim("t", "");
    let only_base = || Bench::new().with_scim("", "http://simulated.test/scim/directory/d");
    for (bench, request, code, words) in [
        (
            scim(),
            profile(&[]),
            Code::InvalidArgument,
            &["`userName` (Username)", "`email` (Email)"][..],
        ),
        (
            scim(),
            profile(&[("userName", "kim"), ("email", "kim@b_c.test")]),
            Code::InvalidArgument,
            &["`email` is not an e-mail address"],
        ),
        (
            Bench::new(),
            profile(&[("email", "kim")]),
            Code::InvalidArgument,
            &["`email` is not an e-mail address"],
        ),
        (
            Bench::new(),
            profile(&[]),
            Code::InvalidArgument,
            &["missing: `email` (Email)"],
        ),
        (scim(), password, Code::InvalidArgument, &["password"]),
        (
            only_token(),
            kim(&Bench::new()),
            Code::FailedPrecondition,
            &["--scim-base-url is not", "set --scim-base-url"],
        ),
        (
            only_base(),
            kim(&Bench::new()),
            Code::FailedPrecondition,
            &["--scim-token is not", "set --scim-token"],
        ),
    ] {
        let (found, told) = read(&create(&bench, &request).await.unwrap_err());
        assert_eq!(found, code, "{told}");
        for word in words {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert_eq!(bench.sim.total(), 0, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn login_and_primary_address_stand_in_for_fields() {
    let bench = Bench::new().scim();
    let kim = address(&bench, "kim");
    let email = |address: &str, is_primary| v2::account_info::Email {
        address: address.to_owned(),
        is_primary,
    };
    let info = v2::AccountInfo {
        login: "kim".to_owned(),
        emails: vec![
            email("old@acme.test", false),
            email(&format!("Kim <{kim}>"), true),
        ],
        ..v2::AccountInfo::default()
    };
    let request = v2::CreateAccountRequest {
        account_info: Some(info),
        ..v2::CreateAccountRequest::default()
    };
    create(&bench, &request).await.unwrap();
    let account = in_truth(&bench, &address(&bench, "kim")).unwrap();
    assert_eq!(account.name, "kim");

    let mut only_email = request;
    only_email.account_info.as_mut().unwrap().login.clear();
    let bench = Bench::new().scim();
    create(&bench, &only_email).await.unwrap();
    assert!(in_truth(&bench, &address(&bench, "kim")).is_some());
}

/// Each refusal of the identity provider names the setting to correct.
#[tokio::test(start_paused = true)]
async fn refusals_of_the_identity_provider_name_what_to_change() {
    let bench = Bench::new().scim();
    let stranger = profile(&[("userName", "x"), ("email", "x@elsewhere.test")]);
    let (code, told) = read(&create(&bench, &stranger).await.unwrap_err());
    assert_eq!(code, Code::InvalidArgument, "{told}");
    assert!(told.contains("verified"), "{told}");

    let token = bench.sim.scim_token(&bench.directory);
    let base = |path: &str| format!("http://simulated.test{path}");
    let directory = format!("/scim/directory/{}", bench.directory);
    for (token, path, code, word) in [
        (
            "wrong",
            directory.as_str(),
            Code::Unauthenticated,
            "--scim-token",
        ),
        (
            &token,
            "/scim/directory/nope",
            Code::NotFound,
            "--scim-base-url",
        ),
        (&token, "/elsewhere", Code::NotFound, "--scim-base-url"),
    ] {
        let bench = Bench::new().with_scim(token, &base(path));
        let (found, told) = read(&create(&bench, &kim(&bench)).await.unwrap_err());
        assert_eq!(found, code, "{told}");
        assert!(told.contains(word), "{told}");
        assert!(in_truth(&bench, &address(&bench, "kim")).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_the_write_and_no_token() {
    let bench = Bench::new().scim();
    let notes = Arc::new(Notes::default());
    let call = notes.call(true);
    let answered = bench.connector().create_account(&call, &kim(&bench)).await;
    assert_eq!(answered.unwrap().response.result, None);
    assert_eq!(bench.sim.total(), 0);
    let shown = notes.writes.lock().unwrap().join("\n");
    assert!(
        shown.contains("/Users") && shown.contains(&address(&bench, "kim")),
        "{shown}"
    );
    assert!(
        !shown.contains(&bench.sim.scim_token(&bench.directory)),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn metadata_has_the_fields_of_an_account() {
    let metadata = Bench::new().connector().metadata(&Call::alone()).await;
    let fields = metadata.unwrap().account_creation_schema.unwrap().field_map;
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(key, field)| (field.order, key.as_str(), field.required))
        .collect();
    fields.sort_unstable();
    let expected = [
        (1, "userName", true),
        (2, "email", true),
        (3, "givenName", false),
        (4, "familyName", false),
        (5, "displayName", false),
    ];
    assert_eq!(fields, expected);
}
