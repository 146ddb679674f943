//! A connector behind a client and a server answers as it does in this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::session::{Found, SessionPage, SessionStore};
use baton_connector::{
    Call, ChangeSettings, Code, Connector, Error, Invoke, Page, PageNotes, Result, Run, Struct, v2,
};
use baton_grpc::{
    Channel, ClientSettings, ConnectorSettings, Limiter, RemoteConnector, RemoteSessions, Router,
    Server, SyncStores, channel, connector_services, session_service,
};

use baton_proto::any;

use crate::every_service;

const SYNC: &str = "3MpsKIvGkR9GxkQnnvbZmu2HS0I";

fn joined(router: Router) -> Channel {
    let server = Server::new(router);
    channel(move || {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = server.clone();
        tokio::spawn(async move { server.serve(theirs).await });
        std::future::ready(Ok(ours))
    })
}

/// A connector, and the same behind a client, a server and a session server.
fn both() -> (Arc<dyn Connector>, RemoteConnector) {
    let local = every_service::connector("");
    let stores = SyncStores::new();
    let sessions = RemoteSessions::new(joined(session_service(&stores)), 1 << 20, None);
    let settings = ConnectorSettings {
        provisioning: true,
        ticketing: true,
        limiter: Limiter::default(),
        sessions: Arc::new(sessions),
        client_secret: None,
    };
    let router = connector_services(Arc::clone(&local), settings);
    let mut settings = ClientSettings::new("the other side");
    settings.sessions = Some(stores);
    (local, RemoteConnector::new(joined(router), settings))
}

fn id(kind: &str, id: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: kind.to_owned(),
        resource: id.to_owned(),
        ..v2::ResourceId::default()
    }
}

fn named(kind: &str, name: &str) -> v2::Resource {
    v2::Resource {
        id: Some(id(kind, name)),
        ..v2::Resource::default()
    }
}

/// What can be compared of a page.
fn parts<T: Clone>(page: &Page<T>) -> (Vec<T>, String, usize, PageNotes) {
    let next = page.next.as_str().to_owned();
    let annotations = page.annotations.len();
    (page.items().to_vec(), next, annotations, page.notes.clone())
}

/// The same code; the text with the prefix that servers add.
fn alike(local: &Error, remote: &Error) {
    assert_eq!(local.code(), remote.code(), "{local} and {remote}");
    let (text, end) = (remote.to_string(), local.to_string());
    assert!(text.ends_with(&end), "{text} does not end with {end}");
}

fn same<T: PartialEq + std::fmt::Debug>(local: Result<T>, remote: Result<T>) {
    match (local, remote) {
        (Ok(local), Ok(remote)) => assert_eq!(local, remote),
        (Err(local), Err(remote)) => alike(&local, &remote),
        (local, remote) => panic!("{local:?} and {remote:?}"),
    }
}

macro_rules! same_page {
    ($both:ident, $call:expr, $method:ident($($argument:expr),*)) => {{
        let (local, remote) = &$both;
        let (local, remote) = (
            local.$method($call, $($argument),*).await,
            remote.$method($call, $($argument),*).await,
        );
        same(local.map(|page| parts(&page)), remote.map(|page| parts(&page)));
    }};
}

#[tokio::test(start_paused = true)]
async fn reads_are_the_same() {
    let both = both();
    let call = &Call::alone().with_page_size(7);
    same_page!(both, call, list_resource_types());
    same_page!(both, call, list_resources("user", None));
    same_page!(both, &call.at("page 2"), list_resources("user", None));
    same_page!(both, &call.at("nonsense"), list_resources("user", None));
    same_page!(
        both,
        call,
        list_resources("user", Some(&id("user", "echo")))
    );
    same_page!(both, call, list_static_entitlements("role"));
    same_page!(both, call, list_entitlements(&named("role", "r1")));
    same_page!(both, call, list_grants(&named("role", "r1")));
    same_page!(both, call, list_resources("role", None));
    same_page!(both, call, list_grants(&named("role", "noted")));
    same_page!(both, call, list_entitlements_of_type("role"));
    same_page!(both, call, list_grants_of_type("role"));
    let (local, remote) = &both;
    same(local.metadata(call).await, remote.metadata(call).await);
    same(local.validate(call).await, remote.validate(call).await);
    let listed = v2::Resource {
        display_name: "the listed one".to_owned(),
        ..named("role", "unlisted")
    };
    for resource in [&listed, &named("role", "other"), &named("nope", "1")] {
        for slug in ["owner", "none", "plain"] {
            let there = remote.added_entitlement(call, resource, slug).await;
            same(local.added_entitlement(call, resource, slug).await, there);
        }
    }
    for name in ["u1", "none"] {
        let (id, parent) = (id("user", name), id("group", "g1"));
        let (here, there) = (
            local.get_resource(call, &id, Some(&parent)).await.unwrap(),
            remote.get_resource(call, &id, Some(&parent)).await.unwrap(),
        );
        let messages = [here, there].map(|row| row.map(|row| row.message().clone()));
        assert_eq!(messages[0], messages[1], "{name}");
    }
    remote.cleanup(call).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_page_that_go_would_not_accept_is_an_error_that_names_the_list() {
    let (_, remote) = both();
    let large = id("org", "large");
    let call = Call::alone();
    let error = remote.list_resources(&call, "user", Some(&large)).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
    let noted = named("role", "noted-too-much");
    let error = remote.list_grants(&call, &noted).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    let text = error.to_string();
    assert!(
        text.contains("listing grants for resource role/noted-too-much failed"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn changes_have_the_same_answers() {
    let (local, remote) = both();
    let call = &Call::alone();
    let role = named("role", "r1");
    let entitlements = local.list_entitlements(call, &role).await.unwrap();
    let entitlement = &entitlements.items()[0];
    let (here, there) = (
        local.provisioning().unwrap(),
        remote.provisioning().unwrap(),
    );
    for principal in ["u1", "already", "replaced"] {
        let principal = named("user", principal);
        let granted = there.grant(call, entitlement, &principal).await;
        same(here.grant(call, entitlement, &principal).await, granted);
    }
    let grants = local.list_grants(call, &role).await.unwrap();
    let revoked = there.revoke(call, &grants.items()[0]).await;
    same(here.revoke(call, &grants.items()[0]).await, revoked);
    let user = named("user", "u9");
    same(
        local.deleting().unwrap().delete(call, &user).await,
        remote.deleting().unwrap().delete(call, &user).await,
    );
    same(
        local.creating().unwrap().create(call, &user).await,
        remote.creating().unwrap().create(call, &user).await,
    );
    let request = v2::CreateAccountRequest::default();
    let (here, there) = (
        local.accounts().unwrap().create_account(call, &request),
        remote.accounts().unwrap().create_account(call, &request),
    );
    same(here.await, there.await);
    let request = v2::RotateCredentialRequest {
        resource_id: Some(id("user", "u1")),
        ..v2::RotateCredentialRequest::default()
    };
    let (here, there) = (
        local.credentials().unwrap().rotate(call, &request),
        remote.credentials().unwrap().rotate(call, &request),
    );
    same(here.await, there.await);
    let settings = ChangeSettings {
        dry_run: true,
        ..ChangeSettings::default()
    };
    let dry = call.clone().with_changes(settings);
    let created = remote.creating().unwrap().create(&dry, &user).await;
    assert_eq!(created.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn feeds_tickets_and_actions_have_the_same_answers() {
    let (local, remote) = both();
    let call = &Call::alone();
    let (here, there) = (local.event_feeds().unwrap(), remote.event_feeds().unwrap());
    same(here.list_feeds(call).await, there.list_feeds(call).await);
    for feed in ["feed1", "nosuch"] {
        let request = v2::ListEventsRequest {
            event_feed_id: feed.to_owned(),
            ..v2::ListEventsRequest::default()
        };
        let events = there.list_events(call, &request).await;
        same(here.list_events(call, &request).await, events);
    }
    let (here, there) = (local.tickets().unwrap(), remote.tickets().unwrap());
    for token in ["", "2", "same"] {
        let call = &call.at(token);
        let (here, there) = (
            here.list_schemas(call).await,
            there.list_schemas(call).await,
        );
        let (here, there) = (
            here.map(|page| parts(&page)),
            there.map(|page| parts(&page)),
        );
        match (here, there) {
            // The server has the text of Go for it.
            (Err(here), Err(there)) => assert_eq!(here.code(), there.code()),
            (here, there) => same(here, there),
        }
    }
    same(
        here.get_schema(call, "a").await,
        there.get_schema(call, "a").await,
    );
    let request = v2::TicketsServiceCreateTicketRequest {
        request: Some(v2::TicketRequest::default()),
        ..v2::TicketsServiceCreateTicketRequest::default()
    };
    same(
        here.create_ticket(call, &request).await,
        there.create_ticket(call, &request).await,
    );
    let request = v2::TicketsServiceGetTicketRequest {
        id: "none".to_owned(),
        ..v2::TicketsServiceGetTicketRequest::default()
    };
    same(
        here.get_ticket(call, &request).await,
        there.get_ticket(call, &request).await,
    );
    let (here, there) = (local.actions().unwrap(), remote.actions().unwrap());
    same(
        here.schemas(call, None).await,
        there.schemas(call, None).await,
    );
    same(
        here.schema(call, "nosuch").await,
        there.schema(call, "nosuch").await,
    );
    for schema in here.schemas(call, None).await.unwrap() {
        let arguments = Struct::default();
        let wanted = Invoke {
            name: &schema.name,
            type_id: Some(&schema.resource_type_id),
            arguments: &arguments,
            inline_wait: Duration::from_mins(1),
        };
        let (here, there) = (
            here.invoke(call, wanted).await,
            there.invoke(call, wanted).await,
        );
        let known = |state: Result<baton_connector::ActionState>| {
            state.map(|state| (state.name, state.status, state.response))
        };
        same(known(here), known(there));
    }
}

/// Values in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl SessionStore for Memory {
    async fn get_many(&self, keys: &[String]) -> Result<Found> {
        let values = self.0.lock().unwrap();
        let found = keys.iter().filter_map(|key| values.get_key_value(key));
        Ok(Found {
            items: found
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            unprocessed: Vec::new(),
        })
    }

    async fn set_many(&self, items: Vec<(String, Vec<u8>)>) -> Result<()> {
        self.0.lock().unwrap().extend(items);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.0.lock().unwrap().remove(key);
        Ok(())
    }

    async fn clear(&self, prefix: &str) -> Result<()> {
        let mut values = self.0.lock().unwrap();
        values.retain(|key, _| !key.starts_with(prefix));
        Ok(())
    }

    async fn page(&self, _prefix: &str, _from: &str) -> Result<SessionPage> {
        Ok(SessionPage::default())
    }
}

#[tokio::test(start_paused = true)]
async fn values_of_a_connector_reach_the_store_of_its_sync_while_the_run_lasts() {
    let (_, remote) = both();
    let store = Arc::new(Memory::default());
    let parent = id("org", "session");
    let run = Run::begin(None);
    let call = run.call().in_sync(SYNC, Arc::clone(&store) as _);
    let listed = remote.list_resources(&call, "user", Some(&parent)).await;
    let usage: v2::SessionStoreUsage = any::find(&listed.unwrap().annotations).unwrap().unwrap();
    assert_eq!(usage.kind, "connector_backend");
    let counts: Vec<_> = usage
        .ops
        .iter()
        .map(|op| (op.op.as_str(), op.count))
        .collect();
    assert_eq!(counts, [("set", 1)]);
    assert_eq!(store.0.lock().unwrap()["key"], b"value");
    drop(run);
    // The run is over, so its store is not served any longer.
    let late = remote.list_resources(&call, "user", Some(&parent)).await;
    let error = late.unwrap_err().to_string();
    assert!(error.ends_with("session store is not set"), "{error}");
    let call = Call::alone();
    let outside = remote.list_resources(&call, "user", Some(&parent));
    let error = outside.await.unwrap_err().to_string();
    assert!(error.ends_with("used outside a sync"), "{error}");
}
