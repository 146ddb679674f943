//! The connector of the recordings: it offers every service, and the id, name, login or
//! cursor of a request decides what it answers.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::{
    Account, AccountField, AccountManager, AccountOutcome, AccountSchema, Any, Call, Change, Code,
    Connector, ConnectorBuilder, Creating, Creation, CredentialIssuer, CredentialKinds,
    CredentialManager, Credentials, Deleting, Error, EventFeeds, Granted, IssueRequest,
    IssuedCredential, NewAccount, NewCredential, Page, Plaintext, Provisioning, ResourceCreator,
    ResourceDeleter, ResourceSyncer, Result, Revoked, SplitMix, Tickets, TypeSpec, Types, Write,
    resource, v2,
};
use baton_connector::{Accounts, Actions, Row};
use baton_proto::any;
use baton_proto::google::rpc::ErrorInfo;

use crate::people::People;
use crate::rich_actions;
use crate::rich_events::Feed;
use crate::rich_tickets::{Desk, FAILS};

/// The password that the account `given` must get.
pub(crate) const GIVEN: &str = "a password of a task";

/// The text of a status inside another error, as Go shows it.
const DENIED: &str = "rpc error: code = PermissionDenied desc = rich: denied by policy";

/// The failure that a caller asks for with its id, name, login or cursor.
pub(crate) fn fail_if_asked(what: &str) -> Result<()> {
    let remote = |code, text: &str, details| Err(Error::remote(code, text, details));
    match what {
        "plain" => remote(Code::Unknown, "rich: plain failure", Vec::new()),
        "denied" => remote(Code::PermissionDenied, DENIED, Vec::new()),
        "wrapped" => {
            let text = "rich: outer: rpc error: code = NotFound desc = rich: inner";
            remote(Code::NotFound, text, Vec::new())
        }
        "declined" => {
            let text = "not before the training is done";
            let info = ErrorInfo {
                reason: "grant_cancelled".to_owned(),
                domain: "github.com/conductorone/baton-sdk".to_owned(),
                metadata: [("reason".to_owned(), text.to_owned())].into(),
            };
            remote(Code::FailedPrecondition, text, vec![any::pack(&info)])
        }
        "details" => {
            let text = "rpc error: code = ResourceExhausted desc = rich: throttled";
            let limit = v2::RateLimitDescription {
                status: v2::rate_limit_description::Status::Overlimit.into(),
                limit: 10,
                // 2030-01-01T00:00:00Z
                reset_at: Some(prost_types::Timestamp {
                    seconds: 1_893_456_000,
                    nanos: 0,
                }),
                ..v2::RateLimitDescription::default()
            };
            remote(Code::ResourceExhausted, text, vec![any::pack(&limit)])
        }
        "canceled" => remote(Code::Canceled, "context canceled", Vec::new()),
        "deadline" => {
            let text = "context deadline exceeded";
            remote(Code::DeadlineExceeded, text, Vec::new())
        }
        "panic" => panic!("rich: boom"),
        _ => Ok(()),
    }
}

/// The annotation of a recording with this text.
pub(crate) fn raw_id(id: &str) -> Any {
    any::pack(&v2::RawId { id: id.to_owned() })
}

pub(crate) fn named(kind: &str, id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(resource_id(kind, id)),
        display_name: id.to_owned(),
        ..v2::Resource::default()
    }
}

fn resource_id(kind: &str, id: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: kind.to_owned(),
        resource: id.to_owned(),
        ..v2::ResourceId::default()
    }
}

fn id_of(resource: Option<&v2::Resource>) -> &str {
    let id = resource.and_then(|resource| resource.id.as_ref());
    id.map_or("", |id| &id.resource)
}

/// Types without rows.
struct Rows;

#[async_trait::async_trait]
impl ResourceSyncer for Rows {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::empty())
    }
}

fn done(name: &'static str) -> Write {
    Write::local(name, |_| async { Ok(()) })
}

#[async_trait::async_trait]
impl ResourceDeleter for Rows {
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Change> {
        fail_if_asked(id_of(Some(resource)))?;
        Ok(Change::delete(self.exists(call, resource).await?).write(done("delete")))
    }

    async fn exists(&self, _call: &Call, resource: &v2::Resource) -> Result<bool> {
        Ok(id_of(Some(resource)) != "gone")
    }
}

#[async_trait::async_trait]
impl ResourceCreator for Rows {
    async fn create(
        &self,
        _call: &Call,
        resource: &v2::Resource,
    ) -> Result<Creation<v2::Resource>> {
        fail_if_asked(id_of(Some(resource)))?;
        let created = resource.clone();
        let change = Change::create().write(done("create"));
        Ok(change.gives(|_, _| async { Ok(created) }))
    }
}

/// The resource of a new account.
#[expect(
    deprecated,
    reason = "the recorded connector sets the status of the trait"
)]
fn account(login: &str) -> v2::Resource {
    let user = v2::UserTrait {
        status: Some(v2::user_trait::Status {
            status: v2::user_trait::status::Status::Enabled.into(),
            ..v2::user_trait::Status::default()
        }),
        account_type: v2::user_trait::AccountType::Human.into(),
        login: login.to_owned(),
        ..v2::UserTrait::default()
    };
    v2::Resource {
        id: Some(resource_id("user", &format!("new-{login}"))),
        display_name: login.to_owned(),
        annotations: vec![any::pack(&user)],
        status: Some(v2::Status {
            status: v2::status::ResourceStatus::Enabled.into(),
            ..v2::Status::default()
        }),
        ..v2::Resource::default()
    }
}

#[async_trait::async_trait]
impl AccountManager for Rows {
    async fn create(&self, _call: &Call, wanted: &NewAccount) -> Result<Creation<Account>> {
        let login = wanted.login();
        fail_if_asked(login)?;
        let resource = account(login);
        let outcome = match login {
            "action-required" => AccountOutcome::ActionRequired {
                resource: Some(resource),
                message: "ask the owner".to_owned(),
            },
            "exists" => AccountOutcome::AlreadyExists { resource },
            "in-progress" => AccountOutcome::InProgress {
                resource: Some(resource),
            },
            _ => AccountOutcome::Created {
                resource,
                invitation_expires_at: None,
            },
        };
        let mut account = Account::new(outcome);
        if let Some(password) = wanted.password()? {
            if login == "given" && password.expose() != GIVEN {
                return Err(Error::stated(Code::Internal, "another password"));
            }
            let plain = Plaintext::new("password", password.expose().as_bytes());
            account = account.secret(
                plain
                    .description("Password of the account")
                    .schema("text/plain"),
            );
        }
        let change = Change::create().write(done("create"));
        Ok(change.gives(|_, _| async { Ok(account) }))
    }
}

#[async_trait::async_trait]
impl CredentialManager for Rows {
    async fn rotate(
        &self,
        _call: &Call,
        wanted: &NewCredential,
    ) -> Result<Creation<Vec<Plaintext>>> {
        fail_if_asked(&wanted.resource_id().resource)?;
        let password = wanted.password()?;
        let plain = password.map(|new| Plaintext::new("password", new.expose().as_bytes()));
        let change = Change::create().write(done("rotate"));
        Ok(change.gives(|_, _| async { Ok(plain.into_iter().collect()) }))
    }
}

#[async_trait::async_trait]
impl CredentialIssuer for Rows {
    async fn issue(
        &self,
        _call: &Call,
        wanted: &IssueRequest<'_>,
    ) -> Result<Creation<IssuedCredential>> {
        fail_if_asked(&wanted.identity.resource)?;
        let of = v2::SecretTrait {
            identity_id: Some(wanted.identity.clone()),
            ..v2::SecretTrait::default()
        };
        let id = format!("issued-{}", wanted.request_id);
        let secret = v2::Resource {
            display_name: format!("Key of {}", wanted.identity.resource),
            annotations: vec![any::pack(&of)],
            ..named("secret", &id)
        };
        let issued = IssuedCredential {
            secret,
            resource_mode: v2::CredentialResourceMode::Discoverable,
            values: vec![Plaintext::new("api_key", *b"key")],
        };
        let change = Change::create().write(done("issue"));
        Ok(change.gives(|_, _| async { Ok(issued) }))
    }
}

/// The parts of the connector that the builder makes: resources, accounts, credentials
/// and actions.
fn built() -> Arc<dyn Connector> {
    let kinds = CredentialKinds::no_password()
        .or_random_password()
        .or(v2::CapabilityDetailCredentialOption::EncryptedPassword);
    let schema = AccountSchema::new().field(AccountField::text("first", "First name"));
    let issue = v2::CredentialDetailsCredentialIssue {
        options: vec![v2::CredentialIssueOptionDescriptor {
            option: v2::CapabilityDetailCredentialOption::ApiKey.into(),
            scopes: vec!["read".to_owned()],
            resource_mode: v2::CredentialResourceMode::Discoverable.into(),
            secret_resource_type_id: "secret".to_owned(),
            ..v2::CredentialIssueOptionDescriptor::default()
        }],
        preferred_option: v2::CapabilityDetailCredentialOption::ApiKey.into(),
    };
    let spec = |id: &str| {
        let kind = resource::ResourceTypeBuilder::new(id, id).build().unwrap();
        TypeSpec::new(kind, |(): &()| Ok(Rows))
    };
    let user = spec("user")
        .creator()
        .account_manager(schema, kinds.clone())
        .credential_manager(kinds);
    let types = Types::new()
        .with(rich_actions::of_user(user))
        .with(spec("group"))
        .with(spec("secret").deleter())
        .with(spec("service_account").credential_issuer(issue));
    let builder = ConnectorBuilder::new()
        .random(Arc::new(SplitMix::seeded(7)))
        .types(&rich_actions::of_connector(types), &());
    Arc::new(builder.unwrap().build().unwrap())
}

/// The connector. Its answers to grants, tickets and events can have what no builder
/// makes.
pub(crate) struct Rich {
    built: Arc<dyn Connector>,
    desk: Desk,
    feed: Feed,
    /// What full syncs find.
    people: Option<People>,
}

impl Rich {
    /// A connector with so many kinds of tickets.
    pub(crate) fn with_schemas(schemas: usize) -> Arc<dyn Connector> {
        Arc::new(Self {
            built: built(),
            desk: Desk { schemas },
            feed: Feed { fails: false },
            people: None,
        })
    }

    /// A connector that has people as well.
    pub(crate) fn with_people(people: People) -> Arc<dyn Connector> {
        Arc::new(Self {
            built: built(),
            desk: Desk { schemas: 2 },
            feed: Feed { fails: false },
            people: Some(people),
        })
    }

    /// A connector whose lists of kinds of tickets and of feeds fail.
    pub(crate) fn whose_lists_fail() -> Arc<dyn Connector> {
        Arc::new(Self {
            built: built(),
            desk: Desk { schemas: FAILS },
            feed: Feed { fails: true },
            people: None,
        })
    }
}

#[async_trait::async_trait]
impl Connector for Rich {
    async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata> {
        self.built.metadata(call).await
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        self.built.validate(call).await
    }

    async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>> {
        self.built.list_resource_types(call).await
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        match &self.people {
            Some(people) if type_id == "user" => people.list(call, parent).await,
            _ => self.built.list_resources(call, type_id, parent).await,
        }
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        self.built.list_static_entitlements(call, type_id).await
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        self.built.list_entitlements(call, resource).await
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        self.built.list_grants(call, resource).await
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        self.built.get_resource(call, id, parent).await
    }

    async fn cleanup(&self, call: &Call) -> Result<()> {
        self.built.cleanup(call).await
    }

    fn provisioning(&self) -> Option<&dyn Provisioning> {
        Some(self)
    }

    fn creating(&self) -> Option<&dyn Creating> {
        self.built.creating()
    }

    fn deleting(&self) -> Option<&dyn Deleting> {
        self.built.deleting()
    }

    fn accounts(&self) -> Option<&dyn Accounts> {
        self.built.accounts()
    }

    fn credentials(&self) -> Option<&dyn Credentials> {
        self.built.credentials()
    }

    fn event_feeds(&self) -> Option<&dyn EventFeeds> {
        Some(&self.feed)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        Some(&self.desk)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        self.built.actions()
    }
}

/// The type of an entitlement's resource, and the id of it.
fn granted_on(entitlement: &v2::Entitlement) -> Result<&str> {
    let resource = entitlement.resource.as_ref();
    let id = resource.and_then(|resource| resource.id.as_ref());
    let type_id = id.map_or("", |id| id.resource_type.as_str());
    if type_id != "group" {
        let type_id = type_id.to_owned();
        return Err(Error::NoProvisioner { type_id });
    }
    Ok(id_of(resource))
}

#[async_trait::async_trait]
impl Provisioning for Rich {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Granted> {
        let what = granted_on(entitlement)?;
        fail_if_asked(what)?;
        let mut granted = Granted::default();
        let many = |count: u32| (0..count).map(|id| raw_id(&id.to_string())).collect();
        granted.annotations = match what {
            "exists" => vec![any::pack(&v2::GrantAlreadyExists {})],
            "many16" => many(16),
            "many17" => many(17),
            "large" => vec![raw_id(&"x".repeat(5 << 20))],
            _ => Vec::new(),
        };
        if !granted.annotations.is_empty() {
            return Ok(granted);
        }
        match what {
            "slow" => tokio::time::sleep(Duration::from_secs(33)).await,
            "forever" => std::future::pending().await,
            "brief" => tokio::time::sleep(Duration::from_secs(10)).await,
            "never" => call.unless_stopped(std::future::pending()).await?,
            _ => {}
        }
        let principal = principal.id.clone().expect("a principal has an id");
        granted.grants.push(v2::Grant {
            id: format!("{}:user:{}", entitlement.id, principal.resource),
            entitlement: Some(v2::Entitlement {
                id: entitlement.id.clone(),
                resource: entitlement.resource.clone(),
                ..v2::Entitlement::default()
            }),
            principal: Some(v2::Resource {
                id: Some(principal),
                ..v2::Resource::default()
            }),
            ..v2::Grant::default()
        });
        Ok(granted)
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Revoked> {
        let entitlement = grant.entitlement.clone().unwrap_or_default();
        let what = granted_on(&entitlement)?;
        if what != "wrapped" {
            fail_if_asked(what)?;
        }
        if what == "never" {
            call.unless_stopped(std::future::pending()).await?;
        }
        let already = (what == "exists").then(|| any::pack(&v2::GrantAlreadyRevoked {}));
        Ok(Revoked {
            annotations: already.into_iter().collect(),
        })
    }
}
