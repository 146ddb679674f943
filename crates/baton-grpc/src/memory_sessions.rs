//! Session stores in the memory of the process that serves the connector, for
//! engines that offer none.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use baton_connector::session::{Found, MAX_BYTES, MAX_KEYS, SessionPage, SessionStore, item_bytes};
use baton_connector::{Error, Result};
use baton_proto::Code;

use crate::{Sessions, Status};

/// Most bytes of all values together.
const MAX_TOTAL_BYTES: usize = 256 << 20;
/// Most syncs that have values; a further one displaces the one that was used
/// the longest time ago. An engine that is killed cleans nothing up.
const MAX_SYNCS: usize = 64;

/// Session stores in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemorySessions(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    syncs: HashMap<String, Sync>,
    bytes: usize,
    /// Counts uses, to find the oldest.
    uses: u64,
}

#[derive(Default)]
struct Sync {
    items: BTreeMap<String, Vec<u8>>,
    used: u64,
}

impl MemorySessions {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic halfway through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for MemorySessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemorySessions").finish_non_exhaustive()
    }
}

impl Sessions for MemorySessions {
    fn of_sync(&self, sync_id: &str) -> Arc<dyn SessionStore> {
        Arc::new(Store {
            all: self.clone(),
            sync_id: sync_id.to_owned(),
        })
    }
}

impl State {
    /// The values of a sync that is used now.
    fn used(&mut self, sync_id: &str) -> Option<&BTreeMap<String, Vec<u8>>> {
        self.uses += 1;
        let sync = self.syncs.get_mut(sync_id)?;
        sync.used = self.uses;
        Some(&sync.items)
    }

    fn set(&mut self, sync_id: &str, items: Vec<(String, Vec<u8>)>) {
        self.uses += 1;
        if !self.syncs.contains_key(sync_id) && self.syncs.len() >= MAX_SYNCS {
            let oldest = self.syncs.iter().min_by_key(|(_, sync)| sync.used);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.clear(&oldest, "");
            }
        }
        let sync = self.syncs.entry(sync_id.to_owned()).or_default();
        sync.used = self.uses;
        for (key, value) in items {
            self.bytes += item_bytes(&key, &value);
            if let Some(old) = sync.items.get(&key) {
                self.bytes -= item_bytes(&key, old);
            }
            sync.items.insert(key, value);
        }
    }

    fn delete(&mut self, sync_id: &str, key: &str) {
        if let Some(sync) = self.syncs.get_mut(sync_id)
            && let Some(value) = sync.items.remove(key)
        {
            self.bytes -= item_bytes(key, &value);
        }
    }

    fn clear(&mut self, sync_id: &str, prefix: &str) {
        let Some(sync) = self.syncs.get_mut(sync_id) else {
            return;
        };
        let gone = sync.items.extract_if(.., |key, _| key.starts_with(prefix));
        self.bytes -= gone
            .map(|(key, value)| item_bytes(&key, &value))
            .sum::<usize>();
        if sync.items.is_empty() {
            self.syncs.remove(sync_id);
        }
    }
}

/// The values of one sync.
struct Store {
    all: MemorySessions,
    sync_id: String,
}

#[async_trait]
impl SessionStore for Store {
    async fn get_many(&self, keys: &[String]) -> Result<Found> {
        let mut state = self.all.lock();
        let mut found = Found::default();
        let Some(items) = state.used(&self.sync_id) else {
            return Ok(found);
        };
        let mut bytes = 0;
        for key in keys {
            let Some(value) = items.get(key) else {
                continue;
            };
            bytes += item_bytes(key, value);
            if bytes > MAX_BYTES && !found.items.is_empty() {
                found.unprocessed.push(key.clone());
            } else {
                found.items.insert(key.clone(), value.clone());
            }
        }
        Ok(found)
    }

    async fn set_many(&self, items: Vec<(String, Vec<u8>)>) -> Result<()> {
        let mut state = self.all.lock();
        let bytes: usize = items
            .iter()
            .map(|(key, value)| item_bytes(key, value))
            .sum();
        if state.bytes + bytes > MAX_TOTAL_BYTES {
            let text = format!("the session stores hold at most {MAX_TOTAL_BYTES} bytes");
            return Err(Error::from(Status::new(Code::ResourceExhausted, text)));
        }
        state.set(&self.sync_id, items);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.all.lock().delete(&self.sync_id, key);
        Ok(())
    }

    async fn clear(&self, prefix: &str) -> Result<()> {
        self.all.lock().clear(&self.sync_id, prefix);
        Ok(())
    }

    async fn page(&self, prefix: &str, from: &str) -> Result<SessionPage> {
        let mut state = self.all.lock();
        let mut page = SessionPage::default();
        let Some(items) = state.used(&self.sync_id) else {
            return Ok(page);
        };
        let from = from.max(prefix).to_owned();
        let mut bytes = 0;
        for (key, value) in items.range((Bound::Included(from), Bound::Unbounded)) {
            // Keys with a prefix follow each other.
            if !key.starts_with(prefix) {
                break;
            }
            bytes += item_bytes(key, value);
            let full = page.items.len() == MAX_KEYS || bytes > MAX_BYTES;
            if full && !page.items.is_empty() {
                page.next.clone_from(key);
                break;
            }
            page.items.push((key.clone(), value.clone()));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use baton_connector::session::Session;

    use super::*;

    fn session(all: &MemorySessions, sync_id: &str) -> Session {
        Session::of(Some(all.of_sync(sync_id)))
    }

    #[tokio::test]
    async fn syncs_do_not_see_each_others_values() {
        let all = MemorySessions::new();
        let (a, b) = (session(&all, "a"), session(&all, "b"));
        a.set("key", "of a").await.unwrap();
        assert_eq!(b.get("key").await.unwrap(), None);
        b.set("key", "of b").await.unwrap();
        assert_eq!(a.get("key").await.unwrap().unwrap(), b"of a");
        b.clear().await.unwrap();
        assert_eq!(b.get("key").await.unwrap(), None);
        assert_eq!(a.get("key").await.unwrap().unwrap(), b"of a");
    }

    #[tokio::test]
    async fn values_are_replaced_deleted_and_listed_in_pages() {
        let all = MemorySessions::new();
        let session = session(&all, "a").prefixed("p");
        for number in 0..250 {
            session.set(&format!("{number}"), "old").await.unwrap();
        }
        session.set("0", "new").await.unwrap();
        session.delete("1").await.unwrap();
        let items = session.get_all().await.unwrap();
        assert_eq!(items.len(), 249);
        assert_eq!(items["0"], b"new");
        session.clear().await.unwrap();
        let state = all.lock();
        assert_eq!((state.bytes, state.syncs.len()), (0, 0));
    }

    #[tokio::test]
    async fn the_number_of_syncs_and_their_bytes_are_bounded() {
        let all = MemorySessions::new();
        for number in 0..=MAX_SYNCS {
            let newest = session(&all, &number.to_string());
            newest.set("key", "value").await.unwrap();
            // The first one is used all the time.
            let first = session(&all, "0").get("key").await.unwrap();
            assert!(first.is_some());
        }
        assert_eq!(all.lock().syncs.len(), MAX_SYNCS);
        assert_eq!(session(&all, "1").get("key").await.unwrap(), None);
        let big = vec![0; 4_000_000];
        let first = session(&all, "0");
        let mut stored = 0;
        let error = loop {
            match first.set(&format!("big {stored}"), big.clone()).await {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!((60..=67).contains(&stored), "{stored}");
    }
}
