//! The program as the child of an engine of the Go SDK: events, session values in the
//! parent's store, and writes that are on the wire when the parent ends it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atlassian_sim::{Action, Calls as Which, Fault, ServerHandle, Simulator};
use baton_connector::session::Session;
use baton_grpc::methods::connector_v2::{
    action_service, connector_service, event_service, grant_manager_service, resources_service,
};
use baton_grpc::{MemorySessions, Registration, Sessions as _, SyncStores};
use baton_proto::c1::connector::v2;
use baton_testkit::go_parent::{Parent, Start};
use baton_testkit::{Calls, Failed};
use prost_types::Struct;
use tokio::net::TcpListener;

use crate::bench::{Bench, config, text, user};

const SYNC: &str = "2ZBGVGX3KOrpvGXZXbmPF7hpTTA";
const USERS_SEARCH: &str = "POST v2/users/search";
/// Where the child keeps that the search is gone.
const KEY: &str = "api//v2/orgs/{org}/directories/-/users/search";
const ADD: &str = "POST v2/groups/{id}/memberships";
const SUSPEND: &str = "POST v2/users/{id}/suspend";
/// A busy machine answers slowly.
const PATIENCE: Duration = Duration::from_mins(1);

/// A simulator at a port, and how a child that reads it is started.
struct Stage {
    bench: Bench,
    base: String,
    _server: ServerHandle,
}

impl Stage {
    async fn new() -> Self {
        Self::of(Bench::of(config())).await
    }

    async fn of(bench: Bench) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = bench.sim.serve(listener).unwrap();
        let base = Simulator::base_url(server.address());
        Self {
            bench,
            base,
            _server: server,
        }
    }

    fn start(&self, args: &[&str]) -> Start {
        let own = [
            "--access-token",
            self.bench.sim.access_token(),
            "--organization-id",
            self.bench.sim.organization_id(),
            "--base-url",
            &self.base,
        ];
        let program = env!("CARGO_BIN_EXE_baton-atlassian");
        Start::new(program, &[&own, args].concat())
    }

    async fn child(&self, args: &[&str]) -> Parent {
        spawn(self.start(args)).await
    }

    /// Delays the answers of an endpoint: its requests are carried out at once.
    fn delay(&self, endpoint: &str, by: Duration) {
        let fault = Fault::new(endpoint, Which::All, Action::Delay(by));
        self.bench.sim.set_faults(vec![fault]);
    }

    /// Waits until the simulator has got a request.
    async fn asked(&self, endpoint: &str) {
        let asked = async {
            while self.bench.sim.count(endpoint) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect(endpoint);
    }

    fn membership(&self) -> v2::GrantManagerServiceGrantRequest {
        v2::GrantManagerServiceGrantRequest {
            entitlement: Some(self.bench.member(&self.bench.group)),
            principal: Some(user(&self.bench.user)),
            ..Default::default()
        }
    }
}

async fn spawn(start: Start) -> Parent {
    start.spawn(env!("CARGO_MANIFEST_DIR").as_ref()).await
}

#[tokio::test]
async fn a_go_parent_reads_events_to_the_end_and_later_ones_from_the_cursor() {
    let stage = Stage::new().await;
    let parent = stage.child(&[]).await;
    let mut calls = parent.calls().await;
    let feeds = calls.ask(event_service::LIST_EVENT_FEEDS).await.unwrap();
    let [feed] = &feeds.list[..] else {
        panic!("{feeds:?}")
    };
    let mut request = v2::ListEventsRequest {
        event_feed_id: feed.id.clone(),
        page_size: 7,
        ..Default::default()
    };
    let (mut ids, mut pages) = (Vec::new(), 0);
    loop {
        let page = calls.call(event_service::LIST_EVENTS, &request).await;
        let page = page.unwrap();
        ids.extend(page.events.into_iter().map(|event| event.id));
        request.cursor = page.cursor;
        pages += 1;
        if !page.has_more {
            break;
        }
    }
    assert!(pages > 2, "{pages} pages");
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "no event comes twice");
    let log = stage.bench.sim.audit_log();
    let known = |id: &&String| log.iter().any(|event| id.starts_with(&event.id));
    assert_eq!(ids.iter().filter(known).count(), ids.len());
    assert!(ids.len() > 14, "{ids:?}");

    let added = stage.bench.sim.invent_events(3);
    let mut later = Vec::new();
    loop {
        let page = calls.call(event_service::LIST_EVENTS, &request).await;
        let page = page.unwrap();
        later.extend(page.events.into_iter().map(|event| event.id));
        request.cursor = page.cursor;
        if !page.has_more {
            break;
        }
    }
    assert!(!later.is_empty());
    let is_new = |id: &String| added.iter().any(|new| id.starts_with(new.as_str()));
    assert!(later.iter().all(is_new), "{later:?}: {added:?}");
    let output = parent.end().await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"");
}

/// A parent with a session store.
struct WithSessions {
    stores: SyncStores,
    store: Session,
    _registered: Registration,
}

impl WithSessions {
    fn new() -> Self {
        let stores = SyncStores::new();
        let store = MemorySessions::new().of_sync(SYNC);
        Self {
            _registered: stores.register(SYNC, Arc::clone(&store)),
            store: Session::of(Some(store)),
            stores,
        }
    }

    async fn child(&self, stage: &Stage, args: &[&str]) -> Parent {
        let mut start = stage.start(args);
        start.sessions = Some(self.stores.clone());
        spawn(start).await
    }
}

/// How often the search is asked while the users are listed.
async fn searches(stage: &Stage, calls: &mut Calls) -> u64 {
    stage.bench.sim.reset_log();
    let request = v2::ResourcesServiceListResourcesRequest {
        resource_type_id: "user".to_owned(),
        active_sync_id: SYNC.to_owned(),
        ..Default::default()
    };
    let listed = calls
        .call(resources_service::LIST_RESOURCES, &request)
        .await;
    assert!(!listed.unwrap().list.is_empty());
    stage.bench.sim.count(USERS_SEARCH)
}

/// The child stores that the search is gone, so that it asks for the older list alone.
#[tokio::test]
async fn values_of_a_list_call_are_in_the_parents_store_and_read_from_it() {
    let stage = Stage::new().await;
    let gone = Fault::new(USERS_SEARCH, Which::All, Action::Status(404));
    stage.bench.sim.set_faults(vec![gone]);
    let sessions = WithSessions::new();
    let first = sessions.child(&stage, &[]).await;
    let mut calls = first.calls().await;
    assert_eq!(searches(&stage, &mut calls).await, 1);
    assert_eq!(searches(&stage, &mut calls).await, 0);
    let stored = sessions.store.get(KEY).await.unwrap();
    assert_eq!(stored.as_deref(), Some(&b"gone"[..]));
    assert_eq!(first.end().await.status.code(), Some(0));

    // Another process has the value from the parent, and keeps no copy.
    let args = ["--session-store-maximum-size", "0"];
    let second = sessions.child(&stage, &args).await;
    let mut calls = second.calls().await;
    assert_eq!(searches(&stage, &mut calls).await, 0);
    sessions.store.delete(KEY).await.unwrap();
    assert_eq!(searches(&stage, &mut calls).await, 1);
    assert_eq!(searches(&stage, &mut calls).await, 0);

    let cleanup = v2::ConnectorServiceCleanupRequest {
        active_sync_id: SYNC.to_owned(),
        ..Default::default()
    };
    let cleaned = calls.call(connector_service::CLEANUP, &cleanup).await;
    cleaned.unwrap();
    assert_eq!(sessions.store.get(KEY).await.unwrap(), None);
    assert_eq!(second.end().await.status.code(), Some(0));
}

/// The child ends, with exit code 0, in less than its limit of 25 s.
async fn ends(parent: Parent) -> Duration {
    let closed = Instant::now();
    let output = parent.end().await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    closed.elapsed()
}

#[tokio::test]
async fn a_write_on_the_wire_is_answered_after_the_end_of_input_and_no_call_is_accepted() {
    let stage = Stage::new().await;
    let parent = stage.child(&["--provisioning"]).await;
    let (mut calls, mut others) = (parent.calls().await, parent.calls().await);
    let delay = Duration::from_secs(3);
    stage.delay(ADD, delay);
    let request = stage.membership();
    let call =
        tokio::spawn(async move { calls.call(grant_manager_service::GRANT, &request).await });
    stage.asked(ADD).await;
    let address = parent.address;
    let ending = tokio::spawn(ends(parent));
    tokio::time::sleep(delay / 3).await;
    // Neither on a connection that is there nor on a new one.
    let path = resources_service::LIST_RESOURCES.path();
    let refused = others.try_call(path, &[]).await;
    let is_refused = match &refused {
        Err(_) => true,
        Ok(Err(Failed { code, .. })) => *code == 14,
        Ok(Ok(_)) => false,
    };
    assert!(is_refused, "{refused:?}");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert!(!call.is_finished() && !ending.is_finished());
    let granted = call.await.unwrap().unwrap();
    assert_eq!(granted.grants.len(), 1);
    let took = ending.await.unwrap();
    assert!(took < Duration::from_secs(12), "{took:?}");
    assert!(stage.bench.member_of(&stage.bench.group, &stage.bench.user));
}

#[tokio::test]
async fn an_action_on_the_wire_is_brought_to_its_end_after_the_end_of_input() {
    let stage = Stage::new().await;
    let parent = stage.child(&["--provisioning"]).await;
    let mut calls = parent.calls().await;
    stage.delay(SUSPEND, Duration::from_secs(3));
    let arguments = Struct {
        fields: [("user_id".to_owned(), text(&stage.bench.user))].into(),
    };
    let request = v2::InvokeActionRequest {
        name: "disable_user".to_owned(),
        args: Some(arguments),
        inline_wait: Some(Duration::from_secs(1).try_into().unwrap()),
        ..Default::default()
    };
    let invoked = calls.call(action_service::INVOKE_ACTION, &request).await;
    assert_eq!(invoked.unwrap().status(), v2::BatonActionStatus::Running);
    stage.asked(SUSPEND).await;
    let took = ends(parent).await;
    assert!(took > Duration::from_secs(1), "{took:?}");
    assert!(took < Duration::from_secs(12), "{took:?}");
}

/// Takes 25 s.
#[tokio::test]
async fn a_write_that_does_not_end_is_dropped_at_the_limit() {
    let stage = Stage::new().await;
    let parent = stage.child(&["--provisioning"]).await;
    let mut calls = parent.calls().await;
    let fault = Fault::new(ADD, Which::All, Action::Hang);
    stage.bench.sim.set_faults(vec![fault]);
    let request = stage.membership();
    let call = tokio::spawn(async move {
        let message = prost::Message::encode_to_vec(&request);
        let path = grant_manager_service::GRANT.path();
        calls.try_call(path, &message).await
    });
    stage.asked(ADD).await;
    let took = ends(parent).await;
    assert!(took > Duration::from_secs(24), "{took:?}");
    assert!(took < Duration::from_secs(40), "{took:?}");
    let answered = call.await.unwrap();
    assert!(!matches!(answered, Ok(Ok(_))), "{answered:?}");
}

#[tokio::test]
async fn a_read_on_the_wire_is_cancelled_at_the_end_of_input() {
    let stage = Stage::new().await;
    let parent = stage.child(&[]).await;
    let mut calls = parent.calls().await;
    let fault = Fault::new(USERS_SEARCH, Which::All, Action::Hang);
    stage.bench.sim.set_faults(vec![fault]);
    let call = tokio::spawn(async move {
        let request = v2::ResourcesServiceListResourcesRequest {
            resource_type_id: "user".to_owned(),
            ..Default::default()
        };
        let message = prost::Message::encode_to_vec(&request);
        let path = resources_service::LIST_RESOURCES.path();
        calls.try_call(path, &message).await
    });
    stage.asked(USERS_SEARCH).await;
    let took = ends(parent).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let answered = call.await.unwrap();
    assert!(!matches!(answered, Ok(Ok(_))), "{answered:?}");
}
