//! The session stores of a child: those of its parent, with a cache in front.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::session::{Found, SessionPage, SessionStore};
use baton_connector::{Code, Error, Result};
use baton_proto::c1::connectorapi::baton::v1::{
    ClearRequest, DeleteRequest, GetAllRequest, GetManyRequest, SetManyRequest,
};
use prost::Message;
use tokio::time::Instant;

use super::cache::{Begun, Cache};
use crate::method::Method;
use crate::methods::connectorapi_v1::baton_session_service as service;
use crate::services::Sessions;
use crate::transport::{Channel, Unary, Wire};
use crate::{MAX_MESSAGE_BYTES, TraceContext};

/// Time limit of a request to the parent, which answers from memory.
const LIMIT: Duration = Duration::from_mins(1);
/// The parent in messages.
const PARENT: &str = "the session server";

/// The session stores of a child.
#[derive(Clone)]
pub struct RemoteSessions {
    /// `None` where the parent offers no store.
    parent: Option<Arc<Parent>>,
}

struct Parent {
    unary: Box<dyn Unary>,
    cache: Mutex<Cache>,
}

impl RemoteSessions {
    /// The stores behind `channel`, with a cache of at most `cache_bytes`; with zero
    /// every value is requested.
    /// `traces` continues traces in the parent.
    pub fn new(
        channel: Channel,
        cache_bytes: usize,
        traces: Option<Arc<dyn TraceContext>>,
    ) -> Self {
        Self::over(Wire::new(channel, MAX_MESSAGE_BYTES, traces), cache_bytes)
    }

    pub(super) fn over(unary: impl Unary + 'static, cache_bytes: usize) -> Self {
        let parent = Parent {
            unary: Box::new(unary),
            cache: Mutex::new(Cache::new(cache_bytes)),
        };
        Self {
            parent: Some(Arc::new(parent)),
        }
    }

    /// No stores: every operation fails, except to clear.
    pub const fn disabled() -> Self {
        Self { parent: None }
    }
}

impl Sessions for RemoteSessions {
    fn of_sync(&self, sync_id: &str) -> Arc<dyn SessionStore> {
        Arc::new(Store {
            sync_id: sync_id.to_owned(),
            parent: self.parent.clone(),
        })
    }
}

impl std::fmt::Debug for RemoteSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteSessions")
            .field("enabled", &self.parent.is_some())
            .finish_non_exhaustive()
    }
}

impl Parent {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Whole whatever happened to a thread that held it.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call<Q: Message, A: Message + Default>(
        &self,
        method: Method<Q, A>,
        request: &Q,
    ) -> Result<A> {
        let message = request.encode_to_vec().into();
        let answer = self.unary.call(method.path(), message, LIMIT).await;
        let answer = answer.map_err(|failure| failure.into_error(PARENT))?;
        A::decode(answer).map_err(|error| {
            let text = format!("cannot read the answer of {PARENT}");
            Error::caused(Code::Internal, text, error)
        })
    }
}

struct Store {
    sync_id: String,
    parent: Option<Arc<Parent>>,
}

impl Store {
    /// The parent, for the operation with this name in Go.
    fn parent(&self, operation: &str) -> Result<&Parent> {
        let Some(parent) = &self.parent else {
            let text = format!(
                "session store is disabled by connector author. It must be explicitly enabled \
                 via RunConnector WithSessionStoreEnabled(): operation {operation} is not \
                 supported"
            );
            return Err(Error::stated(Code::Unknown, text));
        };
        if self.sync_id.is_empty() {
            return Err(Error::stated(Code::Unknown, "no syncID set in options"));
        }
        Ok(parent)
    }
}

/// The name of an operation in Go, which has two for one key and for several.
fn operation(one: &'static str, many: &'static str, keys: usize) -> &'static str {
    if keys == 1 { one } else { many }
}

#[async_trait]
impl SessionStore for Store {
    async fn get_many(&self, keys: &[String]) -> Result<Found> {
        let parent = self.parent(operation("Get", "GetMany", keys.len()))?;
        let mut items = BTreeMap::new();
        let mut begun: BTreeMap<&str, Begun> = BTreeMap::new();
        {
            let mut cache = parent.cache();
            for key in keys {
                match cache.get(&self.sync_id, key, Instant::now()) {
                    Some(value) => {
                        items.insert(key.clone(), value.to_vec());
                    }
                    None => {
                        begun.insert(key, cache.reads(&self.sync_id, key));
                    }
                }
            }
        }
        if begun.is_empty() {
            let unprocessed = Vec::new();
            return Ok(Found { items, unprocessed });
        }
        let request = GetManyRequest {
            sync_id: self.sync_id.clone(),
            keys: begun.keys().map(|key| (*key).to_owned()).collect(),
            prefix: String::new(),
        };
        let answer = parent.call(service::GET_MANY, &request).await?;
        let mut cache = parent.cache();
        for item in answer.items {
            let Some(begun) = begun.get(item.key.as_str()) else {
                let text = format!("{PARENT} answered with a key that was not requested");
                return Err(Error::stated(Code::Internal, text));
            };
            let key = (self.sync_id.as_str(), item.key.as_str());
            cache.keep(key, item.value.clone(), *begun, Instant::now());
            items.insert(item.key, item.value);
        }
        Ok(Found {
            items,
            unprocessed: answer.unprocessed_keys,
        })
    }

    async fn set_many(&self, items: Vec<(String, Vec<u8>)>) -> Result<()> {
        let parent = self.parent(operation("Set", "SetMany", items.len()))?;
        let begun: Vec<Begun> = {
            let mut cache = parent.cache();
            let keys = items.iter().map(|(key, _)| key);
            keys.map(|key| cache.changes(&self.sync_id, key)).collect()
        };
        let request = SetManyRequest {
            sync_id: self.sync_id.clone(),
            values: items.iter().cloned().collect(),
            prefix: String::new(),
        };
        parent.call(service::SET_MANY, &request).await?;
        let mut cache = parent.cache();
        for ((key, value), begun) in items.into_iter().zip(begun) {
            cache.keep((&self.sync_id, &key), value, begun, Instant::now());
        }
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let parent = self.parent("Delete")?;
        parent.cache().changes(&self.sync_id, key);
        let request = DeleteRequest {
            sync_id: self.sync_id.clone(),
            key: key.to_owned(),
            prefix: String::new(),
        };
        let deleted = parent.call(service::DELETE, &request).await;
        // What was read while the request was on its way may be the old value.
        parent.cache().changes(&self.sync_id, key);
        deleted.map(|_| ())
    }

    async fn clear(&self, prefix: &str) -> Result<()> {
        if self.parent.is_none() {
            return Ok(());
        }
        let parent = self.parent("Clear")?;
        parent.cache().clear(&self.sync_id, prefix);
        let request = ClearRequest {
            sync_id: self.sync_id.clone(),
            prefix: prefix.to_owned(),
        };
        let cleared = parent.call(service::CLEAR, &request).await;
        parent.cache().clear(&self.sync_id, prefix);
        cleared.map(|_| ())
    }

    async fn page(&self, prefix: &str, from: &str) -> Result<SessionPage> {
        let parent = self.parent("GetAll")?;
        let request = GetAllRequest {
            sync_id: self.sync_id.clone(),
            page_token: from.strip_prefix(prefix).unwrap_or_default().to_owned(),
            prefix: prefix.to_owned(),
        };
        let answer = parent.call(service::GET_ALL, &request).await?;
        let items = answer.items.into_iter();
        let mut items: Vec<_> = items
            .map(|item| (format!("{prefix}{}", item.key), item.value))
            .collect();
        // A Go parent lists the items of a page in no order.
        items.sort_unstable();
        let next = match answer.page_token.as_str() {
            "" => String::new(),
            token => format!("{prefix}{token}"),
        };
        Ok(SessionPage { items, next })
    }
}
