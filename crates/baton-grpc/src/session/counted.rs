//! How often a call of a connector uses its session store, and how long it waits for
//! it. A parent adds this up in the statistics of its sync.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use baton_connector::session::{Found, SessionPage, SessionStore};
use baton_connector::{Code, Result, v2};
use tokio::time::Instant;
use v2::session_store_usage::OpStats;

/// The kind of a store that a connector uses.
const KIND: &str = "connector_backend";

/// Counts of one call. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SessionUsage(Arc<Mutex<BTreeMap<&'static str, OpStats>>>);

impl SessionUsage {
    /// Nothing was used.
    pub fn new() -> Self {
        Self::default()
    }

    /// `store`, whose uses are counted here.
    pub fn counting(&self, store: Arc<dyn SessionStore>) -> Arc<dyn SessionStore> {
        Arc::new(Counted {
            store,
            usage: self.clone(),
        })
    }

    /// The annotation of a response; `None` if the store was not used.
    pub fn annotation(&self) -> Option<v2::SessionStoreUsage> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.is_empty() {
            return None;
        }
        Some(v2::SessionStoreUsage {
            kind: KIND.to_owned(),
            ops: counts.values().cloned().collect(),
        })
    }

    async fn count<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        let done = work.await;
        let millis = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counts.entry(operation).or_insert_with(|| OpStats {
            op: operation.to_owned(),
            ..OpStats::default()
        });
        counted.count += 1;
        counted.total_ms = counted.total_ms.saturating_add(millis);
        counted.max_ms = counted.max_ms.max(millis);
        if let Err(error) = &done {
            counted.errors += 1;
            counted.timeouts += i64::from(error.code() == Code::DeadlineExceeded);
        }
        done
    }
}

struct Counted {
    store: Arc<dyn SessionStore>,
    usage: SessionUsage,
}

#[async_trait]
impl SessionStore for Counted {
    async fn get_many(&self, keys: &[String]) -> Result<Found> {
        let operation = if keys.len() == 1 { "get" } else { "get_many" };
        self.usage.count(operation, self.store.get_many(keys)).await
    }

    async fn set_many(&self, items: Vec<(String, Vec<u8>)>) -> Result<()> {
        let operation = if items.len() == 1 { "set" } else { "set_many" };
        self.usage
            .count(operation, self.store.set_many(items))
            .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.usage.count("delete", self.store.delete(key)).await
    }

    async fn clear(&self, prefix: &str) -> Result<()> {
        self.usage.count("clear", self.store.clear(prefix)).await
    }

    async fn page(&self, prefix: &str, from: &str) -> Result<SessionPage> {
        self.usage
            .count("get_all", self.store.page(prefix, from))
            .await
    }
}
