//! `BatonSessionService`: the methods of the parent's session server
//! (`service-mode.md` §4.6).

use std::sync::Arc;

use baton_connector::Error;
use baton_connector::session::{Session, SessionStore};
use baton_proto::c1::connectorapi::baton::v1::{
    ClearRequest, ClearResponse, DeleteManyRequest, DeleteManyResponse, DeleteRequest,
    DeleteResponse, GetAllItem, GetAllRequest, GetAllResponse, GetManyItem, GetManyRequest,
    GetManyResponse, GetRequest, GetResponse, SetManyRequest, SetManyResponse, SetRequest,
    SetResponse,
};
use baton_proto::{Code, causes};
use prost::Message;

use super::stores::SyncStores;
use crate::MAX_MESSAGE_BYTES;
use crate::methods::connectorapi_v1::baton_session_service as service;
use crate::server::{Context, Router};
use crate::status::Status;

type Answer<T> = Result<T, Status>;

/// A failure of a store. The Go server has no code for it.
fn failed(doing: impl std::fmt::Display) -> impl FnOnce(Error) -> Status {
    move |error| {
        let text = format!("failed to {doing}: {}", causes::one_line(&error));
        Status::new(Code::Unknown, text)
    }
}

fn store(stores: &SyncStores, sync_id: &str, doing: &str) -> Answer<Arc<dyn SessionStore>> {
    stores.of(sync_id).ok_or_else(|| {
        let text = format!("failed to {doing}: session store is not set");
        Status::new(Code::Unknown, text)
    })
}

fn session(stores: &SyncStores, sync_id: &str, prefix: &str, doing: &str) -> Answer<Session> {
    let store = store(stores, sync_id, doing)?;
    Ok(Session::of(Some(store)).prefixed(prefix))
}

/// The session service for the stores of `stores`.
pub fn session_service(stores: &SyncStores) -> Router {
    let mut router = Router::new();
    router.read(service::GET, with(stores, get));
    router.read(service::GET_MANY, with(stores, get_many));
    router.read(service::GET_ALL, with(stores, get_all));
    router.write(service::SET, with(stores, set));
    router.write(service::SET_MANY, with(stores, set_many));
    router.write(service::DELETE, with(stores, delete));
    router.write(service::DELETE_MANY, with(stores, delete_many));
    router.write(service::CLEAR, with(stores, clear));
    router
}

/// A method that needs the stores.
fn with<Q, R>(
    stores: &SyncStores,
    serve: fn(SyncStores, Q) -> R,
) -> impl Fn(Q, Context) -> R + Send + Sync + 'static
where
    Q: 'static,
    R: 'static,
{
    let stores = stores.clone();
    move |request, _context| serve(stores.clone(), request)
}

async fn get(stores: SyncStores, request: GetRequest) -> Answer<GetResponse> {
    let doing = "get value from cache";
    let session = session(&stores, &request.sync_id, &request.prefix, doing)?;
    let value = session.get(&request.key).await.map_err(failed(doing))?;
    Ok(GetResponse {
        found: value.is_some(),
        value: value.unwrap_or_default(),
    })
}

/// What does not fit into an answer is left for further requests.
async fn get_many(stores: SyncStores, request: GetManyRequest) -> Answer<GetManyResponse> {
    let doing = "get many values from cache";
    let store = store(&stores, &request.sync_id, doing)?;
    let prefix = &request.prefix;
    let keys = request.keys.iter();
    let mut wanted: Vec<_> = keys.map(|key| format!("{prefix}{key}")).collect();
    let short = |key: &str| key.strip_prefix(prefix).unwrap_or(key).to_owned();
    let mut later = Vec::new();
    loop {
        let found = store.get_many(&wanted).await.map_err(failed(doing))?;
        let items = found.items.into_iter().map(|(key, value)| GetManyItem {
            key: short(&key),
            value,
        });
        let unprocessed = found.unprocessed.iter().chain(&later);
        let mut answer = GetManyResponse {
            items: items.collect(),
            unprocessed_keys: unprocessed.map(|key| short(key)).collect(),
        };
        while answer.encoded_len() > MAX_MESSAGE_BYTES
            && answer.items.len() > 1
            && let Some(item) = answer.items.pop()
        {
            answer.unprocessed_keys.push(item.key);
        }
        let large = answer
            .items
            .first()
            .map(|item| format!("{prefix}{}", item.key));
        match large {
            // Its value and the names of the other keys are too much together.
            Some(large) if answer.encoded_len() > MAX_MESSAGE_BYTES && wanted.len() > 1 => {
                wanted.retain(|key| *key != large);
                later.push(large);
            }
            _ => return Ok(answer),
        }
    }
}

/// The token of a page is the key that it begins with, without the prefix.
async fn get_all(stores: SyncStores, request: GetAllRequest) -> Answer<GetAllResponse> {
    let doing = "get all values from cache";
    let store = store(&stores, &request.sync_id, doing)?;
    let prefix = &request.prefix;
    let from = format!("{prefix}{}", request.page_token);
    let page = store.page(prefix, &from).await.map_err(failed(doing))?;
    let short = |key: String| key.strip_prefix(prefix).unwrap_or(&key).to_owned();
    let items = page.items.into_iter().map(|(key, value)| GetAllItem {
        key: short(key),
        value,
    });
    let mut answer = GetAllResponse {
        items: items.collect(),
        page_token: short(page.next),
    };
    while answer.encoded_len() > MAX_MESSAGE_BYTES
        && answer.items.len() > 1
        && let Some(item) = answer.items.pop()
    {
        answer.page_token = item.key;
    }
    Ok(answer)
}

async fn set(stores: SyncStores, request: SetRequest) -> Answer<SetResponse> {
    let doing = "set value in cache";
    let session = session(&stores, &request.sync_id, &request.prefix, doing)?;
    let stored = session.set(&request.key, request.value).await;
    stored.map_err(failed(doing))?;
    Ok(SetResponse {})
}

async fn set_many(stores: SyncStores, request: SetManyRequest) -> Answer<SetManyResponse> {
    let doing = "set many values in cache";
    let session = session(&stores, &request.sync_id, &request.prefix, doing)?;
    let values = request.values.iter();
    let values = values.map(|(key, value)| (key.as_str(), value.clone()));
    session.set_many(values).await.map_err(failed(doing))?;
    Ok(SetManyResponse {})
}

async fn delete(stores: SyncStores, request: DeleteRequest) -> Answer<DeleteResponse> {
    let doing = "delete value from cache";
    let session = session(&stores, &request.sync_id, &request.prefix, doing)?;
    session.delete(&request.key).await.map_err(failed(doing))?;
    Ok(DeleteResponse {})
}

async fn delete_many(stores: SyncStores, request: DeleteManyRequest) -> Answer<DeleteManyResponse> {
    let doing = "delete value from cache";
    let session = session(&stores, &request.sync_id, &request.prefix, doing)?;
    for key in &request.keys {
        let deleted = session.delete(key).await;
        deleted.map_err(failed(format_args!("delete value for key {key}")))?;
    }
    Ok(DeleteManyResponse {})
}

/// Succeeds also without a store.
async fn clear(stores: SyncStores, request: ClearRequest) -> Answer<ClearResponse> {
    if let Some(store) = stores.of(&request.sync_id) {
        let cleared = store.clear(&request.prefix).await;
        cleared.map_err(failed("clear cache"))?;
    }
    Ok(ClearResponse {})
}
