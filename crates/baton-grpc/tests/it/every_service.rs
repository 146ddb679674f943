//! A connector with every service, whose caller chooses what happens by the id,
//! token or login of the request, as the connector of the recordings does.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::{
    Account, AccountField, AccountManager, AccountOutcome, AccountSchema, Action, ActionSchema,
    Added, Any, Argument, Arguments, Call, Change, Code, Connector, ConnectorBuilder, Creation,
    CredentialKinds, CredentialManager, Error, EventFeed, EventPage, EventRequest, Held,
    NewAccount, NewCredential, Page, Plaintext, Provisioner, ResourceCreator, ResourceDeleter,
    ResourceGetter, ResourceSyncer, Result, SplitMix, Struct, TicketManager, TypeEntitlements,
    TypeGrants, TypeSpec, Types, UpstreamCount, Write, resource, v2,
};
use baton_grpc::MAX_MESSAGE_BYTES;
use prost::Message as _;

use crate::recordings;

const PERMISSION: &str = "rpc error: code = PermissionDenied desc = no permission";

/// The details of a recorded status.
pub(crate) fn details_of(status: &[u8]) -> Vec<Any> {
    baton_proto::google::rpc::Status::decode(status)
        .unwrap()
        .details
}

fn recorded_details(case: &str) -> Vec<Any> {
    let calls = recordings::of("child-full");
    let call = calls.iter().find(|call| call.get("case") == case).unwrap();
    details_of(call.details().unwrap())
}

/// The error that a caller chooses; `None` if it chooses none.
fn chosen(what: &str) -> Option<Error> {
    let stated = |code, text: &str| Some(Error::stated(code, text));
    match what {
        "plain" => stated(Code::Unknown, "plain error"),
        "status" => stated(Code::PermissionDenied, PERMISSION),
        "wrapped" => stated(Code::PermissionDenied, &format!("outer: {PERMISSION}")),
        "joined" => stated(
            Code::AlreadyExists,
            "first\nrpc error: code = AlreadyExists desc = second",
        ),
        "canceled" => stated(Code::Canceled, "context canceled"),
        "deadline" => stated(Code::DeadlineExceeded, "context deadline exceeded"),
        "deadline-wrapped" => stated(Code::DeadlineExceeded, "outer: context deadline exceeded"),
        "unicode" => stated(Code::Unknown, "Zoë 100% 日本\n\ttab \u{1} end "),
        "long" => stated(Code::Unknown, &"long text ".repeat(2_000)),
        "unauthenticated" => stated(
            Code::Unauthenticated,
            "rpc error: code = Unauthenticated desc = who are you",
        ),
        "details" => Some(Error::remote(
            Code::ResourceExhausted,
            "with details: rpc error: code = ResourceExhausted desc = slow down",
            recorded_details("error-details"),
        )),
        "declined" => Some(Error::remote(
            Code::FailedPrecondition,
            "rpc error: code = FailedPrecondition desc = grant declined",
            recorded_details("error-declined"),
        )),
        "panic" | "panic-error" => panic!("made to panic"),
        _ => None,
    }
}

fn choose(what: &str) -> Result<()> {
    chosen(what).map_or(Ok(()), Err)
}

fn named(kind: &str, id: &str) -> v2::Resource {
    resource::ResourceBuilder::new(kind, id)
        .display_name(format!("{kind} {id}"))
        .build()
        .unwrap()
}

fn id_of(resource: &v2::Resource) -> &str {
    resource.id.as_ref().map_or("", |id| &id.resource)
}

struct Users;
struct Roles;

#[async_trait::async_trait]
impl ResourceSyncer for Users {
    async fn list(
        &self,
        call: &Call,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let parent = parent.map_or("", |parent| &parent.resource);
        choose(parent)?;
        match parent {
            "same-token" => return Ok(Page::new(Vec::new(), call.token())),
            "nil" => return Ok(Page::empty()),
            "echo" => {
                let mut echo = v2::Resource {
                    description: format!(
                        "size={} token={:?} sync={:?}",
                        call.page_size(),
                        call.token(),
                        call.sync_id()
                    ),
                    ..named("user", "echo")
                };
                echo.display_name.clear();
                return Ok(Page::last(vec![echo]));
            }
            "session" => call.session().set("key", "value").await?,
            "slow" => call.unless_stopped(std::future::pending()).await?,
            "sleep" => tokio::time::sleep(Duration::from_secs(3)).await,
            "large" => {
                let large = v2::Resource {
                    description: "x".repeat(5 << 20),
                    ..named("user", "large")
                };
                return Ok(Page::last(vec![large]));
            }
            _ => {}
        }
        match call.token() {
            "" => Ok(Page::new(
                vec![named("user", "u1"), named("user", "u2")],
                "page 2",
            )),
            "page 2" => Ok(Page::last(vec![named("user", "u3")])),
            other => {
                let text = format!("bad token {other}");
                Err(Error::stated(Code::Unknown, text))
            }
        }
    }
}

#[async_trait::async_trait]
impl ResourceGetter for Users {
    async fn get(
        &self,
        _call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        choose(&id.resource)?;
        Ok((id.resource != "none").then(|| v2::Resource {
            parent_resource_id: parent.cloned(),
            ..named("user", &id.resource)
        }))
    }
}

#[async_trait::async_trait]
impl ResourceDeleter for Users {
    async fn delete(&self, call: &Call, resource: &v2::Resource) -> Result<Change> {
        let id = id_of(resource).to_owned();
        choose(&id)?;
        let change = Change::delete(self.exists(call, resource).await?);
        Ok(change.write(Write::local("delete", |_| async { Ok(()) })))
    }

    async fn exists(&self, _call: &Call, resource: &v2::Resource) -> Result<bool> {
        Ok(id_of(resource) != "gone")
    }
}

#[async_trait::async_trait]
impl ResourceCreator for Users {
    async fn create(
        &self,
        _call: &Call,
        resource: &v2::Resource,
    ) -> Result<Creation<v2::Resource>> {
        choose(id_of(resource))?;
        let created = resource.clone();
        let change = Change::create().write(Write::local("create", |_| async { Ok(()) }));
        Ok(change.gives(|_, _| async { Ok(created) }))
    }
}

#[async_trait::async_trait]
impl AccountManager for Users {
    async fn create(&self, _call: &Call, wanted: &NewAccount) -> Result<Creation<Account>> {
        let login = wanted.login().to_owned();
        choose(&login)?;
        let secret = wanted.password()?;
        let user = v2::Resource {
            display_name: login.clone(),
            ..named("user", if login.is_empty() { "nobody" } else { &login })
        };
        let outcome = match login.as_str() {
            "action" => AccountOutcome::ActionRequired {
                resource: Some(user),
                message: "accept the invitation".to_owned(),
            },
            "exists" => AccountOutcome::AlreadyExists { resource: user },
            "progress" => AccountOutcome::InProgress {
                resource: Some(user),
            },
            _ => AccountOutcome::Created {
                resource: user,
                invitation_expires_at: None,
            },
        };
        let mut account = Account::new(outcome);
        if let Some(secret) = secret {
            account = account.secret(Plaintext::new("password", secret.expose().as_bytes()));
        }
        let change = Change::create().write(Write::local("create", |_| async { Ok(()) }));
        Ok(change.gives(|_, _| async { Ok(account) }))
    }
}

#[async_trait::async_trait]
impl CredentialManager for Users {
    async fn rotate(
        &self,
        _call: &Call,
        wanted: &NewCredential,
    ) -> Result<Creation<Vec<Plaintext>>> {
        choose(&wanted.resource_id().resource)?;
        let change = Change::create().write(Write::local("rotate", |_| async { Ok(()) }));
        Ok(change.gives(|_, _| async { Ok(Vec::new()) }))
    }
}

fn assigned(role: &v2::Resource) -> v2::Entitlement {
    resource::EntitlementBuilder::assignment(role, "assigned")
        .build()
        .unwrap()
}

fn held_by_u1(role: &v2::Resource) -> v2::Grant {
    resource::GrantBuilder::of(&assigned(role), named("user", "u1"))
        .build()
        .unwrap()
}

#[async_trait::async_trait]
impl ResourceSyncer for Roles {
    async fn list(
        &self,
        _call: &Call,
        _parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(Page::last(vec![named("role", "r1")]).upstream_count(UpstreamCount::Rows(1)))
    }

    async fn entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        choose(id_of(resource))?;
        if id_of(resource) == "same-token" {
            return Ok(Page::new(Vec::new(), call.token()));
        }
        Ok(Page::last(vec![assigned(resource)]))
    }

    async fn grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        choose(id_of(resource))?;
        if id_of(resource) == "same-token" {
            return Ok(Page::new(Vec::new(), call.token()));
        }
        let page = Page::last(vec![held_by_u1(resource)]);
        let added = |slug: String| Added {
            resource: named("role", "unlisted"),
            slug,
            listed_with_resource: true,
        };
        Ok(match id_of(resource) {
            "noted" => page
                .upstream_count(UpstreamCount::Failed("no count".to_owned()))
                .count_ends_here(true)
                .ends_full(true)
                .added(vec![added("owner".to_owned())]),
            "noted-too-much" => page.added(vec![added("x".repeat(MAX_MESSAGE_BYTES))]),
            _ => page,
        })
    }

    fn added_entitlement(
        &self,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        choose(slug)?;
        if slug == "none" {
            return Ok(None);
        }
        let name = format!("{slug} on {}", resource.display_name);
        let made = resource::EntitlementBuilder::permission(resource, slug).display_name(name);
        made.build().map(Some)
    }

    async fn static_entitlements(&self, call: &Call) -> Result<Page<v2::Entitlement>> {
        choose(call.token())?;
        let template = |slug: &str| v2::Entitlement {
            id: format!("role:static:{slug}"),
            display_name: slug.to_uppercase(),
            slug: slug.to_owned(),
            ..v2::Entitlement::default()
        };
        match call.token() {
            "" => Ok(Page::new(vec![template("a")], "2")),
            "same" => Ok(Page::new(Vec::new(), "same")),
            _ => Ok(Page::last(vec![template("b")])),
        }
    }
}

#[async_trait::async_trait]
impl TypeEntitlements for Roles {
    async fn type_entitlements(&self, _call: &Call) -> Result<Page<v2::Entitlement>> {
        Ok(Page::last(vec![assigned(&named("role", "r1"))]))
    }
}

#[async_trait::async_trait]
impl TypeGrants for Roles {
    async fn type_grants(&self, _call: &Call) -> Result<Page<v2::Grant>> {
        Ok(Page::last(vec![held_by_u1(&named("role", "r1"))]))
    }
}

#[async_trait::async_trait]
impl Provisioner for Roles {
    async fn grant(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Change> {
        choose(id_of(principal))?;
        let grant = resource::GrantBuilder::of(entitlement, principal).build()?;
        let held = self.holds(call, entitlement, principal).await?;
        let change = Change::grant(grant, held);
        let change = change.write(Write::local("assign", |_| async { Ok(()) }));
        Ok(match id_of(principal) {
            "replaced" => change.replaces("role:r1:old:user:replaced"),
            _ => change,
        })
    }

    async fn revoke(&self, call: &Call, grant: &v2::Grant) -> Result<Change> {
        let principal = grant.principal.clone().unwrap_or_default();
        choose(id_of(&principal))?;
        let entitlement = grant.entitlement.clone().unwrap_or_default();
        let held = match self.holds(call, &entitlement, &principal).await? {
            Held::No => Held::directly(),
            _ => Held::No,
        };
        let change = Change::revoke(grant.id.clone(), held);
        Ok(change.write(Write::local("take away", |_| async { Ok(()) })))
    }

    async fn holds(
        &self,
        _call: &Call,
        _entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Held> {
        Ok(match id_of(principal) {
            "already" => Held::directly(),
            _ => Held::No,
        })
    }
}

struct Feed;

#[async_trait::async_trait]
impl EventFeed for Feed {
    async fn events(&self, _call: &Call, request: &EventRequest<'_>) -> Result<EventPage> {
        choose(request.cursor.unwrap_or_default())?;
        Ok(EventPage {
            cursor: "c2".to_owned(),
            has_more: request.cursor.is_none(),
            ..EventPage::default()
        })
    }
}

struct Desk;

#[async_trait::async_trait]
impl TicketManager for Desk {
    async fn schemas(&self, call: &Call) -> Result<Page<v2::TicketSchema>> {
        choose(call.token())?;
        let schema = |id: &str| v2::TicketSchema {
            id: id.to_owned(),
            ..v2::TicketSchema::default()
        };
        match call.token() {
            "" => Ok(Page::new(vec![schema("a")], "2")),
            "same" => Ok(Page::new(Vec::new(), "same")),
            _ => Ok(Page::last(vec![schema("b")])),
        }
    }

    async fn schema(&self, _call: &Call, id: &str) -> Result<v2::TicketSchema> {
        choose(id)?;
        Ok(v2::TicketSchema {
            id: id.to_owned(),
            ..v2::TicketSchema::default()
        })
    }

    async fn create(
        &self,
        _call: &Call,
        draft: &v2::Ticket,
        schema: &v2::TicketSchema,
    ) -> Result<Creation<v2::Ticket>> {
        choose(&draft.display_name)?;
        let ticket = v2::Ticket {
            id: format!("new-{}", schema.id),
            ..draft.clone()
        };
        let change = Change::create().write(Write::local("open", |_| async { Ok(()) }));
        Ok(change.gives(|_, _| async { Ok(ticket) }))
    }

    async fn get(&self, _call: &Call, id: &str) -> Result<Option<v2::Ticket>> {
        choose(id)?;
        Ok((id != "none").then(|| v2::Ticket {
            id: id.to_owned(),
            ..v2::Ticket::default()
        }))
    }
}

struct Does(&'static str);

#[async_trait::async_trait]
impl Action for Does {
    async fn describe(&self, _call: &Call, _arguments: &Arguments) -> Result<Creation<Struct>> {
        match self.0 {
            "fail" | "fail-response" => {
                return Err(Error::stated(Code::Unknown, "action failed on purpose"));
            }
            "fail-status" => choose("status")?,
            "panic" => choose("panic")?,
            "slow" => tokio::time::sleep(Duration::from_secs(2)).await,
            _ => {}
        }
        let nothing = self.0 == "nil";
        let change = Change::create().write(Write::local("act", |_| async { Ok(()) }));
        Ok(change.gives(move |_, _| async move {
            let mut answer = Struct::default();
            if !nothing {
                let yes = prost_types::value::Kind::BoolValue(true);
                let yes = prost_types::Value { kind: Some(yes) };
                answer.fields.insert("success".to_owned(), yes);
            }
            Ok(answer)
        }))
    }
}

fn action(name: &'static str) -> ActionSchema {
    let arguments = ["a", "b", "c"].map(Argument::text);
    arguments
        .into_iter()
        .fold(ActionSchema::new(name), ActionSchema::argument)
}

/// The connector; `validate` names the error of its validation.
pub(crate) fn connector(validate: &'static str) -> Arc<dyn Connector> {
    let kinds = CredentialKinds::no_password()
        .or_random_password()
        .or(v2::CapabilityDetailCredentialOption::Sso)
        .or(v2::CapabilityDetailCredentialOption::EncryptedPassword);
    let schema = AccountSchema::new().field(AccountField::text("login", "Login"));
    let user = resource::ResourceTypeBuilder::new("user", "User")
        .build()
        .unwrap();
    let role = resource::ResourceTypeBuilder::new("role", "Role")
        .build()
        .unwrap();
    let feed = v2::EventFeedMetadata {
        id: "feed1".to_owned(),
        ..v2::EventFeedMetadata::default()
    };
    let mut types: Types<()> = Types::new()
        .with(
            TypeSpec::new(user, |(): &()| Ok(Users))
                .get()
                .creator()
                .account_manager(schema, kinds.clone())
                .credential_manager(kinds)
                .action(action("scoped"), |(): &()| Ok(Does("scoped"))),
        )
        .with(
            TypeSpec::new(role, |(): &()| Ok(Roles))
                .provisioner()
                .type_entitlements()
                .type_grants(),
        )
        .event_feed(feed, |(): &()| Ok(Feed))
        .tickets(|(): &()| Ok(Desk));
    let schemas = [
        action("together").required_together(["a", "b"]),
        action("exclusive").mutually_exclusive(["a", "b"]),
        action("one").at_least_one(["a", "b"]),
        action("dependent").dependent_on(["a"], ["b", "c"]),
    ];
    for schema in schemas {
        types = types.action(schema, |(): &()| Ok(Does("constraint")));
    }
    for name in [
        "ok",
        "fail",
        "fail-response",
        "fail-status",
        "panic",
        "nil",
        "slow",
    ] {
        types = types.action(action(name), move |(): &()| Ok(Does(name)));
    }
    let built = ConnectorBuilder::new()
        .random(Arc::new(SplitMix::seeded(7)))
        .validate(move |_| async move { choose(validate) })
        .types(&types, &())
        .unwrap()
        .build()
        .unwrap();
    Arc::new(built)
}
