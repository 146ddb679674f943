//! Both sides of the session service, joined without a network, and the recorded
//! calls to a Go parent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::session::{Found, MAX_BYTES, Session, SessionPage, SessionStore, item_bytes};
use baton_connector::{Code, Error, Result};
use baton_proto::c1::connectorapi::baton::v1::{
    GetAllRequest, GetAllResponse, GetManyItem, GetManyRequest, GetManyResponse,
};
use bytes::Bytes;
use prost::Message;

use super::counted::SessionUsage;
use super::remote::RemoteSessions;
use super::served::session_service;
use super::stores::SyncStores;
use crate::methods::connectorapi_v1::baton_session_service as service;
use crate::recordings::{Recorded, file, of};
use crate::server::Server;
use crate::services::Sessions as _;
use crate::transport::{Failure, Unary, Wire, channel};

/// Sync ids have 27 letters and digits.
const S1: &str = "3MpsKIvGkR9GxkQnnvbZmu2HS0I";
const S2: &str = "2MppcMwgwvm3z6lMAD9wgc14psG";

/// Values in memory. Answers are as full as they may be.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl SessionStore for Memory {
    async fn get_many(&self, keys: &[String]) -> Result<Found> {
        let values = self.0.lock().unwrap();
        let mut found = Found::default();
        let mut bytes = 0;
        for key in keys {
            let Some(value) = values.get(key) else {
                continue;
            };
            bytes += item_bytes(key, value);
            if bytes > MAX_BYTES {
                found.unprocessed.push(key.clone());
            } else {
                found.items.insert(key.clone(), value.clone());
            }
        }
        Ok(found)
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

    async fn page(&self, prefix: &str, from: &str) -> Result<SessionPage> {
        let values = self.0.lock().unwrap();
        let mut page = SessionPage::default();
        let mut bytes = 0;
        for (key, value) in values.range(from.to_owned()..) {
            if !key.starts_with(prefix) {
                continue;
            }
            bytes += item_bytes(key, value);
            if bytes > MAX_BYTES || page.items.len() == 100 {
                page.next.clone_from(key);
                break;
            }
            page.items.push((key.clone(), value.clone()));
        }
        Ok(page)
    }
}

/// A store that fails.
struct Broken;

#[async_trait]
impl SessionStore for Broken {
    async fn get_many(&self, _keys: &[String]) -> Result<Found> {
        Err(Error::stated(Code::Internal, "no disk"))
    }

    async fn set_many(&self, _items: Vec<(String, Vec<u8>)>) -> Result<()> {
        Err(Error::stated(Code::Internal, "no disk"))
    }

    async fn delete(&self, _key: &str) -> Result<()> {
        Err(Error::stated(Code::Internal, "no disk"))
    }

    async fn clear(&self, _prefix: &str) -> Result<()> {
        Err(Error::stated(Code::Internal, "no disk"))
    }

    async fn page(&self, _prefix: &str, _from: &str) -> Result<SessionPage> {
        Err(Error::stated(Code::Internal, "no disk"))
    }
}

/// A server of sessions in this process, and the names of the methods that were
/// called.
#[derive(Clone)]
struct Joined {
    stores: SyncStores,
    wire: Arc<Wire>,
    log: Arc<Mutex<Vec<&'static str>>>,
}

#[async_trait]
impl Unary for Joined {
    async fn call(
        &self,
        path: &'static str,
        message: Bytes,
        limit: Duration,
    ) -> std::result::Result<Bytes, Failure> {
        let name = path.rsplit('/').next().unwrap();
        self.log.lock().unwrap().push(name);
        self.wire.call(path, message, limit).await
    }
}

fn joined() -> Joined {
    let stores = SyncStores::new();
    let server = Server::new(session_service(&stores));
    let channel = channel(move || {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = server.clone();
        tokio::spawn(async move { server.serve(theirs).await });
        std::future::ready(Ok(ours))
    });
    Joined {
        stores,
        wire: Arc::new(Wire::new(channel, crate::MAX_MESSAGE_BYTES, None)),
        log: Arc::default(),
    }
}

/// The answer to a recorded request.
async fn answer(
    joined: &Joined,
    call: &Recorded,
    request: &[u8],
) -> std::result::Result<Bytes, Failure> {
    let path: &'static str = call.path().leak();
    let message = Bytes::copy_from_slice(request);
    joined.call(path, message, Duration::from_mins(1)).await
}

fn session(joined: &Joined, cache: usize, sync_id: &str) -> Session {
    Session::of(Some(
        RemoteSessions::over(joined.clone(), cache).of_sync(sync_id),
    ))
}

#[tokio::test(start_paused = true)]
async fn values_come_back_through_both_sides() {
    for cache in [0, 1 << 20] {
        let joined = joined();
        let store = Arc::new(Memory::default());
        let _registration = joined.stores.register(S1, Arc::clone(&store) as _);
        let session = session(&joined, cache, S1);
        let roles = session.prefixed("roles/");
        roles.set("admin", "1").await.unwrap();
        roles.set("empty", "").await.unwrap();
        let many: Vec<_> = (0..250).map(|n| (format!("k{n:03}"), vec![1])).collect();
        let items = many
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()));
        session.set_many(items).await.unwrap();
        assert_eq!(roles.get("admin").await.unwrap(), Some(b"1".to_vec()));
        assert_eq!(roles.get("empty").await.unwrap(), Some(Vec::new()));
        assert_eq!(roles.get("none").await.unwrap(), None);
        assert_eq!(roles.get_all().await.unwrap().len(), 2);
        assert_eq!(session.get_all().await.unwrap().len(), 252);
        let keys = many.iter().map(|(key, _)| key.as_str());
        assert_eq!(session.get_many(keys).await.unwrap().len(), 250);
        roles.delete("admin").await.unwrap();
        assert_eq!(roles.get("admin").await.unwrap(), None);
        roles.clear().await.unwrap();
        assert_eq!(roles.get("empty").await.unwrap(), None);
        assert_eq!(store.0.lock().unwrap().len(), 250);
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_is_requested_once_in_ten_minutes() {
    let joined = joined();
    let store = Arc::new(Memory::default());
    let _registration = joined.stores.register(S1, Arc::clone(&store) as _);
    let session = session(&joined, 1 << 20, S1);
    session.set("k", "1").await.unwrap();
    session.set("k", "1").await.unwrap();
    for _ in 0..3 {
        assert_eq!(session.get("k").await.unwrap(), Some(b"1".to_vec()));
    }
    assert_eq!(*joined.log.lock().unwrap(), ["SetMany", "SetMany"]);
    tokio::time::advance(Duration::from_mins(10)).await;
    store.0.lock().unwrap().insert("k".to_owned(), vec![2]);
    assert_eq!(session.get("k").await.unwrap(), Some(vec![2]));
    assert_eq!(session.get("k").await.unwrap(), Some(vec![2]));
    assert_eq!(joined.log.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn large_values_come_in_several_answers() {
    let joined = joined();
    let store = Arc::new(Memory::default());
    let _registration = joined.stores.register(S1, store);
    let session = session(&joined, 0, S1);
    let big = vec![7; 1_500_000];
    let names: Vec<_> = (0..4).map(|n| format!("big{n}")).collect();
    for name in &names {
        session.set(name, big.clone()).await.unwrap();
    }
    let keys = names.iter().map(String::as_str);
    assert_eq!(session.get_many(keys).await.unwrap().len(), 4);
    assert_eq!(session.get_all().await.unwrap().len(), 4);
    let log = joined.log.lock().unwrap();
    let count = |name| log.iter().filter(|method| **method == name).count();
    assert_eq!((count("GetMany"), count("GetAll")), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn answers_stay_under_the_limit_of_a_message() {
    // Long keys do not count against the bytes of values.
    let joined = joined();
    let store = Arc::new(Memory::default());
    let _registration = joined.stores.register(S1, Arc::clone(&store) as _);
    let key = |n: usize| format!("{n:02}{}", "ü".repeat(510));
    {
        let mut values = store.0.lock().unwrap();
        values.insert(key(0), vec![0; MAX_BYTES - 1_100]);
        (1..100).for_each(|n| drop(values.insert(key(n), vec![0; 50])));
    }
    let request = GetManyRequest {
        sync_id: S1.to_owned(),
        keys: (0..100).map(key).collect(),
        prefix: String::new(),
    };
    let path = service::GET_MANY.path();
    let message = request.encode_to_vec().into();
    let answer = joined
        .call(path, message, Duration::from_mins(1))
        .await
        .unwrap();
    assert!(answer.len() <= crate::MAX_MESSAGE_BYTES);
    let answer = GetManyResponse::decode(answer).unwrap();
    assert_eq!(answer.items.len() + answer.unprocessed_keys.len(), 100);
    assert!(!answer.items.is_empty(), "there is progress");
}

#[tokio::test(start_paused = true)]
async fn syncs_do_not_mix_and_end_with_their_registration() {
    let joined = joined();
    let (one, two) = (Arc::new(Memory::default()), Arc::new(Memory::default()));
    let first = joined.stores.register(S1, one);
    let _second = joined.stores.register(S2, two);
    let sessions = RemoteSessions::over(joined.clone(), 0);
    let of = |id: &str| Session::of(Some(sessions.of_sync(id)));
    of(S1).set("k", "1").await.unwrap();
    assert_eq!(of(S2).get("k").await.unwrap(), None);
    let replaced = joined.stores.register(S1, Arc::new(Memory::default()));
    drop(first);
    assert_eq!(of(S1).get("k").await.unwrap(), None, "the newer one stays");
    drop(replaced);
    let error = of(S1).get("k").await.unwrap_err();
    assert_eq!(error.code(), Code::Unknown);
    assert_eq!(
        error.to_string(),
        "failed to get many values from cache: session store is not set"
    );
    of(S1).clear().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn failures_of_a_store_have_the_texts_of_the_go_server() {
    let joined = joined();
    let _registration = joined.stores.register(S1, Arc::new(Broken));
    let session = session(&joined, 0, S1);
    let texts = [
        (
            session.get("k").await.map(drop),
            "get many values from cache",
        ),
        (session.set("k", "v").await, "set many values in cache"),
        (session.delete("k").await, "delete value from cache"),
        (session.clear().await, "clear cache"),
        (
            session.get_all().await.map(drop),
            "get all values from cache",
        ),
    ];
    for (result, doing) in texts {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), format!("failed to {doing}: no disk"));
        assert_eq!(error.code(), Code::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_not_offered_refuses_by_name() {
    let session = Session::of(Some(RemoteSessions::disabled().of_sync(S1)));
    let begin = "session store is disabled by connector author. It must be explicitly enabled \
                 via RunConnector WithSessionStoreEnabled(): operation";
    for (result, operation) in [
        (session.set("k", "v").await, "Set"),
        (session.get("k").await.map(drop), "Get"),
        (session.get_all().await.map(drop), "GetAll"),
        (session.delete("k").await, "Delete"),
    ] {
        let error = result.unwrap_err();
        let text = format!("{begin} {operation} is not supported");
        assert_eq!(error.to_string(), text);
        assert_eq!(error.code(), Code::Unknown);
    }
    session.clear().await.unwrap();
    let joined = joined();
    let outside = session_without_sync(&joined).get("k").await.unwrap_err();
    assert_eq!(outside.to_string(), "no syncID set in options");
    assert!(joined.log.lock().unwrap().is_empty());
}

fn session_without_sync(joined: &Joined) -> Session {
    session(joined, 0, "")
}

/// A parent that never processes a key, and one that answers with another.
struct Stubborn(GetManyResponse);

#[async_trait]
impl Unary for Stubborn {
    async fn call(
        &self,
        _path: &'static str,
        _message: Bytes,
        _limit: Duration,
    ) -> std::result::Result<Bytes, Failure> {
        Ok(self.0.encode_to_vec().into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_parent_without_progress_is_an_error() {
    let mut answer = GetManyResponse {
        unprocessed_keys: vec!["k".to_owned()],
        ..GetManyResponse::default()
    };
    let of = |answer: &GetManyResponse| {
        let sessions = RemoteSessions::over(Stubborn(answer.clone()), 0);
        Session::of(Some(sessions.of_sync(S1)))
    };
    let error = of(&answer).get("k").await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    answer.unprocessed_keys.clear();
    answer.items.push(GetManyItem::default());
    let error = of(&answer).get("k").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the session server answered with a key that was not requested"
    );
}

#[tokio::test(start_paused = true)]
async fn uses_of_a_store_are_counted() {
    let usage = SessionUsage::new();
    assert_eq!(usage.annotation(), None);
    let session = Session::of(Some(usage.counting(Arc::new(Memory::default()))));
    session.set("k", "v").await.unwrap();
    session.get("k").await.unwrap();
    session.get("none").await.unwrap();
    let broken = Session::of(Some(usage.counting(Arc::new(Broken))));
    assert!(broken.get("k").await.is_err());
    let counted = usage.annotation().unwrap();
    assert_eq!(counted.kind, "connector_backend");
    let ops = counted.ops.iter();
    let ops: Vec<_> = ops
        .map(|op| (op.op.as_str(), op.count, op.errors))
        .collect();
    assert_eq!(ops, [("get", 3, 1), ("set", 1, 0)]);
}

/// The recorded answer without the order of its items, which is random in Go.
fn canonical(method: &str, bytes: &[u8]) -> (BTreeSet<(String, Vec<u8>)>, Vec<u8>) {
    match method {
        "GetAll" => {
            let answer = GetAllResponse::decode(bytes).unwrap();
            let items = answer.items.into_iter().map(|item| (item.key, item.value));
            (items.collect(), answer.page_token.into_bytes())
        }
        "GetMany" => {
            let answer = GetManyResponse::decode(bytes).unwrap();
            let items = answer.items.into_iter().map(|item| (item.key, item.value));
            let rest = answer.unprocessed_keys.join(" ");
            (items.collect(), rest.into_bytes())
        }
        _ => (BTreeSet::new(), bytes.to_vec()),
    }
}

#[tokio::test(start_paused = true)]
async fn recorded_calls_to_a_go_parent_are_answered_alike() {
    let joined = joined();
    let mut registrations = Vec::new();
    let mut answered = 0;
    for call in of("session-server") {
        let method = call.get("method").to_owned();
        // Broken rules are answered before the functions are called; large values are
        // not stored in the recordings.
        let (Some(request), Some(0)) = (call.request(), call.code()) else {
            continue;
        };
        // Field 1 of every request is the sync id. Go's store has every sync.
        let id = GetAllRequest::decode(request);
        let id = id.map_or_else(|_| first_text(request), |request| request.sync_id);
        if joined.stores.of(&id).is_none() {
            registrations.push(joined.stores.register(&id, Arc::new(Memory::default())));
        }
        let answer = answer(&joined, &call, request).await.unwrap();
        let expected = file(&format!("session-server/{}", call.get("response_files")));
        if call.get("case") == "after-clear" || !call.get("notes").contains("big") {
            let name = call.name();
            assert_eq!(
                canonical(&method, &answer),
                canonical(&method, expected),
                "{name}"
            );
        }
        answered += 1;
    }
    assert!(answered > 20, "{answered} calls");
}

#[tokio::test(start_paused = true)]
async fn recorded_refusals_of_a_go_parent_have_the_same_texts() {
    let joined = joined();
    let mut refused = 0;
    for call in of("session-server") {
        let (Some(request), Some(3)) = (call.request(), call.code()) else {
            continue;
        };
        let Err(Failure::Answered(status)) = answer(&joined, &call, request).await else {
            panic!("{}", call.name());
        };
        assert_eq!(status.code, Code::InvalidArgument, "{}", call.name());
        assert_eq!(status.message, call.message(), "{}", call.name());
        refused += 1;
    }
    assert!(refused >= 34, "{refused} calls");
}

fn first_text(message: &[u8]) -> String {
    let field = baton_proto::wire::fields(message).next().unwrap().unwrap();
    String::from_utf8(field.value.bytes().unwrap().to_vec()).unwrap()
}
